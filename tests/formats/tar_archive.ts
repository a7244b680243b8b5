/** Tar archives for tests, as POSIX describes them. */

/** An entry: its path, content, and the kind of its header (a file where absent). */
export interface TarEntry {
  readonly path: string;
  readonly text?: string;
  readonly kind?: string;
  /** First part of a path that is longer than a header's name. */
  readonly prefix?: string;
}

/** An archive of entries, with the two empty blocks at its end. */
export function tarOf(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const blocks = entries.flatMap(({ path, text = "", kind = "0", prefix = "" }) => {
    const content = encoder.encode(text);
    const header = new Uint8Array(512);
    const write = (at: number, value: string) => header.set(encoder.encode(value), at);
    write(0, path);
    write(100, "0000644\0");
    write(124, `${content.length.toString(8).padStart(11, "0")}\0`);
    write(148, " ".repeat(8));
    write(156, kind);
    write(257, "ustar\x0000");
    write(345, prefix);
    const sum = header.reduce((sum, byte) => sum + byte, 0);
    write(148, `${sum.toString(8).padStart(6, "0")}\0 `);
    const padded = new Uint8Array(Math.ceil(content.length / 512) * 512);
    padded.set(content);
    return [header, padded];
  });
  const parts = [...blocks, new Uint8Array(1024)];
  const archive = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
