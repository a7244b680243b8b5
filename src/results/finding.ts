/**
 * What an evaluation found, in a sentence: said of measured values alone, and no more than they show.
 */
import { type Difference, fewestItems } from "./comparison.ts";
import {
  compareModels,
  type EvaluationTable,
  type SumsOf,
  type TableRow,
} from "./evaluation_table.ts";
import { metricNoun } from "./metric_label.ts";
import { differenceInWords, uncertain } from "./table_text.ts";

/** How a model is called beside LongMem. */
const names: Readonly<Record<string, string>> = {
  "backbone": "of the backbone alone",
  "sidenet-without-memory": "of a SideNet that never had a memory",
  "longmem": "of LongMem",
  "longmem-memory-off": "with its memory off",
  "longmem-recent-memory": "with a memory of the latest text only",
  "longmem-other-document": "with another document's memory",
  "untrained-with-memory": "before its training",
};

/** How LongMem does beside another model. */
interface Comparison {
  readonly outcome: "better" | "worse" | "noise" | "too few";
  readonly difference: Difference;
}

/**
 * One sentence for each group of runs of an evaluation's main table: LongMem's number beside the others', whether the
 * differences are outside the noise, and what follows about the memory.
 *
 * @param table A table of an evaluation; its first column is what is spoken of.
 */
export function findings(table: EvaluationTable, sumsOf: SumsOf): string[] {
  const groups = Map.groupBy(table.rows, ({ runs }) => runs);
  return [...groups.values()].map((rows) => {
    const varied = Object.entries(rows[0].variation).map(([name, value]) => `${name} ${value}`);
    const where = [table.evaluation, ...varied].join(", ");
    return `${where}: ${findingOf(table, rows, sumsOf)}`;
  });
}

function findingOf(table: EvaluationTable, rows: readonly TableRow[], sumsOf: SumsOf): string {
  const [column] = table.columns;
  const noun = metricNoun(column.name);
  const measured = rows.filter(({ cells }) => cells[0]);
  const value = ({ cells: [cell] }: TableRow) => uncertain(cell!).split(" ")[0];
  const whole = ({ cells: [cell] }: TableRow) => uncertain(cell!);
  const longmem = measured.find(({ model }) => model === "longmem");
  if (!longmem) {
    const [first, ...others] = measured;
    if (!first) return `${noun} was not measured.`;
    const items = Math.min(...first.cells[0]!.metrics.map(({ n }) => n));
    return `The ${noun} ${nameOf(first)} is ${whole(first)}` +
      others.map((row) => `, ${nameOf(row)} ${whole(row)}`).join("") +
      ` (n = ${items})${best(measured)}.`;
  }
  const shown = measured.filter(({ model }) => model in names && model !== "longmem");
  const numbers = `LongMem's ${noun} is ${value(longmem)}` +
    shown.map((row, i) =>
      `, ${i === 0 && /^of/.test(nameOf(row)) ? "that " : ""}${nameOf(row)} ${value(row)}`
    )
      .join("");
  const beside = (model: string): Comparison | undefined => {
    const difference = compareModels(longmem.runs, {
      evaluation: table.evaluation,
      column,
      first: "longmem",
      second: model,
    }, sumsOf);
    if (!difference) return undefined;
    const gained = column.higherIsBetter ? difference.value : -difference.value;
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
  const clauses = [againstBaseline(beside), ofOlderText(beside("longmem-recent-memory"))];
  return `${numbers}: ${clauses.filter((clause) => clause !== undefined).join("; ")}.`;
}

function nameOf({ model }: TableRow): string {
  return names[model] ?? `of ${model}`;
}

function best(rows: readonly TableRow[]): string {
  if (rows.length < 2) return "";
  const winner = rows.find(({ cells: [cell] }) => cell!.best);
  return winner
    ? `; the one ${nameOf(winner)} is the best by more than noise`
    : "; no difference between the best two is known to be more than noise";
}

/** Whether LongMem gains over the model without memory, and whether it is its memory that does it. */
function againstBaseline(beside: (model: string) => Comparison | undefined): string {
  const alone = beside("backbone"), untaught = beside("sidenet-without-memory");
  const baseline = alone ?? untaught;
  const other = beside("longmem-other-document"), off = beside("longmem-memory-off");
  if (!baseline) {
    return "nothing without memory was measured on the same items to compare it with";
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

function amount(difference: Difference): string {
  const { items, unit, seeds } = difference;
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
