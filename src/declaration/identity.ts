/**
 * Which fields of a declaration are part of a run's identity.
 *
 * A run is named by a hash of its declaration, every default filled in. So that a field can be added without renaming the runs
 * that are recorded, its part declares it as {@linkcode introducedAt} the value that describes earlier runs: at this value it is left
 * out of the hash, at any other it is hashed. That value must be the default and never
 * change. Fields that do not change any measurement are {@linkcode unmeasured}.
 *
 * ```ts ignore
 * const memorySchema = z.strictObject({
 *   chunkTokens: positiveInteger.exactOptional(),
 *   decay: introducedAt(nonNegativeNumber, 0).exactOptional(), // new: a memory without it does not decay
 * });
 * ```
 */
import type { z } from "zod";
import { rootNode, type SchemaNode } from "./schema_node.ts";

/** The schema of a field added after runs were recorded: they behaved as with `value`. */
export function introducedAt<S extends z.ZodType>(schema: S, value: z.output<S>): S {
  return schema.meta({ introducedAt: value }) as S;
}

/** The field's schema, for a field that changes nothing that is measured, as labels and the choice of a device. */
export function unmeasured<S extends z.ZodType>(schema: S): S {
  return schema.meta({ unmeasured: true }) as S;
}

/** Whether a field changes nothing that is measured. */
export function isUnmeasured({ meta }: SchemaNode): boolean {
  return meta.unmeasured === true;
}

/** The fields of a declaration, its defaults filled in, that tell its run from others. */
export function identityOf(schema: z.ZodType, config: unknown): unknown {
  return identifying(rootNode(schema, config), config);
}

function identifying(node: SchemaNode | undefined, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((element, i) => identifying(node?.child(i), element));
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, field]) => ({ name, field, child: node?.child(name) }))
      .filter(({ field, child }) => !child || !isLeftOut(child, field))
      .map(({ name, field, child }) => [name, identifying(child, field)]),
  );
}

function isLeftOut(node: SchemaNode, value: unknown): boolean {
  return isUnmeasured(node) ||
    "introducedAt" in node.meta &&
      canonicalJson(node.meta.introducedAt) === canonicalJson(value);
}

/** A value with the paths that have moved as runs were recorded with them: `moved` has these by the paths of today. */
export function atRecordedPaths(value: unknown, moved: Readonly<Record<string, string>>): unknown {
  if (typeof value === "string") return Object.hasOwn(moved, value) ? moved[value] : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => atRecordedPaths(element, moved));
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, atRecordedPaths(field, moved)]),
  );
}

/** JSON that does not depend on the order in which keys were written. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, field) =>
      typeof field === "object" && field !== null && !Array.isArray(field)
        ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0))
        : field,
  );
}
