import type * as z from "zod";
import { InputTypeError } from "../errors.ts";

/**
 * Checks the form of JSON.
 *
 * @param action Purpose of the JSON, to complete "Cannot ...": `read "list.json"`.
 * @param whole Name of the JSON itself, for the error where that itself is wrong (default `the file`).
 * @returns The value as the schema has it.
 * @throws {TypeError} Where a field has another form, naming the first.
 */
export function checkedForm<T>(
  schema: z.ZodType<T>,
  value: unknown,
  action: string,
  whole = "the file",
): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [{ path, message }] = error.issues;
  throw new InputTypeError(
    `Cannot ${action} as ${path.join(".") || whole} is not allowed: ${message}`,
  );
}
