/**
 * `--set path=value`: overrides a field of a declaration from the command line.
 */
import type { Experiment } from "./declaration.ts";
import { rootNode, type SchemaNode } from "./schema.ts";
import { allowedWords } from "./suggestion.ts";
import { DeclarationError } from "./validation.ts";

/**
 * A copy of a declaration with fields overridden. A value is read as the field's type asks: numbers
 * (`65_536`, `2e-4`), `true` and `false`, words, lists (`0.9,0.98`), or JSON for lists and objects.
 *
 * @param experiment The declaration; it is not changed.
 * @param assignments `path=value` pairs, a path as in `memory.chunkTokens` or `evaluations.0.split`.
 * @throws {DeclarationError} Where a path is unknown or a value is not of the field's type.
 */
export function assign(experiment: Experiment, assignments: readonly string[]): Experiment {
  const copy = structuredClone(experiment);
  for (const assignment of assignments) assignOne(copy, assignment);
  return copy;
}

function assignOne(experiment: Experiment, assignment: string): void {
  const separator = assignment.indexOf("=");
  if (separator <= 0) {
    throw new DeclarationError(
      `Cannot set a field as path=value is expected: current value is "${assignment}", allowed are ` +
        "assignments such as memory.chunkTokens=4",
    );
  }
  const path = assignment.slice(0, separator);
  const text = assignment.slice(separator + 1);
  const keys = path.split(".");
  let node = rootNode(experiment);
  let owner = experiment as unknown as Record<string, unknown>;
  for (const [depth, key] of keys.entries()) {
    const child = node.child(key);
    if (child === undefined) throw unknownField(keys.slice(0, depth + 1), node);
    const existing = Array.isArray(owner) ? owner.length : Infinity;
    if (Number(key) >= existing) {
      throw new DeclarationError(
        `Cannot set ${path} as ${keys.slice(0, depth).join(".")} has ${existing} elements: ` +
          `current value is ${key}, allowed are integers below ${existing}`,
      );
    }
    if (depth === keys.length - 1) {
      owner[key] = readValue(path, child, text);
    } else {
      // An optional part that is not declared comes into being with its first field.
      owner[key] ??= {};
      owner = owner[key] as Record<string, unknown>;
      node = child;
    }
  }
}

function unknownField(keys: readonly string[], node: SchemaNode): DeclarationError {
  const parent = keys.slice(0, -1).join(".") || "an experiment";
  const key = keys.at(-1)!;
  const reason = node.type === "object"
    ? `is no field of ${parent}: ${allowedWords(key, node.names)}`
    : node.type === "array"
    ? `is no element of ${parent}: allowed are integers from 0`
    : `is not there: ${parent} has no fields`;
  return new DeclarationError(`Cannot set ${keys.join(".")} as "${key}" ${reason}`);
}

/** Reads a value as its field's type asks; whether it is allowed is checked with the declaration. */
function readValue(path: string, node: SchemaNode, text: string): unknown {
  const wrong = (type: string) =>
    new DeclarationError(
      `Cannot set ${path} as its value is no ${type}: current value is "${text}", allowed are ` +
        node.allowed,
    );
  switch (node.type) {
    case "number": {
      const value = Number(text.replaceAll(/(?<=\d)_(?=\d)/g, ""));
      if (text.trim() === "" || Number.isNaN(value)) throw wrong("number");
      return value;
    }
    case "boolean":
      if (text !== "true" && text !== "false") throw wrong("boolean");
      return text === "true";
    case "enum":
      if (!node.names.includes(text)) {
        throw new DeclarationError(
          `Cannot set ${path}: current value is "${text}", ${allowedWords(text, node.names)}`,
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

function readJson(text: string, wrong: () => DeclarationError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong();
  }
}
