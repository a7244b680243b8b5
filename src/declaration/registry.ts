/**
 * Kinds of a part, such as those of an index: a file each, and a line in the list that registers them.
 */
import { z } from "zod";
import { allowedWords } from "../did_you_mean.ts";
import { InputRangeError } from "../errors.ts";

/** One kind, told from the others by its value of the discriminator. */
export interface Kind {
  /**
   * An object whose discriminator is a literal: optional for the kind that is meant where none is named; a function where it is
   * composed of others. Absent: no declaration names the kind.
   */
  readonly schema?: z.ZodType | (() => z.ZodType);
}

/** Counts the registrations of all registries: a schema is up to date while it does not change. */
let revision = 0;

/**
 * A schema that is composed of others when it is first used, and again after a kind has been registered.
 *
 * @returns A function that returns the schema.
 */
export function composed<S extends z.ZodType>(compose: () => S): () => S {
  let made: { readonly revision: number; readonly schema: S } | undefined;
  return () => {
    if (made?.revision !== revision) made = { revision, schema: compose() };
    return made.schema;
  };
}

/** Kinds by name, in the order in which they were registered. */
export class Registry<K extends Kind, Declaration = unknown> {
  readonly #kinds: Map<string, K>;
  readonly #discriminator: string;
  readonly #compose: () => z.ZodType;

  /**
   * Registers the first kinds, by their names.
   *
   * @param options `discriminator`: the field that names the kind (default `kind`).
   */
  constructor(
    kinds: Readonly<Record<string, K>>,
    { discriminator = "kind" }: { readonly discriminator?: string } = {},
  ) {
    this.#kinds = new Map(Object.entries(kinds));
    this.#discriminator = discriminator;
    this.#compose = composed(() => {
      const schemas = [...this.#kinds.values()].flatMap(({ schema }) =>
        (typeof schema === "function" ? schema() : schema) ?? []
      );
      return z.discriminatedUnion(discriminator, schemas as unknown as [z.ZodObject]);
    });
  }

  /** The form of a declaration of any kind. */
  get schema(): z.ZodType<Declaration> {
    return this.#compose() as z.ZodType<Declaration>;
  }

  /** Names of the kinds. */
  get names(): string[] {
    return [...this.#kinds.keys()];
  }

  /** All kinds. */
  get all(): K[] {
    return [...this.#kinds.values()];
  }

  /**
   * The kind of that name.
   *
   * @throws {RangeError} Where there is none.
   */
  get(name: string): K {
    const kind = this.find(name);
    if (kind !== undefined) return kind;
    throw new InputRangeError(
      `Cannot find ${this.#discriminator} "${name}": ${allowedWords(name, this.names)}`,
    );
  }

  /** The kind of that name, where there is one. */
  find(name: string): K | undefined {
    return this.#kinds.get(name);
  }

  /**
   * Adds a kind to those that declarations may name.
   *
   * @returns A handle that unregisters it when disposed.
   * @throws {RangeError} Where the name is taken.
   */
  register(name: string, kind: K): Disposable {
    if (this.#kinds.has(name)) {
      throw new InputRangeError(
        `Cannot register ${this.#discriminator} "${name}" as the name is taken: current names are ${
          this.names.join(", ")
        }`,
      );
    }
    this.#kinds.set(name, kind);
    revision++;
    return {
      [Symbol.dispose]: () => {
        this.#kinds.delete(name);
        revision++;
      },
    };
  }
}
