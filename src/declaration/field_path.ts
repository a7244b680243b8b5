/**
 * Finds and sets fields of a declaration by their paths: `memory.chunkTokens`, `evaluations.0.models`.
 */
import type { z } from "zod";
import { rootNode, type SchemaNode } from "./schema_node.ts";
import { allowedWords } from "../did_you_mean.ts";
import { counted } from "../quantities.ts";

/** A declaration, its schema, and its name in errors: `an experiment`. */
export interface Located {
  readonly schema: z.ZodType;
  readonly value: unknown;
  readonly name: string;
}

/**
 * Finds a field in the form of a declaration, whether or not it has a value.
 *
 * @returns The form of the field; or why there is none, and how far the path leads to one.
 */
export function locateField(
  { schema, value, name }: Located,
  keys: readonly string[],
): { readonly node: SchemaNode } | { readonly path: string; readonly reason: string } {
  let node = rootNode(schema, value);
  let owner: unknown = value;
  for (const [depth, key] of keys.entries()) {
    const child = node.child(key);
    if (child === undefined) {
      return {
        path: keys.slice(0, depth + 1).join("."),
        reason: unknownField(keys, { depth, node, name }),
      };
    }
    if (Array.isArray(owner) && Number(key) >= owner.length) {
      return {
        path: keys.join("."),
        reason: `${keys.slice(0, depth).join(".")} has ${counted(owner.length, "element")}: ` +
          `current value is ${key}, allowed are integers below ${owner.length}`,
      };
    }
    owner = (owner as Record<string, unknown> | undefined)?.[key];
    node = child;
  }
  return { node };
}

function unknownField(
  keys: readonly string[],
  { depth, node, name }: {
    readonly depth: number;
    readonly node: SchemaNode;
    readonly name: string;
  },
): string {
  const parent = keys.slice(0, depth).join(".") || name;
  const key = keys[depth];
  return `"${key}" ` +
    (node.type === "object"
      ? `is not a field of ${parent}: ${allowedWords(key, node.names)}`
      : node.type === "array"
      ? `is not an element of ${parent}: allowed are integers from 0`
      : `is not there: ${parent} has no fields`);
}

/** The value of a field; undefined where there is none. */
export function valueAt(declaration: unknown, keys: readonly string[]): unknown {
  return keys.reduce(
    (owner, key) => (owner as Record<string, unknown> | undefined)?.[key],
    declaration,
  );
}

/**
 * Sets a field that {@linkcode locateField} has found; optional parts are created with their first field. The
 * objects around the field are copied, so that other parts that share them, as trainings may, keep their values.
 */
export function setField(declaration: object, keys: readonly string[], value: unknown): void {
  let owner = declaration as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) {
    const part = owner[key] ?? {};
    owner = owner[key] = (Array.isArray(part) ? [...part] : { ...part }) as Record<string, unknown>;
  }
  owner[keys.at(-1)!] = value;
}
