/**
 * Recall at n: the share of the exact ids [R, n] that are among the approximate ids [R, n] of the same query, in any order,
 * as a mean over queries. An exact id of -1 is a missing chunk and does not count; a query without exact ids is left out.
 *
 * @returns From 0 to 1; NaN where there is no exact id at all.
 * @throws {RangeError} Where the shapes disagree.
 */
export function recallAt(n: number, approximate: Int32Array, exact: Int32Array): number {
  if (!Number.isInteger(n) || n < 1) {
    throw new RangeError(
      `Cannot measure recall as n must be a positive integer: current value is ${n}`,
    );
  }
  if (approximate.length !== exact.length || exact.length % n !== 0) {
    throw new RangeError(
      `Cannot measure recall as both id lists must be [R, ${n}]: ` +
        `current lengths are ${approximate.length} and ${exact.length}, allowed are equal multiples of ${n}`,
    );
  }
  let shares = 0;
  let queries = 0;
  for (let start = 0; start < exact.length; start += n) {
    const expected = exact.subarray(start, start + n).filter((id) => id !== -1);
    if (expected.length === 0) continue;
    const found = new Set(approximate.subarray(start, start + n));
    shares += expected.filter((id) => found.has(id)).length / expected.length;
    queries++;
  }
  return shares / queries;
}
