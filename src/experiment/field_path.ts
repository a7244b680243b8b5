/**
 * Finds and sets fields of a declaration by their paths: `memory.chunkTokens`, `evaluations.0.models`.
 */
import type { Experiment } from "./declaration.ts";
import { rootNode, type SchemaNode } from "./schema_node.ts";
import { allowedWords } from "../did_you_mean.ts";

/**
 * Finds a field in the form of a declaration, whether or not it has a value.
 *
 * @returns The form of the field; or why there is none, and how far the path leads to one.
 */
export function locateField(
  experiment: Experiment,
  keys: readonly string[],
): { readonly node: SchemaNode } | { readonly path: string; readonly reason: string } {
  let node = rootNode(experiment);
  let owner: unknown = experiment;
  for (const [depth, key] of keys.entries()) {
    const child = node.child(key);
    if (child === undefined) {
      return { path: keys.slice(0, depth + 1).join("."), reason: unknownField(keys, depth, node) };
    }
    if (Array.isArray(owner) && Number(key) >= owner.length) {
      return {
        path: keys.join("."),
        reason: `${keys.slice(0, depth).join(".")} has ${owner.length} elements: ` +
          `current value is ${key}, allowed are integers below ${owner.length}`,
      };
    }
    owner = (owner as Record<string, unknown> | undefined)?.[key];
    node = child;
  }
  return { node };
}

function unknownField(keys: readonly string[], depth: number, node: SchemaNode): string {
  const parent = keys.slice(0, depth).join(".") || "an experiment";
  const key = keys[depth];
  return `"${key}" ` +
    (node.type === "object"
      ? `is no field of ${parent}: ${allowedWords(key, node.names)}`
      : node.type === "array"
      ? `is no element of ${parent}: allowed are integers from 0`
      : `is not there: ${parent} has no fields`);
}

/** Sets a field that {@linkcode locateField} has found; optional parts come into being with their first field. */
export function setField(experiment: Experiment, keys: readonly string[], value: unknown): void {
  let owner = experiment as unknown as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) {
    owner[key] ??= {};
    owner = owner[key] as Record<string, unknown>;
  }
  owner[keys.at(-1)!] = value;
}
