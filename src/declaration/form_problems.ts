/**
 * Errors in the form of a declaration: unknown or missing fields, and values of the wrong type.
 */
import type { z } from "zod";
import { allowedWords } from "../did_you_mean.ts";
import { type Problem, show } from "./problem.ts";
import { rootNode, type SchemaNode } from "./schema_node.ts";

/**
 * Checks the form of a declaration.
 *
 * @param path Where it stands in a larger one: `memory`; empty for a whole one.
 * @returns Its fields in the order of the schema, unless something is wrong with them.
 */
export function parseForm<Declaration>(
  schema: z.ZodType<Declaration>,
  declaration: unknown,
  path = "",
): { readonly declared?: Declaration; readonly problems: readonly Problem[] } {
  const { data, error } = schema.safeParse(declaration);
  if (!error) return { declared: data as Declaration, problems: [] };
  const problems = error.issues.flatMap((issue) => formProblems(schema, issue, declaration));
  if (path === "") return { problems };
  return {
    problems: problems.map(({ path: inner, message }) => ({
      path: inner === whole ? path : `${path}.${inner}`,
      message,
    })),
  };
}

/** How problems of a declaration itself name it. */
const whole = "the declaration";

/** Rewords the schema checker's findings. */
function formProblems(
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
  declaration: unknown,
): Problem[] {
  if (issue.code === "invalid_union") {
    // Of several forms, the one whose fields are wrong, and not the whole.
    const within = issue.errors.find((issues) => issues.every(({ path }) => path.length > 0));
    if (within) {
      return within.flatMap((inner) =>
        formProblems(schema, { ...inner, path: [...issue.path, ...inner.path] }, declaration)
      );
    }
  }
  const path = issue.path.map(String);
  const field = path.join(".") || whole;
  const { node, value } = find(schema, path, declaration);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key].join("."),
      message: `is unknown: ${allowedWords(key, node.names)}`,
    }));
  }
  if (value === undefined) {
    return [{ path: field, message: `is missing: allowed are ${node.allowed}` }];
  }
  const allowed = node.type === "enum" && typeof value === "string"
    ? allowedWords(value, node.names)
    : `allowed are ${node.allowed}`;
  return [{
    path: field,
    message: `has a wrong value: current value is ${show(value)}, ${allowed}`,
  }];
}

/** The schema and the value at a path. */
function find(
  schema: z.ZodType,
  path: readonly string[],
  declaration: unknown,
): { node: SchemaNode; value: unknown } {
  let node = rootNode(schema, declaration), value = declaration;
  for (const key of path) {
    node = node.child(key) ?? node;
    value = (value as Record<string, unknown> | undefined)?.[key];
  }
  return { node, value };
}
