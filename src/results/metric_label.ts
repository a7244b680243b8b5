/**
 * How metrics are called in tables: short headers, in tables of few columns.
 */

/** A metric's place in the tables of its evaluation. */
export interface MetricLabel {
  /** Which table of the evaluation it stands in; empty: the first. */
  readonly part: string;
  /** Header of its column. */
  readonly header: string;
  /** What the header does not say. */
  readonly meaning?: string;
}

/** Names of metrics that are one of a kind, and where they stand; all others stand in the first table by their name. */
const labels: readonly [RegExp, (...groups: string[]) => MetricLabel][] = [
  [/^recall all (far|near)$/, (reach) => ({ part: "", header: `${reach} facts` })],
  [/^recall (\w+) (far|near)$/, (kind, reach) => ({
    part: `${reach} facts by kind`,
    header: kind,
  })],
  [/^recall far (.*\d.*)$/, (distance) => ({
    part: "far facts by distance in tokens",
    header: distance,
  })],
  [/^perplexity (.*\d.*)$/, (length) => ({
    part: "perplexity by length in GPT-2 tokens",
    header: length,
  })],
  [/^mean rank (\d+)$/, (tokens) => ({
    part: "mean rank of the right text, by tokens before the break",
    header: tokens,
  })],
  [/^accuracy (\d+) over (.+)$/, (tokens, model) => ({
    part: `accuracy more than that of ${model}, by tokens before the break`,
    header: tokens,
  })],
  [
    /^(accuracy|reciprocal rank|retrieved by .+?)( of \d+)? at (\d+)$/,
    (measure, count, tokens) => ({
      part: `${measure}${count ? `${count} facts` : ""}, by distance in tokens`,
      header: tokens,
    }),
  ],
  [/^(speed|peak memory) (\d+)( relative to .+)?$/, (measure, tokens, relative = "") => ({
    part: `${measure}${relative}, by tokens in sight`,
    header: tokens,
  })],
  [/^(accuracy|reciprocal rank|retrieved by .+?) of (\d+)$/, (measure, count) => ({
    part: `${measure}, by facts told`,
    header: count,
  })],
  [/^accuracy( of \d+)?(?: at (\d+))? over (.+)$/, (count, tokens, model) => ({
    part: `accuracy${
      count ? `${count} facts` : ""
    } more than that of ${model}, by distance in tokens`,
    header: tokens ?? "all",
  })],
  [/^(accuracy|exact match|F1)(?: (\S+))? seed (\d+)$/, (measure, task, seed) => ({
    part: `${measure} of each seed`,
    header: task ? `${task} ${seed}` : seed,
  })],
  [
    /^(accuracy|exact match|F1)(?: (\S+))? seed deviation \((\w+)\)$/,
    (measure, task, kind) => ({
      part: `standard deviation over seeds (${kind})`,
      header: measure === "accuracy" && task ? task : measure,
    }),
  ],
  [
    /^gain over \S+ (accuracy|exact match|F1)(?: (\S+))? by (seed|item|task)$/,
    (measure, task, by) => ({
      part: `gains over the first model, paired by ${by}`,
      header: measure === "accuracy" && task ? task : measure,
    }),
  ],
  [/^gain over (\S+)$/, (model) => ({ part: "", header: "gain", meaning: `over ${model}` })],
  [/^accuracy ([a-z]\S*)$/, (task) => ({ part: "", header: task })],
];

/** The place of a metric by its name. */
export function metricLabel(name: string): MetricLabel {
  for (const [pattern, label] of labels) {
    const match = pattern.exec(name);
    if (match) return label(...match.slice(1));
  }
  return { part: "", header: name };
}

/** Whether a metric is the mean of scores of 0 to 1, and no difference of two such means. */
export function isProportion(name: string): boolean {
  return /^(recall |accuracy|exact match|F1|reciprocal rank|retrieved by )/.test(name) &&
    !/ over | seed deviation /.test(name);
}

/** The metrics of which sentences and figures speak by other words than their names. */
const nouns: Readonly<Record<string, string>> = { "recall all far": "recall of far facts" };

/** What a metric is called in a sentence. */
export function metricNoun(name: string): string {
  return nouns[name] ?? name;
}
