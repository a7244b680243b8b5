/**
 * Distinguishes user errors from bugs.
 *
 * Whoever meets bad input (a declaration, a file, an argument) throws one of the input errors below, whose message is one
 * sentence: "Cannot <action> as <reason>: current value, allowed values". They are subclasses of the built-in classes, so
 * that a caller of the library may catch either.
 */
import { NotADirectory, NotCapable, NotFound } from "./system.ts";

/** Bad input that is neither a wrong value, a wrong type nor bad syntax, such as a file in the way. */
export class InputError extends Error {
  /** Names the class in logs. */
  override readonly name: string = "InputError";
}

/** A value of the right type that is not allowed. */
export class InputRangeError extends RangeError {}

/** A value of the wrong type. */
export class InputTypeError extends TypeError {}

/** Text that does not parse. */
export class InputSyntaxError extends SyntaxError {}

/** Whether an error is the user's to mend: bad input, refused by the system, or beyond the machine's memory. */
export function isForeseen(error: unknown): boolean {
  return isInputError(error) ||
    error instanceof Error && (isSystemError(error) || isOutOfMemory(error));
}

/** Whether an error is one of the input errors. */
export function isInputError(error: unknown): boolean {
  return error instanceof InputError || error instanceof InputRangeError ||
    error instanceof InputTypeError || error instanceof InputSyntaxError ||
    error instanceof MissingDataError || error instanceof MissingPermissionError;
}

/** What V8 says of an array that the machine does not hold, or that no machine would; a length below 0 is a fault of the code. */
function isOutOfMemory(error: Error): boolean {
  return error instanceof RangeError &&
    /^(Array buffer allocation failed|Invalid (typed array|array buffer) length(?!: -))/.test(
      error.message,
    );
}

/** Errors of the operating system have its code, `ENOENT` or `(os error 27)`; missing files and denied permissions have a class. */
function isSystemError(error: Error): boolean {
  return "code" in error && /^E[A-Z0-9]+$/.test(String(error.code)) ||
    /\(os error \d+\)/.test(error.message) || error instanceof NotCapable ||
    error instanceof NotFound || error instanceof NotADirectory;
}

/** A run that measures efficiency may not start the processes that it needs. */
export class MissingPermissionError extends NotCapable {
  /** Distinguishes it from other errors in logs. */
  override readonly name: string = "MissingPermissionError";
}

/** Whether a run could not begin for want of files or permissions, and nothing else is wrong. */
export function isUnready(error: unknown): error is Error {
  return error instanceof MissingDataError || error instanceof MissingPermissionError;
}

/** Files that a run reads are not there. */
export class MissingDataError extends NotFound {
  /** Distinguishes it from other errors in logs. */
  override readonly name: string = "MissingDataError";
}

/** The text of an error, or of anything else that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The sentence about an error, or the whole stack where it was not foreseen. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isOutOfMemory(error)) {
    return `Cannot continue as an array does not fit into the memory of this machine (${error.message}): smaller models, ` +
      "batches or segments would help; --dry-run says how many parameters there are";
  }
  return isForeseen(error) ? error.message : error.stack ?? error.message;
}

/** An error with its stack and those of its causes, for a file. */
export function failureDetails(error: unknown): string {
  return Deno.inspect(error, { colors: false, depth: 6 }) + "\n";
}
