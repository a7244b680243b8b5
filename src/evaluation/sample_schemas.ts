/**
 * The fields of scored items from which metrics are computed again, by kind of evaluation: for whoever reads records that may
 * have been damaged or edited.
 */
import { z } from "zod";
import { schemaProblem } from "../results/record_schemas.ts";
import type { SampleRecord } from "../results/records.ts";

const count = z.number().min(0);
const counts = z.array(z.number());

const recall = z.object({
  contextTokens: z.number().positive(),
  tokens: z.number().positive(),
  nats: z.number(),
  kinds: z.string(),
  positions: counts,
  distances: counts,
  answers: counts,
  choices: counts,
}).refine(
  ({ kinds, positions, distances, answers, choices }) => {
    const names = kinds === "" ? 0 : kinds.split(" ").length;
    return [distances, answers, choices].every((list) => list.length === positions.length) &&
      names === positions.length;
  },
  { path: ["positions"], message: "must be as many as kinds, distances, answers and choices" },
);

const perplexity = z.object({
  tokens: z.number().positive(),
  words: z.number().positive(),
  nats: z.number(),
  bucket: z.string().optional(),
});

const chapterBreak = z.object({
  work: z.string(),
  prefixTokens: count,
  rank: z.number(),
  correct: z.boolean(),
});

const drawn = z.object({ task: z.string(), seed: z.number() });
const inContextLearning = drawn.extend({ correct: z.boolean() });
const squad = drawn.extend({
  exactMatch: z.union([z.boolean(), z.number()]),
  f1: z.number(),
});

const needle = z.object({
  needles: z.number(),
  distances: counts,
  correct: counts,
  ranks: counts.optional(),
  retrieved: counts.optional(),
  headShares: counts.optional(),
}).refine(
  ({ distances, correct, ranks, retrieved, headShares }) =>
    [correct, ranks, retrieved, headShares].every((list) =>
      list === undefined || list.length === distances.length
    ),
  { path: ["distances"], message: "must be as many as there are answers" },
);

/** Schemas by kind, and fields that only items of that kind have. */
const schemas: Readonly<Record<string, { schema: z.ZodType; fields: readonly string[] }>> = {
  "recall": { schema: recall, fields: ["positions", "choices", "kinds"] },
  "perplexity": { schema: perplexity, fields: ["bucket", "gpt2Tokens"] },
  "chapter-break": { schema: chapterBreak, fields: ["prefixTokens", "scoredTokens"] },
  "squad": { schema: squad, fields: ["exactMatch", "f1"] },
  "in-context-learning": { schema: inContextLearning, fields: ["label"] },
  "needle": { schema: needle, fields: ["needles"] },
};

/**
 * What is wrong with the records of an evaluation's items, with the item and the field; undefined where nothing is.
 *
 * @param kind Kind of the evaluation; undefined: that whose fields an item has.
 */
export function itemProblem(
  samples: readonly SampleRecord[],
  kind: string | undefined,
): string | undefined {
  for (const sample of samples) {
    const { schema } = schemas[kind ?? ""] ??
      Object.values(schemas).find(({ fields }) => fields.some((field) => field in sample)) ?? {};
    const problem = schema && schemaProblem(schema, sample);
    if (problem !== undefined) return `item "${sample.item}" is wrong: ${problem}`;
  }
  return undefined;
}
