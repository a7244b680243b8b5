/**
 * Did-you-mean: the known word that a misspelled one was probably meant to be.
 */

/**
 * The candidate closest to a word, or else the only one that contains it; undefined where none is close enough to be a
 * misspelling of it.
 */
export function closestWord(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // A third of the letters may be wrong: "retreivedTokens" finds its word, "foo" finds none.
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  const all = [...candidates];
  for (const candidate of all) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (best !== undefined || word.length < 4) return best;
  const containing = all.filter((candidate) =>
    candidate.toLowerCase().includes(word.toLowerCase())
  );
  return containing.length === 1 ? containing[0] : undefined;
}

/** The words that end an error message: `allowed are a, b (did you mean "b"?)`. */
export function allowedWords(word: string, allowed: readonly string[]): string {
  const closest = closestWord(word, allowed);
  const question = closest === undefined ? "" : ` (did you mean "${closest}"?)`;
  return `allowed are ${allowed.join(", ")}${question}`;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other. */
function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = rows[i - 1][j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, rows[i - 1][j] + 1, row[j - 1] + 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
      }
    }
    rows.push(row);
  }
  return rows[from.length][to.length];
}
