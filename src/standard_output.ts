/** Writes text to the standard output as it is, also where a pipe takes only part of it at once; a closed terminal shows nothing. */
export function writeOut(text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch (error) {
    if ((error as { code?: string }).code !== "EIO") throw error;
  }
}
