/**
 * What an evaluation found, in a sentence: said of measured values alone, and no more than they show.
 */
import { amongSeveral, type Difference, fewestItems } from "./paired_comparison.ts";
import {
  compareRows,
  type EvaluationTable,
  mainModel,
  type TableRow,
  tellingFields,
} from "./evaluation_table.ts";
import type { MetricCatalog } from "./metric_catalog.ts";
import { differenceInWords, uncertain } from "./table_text.ts";

/** How a model is called beside LongMem: where its number is told, and where LongMem is compared with it. */
const names: Readonly<Record<string, readonly [beside: string, than: string]>> = {
  "backbone": ["of the backbone alone", "the backbone alone"],
  "sidenet-without-memory": [
    "of a SideNet that never had a memory",
    "a SideNet that never had a memory",
  ],
  "longmem": ["of LongMem", "LongMem"],
  "longmem-memory-off": ["with its memory off", "with its memory off"],
  "longmem-recent-memory": [
    "with a memory of the latest text only",
    "with a memory of the latest text only",
  ],
  "longmem-other-document": ["with another document's memory", "with another document's memory"],
  "untrained-with-memory": ["before its training", "before its training"],
};

/** What LongMem is compared with first, the first that was measured. */
const baselines = [
  "backbone",
  "sidenet-without-memory",
  "longmem-memory-off",
  "longmem-other-document",
  "untrained-with-memory",
];

/** How a model does beside another. */
interface Comparison {
  readonly outcome: "better" | "worse" | "noise" | "too few";
  readonly difference: Difference;
}

/** The rows of runs that differ in nothing but their seed, and what tells them from others. */
interface Group {
  readonly rows: readonly TableRow[];
  readonly setting: string;
}

/** As many settings of a sweep have a sentence each; more have one together. */
const mostSentences = 2;

/**
 * What an evaluation's main table says: what the settings of a sweep do to its first metric; LongMem's number beside the others',
 * whether the differences are outside the noise, and what follows about the memory.
 *
 * @param table A table of an evaluation; its first column is what is spoken of.
 */
export function findings(table: EvaluationTable, catalog: MetricCatalog): string[] {
  const telling = tellingFields(table);
  const groups = [...Map.groupBy(table.rows, ({ runs }) => runs).values()].map((rows): Group => ({
    rows: rows.filter(({ cells }) => cells[0]),
    setting: telling.filter((name) => rows[0].variation[name] !== undefined)
      .map((name) => `${name} ${rows[0].variation[name]}`).join(", "),
  }));
  const swept = sweepFinding(table, groups, catalog);
  const each = groups.length > mostSentences && swept !== undefined
    ? [settingsFinding(table, groups, catalog)]
    : groups.filter(({ rows }) => swept === undefined || rows.length > 1).map((group) => ({
      where: [table.evaluation, ...(group.setting === "" ? [] : [group.setting])].join(", "),
      text: findingOf(table, group.rows, catalog),
    })).map(({ where, text }) => `${where}: ${text}`);
  return [swept, ...each].filter((sentence) => sentence !== undefined);
}

/** Which settings of a sweep are best and worst, and whether by more than chance; undefined where nothing is swept. */
function sweepFinding(
  table: EvaluationTable,
  groups: readonly Group[],
  catalog: MetricCatalog,
): string | undefined {
  const [column] = table.columns;
  const telling = tellingFields(table);
  const fields = telling.filter((name) => name !== "run");
  const following = table.varied.filter((name) => !telling.includes(name));
  const all = groups.flatMap(({ rows }) => rows);
  const model = mainModel(all);
  const rows = ranked(table, all.filter((row) => row.model === model));
  const best = rows[0], worst = rows.at(-1);
  if (fields.length === 0 || !best || !worst || rows.length < 2) return undefined;
  const setting = (row: TableRow) =>
    fields.filter((field) => row.variation[field] !== undefined)
      .map((field) =>
        fields.length === 1 ? row.variation[field] : `${field} ${row.variation[field]}`
      )
      .join(", ");
  const pairs = rows.length * (rows.length - 1) / 2;
  const beside = (first: TableRow, second: TableRow) => {
    const difference = compareRows(table, { first, second, column: 0 }, catalog);
    return difference && amongSeveral(difference, pairs);
  };
  const most = beside(best, worst);
  const alike = rows.slice(1).filter((row) => beside(best, row)?.insideNoise ?? true);
  const whose = model === "longmem" ? "LongMem's " : "the ";
  const of = model === "longmem" ? "" : ` ${nameOf(best)}`;
  const several = pairs > 1 ? `, an interval for all ${pairs} differences at once` : "";
  const verdict = most === undefined
    ? "; whether the difference is more than chance, too little was measured to say"
    : `; the difference (${amount(most)}${several}) is ${
      most.insideNoise ? "inside the noise" : "more than chance"
    }`;
  const swept = fields.join(" and ") +
    (following.length === 0 ? "" : ` (and ${following.join(" and ")} with it)`);
  return `${table.evaluation}, by ${swept}: ${whose}${column.noun}${of} ` +
    `is best at ${setting(best)} (${uncertain(best.cells[0]!)}) and worst at ${setting(worst)} (${
      uncertain(worst.cells[0]!)
    })${verdict}${
      alike.length === 0 || most === undefined || most.insideNoise
        ? ""
        : `; ${alike.map(setting).join("; ")} ${
          alike.length === 1 ? "does" : "do"
        } as well, as far as can be told`
    }.`;
}

/** How LongMem does beside the first baseline, over all settings of a sweep. */
function settingsFinding(
  table: EvaluationTable,
  groups: readonly Group[],
  catalog: MetricCatalog,
): string | undefined {
  const models = new Set(groups.flatMap(({ rows }) => rows.map(({ model }) => model)));
  const baseline = baselines.find((model) => models.has(model));
  if (baseline === undefined || !models.has("longmem")) return undefined;
  const settings = Map.groupBy(
    groups.flatMap(({ rows, setting }) => {
      const compared = comparisons(table, rows, catalog, groups.length)(baseline);
      return compared ? [{ setting, ...compared }] : [];
    }),
    ({ outcome }) => outcome,
  );
  const count = [...settings.values()].reduce((sum, { length }) => sum + length, 0);
  if (count === 0) return undefined;
  const words = {
    better: "better than",
    worse: "worse than",
    noise: "not known to differ from",
    "too few": "measured on too little to be compared with",
  } as const;
  const clauses = (["better", "worse", "noise", "too few"] as const).flatMap((outcome) => {
    const of = settings.get(outcome) ?? [];
    if (of.length === 0) return [];
    const where = of.length === count
      ? `in all ${count} settings`
      : `in ${of.length} of ${count} (${of.map(({ setting }) => setting).join("; ")})`;
    return [`${words[outcome]} ${names[baseline][1]} ${where}`];
  });
  return `${table.evaluation}: by ${table.columns[0].noun}, LongMem is ${
    clauses.join(", ")
  }, by intervals for all at once.`;
}

/**
 * How the LongMem of some rows does beside other models of them; nothing where one of them is missing.
 *
 * @param settings Of how many settings the same is said.
 */
function comparisons(
  table: EvaluationTable,
  rows: readonly TableRow[],
  catalog: MetricCatalog,
  settings = 1,
): (model: string) => Comparison | undefined {
  return (model) => {
    const first = rows.find((row) => row.model === "longmem");
    const second = rows.find((row) => row.model === model);
    const alone = first && second && compareRows(table, { first, second, column: 0 }, catalog);
    if (!alone) return undefined;
    const difference = amongSeveral(alone, settings);
    const gained = table.columns[0].higherIsBetter ? difference.value : -difference.value;
    return {
      outcome: difference.items < fewestItems
        ? "too few"
        : difference.insideNoise
        ? "noise"
        : gained > 0
        ? "better"
        : "worse",
      difference,
    };
  };
}

function findingOf(
  table: EvaluationTable,
  measured: readonly TableRow[],
  catalog: MetricCatalog,
): string {
  const [column] = table.columns;
  const noun = column.noun;
  const value = ({ cells: [cell] }: TableRow) => uncertain(cell!).split(" ")[0];
  const whole = ({ cells: [cell] }: TableRow) => uncertain(cell!);
  const items = (row: TableRow) => {
    const n = Math.min(...row.cells[0]!.metrics.map(({ n }) => n));
    return `n = ${n.toLocaleString("en")}`;
  };
  const longmem = measured.find(({ model }) => model === "longmem");
  if (!longmem) {
    const [first, ...others] = measured;
    if (!first) return `${noun} was not measured.`;
    return `The ${noun} ${nameOf(first)} is ${whole(first)}` +
      others.map((row) => `, ${nameOf(row)} ${whole(row)}`).join("") +
      ` (${items(first)})${best(table, measured, catalog)}.`;
  }
  const shown = measured.filter(({ model }) => model in names && model !== "longmem");
  if (shown.length === 0) return `LongMem's ${noun} is ${whole(longmem)} (${items(longmem)}).`;
  const numbers = `LongMem's ${noun} is ${value(longmem)}` +
    shown.map((row, i) =>
      `, ${i === 0 && /^of/.test(nameOf(row)) ? "that " : ""}${nameOf(row)} ${value(row)}`
    )
      .join("");
  const beside = comparisons(table, measured, catalog);
  const clauses = [againstBaseline(beside), ofOlderText(beside("longmem-recent-memory"))]
    .filter((clause) => clause !== undefined);
  return `${numbers}${clauses.length === 0 ? "" : ": "}${clauses.join("; ")}.`;
}

function nameOf({ model }: TableRow): string {
  return names[model]?.[0] ?? `of ${model}`;
}

function best(table: EvaluationTable, rows: readonly TableRow[], catalog: MetricCatalog): string {
  const [first, second] = ranked(table, rows);
  if (!second) return "";
  const difference = compareRows(table, { first, second, column: 0 }, catalog);
  return difference && !difference.insideNoise
    ? `; the one ${nameOf(first)} is the best by more than noise`
    : "; no difference between the best two is known to be more than noise";
}

/** Rows from the best to the worst by the first metric. */
function ranked({ columns: [column] }: EvaluationTable, rows: readonly TableRow[]): TableRow[] {
  return rows.toSorted((a, b) => {
    const [first, second] = [a.cells[0]!.value, b.cells[0]!.value];
    return column.higherIsBetter ? second - first : first - second;
  });
}

/**
 * Whether LongMem gains over the model without memory, and whether it is its memory that does it; where no such model was
 * measured, what its parts do.
 */
function againstBaseline(beside: (model: string) => Comparison | undefined): string | undefined {
  const alone = beside("backbone"), untaught = beside("sidenet-without-memory");
  const baseline = alone ?? untaught;
  const other = beside("longmem-other-document"), off = beside("longmem-memory-off");
  if (!baseline) {
    const parts = [
      ofPart("its memory", off),
      ofPart("its memory's being the same document's", other),
      ofPart("its training", beside("untrained-with-memory")),
    ].filter((part) => part !== undefined);
    return parts.length === 0 ? undefined : parts.join("; ");
  }
  const than = alone ? "the backbone alone" : "a SideNet that never had a memory";
  const by = amount(baseline.difference);
  const control = other ?? off;
  switch (baseline.outcome) {
    case "better":
      return `it is better than ${than} (${by}), ${
        control
          ? reason(control.outcome, other !== undefined)
          : "but no control says whether by its memory"
      }${
        alone && untaught && untaught.outcome !== "better"
          ? "; a SideNet that never had a memory does no worse, as far as can be told"
          : ""
      }`;
    case "worse":
      return `it is worse than ${than} (${by})${help(control?.outcome, other !== undefined)}`;
    case "noise":
      return `its difference from ${than} (${by}) is inside the noise${
        help(control?.outcome, other !== undefined)
      }`;
    case "too few":
      return `whether its difference from ${than} (${by}) is more than chance cannot be told of fewer than ${fewestItems} ${baseline.difference.unit}`;
    default:
      return baseline.outcome satisfies never;
  }
}

/** What a part of LongMem does, by how it does without. */
function ofPart(part: string, without: Comparison | undefined): string | undefined {
  if (!without) return undefined;
  const { outcome, difference } = without, by = amount(difference);
  switch (outcome) {
    case "better":
      return `${part} helps (${by})`;
    case "worse":
      return `${part} does harm (${by})`;
    case "noise":
      return `that ${part} helps has not been shown (${by})`;
    case "too few":
      return `what ${part} does cannot be told of fewer than ${fewestItems} ${difference.unit}`;
    default:
      return outcome satisfies never;
  }
}

function amount(difference: Difference): string {
  const { items, unit, seeds, isApart } = difference;
  if (isApart) return `${differenceInWords(difference)}, not item by item`;
  return `${differenceInWords(difference)}, ${items} ${
    items === 1 ? unit.replace(/s$/, "") : unit
  }${seeds > 1 ? `, ${seeds} seeds` : ""}`;
}

/** Why LongMem is better than the baseline, by how it does without its own memory. */
function reason(outcome: Comparison["outcome"], othersMemory: boolean): string {
  switch (outcome) {
    case "better":
      return othersMemory
        ? "and what helps is the memory of the document itself"
        : "and what helps is the memory";
    case "noise":
      return othersMemory
        ? "but so it is with another document's memory: what the memory holds has not been shown to help"
        : "but so it is with its memory off: that the memory helps has not been shown";
    case "worse":
      return othersMemory
        ? "but better still with another document's memory: what the memory holds does not help"
        : "but better still with its memory off: the memory does not help";
    case "too few":
      return "but whether by its memory, too little was measured to say";
    default:
      return outcome satisfies never;
  }
}

/** What the memory does for a LongMem that is no better than the baseline. */
function help(outcome: Comparison["outcome"] | undefined, othersMemory: boolean): string {
  switch (outcome) {
    case "better":
      return othersMemory
        ? ", although it gains from its memory's being the same document's"
        : ", although it gains from its memory";
    case "noise":
      return othersMemory
        ? ", and another document's memory does as well, as far as can be told"
        : ", and with its memory off it does as well, as far as can be told";
    case "worse":
      return othersMemory
        ? ", and another document's memory does better"
        : ", and with its memory off it does better";
    case "too few":
    case undefined:
      return "";
    default:
      return outcome satisfies never;
  }
}

/** Whether retrieving older text gains anything over a window that is a little longer. */
function ofOlderText(recent: Comparison | undefined): string | undefined {
  if (!recent) return undefined;
  const { outcome, difference } = recent;
  switch (outcome) {
    case "better":
      return `it gains from text older than the latest (${amount(difference)})`;
    case "noise":
      return "that it gains from text older than the latest has not been shown";
    case "worse":
      return `text older than the latest does it harm (${amount(difference)})`;
    case "too few":
      return undefined;
    default:
      return outcome satisfies never;
  }
}
