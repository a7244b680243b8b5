/**
 * Needles: does a model name a fact that was told once, at a chosen distance, in a text that otherwise tells nothing?
 * The text is read segment by segment; a prompt of the last T tokens before the answer reads that memory. A prompt
 * is answered correctly if each token of the answer is the most likely one of the whole vocabulary after those before it,
 * which is what greedy decoding would say. Version 1.
 *
 * Where a model retrieves from a memory, `retrieved` says whether the chunk of the answer is among those that the position
 * before the answer retrieves: what is not found was not retrieved, evicted before, or was lost behind the last whole
 * chunk of a segment; what is found and not named was not read. Of an answer of several tokens every position must
 * retrieve its own. Facts within the prompt are not in the memory and do not count.
 *
 * Instances are independent of each other; the prompts of one are not, so that standard errors are those of a ratio of sums
 * over instances.
 */
import type { ItemSums } from "../results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import { ratio } from "../statistics/estimates.ts";
import type { NeedleText } from "../text/needle.ts";
import type { PromptedModel } from "./shared/language_model.ts";
import { askPrompts, type PromptOptions, type PromptScore } from "./shared/prompting.ts";

/** Version of the metrics of this file. */
export const needleVersion = 1;

/** What stands in records where a fact is not in the memory, but in the prompt. */
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
      nats: questions.map(({ score }) => score.nll.reduce((sum, nats) => sum + nats, 0)),
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

/** What is measured of a question, by name: its value in a record, or undefined where it does not count. */
const measures: Readonly<Record<string, (sample: SampleRecord, i: number) => number | undefined>> =
  {
    "accuracy": (sample, i) => column(sample, "correct")?.[i],
    "reciprocal rank": (sample, i) => {
      const rank = column(sample, "ranks")?.[i];
      return rank && 1 / rank;
    },
    "retrieved by any head": (sample, i) => inMemory(column(sample, "retrieved")?.[i]),
    "retrieved by a head": (sample, i) => inMemory(column(sample, "headShares")?.[i]),
  };

function column(sample: SampleRecord, name: string): readonly number[] | undefined {
  return sample[name] as readonly number[] | undefined;
}

function inMemory(value: number | undefined): number | undefined {
  return value === inPrompt ? undefined : value;
}

/**
 * Metrics of one model: "accuracy", "reciprocal rank" of the answer in the vocabulary, and of models that retrieve the shares
 * of facts "retrieved by any head" and "retrieved by a head", one of them on average; each over all questions, by distance
 * ("accuracy at 256") and, where numbers of facts differ, by these, too ("accuracy of 4", "accuracy of 4 at 256"). And how
 * much more accurate it is than a baseline, paired by instance ("accuracy at 256 over backbone"). n counts instances.
 */
export function needleMetrics(
  labels: { evaluation: string; model: string },
  samples: readonly SampleRecord[],
  baseline?: { model: string; samples: readonly SampleRecord[] },
): Metric[] {
  const common = { ...labels, unit: "", higherIsBetter: true, metricVersion: needleVersion };
  const places = placesOf(samples);
  const metrics: Metric[] = Object.keys(measures).flatMap((measure) =>
    places.flatMap((place) => {
      const name = `${measure}${place}`;
      const sums = needleSums(name, samples);
      return sums ? [{ ...common, name, ...ratio(sums.numerators, sums.denominators) }] : [];
    })
  );
  if (!baseline) return metrics;
  return [
    ...metrics,
    ...places.flatMap((place) => {
      const own = needleSums(`accuracy${place}`, samples)!;
      const other = needleSums(`accuracy${place}`, baseline.samples)!;
      const more = own.numerators.map((sum, i) => sum - other.numerators[i]);
      return [{
        ...common,
        name: `accuracy${place} over ${baseline.model}`,
        ...ratio(more, own.denominators),
      }];
    }),
  ];
}

/** What metrics are told apart by, as their names end. */
function placesOf(samples: readonly SampleRecord[]): string[] {
  const counts = [...new Set(samples.map(({ needles }) => Number(needles)))];
  const distances = [...new Set(samples.flatMap((sample) => column(sample, "distances")!))]
    .sort((a, b) => a - b);
  const groups = counts.length > 1 ? ["", ...counts.map((count) => ` of ${count}`)] : [""];
  const at = distances.length > 1 ? ["", ...distances.map((tokens) => ` at ${tokens}`)] : [""];
  return groups.flatMap((group) => at.map((distance) => group + distance));
}

/** The sums of a metric over instances; undefined for other metrics, and for records of something else. */
export function needleSums(name: string, samples: readonly SampleRecord[]): ItemSums | undefined {
  if (samples.some((sample) => !("needles" in sample))) return undefined;
  const [, measure, count, distance] = /^(.+?)(?: of (\d+))?(?: at (\d+))?$/.exec(name) ?? [];
  if (!Object.hasOwn(measures, measure)) return undefined;
  const instances = samples.filter(({ needles }) => !count || needles === Number(count))
    .map((sample) => {
      const values = column(sample, "distances")!.flatMap((tokens, i) =>
        !distance || tokens === Number(distance) ? measures[measure](sample, i) ?? [] : []
      );
      return { item: sample.item, values };
    })
    .filter(({ values }) => values.length > 0);
  if (instances.length === 0) return undefined;
  return {
    items: instances.map(({ item }) => item),
    unit: "texts",
    numerators: instances.map(({ values }) => values.reduce((sum, value) => sum + value, 0)),
    denominators: instances.map(({ values }) => values.length),
    exponential: false,
  };
}
