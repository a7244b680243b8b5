/**
 * `--set path=value`: overrides a field of a declaration from the command line.
 */
import type { Experiment, Sweep } from "./declaration.ts";
import { DeclarationError } from "../declaration/problem.ts";
import { locateField, valueAt } from "../declaration/field_path.ts";
import type { SchemaNode } from "../declaration/schema_node.ts";
import { allowedWords } from "../did_you_mean.ts";
import { inExperiment } from "./schema.ts";
import { setExperimentField } from "./set_field.ts";
import { sweptAround, withoutSwept } from "./sweep.ts";

/**
 * A copy of a declaration with fields overridden. A value is read as the field's type asks: numbers
 * (`65_536`, `2e-4`), `true` and `false`, words, lists (`0.9,0.98`), or JSON for lists and objects.
 *
 * A field that is set is no longer swept, nor are fields within it: the others are. Where a `kind` is set, fields that
 * only another kind has are left out. A field under `sweep` is set to a list of values, each read as the field's type
 * asks: `sweep.memory.chunkTokens=1,2,4`; of numbers also ranges: `sweep.seed=1..5`, `sweep.seed=1..9..2`.
 *
 * @param experiment The declaration; it is not changed.
 * @param assignments `path=value` pairs, a path as in `memory.chunkTokens`, `evaluations.0.split` or `sweep.seed`.
 * @throws {DeclarationError} Where a path is unknown or a value is not of the field's type.
 */
export function assign(experiment: Experiment, assignments: readonly string[]): Experiment {
  const { sweep: declared, ...copy }: Experiment = structuredClone(experiment);
  let sweep = declared;
  for (const assignment of assignments) {
    const { path, text } = parseAssignment(assignment);
    if (path === "sweep" || path.startsWith("sweep.")) {
      sweep = sweepOne(copy, sweep, path.slice("sweep.".length), text);
      continue;
    }
    assignOne(copy, path, text, assignments);
    const around = sweptAround(sweep, path);
    if (around !== undefined) {
      throw new DeclarationError(
        `Cannot set ${path} as ${around} is swept, of which it is part: set ${around} itself, ` +
          "which takes the place of its sweep",
      );
    }
    sweep = withoutSwept(sweep, path);
  }
  return sweep === undefined ? copy : { ...copy, sweep };
}

function parseAssignment(assignment: string): { readonly path: string; readonly text: string } {
  const separator = assignment.indexOf("=");
  if (separator <= 0) {
    throw new DeclarationError(
      `Cannot set a field as path=value is expected: current value is "${assignment}", allowed are ` +
        "assignments such as memory.chunkTokens=4",
    );
  }
  return { path: assignment.slice(0, separator), text: assignment.slice(separator + 1) };
}

function assignOne(
  experiment: Experiment,
  path: string,
  text: string,
  assignments: readonly string[],
): void {
  const keys = path.split(".");
  const value = readValue(path, nodeOf(experiment, path), text);
  const fixed = assignments.map((assignment) => assignment.split("=")[0]);
  setExperimentField(experiment, path, value, fixed);
  if (keys.length > 1 && keys.at(-1) === "kind") keepKnownFields(experiment, keys.slice(0, -1));
}

/** The sweep with a list of values of one field, in place of that field's earlier list. */
function sweepOne(
  experiment: Experiment,
  sweep: Sweep | undefined,
  path: string,
  text: string,
): Sweep {
  if (path === "" || path === "zip" || path.startsWith("zip.")) {
    throw new DeclarationError(
      `Cannot set sweep${path && `.${path}`} as one field's values are expected: allowed are ` +
        "assignments such as sweep.memory.chunkTokens=1,2,4 and sweep.seed=1..5",
    );
  }
  const node = nodeOf(experiment, path);
  const values = text.startsWith("[") || node.type === "object"
    ? readJson(text, () =>
      new DeclarationError(
        `Cannot set sweep.${path} as its values are no JSON list: current value is "${text}", ` +
          `allowed are lists of ${node.allowed}`,
      ))
    : text.split(",").flatMap((part) => readValues(path, node, part.trim()));
  return { ...withoutSwept(sweep, path), [path]: values };
}

/** Most values of a range: whoever writes more has mistyped. */
const mostValues = 10_000;

/** Reads an element of a list of values: one, or a range of numbers `from..to` or `from..to..step`. */
function readValues(path: string, node: SchemaNode, text: string): unknown[] {
  if (node.type !== "number" || !text.includes("..")) return [readValue(path, node, text, "list")];
  const parts = text.split("..");
  const [from, to, step = 1] = parts.map(readNumber);
  const steps = from === undefined || to === undefined ? NaN : (to - from) / step;
  // So many decimals are exact; steps such as 0.1 are not.
  const decimal = (value: number) => Number(value.toPrecision(12));
  const count = Math.floor(decimal(steps)) + 1;
  if (
    parts.length > 3 || step === undefined || !(step > 0) || !(count >= 1 && count <= mostValues)
  ) {
    throw new DeclarationError(
      `Cannot set sweep.${path} as "${text}" is not a range: allowed are ranges such as 1..5 and 1..9..2 ` +
        `(every second), of at most ${mostValues} numbers, from the lowest to the highest`,
    );
  }
  return Array.from({ length: count }, (_, i) => decimal(from! + i * step));
}

/** A number as it is written, perhaps with underscores; undefined where it is none. */
function readNumber(text: string): number | undefined {
  const value = Number(text.replaceAll(/(?<=\d)_(?=\d)/g, ""));
  return text.trim() === "" || Number.isNaN(value) ? undefined : value;
}

function nodeOf(experiment: Experiment, path: string): SchemaNode {
  const located = locateField(inExperiment(experiment), path.split("."));
  if ("reason" in located) {
    throw new DeclarationError(`Cannot set ${located.path} as ${located.reason}`);
  }
  return located.node;
}

/** Leaves of an object whose kind has been set only the fields that the kind knows: the command line cannot take others away. */
function keepKnownFields(experiment: Experiment, keys: readonly string[]): void {
  const located = locateField(inExperiment(experiment), keys);
  if ("reason" in located || located.node.type !== "object") return;
  const owner = valueAt(experiment, keys) as object;
  for (const name of Object.keys(owner)) {
    if (!located.node.names.includes(name)) Reflect.deleteProperty(owner, name);
  }
}

/** Reads a value as its field's type asks; whether it is allowed is checked with the declaration. */
function readValue(
  path: string,
  node: SchemaNode,
  text: string,
  place: "field" | "list" = "field",
): unknown {
  const hint = place === "list" ? listHint(node) : sweepHint(path, text);
  const wrong = (type: string) =>
    new DeclarationError(
      `Cannot set ${path} as its value is no ${type}: current value is "${text}", allowed are ` +
        node.allowed + hint,
    );
  switch (node.type) {
    case "number": {
      const value = readNumber(text);
      if (value === undefined) throw wrong("number");
      return value;
    }
    case "boolean":
      if (text !== "true" && text !== "false") throw wrong("boolean");
      return text === "true";
    case "enum":
      if (!node.names.includes(text)) {
        throw new DeclarationError(
          `Cannot set ${path}: current value is "${text}", ${allowedWords(text, node.names)}` +
            hint,
        );
      }
      return text;
    case "string":
      return text;
    case "union":
      return text.startsWith("[") ? readJson(text, () => wrong("JSON list")) : text;
    case "array": {
      if (text.startsWith("[")) return readJson(text, () => wrong("JSON list"));
      const element = node.child(0);
      if (element === undefined || element.type === "object") throw wrong("JSON list");
      return text.split(",").map((part) => readValue(path, element, part.trim()));
    }
    case "object":
      if (!text.startsWith("{")) throw wrong("JSON object");
      return readJson(text, () => wrong("JSON object"));
    default:
      return node.type satisfies never;
  }
}

/** How to sweep a field, where a list is given for it. */
function sweepHint(path: string, text: string): string {
  return /[,[]|\d\.\.+\d/.test(text) ? `; a list is swept by --set sweep.${path}=${text}` : "";
}

/** How lists of values are written, where an element of one is wrong. */
function listHint({ type, names }: SchemaNode): string {
  if (type === "number") return "; lists are written as 1,2,4 and ranges as 1..5 or 1..9..2";
  return type === "enum" && names.length > 1 ? `; lists are written as ${names.slice(0, 2)}` : "";
}

function readJson(text: string, wrong: () => DeclarationError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong();
  }
}
