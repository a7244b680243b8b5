/**
 * The fields that say which published table an experiment is about.
 */
import { z } from "zod";
import { oneOf, slug, text } from "../declaration/fields.ts";
import type { Accepts, Assert, Part } from "../declaration/part.ts";
import type { Problem } from "../declaration/problem.ts";
import { allowedWords } from "../did_you_mean.ts";
import { publishedTable, type PublishedTableName, publishedTableNames } from "./paper_tables.ts";

/** Published table that an experiment reproduces, and the mapping of its rows and columns. */
export interface ReproductionConfig {
  /** The published table. */
  readonly table: PublishedTableName;
  /** Our models that stand for published rows. */
  readonly rows: readonly {
    readonly row: string;
    readonly model: string;
    /** The evaluation whose metrics the row has; absent: the column's. */
    readonly evaluation?: string;
  }[];
  /** Our metrics that are published columns, of the row's evaluation, or else this one, or else the first which has the metric. */
  readonly columns: readonly {
    readonly column: string;
    readonly metric: string;
    readonly evaluation?: string;
  }[];
}

/** Which published table an experiment is about, as declared. */
export interface ReproductionDeclaration {
  /** The published table; its numbers and how far each can be trusted are in `src/results/paper_tables.ts`. */
  readonly table: PublishedTableName;
  /**
   * Our models, as results name them, that stand for published rows (default: the backbone for GPT-2* and LongMem for
   * itself, where a table has one of each and an evaluation measures them).
   */
  readonly rows?: ReproductionConfig["rows"];
  /**
   * Our metrics that are published columns, of the evaluation named or of the first that has them (default: perplexity by
   * length for `table-2`).
   */
  readonly columns?: ReproductionConfig["columns"];
}

const schema = z.strictObject({
  table: oneOf(...publishedTableNames),
  rows: z.array(z.strictObject({ row: text, model: text, evaluation: slug.exactOptional() }))
    .readonly().describe("lists of rows and models").exactOptional(),
  columns: z.array(z.strictObject({ column: text, metric: text, evaluation: slug.exactOptional() }))
    .readonly().describe("lists of columns and metrics").exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, ReproductionDeclaration>>;

/** An evaluation and the models whose metrics it records, by their names in results. */
export interface MeasuredEvaluation {
  readonly name: string;
  readonly models: readonly string[];
}

interface MeasuredEvaluations {
  readonly evaluations: readonly MeasuredEvaluation[];
}

/** The published table, as a part of declarations. */
export const reproductionPart = {
  schema,

  /** Default mapping, where it is the same for every experiment about the table. */
  fill(
    { table, rows, columns }: ReproductionDeclaration,
    { evaluations }: MeasuredEvaluations,
  ): ReproductionConfig {
    const { models, metrics } = publishedTable(table);
    const evaluated = new Set(evaluations.flatMap(({ models }) => models));
    const standing = Object.entries(models).filter(([, model]) => evaluated.has(model));
    return {
      table,
      rows: rows ?? standing.map(([row, model]) => ({ row, model })),
      columns: columns ?? Object.entries(metrics).map(([column, metric]) => ({ column, metric })),
    };
  },

  check,
} satisfies Part<
  ReproductionDeclaration,
  ReproductionConfig,
  MeasuredEvaluations,
  MeasuredEvaluations
>;

/** Rows, columns and models that the published table or the evaluations do not have. */
function check(
  { table, rows, columns }: ReproductionConfig,
  path: string,
  { evaluations }: MeasuredEvaluations,
): Problem[] {
  const published = publishedTable(table);
  const unknown = (field: string, word: string, allowed: readonly string[]): Problem[] =>
    allowed.includes(word) ? [] : [{
      path: `${path}.${field}`,
      message: `is unknown: current value is "${word}", ${allowedWords(word, allowed)}`,
    }];
  return [
    ...(rows.length === 0 ? [empty(`${path}.rows`, "rows", published.rows)] : []),
    ...(columns.length === 0 ? [empty(`${path}.columns`, "columns", published.columns)] : []),
    ...rows.flatMap(({ row }, i) => unknown(`rows.${i}.row`, row, published.rows)),
    ...rows.flatMap(({ model }, i) =>
      unknown(`rows.${i}.model`, model, evaluations.flatMap(({ models }) => models))
    ),
    ...columns.flatMap(({ column }, i) =>
      unknown(`columns.${i}.column`, column, published.columns)
    ),
    ...Object.entries({ rows, columns }).flatMap(([list, entries]) =>
      entries.flatMap(({ evaluation }, i) =>
        evaluation === undefined
          ? []
          : unknown(`${list}.${i}.evaluation`, evaluation, evaluations.map(({ name }) => name))
      )
    ),
  ];
}

/** Only some tables have a default mapping. */
function empty(path: string, field: string, headings: readonly string[]): Problem {
  return {
    path,
    message: `is missing, as the table does not say what stands for it: its ${field} are ${
      headings.join(", ")
    }`,
  };
}
