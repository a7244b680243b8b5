/**
 * Reviews for in-context learning: a model reads reviews of goods, and tells the label of each good when it sees a
 * new review of it. Which good has which label is drawn for each task.
 */
import { Random } from "../../random.ts";
import { checkChronicle, type ChronicleConfig, type SentenceConfig } from "./config.ts";
import { Draft, type Fact } from "./draft.ts";
import { wordIds } from "./vocabulary.ts";

/** A review whose label is to be told. */
export interface ReviewQuery {
  readonly good: number;
  /** Id of the label. */
  readonly answer: number;
  /** Token ids: reviews of other goods, and the beginning of one of this good, up to "Sentiment:". */
  readonly prompt: Int32Array<ArrayBuffer>;
}

/** A task of in-context learning. */
export interface ReviewTask {
  /** Token ids of the demonstrations, one after the other without `<s>`, for the memory; 2,048 by default. */
  readonly demonstrations: Int32Array<ArrayBuffer>;
  /** A query for each good, in a random order. */
  readonly queries: readonly ReviewQuery[];
}

/**
 * Writes a task. Every label is that of as many goods, or of one more, so that no label is the better guess.
 *
 * @param options `localDemonstrations`: reviews before each query, never of its good; the demonstrations and queries
 * do not depend on their number.
 * @throws {RangeError} If the configuration allows no reviews.
 */
export function writeReviewTask(
  config: ChronicleConfig,
  options: { readonly seed: number | string; readonly localDemonstrations: number },
): ReviewTask {
  const { reviews, sentence } = checkChronicle(config);
  const { seed, localDemonstrations } = options;
  const random = new Random(`${seed}/reviews`);
  const goods = random.shuffle([...wordIds.goods]).slice(0, reviews.goods);
  const labels = random.shuffle([...wordIds.labels]);
  const facts = goods.map((entity, i): Fact => ({
    entity,
    relation: "label",
    value: labels[i % labels.length],
  }));

  const draft = new Draft(random, sentence);
  const count = reviews.demonstrations;
  const twoAdjectives = Math.round(sentence.twoAdjectiveShare * count);
  // As many of either length as configured, so that the demonstrations fill a known number of segments.
  const lengths = random.shuffle(Array.from({ length: count }, (_, i) => i < twoAdjectives));
  const shown = random.shuffle(Array.from({ length: count }, (_, i) => facts[i % facts.length]));
  shown.forEach((fact, i) => draft.tellReview(fact, lengths[i]));

  const demonstrations = draft.finish("demonstrations").tokens.slice(1, -1);
  const queries = random.shuffle([...facts]).map((fact, i): ReviewQuery => {
    const others = facts.filter((other) => other !== fact);
    const prompt = writePrompt(fact, others, {
      localDemonstrations,
      random: new Random(`${seed}/reviews/${i}`),
      sentence,
    });
    return { good: fact.entity, answer: fact.value, prompt };
  });
  return { demonstrations, queries };
}

/** Reviews of other goods, in a random order and as often one as another, and the beginning of one of the good. */
function writePrompt(
  fact: Fact,
  others: readonly Fact[],
  options: {
    readonly localDemonstrations: number;
    readonly random: Random;
    readonly sentence: SentenceConfig;
  },
): Int32Array<ArrayBuffer> {
  const { localDemonstrations, random, sentence } = options;
  const draft = new Draft(random, sentence), query = new Draft(random, sentence);
  // The query first, so that its words do not depend on how many reviews come before it.
  query.tellReview(fact);
  const order = random.shuffle([...others]);
  for (let i = 0; i < localDemonstrations; i++) draft.tellReview(order[i % order.length]);
  const local = draft.finish("local").tokens.slice(1, -1);
  // Without <s>, and without the label, the full stop and </s>.
  return Int32Array.from([...local, ...query.finish("query").tokens.slice(1, -3)]);
}
