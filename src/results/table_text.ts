/**
 * Tables in words: captions, headings and cells, before they become Markdown or HTML.
 */
import type { Difference } from "./paired_comparison.ts";
import type { Measured } from "./figure.ts";
import type { EvaluationTable, TableCell, TableColumn, TableRow } from "./evaluation_table.ts";

/** A table in words, before it is given a form. */
export interface TableText {
  /** Caption of the numbers, above the table. */
  readonly caption: string;
  /** Remarks on all of them, below it. */
  readonly notes: readonly string[];
  /** Headings; the first `labels` are of columns that identify a row. */
  readonly headers: readonly string[];
  readonly labels: number;
  readonly rows: readonly (readonly CellText[])[];
  /** A last row that is not a model: the numbers of items, where they differ by column. */
  readonly footer?: readonly string[];
}

export interface CellText {
  readonly text: string;
  /** Sort key of the rows; absent: the text. */
  readonly value?: number;
  /** Whether it is the best of its column by more than noise. */
  readonly best?: boolean;
}

export function tableText(
  table: EvaluationTable,
  labels: readonly string[],
): TableText {
  const { evaluation, part, varied, columns, rows } = table;
  const counts = columns.map((_, i) => countsOf(rows, i));
  const oneCount = new Set(counts).size === 1 ? counts[0] : undefined;
  const over = overOf(rows);
  const units = new Set(columns.map(({ unit }) => unit).filter((unit) => unit !== ""));
  const oneUnit = units.size === 1 && columns.every(({ unit }) => unit !== "")
    ? [...units][0]
    : undefined;
  const directions = new Set(columns.map(({ higherIsBetter }) => higherIsBetter));
  const seeded = rows.some(({ runs }) => runs.length > 1);
  const differing = part === "" && rows.some(({ cells }) => cells[0]?.difference) ? 0 : -1;
  const notes = [
    [
      ...(oneCount === undefined ? [] : [`n = ${oneCount}`]),
      ...(over === undefined || over === oneCount ? [] : [`\u00b1 over ${over}`]),
      ...(oneUnit === undefined ? [] : [`in ${oneUnit}`]),
      ...(directions.size === 1
        ? [`${columns[0].higherIsBetter ? "higher" : "lower"} is better`]
        : []),
      ...labels,
    ].join("; "),
    ...columns.flatMap(({ header, meaning, unit }) => {
      const said = [meaning, ...(unit !== "" && oneUnit === undefined ? [`in ${unit}`] : [])]
        .filter((part) => part !== undefined);
      return said.length === 0 ? [] : [`${header}: ${said.join(", ")}`];
    }),
    ...varied.flatMap((heading) => {
      const field = table.fields[heading];
      return field === undefined || field === heading ? [] : [`${heading}: ${field}`];
    }),
  ].filter((note) => note !== "");
  const header = (column: TableColumn) =>
    [
      column.header,
      ...(directions.size > 1 ? [column.higherIsBetter ? "\u2191" : "\u2193"] : []),
    ].join(" ");
  const withDifference = <T>(cells: readonly T[], added: () => T) =>
    cells.flatMap((cell, i) => i === differing ? [cell, added()] : [cell]);
  const baselines = [...new Set(rows.map(({ baseline }) => baseline))];
  const compared = `vs ${baselines.length === 1 ? baselines[0] : "first model"}`;
  const rowLabels = [...varied, "model", ...(seeded ? ["seeds"] : [])];
  return {
    caption: part === "" ? evaluation : `${evaluation}, ${part}`,
    notes,
    headers: [...rowLabels, ...withDifference(columns.map(header), () => compared)],
    labels: rowLabels.length,
    rows: rows.map(({ variation, model, cells }) => [
      ...varied.map((name) => labelCell(variation[name] ?? "")),
      { text: model },
      ...(seeded ? [labelCell(seedsOf(cells))] : []),
      ...withDifference(
        cells.map((cell) => valueText(cell, part === "")),
        () => differenceText(cells[differing]),
      ),
    ]),
    ...(oneCount === undefined && {
      footer: [
        ...rowLabels.map((_, i) => i === varied.length ? "n" : ""),
        ...withDifference(counts, () => ""),
      ],
    }),
  };
}

/** Seeds that were measured: `3`, or `2-3` where columns differ. */
function seedsOf(cells: TableRow["cells"]): string {
  return rangeOf(cells.flatMap((cell) => cell ? [cell.metrics.length] : []));
}

/** `11`, or `8-11` where numbers differ. */
function rangeOf(values: readonly number[]): string {
  const low = Math.min(...values), high = Math.max(...values);
  return low === high
    ? low.toLocaleString("en")
    : `${low.toLocaleString("en")}\u2013${high.toLocaleString("en")}`;
}

function labelCell(text: string): CellText {
  return text !== "" && Number.isFinite(Number(text)) ? { text, value: Number(text) } : { text };
}

/** Items of a column: `11`, `2 of 13`, `8-11` where rows differ. */
function countsOf(rows: readonly TableRow[], column: number): string {
  const metrics = rows.flatMap(({ cells }) => cells[column]?.metrics ?? []);
  const counts = metrics.map(({ n }) => n), totals = metrics.map(({ n, total }) => total ?? n);
  const some = metrics.some(({ n, total }) => total !== undefined && total !== n);
  return some ? `${rangeOf(counts)} of ${rangeOf(totals)}` : rangeOf(counts);
}

/** Unit of the standard errors, `8 documents`, if all columns have the same one except for its number; else undefined. */
function overOf(rows: readonly TableRow[]): string | undefined {
  const over = rows.flatMap(({ cells }) => cells.flatMap((cell) => cell?.over ?? []));
  const units = new Set(over.map(({ unit }) => unit));
  if (units.size !== 1) return undefined;
  const [unit] = units;
  const counts = over.map(({ count }) => count);
  const text = rangeOf(counts);
  return unit === "items" ? text : `${text} ${text === "1" ? unit.replace(/s$/, "") : unit}`;
}

/** A number with its standard error and, of main metrics, how it varies with the seed. */
function valueText(cell: TableCell | undefined, main: boolean): CellText {
  if (!cell) return { text: "" };
  const { value, seedDeviation, difference, best } = cell;
  const spread = seedDeviation === undefined || !main
    ? ""
    : `, \u03c3 ${significant(seedDeviation, 2)}`;
  const noise = difference?.insideNoise ? "\u2248 " : "";
  return { text: `${noise}${uncertain(cell)}${spread}`, value, best };
}

function differenceText({ difference }: Partial<TableCell> = {}): CellText {
  if (!difference) return { text: "" };
  return { text: differenceInWords(difference), value: difference.value };
}

/** `+0.841 [0.832, 0.850]`, with as many digits as the interval makes sense of. */
export function differenceInWords({ value, interval }: Difference): string {
  if (!interval) return signed(value, significant(value, 2));
  return signed(value, withInterval(value, interval));
}

/** `0.841 [0.832, 0.850]`, with as many digits as the interval makes sense of. */
function withInterval(value: number, [low, high]: readonly [number, number]): string {
  const [text, ...ends] = [value, low, high].map(formatFor(value, (high - low) / 4));
  return `${text} [${ends.join(", ")}]`;
}

/** A difference with its sign, with as many digits as an uncertainty makes sense of. */
export function signedBy(value: number, uncertainty: number | undefined): string {
  const text = uncertainty ? formatFor(value, uncertainty)(value) : significant(value, 3);
  return Number(text) === 0 ? text.replace("-", "") : signed(value, text);
}

function signed(value: number, text: string): string {
  return value > 0 ? `+${text}` : text;
}

/** `12.34 +- 0.56`, or `1.000 [0.990, 1.000]` where there is no standard error, with as many digits as make sense. */
export function uncertain({ value, stderr, ci95 }: Measured): string {
  if (stderr === undefined && ci95) return withInterval(value, ci95);
  // Numbers that are all alike may differ by rounding.
  if (stderr === undefined || stderr <= 1e-12) return significant(value, 4);
  return [value, stderr].map(formatFor(value, stderr)).join(" \u00b1 ");
}

/** Prints a value and its bounds with as many digits as show two figures of its uncertainty. */
function formatFor(value: number, uncertainty: number): (number: number) => string {
  if (Math.abs(value) >= huge) return (number) => inPowers(number, uncertainty);
  const digits = uncertainty > 0
    ? Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(uncertainty))))
    : 4;
  return (number) => number.toFixed(digits);
}

/** Numbers as large as this are told in powers of ten. */
const huge = 1e6;

/** `9.82e13`, with the figures that two figures of an uncertainty leave, at least two. */
function inPowers(value: number, uncertainty: number): string {
  if (!Number.isFinite(value)) return String(value);
  const power = (number: number) => number === 0 ? 0 : Math.floor(Math.log10(Math.abs(number)));
  const digits = uncertainty > 0 ? power(value) - power(uncertainty) + 1 : 3;
  return value.toExponential(Math.min(12, Math.max(1, digits))).replace("e+", "e");
}

/** A number by its own digits. */
function significant(value: number, digits: number): string {
  if (Math.abs(value) <= 1e-12) return (0).toPrecision(digits);
  if (Math.abs(value) >= huge) return value.toExponential(digits - 1).replace("e+", "e");
  const text = value.toPrecision(digits);
  return text.includes("e+") ? value.toFixed(0) : text;
}
