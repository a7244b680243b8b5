/**
 * How metrics are called in tables: short headers, in tables of few columns.
 */

/** What the columns of a table are points of. */
export interface MetricAxis {
  /** Which figure shows it: `distance`. */
  readonly figure: string;
  /** The quantity. */
  readonly label: string;
  /** Its unit; absent where it has none. */
  readonly unit?: string;
  /** What is measured at each point. */
  readonly measure: string;
}

/** A metric's place in the tables of its evaluation. */
export interface MetricLabel {
  /** Which table of the evaluation it stands in; empty: the first. */
  readonly part: string;
  /** Header of its column. */
  readonly header: string;
  /** What the header does not say. */
  readonly meaning?: string;
  /** Of metrics that are one by some number: what that number is. */
  readonly axis?: MetricAxis;
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
    axis: {
      figure: "distance",
      label: "distance",
      unit: "tokens",
      measure: "recall of far facts",
    },
  })],
  [/^perplexity (.*\d.*)$/, (length) => ({
    part: "perplexity by length in GPT-2 tokens",
    header: length,
  })],
  [/^mean rank (\d+)$/, (tokens) => ({
    part: "mean rank of the right text, by tokens before the break",
    header: tokens,
    axis: {
      figure: "mean-rank",
      label: "text before the break",
      unit: "tokens",
      measure: "mean rank of the right text",
    },
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
      // The rank says what the accuracy says, one head what any says.
      ...(["accuracy", "retrieved by any head"].includes(measure) && {
        axis: {
          figure: `${measure}${count ?? ""}-distance`,
          label: "distance",
          unit: "tokens",
          measure: `${measure}${count ? `${count} facts` : ""}`,
        },
      }),
    }),
  ],
  [/^(speed|peak memory) (\d+)( relative to .+)?$/, (measure, tokens, relative = "") => ({
    part: `${measure}${relative}, by tokens in sight`,
    header: tokens,
    ...(relative === "" && {
      axis: { figure: measure, label: "context in sight", unit: "tokens", measure },
    }),
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
const nouns: Readonly<Record<string, string>> = {
  "recall all far": "recall of far facts",
  "accuracy average": "accuracy, average of the tasks",
};

/** The swept fields that figures call by other words than their names: what is varied, and its unit. */
const fieldNouns: Readonly<Record<string, { readonly label: string; readonly unit?: string }>> = {
  capacityTokens: { label: "memory size", unit: "tokens" },
  chunkTokens: { label: "chunk length", unit: "tokens" },
  retrievedTokens: { label: "retrieved tokens", unit: "tokens of a query" },
  memoryDemonstrations: { label: "demonstrations in memory" },
  demonstrations: { label: "demonstrations in memory" },
  contextTokens: { label: "context", unit: "tokens" },
};

/** What a swept field is called on an axis: in words where there are any, or by its own name. */
export function fieldNoun(path: string): { readonly label: string; readonly unit?: string } {
  const name = path.split(".").at(-1)!;
  return fieldNouns[name] ?? { label: name };
}

/** What a metric is called in a sentence. */
export function metricNoun(name: string): string {
  return nouns[name] ?? name
    .replace(
      /^accuracy (\d+)$/,
      (_, tokens) => `accuracy after ${Number(tokens).toLocaleString("en")} tokens`,
    )
    .replace(/^accuracy ([a-z]\S*)$/, "accuracy on $1");
}
