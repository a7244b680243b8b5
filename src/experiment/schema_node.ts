/**
 * Places in the schema of a declaration, by the names of fields: what errors and `--set` know of each.
 */
import { z } from "zod";
import { experimentSchema } from "./schema.ts";

/** A place in the schema: the field's form, seen through wrappers such as "optional". */
export interface SchemaNode {
  /** What values may be, in words. */
  readonly allowed: string;
  /** What a value looks like; `union` is one of several forms that the value does not decide. */
  readonly type: "object" | "array" | "number" | "boolean" | "string" | "enum" | "union";
  /** Names of an object's fields, or an enumeration's values. */
  readonly names: readonly string[];
  /** The node below: a field of an object, or any element of an array; undefined where there is none. */
  child(key: string | number): SchemaNode | undefined;
}

/** The node of the whole declaration. `value` decides among the kinds of a discriminated union. */
export function rootNode(value: unknown): SchemaNode {
  return nodeOf(experimentSchema, value);
}

function nodeOf(wrapped: z.core.$ZodType, value: unknown): SchemaNode {
  const { schema, allowed } = unwrap(wrapped);
  const leaf = (type: SchemaNode["type"], names: readonly string[] = []): SchemaNode => ({
    allowed,
    type,
    names,
    child: () => undefined,
  });
  if (schema instanceof z.ZodDiscriminatedUnion) return unionNode(schema, value);
  if (schema instanceof z.ZodObject) {
    return objectNode([schema], value);
  }
  if (schema instanceof z.ZodArray || schema instanceof z.ZodTuple) {
    return {
      ...leaf("array"),
      child: (key) => {
        const i = Number(key);
        if (!Number.isInteger(i) || i < 0) return undefined;
        const element = schema instanceof z.ZodArray ? schema.def.element : schema.def.items[i];
        return element && nodeOf(element, Array.isArray(value) ? value[i] : undefined);
      },
    };
  }
  if (schema instanceof z.ZodEnum) return leaf("enum", schema.options.map(String));
  if (schema instanceof z.ZodLiteral) return leaf("enum", [...schema.values].map(String));
  if (schema instanceof z.ZodUnion) {
    const form = schema.options.find((option) => takes(option, value));
    if (form) return nodeOf(form, value);
    // One number or a list of them is a list, of one perhaps; text may look like anything.
    const list = schema.options.map((option) => nodeOf(option, value))
      .find((node) => node.type === "array" && node.child(0)?.type === "number");
    return list ? { ...list, allowed } : leaf("union");
  }
  if (schema instanceof z.ZodBoolean) return leaf("boolean");
  if (schema instanceof z.ZodString) return leaf("string");
  return leaf("number");
}

/** Whether a form of a union is the one for values like this: names for text, settings for objects. */
function takes(form: z.core.$ZodType, value: unknown): boolean {
  return form instanceof z.ZodEnum && typeof value === "string" ||
    form instanceof z.ZodDiscriminatedUnion && typeof value === "object" && value !== null;
}

/** The form behind wrappers such as "optional", and the words of the outermost that has any. */
function unwrap(schema: z.core.$ZodType): { schema: z.core.$ZodType; allowed: string } {
  let allowed = z.globalRegistry.get(schema)?.description;
  while (
    schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional ||
    schema instanceof z.ZodReadonly
  ) {
    schema = schema.def.innerType;
    allowed ??= z.globalRegistry.get(schema)?.description;
  }
  return { schema, allowed: allowed ?? "" };
}

/** The object that the value's discriminator, such as `kind`, chooses, or the fields of all where it chooses none. */
function unionNode(schema: z.ZodDiscriminatedUnion, value: unknown): SchemaNode {
  const { discriminator } = schema.def;
  const objects = schema.def.options.filter((option) => option instanceof z.ZodObject);
  const kindsOf = (object: z.ZodObject) =>
    [...(unwrap(object.shape[discriminator]).schema as z.ZodLiteral).values].map(String);
  const kind = (value as Record<string, unknown> | undefined)?.[discriminator];
  const chosen = objects.filter((object) =>
    kind === undefined
      ? object.shape[discriminator] instanceof z.ZodOptional
      : kindsOf(object).includes(String(kind))
  );
  const kinds = objects.flatMap(kindsOf);
  const node = objectNode(chosen.length > 0 ? chosen : objects, value);
  return {
    ...node,
    allowed: `objects whose ${discriminator} is ${kinds.join(", ")}`,
    child: (key) =>
      key === discriminator
        ? { allowed: kinds.join(", "), type: "enum", names: kinds, child: () => undefined }
        : node.child(key),
  };
}

function objectNode(objects: readonly z.ZodObject[], value: unknown): SchemaNode {
  const names = [...new Set(objects.flatMap((object) => Object.keys(object.shape)))];
  return {
    allowed: `objects of ${names.join(", ")}`,
    type: "object",
    names,
    child: (key) => {
      const owner = objects.find((object) => Object.hasOwn(object.shape, key));
      return owner &&
        nodeOf(owner.shape[key], (value as Record<string, unknown> | undefined)?.[key]);
    },
  };
}
