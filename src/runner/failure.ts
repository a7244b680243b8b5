/**
 * Whether an error is for the person who ran something to mend, or a fault of the code to be looked for.
 *
 * Errors that the code foresees say so in one sentence, "Cannot <action> as <reason>"; the system's
 * about files name the file. Whatever else is thrown nobody has thought of.
 */
export function isForeseen(error: unknown): boolean {
  return error instanceof Error &&
    (isSentence(error.message) || isSystemError(error) || isOutOfMemory(error));
}

/** What V8 says of an array that the machine does not hold, or that no machine would; a length below 0 is a fault of the code. */
function isOutOfMemory(error: Error): boolean {
  return error instanceof RangeError &&
    /^(Array buffer allocation failed|Invalid (typed array|array buffer) length(?!: -))/.test(
      error.message,
    );
}

/** V8 has one sentence of this form, too: "Cannot destructure property 'a' of 'b' as it is undefined." */
function isSentence(message: string): boolean {
  return /^Cannot .* as /s.test(message) && !message.startsWith("Cannot destructure ");
}

/** What the operating system refuses has its code, `ENOENT` or `(os error 27)`; what Deno may not do, a class. */
function isSystemError(error: Error): boolean {
  return "code" in error && /^E[A-Z0-9]+$/.test(String(error.code)) ||
    /\(os error \d+\)/.test(error.message) || error instanceof Deno.errors.NotCapable;
}

/** A run that measures efficiency may not start the processes that it needs. */
export class MissingPermissionError extends Deno.errors.NotCapable {
  /** Distinguishes it from other errors in logs. */
  override readonly name: string = "MissingPermissionError";
}

/** Whether a run could not begin for want of files or permissions, and nothing else is wrong. */
export function isUnready(error: unknown): error is Error {
  return error instanceof MissingDataError || error instanceof MissingPermissionError;
}

/** Files that a run reads are not there. */
export class MissingDataError extends Deno.errors.NotFound {
  /** Distinguishes it from other errors in logs. */
  override readonly name: string = "MissingDataError";
}

/** The sentence about an error, or the whole stack where it was not foreseen. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isOutOfMemory(error)) {
    return `Cannot go on as an array does not fit into the memory of this machine (${error.message}): smaller models, ` +
      "batches or segments would help; --dry-run says how many parameters there are";
  }
  return isForeseen(error) ? error.message : error.stack ?? error.message;
}

/** An error with its stack and those of its causes, for a file. */
export function failureDetails(error: unknown): string {
  return Deno.inspect(error, { colors: false, depth: 6 }) + "\n";
}
