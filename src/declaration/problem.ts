/**
 * Problems of a declaration, and the error that lists them.
 */
import { InputError } from "../errors.ts";

/** One thing that is wrong with a declaration. */
export interface Problem {
  /** The field, as `--set` names it: `memory.chunkTokens`, `evaluations.0.models`. */
  readonly path: string;
  /** The problem, the current value and the allowed ones: the rest of a sentence that begins with the field. */
  readonly message: string;
}

/** The declaration, or the command line's change to it, is wrong: nothing has run. */
export class DeclarationError extends InputError {
  /** Distinguishes it from other errors in logs. */
  override readonly name: string = "DeclarationError";
  /** The problems, field by field; empty where the message says all. */
  readonly problems: readonly Problem[];

  /** Takes the whole message, and the same problems field by field. */
  constructor(message: string, problems: readonly Problem[] = []) {
    super(message);
    this.problems = problems;
  }
}

/** The error that lists the problems of a declaration. */
export function declarationError(
  declaration: unknown,
  problems: readonly Problem[],
): DeclarationError {
  const name = (declaration as { name?: unknown } | null)?.name;
  const subject = typeof name === "string" ? `experiment "${name}"` : "experiment";
  return new DeclarationError(problemsIn(`declare ${subject}`, problems), problems);
}

/** The message that lists why something cannot be done. */
export function problemsIn(action: string, problems: readonly Problem[]): string {
  const reasons = problems.map(({ path, message }) => `${path} ${message}`.trim());
  return reasons.length === 1
    ? `Cannot ${action} as ${reasons[0]}`
    : `Cannot ${action} as ${reasons.length} fields are wrong:\n  ${reasons.join("\n  ")}`;
}

/** A value that breaks a rule: `must ...`. */
export function wrong(path: string, rule: string, current: unknown, allowed: string): Problem {
  return { path, message: `${rule}: current value is ${show(current)}, allowed are ${allowed}` };
}

/** Values that a list has had before. */
export function repetitions(
  values: readonly (string | number)[],
  path: string,
  name: string,
): Problem[] {
  return values.flatMap((value, i) =>
    values.indexOf(value) === i
      ? []
      : [wrong(`${path}.${i}`, "is listed twice", value, `${name} listed once`)]
  );
}

/** A value as errors show it. */
export function show(value: unknown): string {
  return typeof value === "number" || typeof value === "bigint"
    ? String(value)
    : JSON.stringify(value) ?? typeof value;
}
