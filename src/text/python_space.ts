/**
 * White space as Python defines it, with whose `str.strip` and `str.split` published data were made and are scored.
 * JavaScript's `\s` and `trim` differ: they have U+FEFF and lack U+001C to U+001F and U+0085.
 */

// deno-lint-ignore no-control-regex
const space = /[\p{White_Space}\x1c-\x1f]/u;
/** The words between white space. */
// deno-lint-ignore no-control-regex
export const pythonWords = /[^\p{White_Space}\x1c-\x1f]+/gu;

/** Removes white space from both ends, as `str.strip()`. */
export function stripPython(text: string): string {
  let start = 0, end = text.length;
  while (start < end && space.test(text[start])) start++;
  while (end > start && space.test(text[end - 1])) end--;
  return text.slice(start, end);
}

/** The words between white space, as `str.split()`. */
export function splitPython(text: string): string[] {
  return text.match(pythonWords) ?? [];
}
