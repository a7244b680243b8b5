/**
 * Writing to a terminal, which may be closed while a run goes on to save its checkpoint.
 */

/** Writes something; to a terminal that was closed, which refuses it, nothing. */
export function unlessClosed(write: () => void): void {
  try {
    write();
  } catch (error) {
    if ((error as { code?: string }).code !== "EIO") throw error;
  }
}

/** Writes text to the standard output as it is, also where a pipe takes only part of it at once; a closed terminal shows nothing. */
export function writeOut(text: string): void {
  let bytes = new TextEncoder().encode(text);
  unlessClosed(() => {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  });
}

/** Size of the terminal; 0 where it has none, as one that was closed. */
export function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 0, rows: 0 };
  }
}
