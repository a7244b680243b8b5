/**
 * Interprets an evaluation's main table, a line each: the main model beside another, and the best setting of a sweep.
 */
import {
  compareCells,
  type EvaluationTable,
  type ExperimentTables,
  mainModel,
  otherUnit,
  type TableRow,
  tellingFields,
} from "./evaluation_table.ts";
import type { MetricCatalog } from "./metric_catalog.ts";
import { amongSeveral, type Difference, fewestItems } from "./paired_comparison.ts";
import { unsweptLabels } from "./seed_groups.ts";
import { differenceInWords, uncertain } from "./table_text.ts";

/** What was found in an experiment, by the main table of each of its evaluations. */
export function findingTexts(
  { tables }: Pick<ExperimentTables, "tables">,
  catalog: MetricCatalog,
): string[] {
  return tables.filter(({ part }) => part === "").flatMap((table) => findings(table, catalog));
}

/** As many settings of a sweep have a line each; of more only the best and the worst are compared. */
const mostLines = 2;

/** The first metric of a table in sentences: `recall-test: recall of far facts of LongMem 0.954, vs the backbone alone 0.065: +0.889 [0.87, 0.90], 24 documents, better`. */
export function findings(table: EvaluationTable, catalog: MetricCatalog): string[] {
  const telling = tellingFields(table);
  const measured = table.rows.filter(({ cells }) => cells[0]);
  const settings = [...Map.groupBy(measured, ({ runs }) => runs).values()];
  const swept = sweptLine(table, measured, catalog);
  const lines = swept !== undefined && settings.length > mostLines ? [] : settings.map((rows) => {
    const setting = telling.filter((name) => rows[0].variation[name] !== undefined)
      .map((name) => `${name} ${rows[0].variation[name]}`);
    return `${[table.evaluation, ...setting].join(", ")}: ${besideOthers(table, rows, catalog)}`;
  });
  return swept === undefined ? lines : [swept, ...lines];
}

/** The main model's number, how it differs from that of the first other model, and which others may equal it. */
function besideOthers(
  table: EvaluationTable,
  rows: readonly TableRow[],
  catalog: MetricCatalog,
): string {
  const [{ noun, higherIsBetter }] = table.columns;
  const main = rows.find(({ model }) => model === mainModel(rows))!;
  const [first, ...others] = rows.filter((row) => row !== main);
  const label = ({ runs, model }: TableRow) =>
    catalog.modelLabel(runs[0], { evaluation: table.evaluation, model });
  const number = `${noun} of ${label(main)} ${uncertain(main.cells[0]!)}`;
  if (!first) return number;
  const difference = compareCells(main.cells[0], first.cells[0]);
  const direction = difference && difference.value > 0 === higherIsBetter ? "better" : "worse";
  const verdict = difference
    ? `: ${inWords(difference)}${difference.insideNoise ? "" : `, ${direction}`}`
    : "";
  const alike = others.filter((row) => compareCells(main.cells[0], row.cells[0])?.insideNoise);
  const [value] = uncertain(first.cells[0]!).split(" ");
  return `${number}, vs ${label(first)} ${value}${verdict}` +
    (alike.length > 0 ? `; not told apart from ${alike.map(label).join(", ")}` : "");
}

/** The best and the worst setting of a sweep for its main model; undefined where nothing is swept. */
function sweptLine(
  table: EvaluationTable,
  measured: readonly TableRow[],
  catalog: MetricCatalog,
): string | undefined {
  const fields = tellingFields(table).filter((name) => !unsweptLabels.has(name));
  const model = mainModel(measured), [{ noun, higherIsBetter }] = table.columns;
  const rows = measured.filter((row) => row.model === model)
    .toSorted((a, b) => (b.cells[0]!.value - a.cells[0]!.value) * (higherIsBetter ? 1 : -1));
  if (fields.length === 0 || rows.length < 2) return undefined;
  const [best] = rows, worst = rows.at(-1)!;
  const swept = `${table.evaluation}, by ${fields.join(" and ")}: ${noun}`;
  const unit = rows.map((row) => otherUnit(best.cells[0]!, row.cells[0]!))
    .find((unit) => unit !== undefined);
  if (unit !== undefined) {
    return `${swept} is not compared, as settings count different ${unit}`;
  }
  const setting = ({ variation }: TableRow) => fields.map((field) => variation[field]).join(", ");
  const number = (row: TableRow) => `${setting(row)} (${uncertain(row.cells[0]!)})`;
  const alone = compareCells(best.cells[0], worst.cells[0]);
  // The best and the worst are two of all settings, whose intervals hold at once.
  const pairs = rows.length * (rows.length - 1) / 2;
  const difference = alone && amongSeveral(alone, pairs);
  const label = catalog.modelLabel(best.runs[0], {
    evaluation: table.evaluation,
    model: best.model,
  });
  return `${swept} of ${label} is best at ` +
    `${number(best)} and worst at ${number(worst)}` +
    (difference === undefined ? "" : `: ${inWords(difference)}`) +
    (pairs > 1 ? `, of all ${pairs} pairs at once` : "");
}

/** A difference, over how much it was measured, and whether chance may have made it. */
function inWords(difference: Difference): string {
  const { items, unit, seeds, isApart, insideNoise } = difference;
  const over = `${items} ${items === 1 ? unit.replace(/s$/, "") : unit}` +
    (seeds > 1 ? `, ${seeds} seeds` : "");
  const doubt = items < fewestItems ? ", too few to tell" : insideNoise ? ", inside the noise" : "";
  return `${differenceInWords(difference)}, ${isApart ? "not item by item" : over}${doubt}`;
}
