/**
 * The form of the files of a run's folder. Files that were damaged, cut or edited are refused here, with the field, so that
 * whoever shows runs can rely on their types. Fields that are not listed pass.
 */
import { z } from "zod";
import { publishedTable, publishedTableNames } from "./paper_tables.ts";

const text = z.string();
const count = z.number().min(0);

/** A name that becomes part of a path or of a file's name: no folder, no step out of one. */
const fileName = z.string().min(1).refine(
  // deno-lint-ignore no-control-regex -- these are what it looks for
  (name) => !/[/\\\u0000-\u001f]/.test(name) && name !== "." && name !== "..",
  'must be the name of a file, without "/"',
);

const metric = z.looseObject({
  evaluation: fileName,
  model: text,
  name: text,
  value: z.number(),
  stderr: count.optional(),
  ci95: z.tuple([z.number(), z.number()]).optional(),
  n: z.number().positive(),
  total: count.optional(),
  unit: text,
  higherIsBetter: z.boolean(),
  metricVersion: z.number(),
  modelVersion: z.number().optional(),
  measure: text.optional(),
  at: z.record(text, z.union([text, z.number()])).optional(),
  over: text.optional(),
});

const summary = z.looseObject({
  state: z.enum(["planned", "running", "stopped", "completed", "failed", "interrupted"]),
  experiment: fileName,
  run: fileName,
  question: text.optional(),
  scale: z.enum(["paper", "scaled-down"]),
  limit: count.optional(),
  variation: z.record(text, z.unknown()).optional(),
  error: text.optional(),
  metrics: z.array(metric),
});

/** Code and machine in each part of a run. */
const environmentPart = {
  startedAt: text,
  commit: text.optional(),
  dirty: z.boolean().optional(),
  deno: text,
  v8: text,
  packages: z.record(text, text),
  system: text,
  cpu: text,
  cores: count,
  memoryBytes: count,
  declarationFile: text,
  assignments: z.array(text).optional(),
  device: text.optional(),
  wallSeconds: count.optional(),
  peakMemoryBytes: count.optional(),
  host: text.optional(),
  cluster: z.looseObject({
    job: text,
    task: count.optional(),
    node: text.optional(),
    restarts: count.optional(),
  }).optional(),
};

const environment = z.looseObject({
  ...environmentPart,
  hashes: z.record(text, text),
  inputs: z.record(text, text).optional(),
  taken: z.record(text, z.looseObject({ run: text, weights: text })).optional(),
  earlier: z.array(z.looseObject(environmentPart)),
});

const reproduces = z.looseObject({
  table: z.enum(publishedTableNames),
  rows: z.array(z.looseObject({ row: text, model: text, evaluation: text.optional() })),
  columns: z.array(z.looseObject({ column: text, metric: text, evaluation: text.optional() })),
}).superRefine(({ table, rows, columns }, context) => {
  const published = publishedTable(table);
  rows.forEach(({ row }, i) => {
    if (published.rows.includes(row)) return;
    context.addIssue({ code: "custom", path: ["rows", i, "row"], message: `must be of ${table}` });
  });
  columns.forEach(({ column }, i) => {
    if (published.columns.includes(column)) return;
    context.addIssue({
      code: "custom",
      path: ["columns", i, "column"],
      message: `has no column "${column}"`,
    });
  });
});

/** Only the fields of a declaration that are read again from its record; the rest is shown unchanged. */
const declaration = z.looseObject({
  seed: z.number().optional(),
  corpus: z.record(text, z.unknown()).optional(),
  evaluations: z.array(z.looseObject({ kind: text.optional(), name: text.optional() })).optional(),
  reproduces: reproduces.optional(),
});

const trainingLine = z.looseObject({
  phase: text.min(1),
  step: count,
  split: z.enum(["train", "valid"]),
  tokens: count,
  loss: z.number(),
  learningRate: z.number().optional(),
  gradientNorm: z.number().optional(),
  memoryTokens: count.optional(),
  diagnostics: z.looseObject({
    gates: z.array(z.number()).min(1).optional(),
    memoryShare: z.number().optional(),
    updateToWeight: z.number(),
    updateToWeightOfLayers: z.record(text, z.number()),
  }).optional(),
  timing: z.looseObject({ tokensPerSecond: count, elapsedMs: count }).optional(),
});

/** Schemas by the kind of record. */
const schemas = { summary, environment, declaration, trainingLine };

export type RecordKind = keyof typeof schemas;

/** Most nested arrays and objects of a record: far more than any has, and few enough to be shown. */
const mostNested = 100;

/** Checks the form of a record, and returns the problem with its field; undefined if there is none. */
export function recordProblem(kind: RecordKind, record: unknown): string | undefined {
  return schemaProblem(schemas[kind], record);
}

/** The first thing that is wrong with a value by a schema, with its field: "FIELD must be ...: current value is ..."; undefined where nothing is. */
export function schemaProblem(schema: z.ZodType, value: unknown): string | undefined {
  const issue = schema.safeParse(value).error?.issues[0];
  if (!issue) return undefined;
  const { path, message } = issue;
  const current = path.reduce<unknown>(
    (inner, key) => inner === undefined ? undefined : Reflect.get(Object(inner), key),
    value,
  );
  const wanted = message.replace(/^Invalid input: expected (.*), received .*$/, "must be $1")
    .replace(/^Invalid input$/, "must be of another type")
    .replace(/^Invalid option: expected /, "must be ");
  const shown = current === undefined ? "it is missing" : `current value is ${shorten(current)}`;
  return `${path.length === 0 ? "it" : path.map(String).join(".")} ${wanted}: ${shown}`;
}

/** Whether JSON nests so deep that programs that walk through it would run out of stack. */
export function isTooDeep(json: string): boolean {
  let depth = 0, inText = false;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (inText) {
      if (character === "\\") i++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    if (depth > mostNested) return true;
  }
  return false;
}

function shorten(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 60 ? `${json.slice(0, 60)}...` : json;
}
