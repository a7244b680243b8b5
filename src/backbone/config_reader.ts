import { z } from "zod";
import {
  nonNegativeInteger,
  positiveInteger,
  positiveNumber,
  trueOrFalse,
} from "../declaration/fields.ts";
import { InputTypeError } from "../errors.ts";
import { mostLayers } from "./shape.ts";

/**
 * Fields of `config.json`, or of an object in it, each under any of its spellings. Methods throw errors that name the file and the
 * field, also where two spellings have different values.
 */
export class ConfigReader {
  readonly #file: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;

  /**
   * @param values What stands in the file.
   * @param path Where it stands there, ending in a dot.
   * @throws TypeError where it is not an object.
   */
  constructor(file: string, values: unknown, path = "") {
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      throw new InputTypeError(
        `Cannot read "${file}" as ${
          path.slice(0, -1) || "it"
        } must be an object: current value is ${JSON.stringify(values)}`,
      );
    }
    this.#file = file;
    this.#values = values as Record<string, unknown>;
    this.#path = path;
  }

  /** Whether the field is there, be it null. */
  has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  /** Whatever JSON value stands there; undefined where it is absent or null. */
  value(name: string): unknown {
    return this.has(name) ? this.#values[name] ?? undefined : undefined;
  }

  /** Names of all fields that are there. */
  keys(): string[] {
    return Object.keys(this.#values);
  }

  /** The fields of an object that stands there. */
  part(name: string): ConfigReader {
    if (!this.has(name)) this.#missing([name]);
    return new ConfigReader(this.#file, this.#values[name], `${this.#path}${name}.`);
  }

  /** A positive integer; undefined where it is absent or null. */
  optionalSize(...names: string[]): number | undefined {
    return this.#first(names, positiveInteger, "a positive integer");
  }

  /** A positive integer. */
  size(...names: string[]): number {
    return this.optionalSize(...names) ?? this.#missing(names);
  }

  /** A number of blocks. */
  layers(...names: string[]): number {
    const layers = this.size(...names);
    if (layers > mostLayers) {
      const name = names.find((name) => this.value(name) !== undefined)!;
      this.refuse(name, `numbers up to ${mostLayers}`);
    }
    return layers;
  }

  /** An integer from 0; the default where it is absent or null. */
  count(name: string, absent: number): number {
    return this.#first([name], nonNegativeInteger, "an integer from 0") ?? absent;
  }

  /** A positive number; the default where it is absent or null. */
  positiveNumber(name: string, absent: number): number {
    return this.#first([name], positiveNumber, "a positive number") ?? absent;
  }

  /** A positive number that must be there. */
  requiredPositiveNumber(name: string): number {
    return this.value(name) === undefined ? this.#missing([name]) : this.positiveNumber(name, NaN);
  }

  /** A list of positive numbers that must be there. */
  positiveNumbers(name: string): readonly number[] {
    return this.#first([name], z.array(positiveNumber).min(1), "a list of positive numbers") ??
      this.#missing([name]);
  }

  /** true or false; the default where it is absent, and false where it is null, as the official code takes it. */
  flag(name: string, absent: boolean): boolean {
    if (this.has(name) && this.#values[name] === null) return false;
    return this.#first([name], trueOrFalse, "true or false") ?? absent;
  }

  /** A word; the default where it is absent or null. */
  word(name: string, absent: string): string {
    return this.#first([name], z.string(), "a word") ?? absent;
  }

  /** @throws TypeError: the setting is not supported; `allowed` says which values are. */
  refuse(name: string, allowed: string): never {
    const value = this.has(name)
      ? `has a value that is not supported: current value is ${JSON.stringify(this.#values[name])},`
      : "is missing:";
    throw new InputTypeError(
      `Cannot read "${this.#file}" as ${this.#path}${name} ${value} allowed are ${allowed}`,
    );
  }

  #missing(names: readonly string[]): never {
    throw new InputTypeError(
      `Cannot read "${this.#file}" as ${this.#path}${names.join(" or ")} is missing`,
    );
  }

  #first<T>(names: readonly string[], form: z.ZodType<T>, allowed: string): T | undefined {
    let first: { readonly name: string; readonly value: T } | undefined;
    for (const name of names) {
      const value = this.value(name);
      if (value === undefined) continue;
      const { success, data } = form.safeParse(value);
      if (!success) {
        throw new InputTypeError(
          `Cannot read "${this.#file}" as ${this.#path}${name} must be ${allowed}: current value is ${
            JSON.stringify(value)
          }`,
        );
      }
      first ??= { name, value: data };
      if (data !== first.value) this.refuse(name, `${first.value}, as ${first.name} says`);
    }
    return first?.value;
  }
}
