/**
 * Writing to a terminal or a pipe, which may be closed while a run goes on.
 */

/** The output is closed: its terminal, or the program that reads the pipe. */
export class ClosedOutputError extends Error {
  override readonly name: string = "ClosedOutputError";

  constructor(cause: unknown) {
    super("Cannot write the output as nobody reads it", { cause });
  }
}

/** Whether an error is that of a terminal that was closed, or of a pipe that nobody reads. */
function saysClosed(error: unknown): boolean {
  return ["EIO", "EPIPE"].includes(String((error as { code?: unknown }).code));
}

/**
 * Writes text to the standard output as it is, also where a pipe takes only part of it at once.
 *
 * @throws {ClosedOutputError} Where the output is closed.
 */
export function writeOut(text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch (error) {
    throw saysClosed(error) ? new ClosedOutputError(error) : error;
  }
}

/** Writes something; to an output that is closed, nothing. */
export function unlessClosed(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof ClosedOutputError || saysClosed(error))) throw error;
  }
}

/** Size of the terminal; 0 where it has none, as one that was closed. */
export function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 0, rows: 0 };
  }
}
