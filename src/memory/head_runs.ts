/** Consecutive heads of a bank that lie in one of its tables. */
export interface HeadRun {
  /** Number of the table. */
  readonly table: number;
  /** Place of the first head in the table. */
  readonly row: number;
  /** Place of the first head in the range. */
  readonly first: number;
  readonly count: number;
}

/** Cuts a range of heads where a table of `tableHeads` heads ends. */
export function headRuns(
  { start, count }: { start: number; count: number },
  tableHeads: number,
): HeadRun[] {
  const runs: HeadRun[] = [];
  for (let first = 0; first < count;) {
    const row = (start + first) % tableHeads, size = Math.min(tableHeads - row, count - first);
    runs.push({ table: Math.floor((start + first) / tableHeads), row, first, count: size });
    first += size;
  }
  return runs;
}
