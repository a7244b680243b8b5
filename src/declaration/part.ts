/**
 * A part of a declaration: the file of the code that uses its fields declares them, once.
 */
import type { z } from "zod";
import type { Problem } from "./problem.ts";

/** `T` as an author writes it: only the fields `Required` must be given, the others have defaults. */
export type Declared<T, Required extends keyof T> =
  & Pick<T, Required>
  & Partial<Omit<T, Required>>;

/**
 * The fields of one part: `Declaration` is written by the author, `Config` is the same with every default filled in, `From`
 * determines the defaults (such as the protocol), and `Beside` holds other parts that the values must fit.
 */
export interface Part<Declaration, Config, From = unknown, Beside = unknown> {
  /** Names, types and ranges of the fields. */
  readonly schema: z.ZodType<Declaration>;
  /** Fields that are needed and neither declared nor to be filled in; `path` is where the part stands: `memory`, `evaluations.0`. */
  missing?(declaration: Declaration, path: string, from: From): Problem[];
  /** Fills in the defaults of a declaration that has the schema's form, and of which nothing is missing. */
  fill(declaration: Declaration, from: From): Config;
  /** Values that are allowed alone, but not together. */
  check?(config: Config, path: string, beside: Beside): Problem[];
}

/** A file or folder that a declaration names. */
export interface NamedPath {
  /** The field that names it, or the folder it is in. */
  readonly field: string;
  readonly path: string;
  /** Whether a run does without it where it is missing. */
  readonly optional?: true;
  /** Where it is published, for files that the project does not fetch: a name, and how to get it in words. */
  readonly source?: { readonly name: string; readonly how: string };
}

/** Fails to compile where a condition does not hold. */
export type Assert<Condition extends true> = Condition;

/**
 * Whether a schema accepts all that a documented type allows. Types are written by hand, so that editors show their comments;
 * `Assert<Accepts<typeof schema, Declaration>>` beside the two keeps them alike.
 */
export type Accepts<Schema extends z.ZodType, Declaration> = Declaration extends z.input<Schema>
  ? true
  : false;
