/**
 * Nodes of a declaration's schema, by the names of fields, as errors and `--set` use them.
 * Schemas are read as JSON Schema, zod's public form of them.
 */
import { z } from "zod";

/** A place in the schema: the field's form, seen through wrappers such as "optional". */
export interface SchemaNode {
  /** Allowed values, in words. */
  readonly allowed: string;
  /** Type of the value; `union` is one of several forms that the value does not decide. */
  readonly type: "object" | "array" | "number" | "boolean" | "string" | "enum" | "union";
  /** Names of an object's fields, or an enumeration's values. */
  readonly names: readonly string[];
  /** Metadata of the field, as given to the schema's `meta()`. */
  readonly meta: Readonly<Record<string, unknown>>;
  /** The node below: a field of an object, or any element of an array; undefined where there is none. */
  child(key: string | number): SchemaNode | undefined;
}

/** The parts of JSON Schema in which declarations are described. */
interface JsonForm {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonForm>>;
  /** Of an object whose keys are not fields: the form of every value. */
  readonly additionalProperties?: JsonForm | false;
  readonly required?: readonly string[];
  readonly items?: JsonForm | false;
  readonly prefixItems?: readonly JsonForm[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonForm[];
  readonly oneOf?: readonly JsonForm[];
}

const forms = new WeakMap<z.ZodType, JsonForm>();

/** The node of a whole schema. `value` decides among the kinds of a discriminated union. */
export function rootNode(schema: z.ZodType, value: unknown): SchemaNode {
  let form = forms.get(schema);
  if (form === undefined) {
    // A type without a form of its own, such as a custom one, becomes a form that allows everything.
    form = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonForm;
    forms.set(schema, form);
  }
  return nodeOf(form, value);
}

function nodeOf(form: JsonForm, value: unknown): SchemaNode {
  const { description: allowed = "" } = form;
  const leaf = (type: SchemaNode["type"], names: readonly string[] = []): SchemaNode => ({
    allowed,
    type,
    names,
    meta: form as Readonly<Record<string, unknown>>,
    child: () => undefined,
  });
  if (form.oneOf) return kindNode(form, form.oneOf, value);
  if (form.anyOf) {
    const chosen = form.anyOf.find((option) => takes(option, value));
    if (chosen) return nodeOf(chosen, value);
    // One number or a list of them is a list, of one perhaps; text may look like anything.
    const list = form.anyOf.map((option) => nodeOf(option, value))
      .find((node) => node.type === "array" && node.child(0)?.type === "number");
    return list ? { ...list, allowed } : leaf("union");
  }
  const values = valuesOf(form);
  if (values.length > 0) return leaf("enum", values);
  switch (form.type) {
    case "object":
      if (!form.properties && form.additionalProperties) {
        const each = form.additionalProperties;
        return {
          ...leaf("object"),
          allowed: `objects of ${allowed}`,
          child: (key) => nodeOf(each, (value as Record<string, unknown> | undefined)?.[key]),
        };
      }
      return { ...leaf("object"), ...objectNode([form], value) };
    case "array":
      return {
        ...leaf("array"),
        child: (key) => {
          const i = Number(key);
          if (!Number.isInteger(i) || i < 0) return undefined;
          const element = form.prefixItems ? form.prefixItems[i] : form.items;
          return element ? nodeOf(element, Array.isArray(value) ? value[i] : undefined) : undefined;
        },
      };
    case "boolean":
    case "string":
      return leaf(form.type);
    default:
      return leaf("number");
  }
}

/** Values of an enumeration or a literal, as text; none of any other form. */
function valuesOf(form: JsonForm): string[] {
  return (form.enum ?? (form.const === undefined ? [] : [form.const])).map(String);
}

/** Whether a form of a union is the one for values like this: names for text, settings for objects. */
function takes(form: JsonForm, value: unknown): boolean {
  return form.enum !== undefined && typeof value === "string" ||
    form.oneOf !== undefined && typeof value === "object" && value !== null;
}

/** The object that the value's discriminator, such as `kind`, chooses, or the fields of all where it chooses none. */
function kindNode(form: JsonForm, options: readonly JsonForm[], value: unknown): SchemaNode {
  const discriminator = discriminatorOf(options);
  const kindsOf = (option: JsonForm) => valuesOf(option.properties?.[discriminator] ?? {});
  const kind = (value as Record<string, unknown> | undefined)?.[discriminator];
  const chosen = options.filter((option) =>
    kind === undefined
      ? !option.required?.includes(discriminator)
      : kindsOf(option).includes(String(kind))
  );
  const kinds = options.flatMap(kindsOf);
  const allowed = kinds.join(", ");
  const node = objectNode(chosen.length > 0 ? chosen : options, value);
  return {
    ...node,
    type: "object",
    allowed: `objects whose ${discriminator} is ${allowed}`,
    meta: form as Readonly<Record<string, unknown>>,
    child: (key) => {
      const child = node.child(key);
      return key === discriminator
        ? { allowed, type: "enum", names: kinds, meta: child?.meta ?? {}, child: () => undefined }
        : child;
    },
  };
}

/** The field whose values tell the forms of a union apart. */
function discriminatorOf(options: readonly JsonForm[]): string {
  const discriminator = Object.keys(options[0].properties ?? {}).find((name) => {
    const values = options.map((option) => valuesOf(option.properties?.[name] ?? {}));
    return values.every(({ length }) => length > 0) &&
      new Set(values.flat()).size === values.flat().length;
  });
  if (discriminator === undefined) throw new TypeError("No field tells the forms of a union apart");
  return discriminator;
}

function objectNode(
  objects: readonly JsonForm[],
  value: unknown,
): Pick<SchemaNode, "allowed" | "names" | "child"> {
  const names = [...new Set(objects.flatMap(({ properties = {} }) => Object.keys(properties)))];
  return {
    allowed: `objects of ${names.join(", ")}`,
    names,
    child: (key) => {
      const owner = objects.find(({ properties = {} }) => Object.hasOwn(properties, key));
      return owner &&
        nodeOf(owner.properties![key], (value as Record<string, unknown> | undefined)?.[key]);
    },
  };
}
