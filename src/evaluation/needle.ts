/**
 * Needles: does a model name a fact that was told once, at a chosen distance, in a text without other facts?
 * The text is read segment by segment; a prompt of the last T tokens before the answer reads that memory. A prompt
 * is answered correctly if each token of the answer is the most likely one of the whole vocabulary after those before it,
 * as greedy decoding would produce. Version 2: errors by the jackknife, over effective items or clusters.
 *
 * Where a model retrieves from a memory, `retrieved` says whether the chunk of the answer is among those that the position
 * before the answer retrieves: a chunk that is not found was not retrieved, was evicted before, or was lost behind the last
 * whole chunk of a segment; an answer that is found but not named was retrieved and not used.
 * Of an answer of several tokens every position must retrieve its own. Facts within the prompt are not in the memory and do not count.
 *
 * Instances are independent of each other; the prompts of one are not, so that standard errors are those of a ratio of sums
 * over instances.
 */
import { z } from "zod";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import {
  chronicleWording,
  englishWording,
  mostNeedles,
  type NeedleText,
  writeNeedleTexts,
} from "../text/needle.ts";
import { positiveInteger, positiveIntegers, seed } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { repetitions, wrong } from "../declaration/problem.ts";
import { chronicleOf } from "../text/corpora/corpora.ts";
import { natsOf } from "./answers.ts";
import {
  controlProblems,
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  promptOptions,
  textLengthProblems,
  writtenTokenProblems,
} from "./evaluation_kind.ts";
import { differenceOf, type Measure, sumsOver } from "./measure.ts";
import { meansOf } from "./shared/other_texts.ts";
import { type PromptedModel, readableText } from "./shared/language_model.ts";
import { askPrompts, type PromptOptions, type PromptScore } from "./shared/prompting.ts";

/** Value in records for a fact that is in the prompt, not in the memory. */
const inPrompt = -1;

/**
 * Asks all questions of all texts.
 *
 * @param options `chunkTokens`: tokens of a chunk of the memory; absent: no model has one.
 * @returns A record for each instance of each number of facts: lists of one element a question.
 */
export async function askNeedles(
  model: PromptedModel,
  texts: readonly NeedleText[],
  { chunkTokens, ...options }: PromptOptions & { readonly chunkTokens?: number | undefined },
): Promise<SampleRecord[]> {
  const retrieves = model.retrieves !== undefined && chunkTokens !== undefined;
  const named = texts.map((text) => ({ ...text, name: itemOf(text) }));
  const answers = await askPrompts(model, named, { ...options, retrieved: retrieves });
  const asked = texts.flatMap((text, i) =>
    text.prompts.map((question, j) => ({ text, question, score: answers[i][j] }))
  );
  const byInstance = Map.groupBy(asked, ({ text }) => itemOf(text));
  return [...byInstance].map(([item, questions]) => {
    const found = retrieves
      ? questions.map(({ text, question: { places }, score }) =>
        headsThatFind(places.map((place) => ageOf(place, text.reading, chunkTokens)), score)
      )
      : [];
    return {
      item,
      needles: questions[0].text.needles,
      distances: questions.map(({ question }) => question.distance),
      actualDistances: questions.map(({ question }) => question.actualDistance),
      correct: questions.map(({ question: { tokens, scored }, score: { choices } }) =>
        Number(choices.every((choice, i) => choice === tokens[tokens.length - scored + i]))
      ),
      nats: natsOf(questions.map(({ score }) => score)),
      ...(questions.every(({ score }) => score.ranks) &&
        { ranks: questions.map(({ score }) => Math.max(...score.ranks!)) }),
      ...(retrieves && {
        retrieved: found.map((heads) =>
          heads ? Number(heads.every((share) => share > 0)) : inPrompt
        ),
        headShares: found.map((heads) =>
          heads ? heads.reduce((sum, share) => sum + share, 0) / heads.length : inPrompt
        ),
      }),
    };
  });
}

/** Name of an instance in records. */
function itemOf({ needles, instance }: NeedleText): string {
  return `${needles}/${instance}`;
}

/**
 * Age of the chunk that a token lies in, 0 the newest, if nothing had been evicted; undefined where it fills no chunk.
 *
 * @param segments Segments of one length, all read.
 */
function ageOf(
  place: number,
  segments: readonly Int32Array[],
  chunkTokens: number,
): number | undefined {
  const T = segments[0].length, chunks = Math.floor(T / chunkTokens);
  const chunk = Math.floor(place % T / chunkTokens);
  if (chunk >= chunks) return undefined;
  return chunks * segments.length - 1 - (chunks * Math.floor(place / T) + chunk);
}

/** For each of a value's tokens the share of heads that retrieve its chunk; undefined where none is in the memory. */
function headsThatFind(
  ages: readonly (number | undefined)[],
  { retrieved }: PromptScore,
): number[] | undefined {
  if (ages.length === 0) return undefined;
  const { heads: H, positions, chunks: n } = retrieved!;
  return ages.map((age, i) => {
    const finding = Array.from({ length: H }, (_, h) => {
      const first = (h * positions + i) * n;
      return age !== undefined && retrieved!.ages.subarray(first, first + n).includes(age);
    });
    return finding.filter((finds) => finds).length / H;
  });
}

/**
 * The record of a text in whose place several were read: shares of right answers, and the ranks whose reciprocals are the means of
 * theirs.
 */
export function averageNeedles(records: readonly SampleRecord[]): SampleRecord {
  const { choices: _choices, ...first } = records[0];
  const reciprocal = records.flatMap(({ ranks }) =>
    ranks ? [{ ranks: (ranks as readonly number[]).map((rank) => 1 / rank) }] : []
  );
  return {
    ...first,
    correct: meansOf(records, "correct"),
    ...(reciprocal.length > 0 && { ranks: meansOf(reciprocal, "ranks").map((mean) => 1 / mean) }),
  };
}

/** A record as metrics need it. */
const needleRecord = z.looseObject({
  item: z.string(),
  needles: z.number(),
  distances: z.array(z.number()),
  correct: z.array(z.number()),
  ranks: z.array(z.number()).exactOptional(),
  retrieved: z.array(z.number()).exactOptional(),
  headShares: z.array(z.number()).exactOptional(),
}).refine(
  ({ distances, correct, ranks, retrieved, headShares }) =>
    [correct, ranks, retrieved, headShares]
      .every((answers) => answers === undefined || answers.length === distances.length),
  { path: ["distances"], message: "must be as many as there are answers" },
);
type NeedleRecord = z.infer<typeof needleRecord>;

/** The value of a question in a record, by measure; undefined where it does not count. */
const values: Readonly<Record<string, (record: NeedleRecord, i: number) => number | undefined>> = {
  "accuracy": ({ correct }, i) => correct[i],
  "reciprocal rank": ({ ranks }, i) => ranks && 1 / ranks[i],
  "retrieved by any head": ({ retrieved }, i) => inMemory(retrieved?.[i]),
  "retrieved by a head": ({ headShares }, i) => inMemory(headShares?.[i]),
};

function inMemory(value: number | undefined): number | undefined {
  return value === inPrompt ? undefined : value;
}

/**
 * Measures of one model: "accuracy", "reciprocal rank" of the answer in the vocabulary, and of models that retrieve the shares
 * of facts "retrieved by any head" and "retrieved by a head", one of them on average; each over all questions, by distance
 * ("accuracy at 256") and, where numbers of facts differ, by these, too ("accuracy of 4", "accuracy of 4 at 256"). And how
 * much more accurate it is than a baseline, paired by instance ("accuracy at 256 over backbone"). n counts instances.
 */
function needleMeasures(records: readonly NeedleRecord[]): Measure[] {
  const points = pointsOf(records);
  return Object.entries(values).flatMap(([measure, valueOf]) =>
    points.flatMap((at): Measure[] => {
      const instances = records.filter(({ needles }) => [undefined, needles].includes(at.facts))
        .map((record) => ({
          ...record,
          values: record.distances.flatMap((tokens, i) =>
            [undefined, tokens].includes(at.distance) ? valueOf(record, i) ?? [] : []
          ),
        }))
        .filter(({ values }) => values.length > 0);
      if (instances.length === 0) return [];
      const name = measure + (at.facts === undefined ? "" : ` of ${at.facts}`) +
        (at.distance === undefined ? "" : ` at ${at.distance}`);
      return [{
        measure,
        ...(Object.keys(at).length > 0 && { at }),
        name,
        sums: sumsOver(instances, {
          unit: "texts",
          numerator: ({ values }) => values.reduce((sum, value) => sum + value, 0),
          denominator: ({ values }) => values.length,
        }),
        ...(measure === "accuracy" && { differences: [differenceOf(name)] }),
      }];
    })
  );
}

/** Points of the metrics: all questions, those at each distance, those of each number of facts. */
function pointsOf(records: readonly NeedleRecord[]): { facts?: number; distance?: number }[] {
  const counts = [...new Set(records.map(({ needles }) => needles))];
  const distances = [...new Set(records.flatMap(({ distances }) => distances))]
    .sort((a, b) => a - b);
  const groups = counts.length > 1 ? [{}, ...counts.map((facts) => ({ facts }))] : [{}];
  const at = distances.length > 1 ? [{}, ...distances.map((distance) => ({ distance }))] : [{}];
  return groups.flatMap((group) => at.map((distance) => ({ ...group, ...distance })));
}

/** The place of a metric of this file in tables. */
function needleLabel({ measure, at = {}, over }: MetricKey): MetricLabel {
  const { facts, distance } = at;
  const of = facts === undefined ? "" : ` of ${facts} facts`;
  if (over !== undefined) {
    return {
      part: `${measure}${of} more than that of ${over}, by distance in tokens`,
      header: String(distance ?? "all"),
    };
  }
  if (distance === undefined) {
    return facts === undefined
      ? { part: "", header: measure, isProportion: true }
      : { part: `${measure}, by facts told`, header: String(facts), isProportion: true };
  }
  return {
    part: `${measure}${of}, by distance in tokens`,
    header: String(distance),
    isProportion: true,
    // Figures of the accuracy and of any head's retrieval are enough.
    ...(["accuracy", "retrieved by any head"].includes(measure) && {
      axis: {
        figure: `${measure}${facts === undefined ? "" : ` of ${facts}`}-distance`,
        label: "distance",
        unit: "tokens",
        measure: `${measure}${of}`,
      },
    }),
  };
}

/**
 * Whether a model names facts that were told once, at chosen distances, in texts that otherwise tell nothing; and whether
 * the memory retrieves them. Nothing is downloaded: the facts are those of persons in the chronicle, pass keys elsewhere.
 */
export interface NeedleEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "needle";
  /**
   * Tokens from a fact to the answer at least, and no more than a sentence beyond; each has its own metrics (default 64,
   * 256, 512, 1024, 2048 and 4096). Texts are as long as the largest needs.
   */
  readonly distances: readonly number[];
  /** Facts of a text, dealt to the distances and all asked for; each number has texts of its own (default 1 alone). */
  readonly needles: readonly number[];
  /** How many times a fact of each distance is asked for, each in another text (default 24). */
  readonly instances: number;
  /** Seed of the texts (default 1). */
  readonly seed: number;
}

/** The same as declared. */
export type NeedleDeclaration = DeclaredEvaluation<NeedleEvaluation, "kind">;

const form = evaluationForm("needle", () => ({
  distances: positiveIntegers.exactOptional(),
  needles: positiveIntegers.exactOptional(),
  instances: positiveInteger.exactOptional(),
  seed: seed.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, NeedleDeclaration>>;

export const needle: EvaluationKind<NeedleDeclaration, NeedleEvaluation, NeedleRecord> = {
  schema: form,
  fill: (declared, from) => ({
    name: declared.kind,
    // Distances within a short segment, and as far as the chronicle's memory reaches.
    distances: [64, 256, 512, 1024, 2048, 4096],
    needles: [1],
    instances: 24,
    seed: 1,
    ...fillModelEvaluation(declared, from),
  }),
  check(evaluation, path) {
    const { distances, needles, instances } = evaluation;
    const tooMany = needles.findIndex((count) => count > mostNeedles);
    const farthest = Math.max(...distances);
    // One text asks for as many distances as it tells facts.
    const texts = needles.reduce((sum, count) => sum + Math.ceil(distances.length / count), 0);
    const tooLong = textLengthProblems(distances, `${path}.distances`);
    const isAlone = instances === 1 && needles.length === 1 && needles[0] >= distances.length;
    return [
      ...repetitions(distances, `${path}.distances`, "numbers"),
      ...repetitions(needles, `${path}.needles`, "numbers"),
      ...(isAlone
        ? controlProblems(evaluation, path, {
          rule: `reads another text, of which ${path}.instances makes none`,
          allowed: ", or two instances and more",
        })
        : []),
      ...(tooLong.length > 0 ? tooLong : writtenTokenProblems(instances, `${path}.instances`, {
        tokens: texts * farthest,
        of: `, of ${texts} texts as long as the farthest distance each`,
      })),
      ...(tooMany < 0 ? [] : [wrong(
        `${path}.needles.${tooMany}`,
        "must not exceed the names there are",
        needles[tooMany],
        `integers from 1 to ${mostNeedles}`,
      )]),
    ];
  },
  limit: limitOf("instances"),
  describe: ({ instances, needles, distances }) =>
    `${instances} instances of ${needles.join(", ")} facts, told ${
      distances.join(", ")
    } tokens before`,
  prepare(evaluation, { corpus, texts: { tokenizer } }) {
    const { memory } = evaluation;
    const chronicle = chronicleOf(corpus);
    const wording = chronicle
      ? chronicleWording(chronicle.writing.sentence)
      : englishWording(tokenizer);
    const texts = writeNeedleTexts({ ...evaluation, wording });
    return {
      score: (model, scoring) =>
        askNeedles(model, texts, {
          ...promptOptions(evaluation, texts, scoring),
          chunkTokens: memory?.chunkTokens,
        }),
      texts: texts.map((text) => ({ name: itemOf(text), ...readableText(text.reading) })),
    };
  },
  average: averageNeedles,
  version: () => 2,
  record: needleRecord,
  measures: needleMeasures,
  label: needleLabel,
};
