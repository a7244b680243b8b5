/** Longest text whose result is remembered, in UTF-16 units. */
const longest = 64;

/**
 * A function of text that remembers its results for short texts, which are those that come again.
 *
 * @param most Texts that are remembered; with one more, all are forgotten.
 */
export function remembering<T extends NonNullable<unknown>>(
  most: number,
  of: (text: string) => T,
): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = of(text);
    if (text.length > longest) return made;
    if (known.size >= most) known.clear();
    known.set(text, made);
    return made;
  };
}
