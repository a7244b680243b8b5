/**
 * The scores of long-context benchmarks, each as its official script computes it from a written answer: from 0 to 1, where the scripts
 * print percentages. Names of files are those of the official repositories.
 */
import { splitPython, stripPython } from "../../text/python_space.ts";
import { possibleLabels } from "../../text/benchmarks/babi.ts";
import { f1, normalizeAnswer } from "../squad.ts";

/**
 * RULER's `string_match_all`: the share of right answers that the written one contains, in small letters. Control characters become
 * line ends first.
 *
 * Source: github.com/NVIDIA/RULER, scripts/eval/synthetic/constants.py and scripts/eval/evaluate.py (`postprocess_pred`).
 */
export function stringMatchAll(prediction: string, answers: readonly string[]): number {
  return shareContained(printable(prediction), answers);
}

/** RULER's `string_match_part`: whether the written answer contains one of the right ones; source as of {@linkcode stringMatchAll}. */
export function stringMatchPart(prediction: string, answers: readonly string[]): number {
  const written = printable(prediction);
  return Number(answers.some((answer) => written.includes(answer.toLowerCase())));
}

/** The share of answers, in small letters, that a text contains. */
function shareContained(text: string, answers: readonly string[]): number {
  return answers.filter((answer) => text.includes(answer.toLowerCase())).length / answers.length;
}

function printable(prediction: string): string {
  // deno-lint-ignore no-control-regex -- those that the script replaces
  return stripPython(stripPython(prediction).replace(/[\x00-\x1f]/g, "\n")).toLowerCase();
}

/**
 * BABILong's `compare_answers`: whether the right answer is the only one of a task's labels that the first sentence names, apart from
 * those that the question names; an answer "a,b" must be named in all its parts.
 *
 * Source: github.com/booydar/babilong, babilong/metrics.py. Its split at "Question" finds nothing, as the text is in small letters by
 * then; it is left out here.
 */
export function compareAnswers(
  prediction: string,
  { target, question, labels }: {
    readonly target: string;
    readonly question: string;
    readonly labels: readonly string[];
  },
): boolean {
  const written =
    prediction.toLowerCase().split(".")[0].split("<context>")[0].split("<example>")[0];
  const named = new Set(
    possibleLabels(labels, question).map((label) => label.toLowerCase())
      .filter((label) => written.includes(label)),
  );
  const parts = answerParts(target.toLowerCase());
  return named.size === parts.length && parts.every((part) => named.has(part));
}

/** The labels of BABILong's right answer: several things are one answer, two directions such as "e,n" are one label. */
export function answerParts(target: string): string[] {
  return target.includes(",") && target.length > 3 ? target.split(",") : [target];
}

/** Whether the part of an answer that {@linkcode compareAnswers} looks at has ended. */
export function endsFirstSentence(prediction: string): boolean {
  return /\.|<context>|<example>/i.test(prediction);
}

/**
 * NoLiMa's `contains`: whether the written answer contains a right one, in the same letters.
 *
 * Source: github.com/adobe-research/NoLiMa, evaluation/async_evaluate.py (`_evaluate_response`).
 */
export function contains(prediction: string, answers: readonly string[]): number {
  return Number(answers.some((answer) => prediction.includes(answer)));
}

/**
 * HELMET's `substring_exact_match`: whether the written answer contains a right one, both normalised as SQuAD's. HELMET takes the
 * larger of this and of the same for the line of the answer, which is a part of it and so never more.
 *
 * Source: github.com/princeton-nlp/HELMET, utils.py and data.py (`load_json_kv`).
 */
export function substringExactMatch(prediction: string, answers: readonly string[]): number {
  const written = normalizeAnswer(prediction);
  return Number(answers.some((answer) => written.includes(normalizeAnswer(answer))));
}

/**
 * HELMET's `ruler_recall`: as {@linkcode stringMatchAll}, of the answer as it was written.
 *
 * Source: github.com/princeton-nlp/HELMET, data.py (`load_ruler`).
 */
export function rulerRecall(prediction: string, answers: readonly string[]): number {
  return shareContained(prediction.toLowerCase(), answers);
}

/** A score of LongBench: the best over the right answers. */
type PairScorer = (prediction: string, answer: string, classes: readonly string[]) => number;

/**
 * The scores of LongBench by data set; those of Chinese texts that are cut into words by a dictionary are left out.
 *
 * Source: github.com/THUDM/LongBench, LongBench/eval.py (`dataset2metric`) and LongBench/metrics.py.
 */
const longBenchScores = {
  "qa_f1": [
    "narrativeqa",
    "qasper",
    "multifieldqa_en",
    "hotpotqa",
    "2wikimqa",
    "musique",
    "triviaqa",
  ],
  "rouge": ["gov_report", "qmsum", "multi_news", "samsum"],
  "classification": ["trec", "lsht"],
  "retrieval": ["passage_retrieval_en"],
  "retrieval_zh": ["passage_retrieval_zh"],
  "count": ["passage_count"],
  "code_sim": ["lcc", "repobench-p"],
} as const;

export type LongBenchScore = keyof typeof longBenchScores;

const pairScorers: Readonly<Record<LongBenchScore, PairScorer>> = {
  // `qa_f1_score` is SQuAD's.
  "qa_f1": (prediction, answer) => f1(prediction, [answer]),
  "rouge": rougeL,
  "classification": classificationScore,
  "retrieval": (prediction, answer) => numberShare(prediction, /Paragraph (\d+)/.exec(answer)?.[1]),
  "retrieval_zh": (prediction, answer) => numberShare(prediction, /段落(\d+)/.exec(answer)?.[1]),
  "count": numberShare,
  "code_sim": codeSimilarity,
};

/** Data sets of which only the first line of an answer counts. */
const firstLines = ["trec", "triviaqa", "samsum", "lsht"];

/** Data sets of LongBench that can be scored. */
export const longBenchSets: readonly string[] = Object.values(longBenchScores).flat();

/** The score of a data set of LongBench; undefined of one that has none here. */
export function longBenchScoreOf(dataSet: string): LongBenchScore | undefined {
  return (Object.keys(longBenchScores) as LongBenchScore[])
    .find((score) => (longBenchScores[score] as readonly string[]).includes(dataSet));
}

/** Whether only the first line of an answer counts. */
export function countsFirstLine(dataSet: string): boolean {
  return firstLines.includes(dataSet);
}

/**
 * LongBench's score of an answer: the best over the right ones. Of some sets only the first line counts.
 *
 * Source: github.com/THUDM/LongBench, LongBench/eval.py (`scorer`).
 *
 * @param options.dataSet One of {@linkcode longBenchSets}.
 */
export function longBenchScore(
  prediction: string,
  answers: readonly string[],
  { dataSet, classes }: { readonly dataSet: string; readonly classes: readonly string[] },
): number {
  const scorer = pairScorers[longBenchScoreOf(dataSet)!];
  const written = countsFirstLine(dataSet) ? linesOf(prediction)[0] : prediction;
  return Math.max(0, ...answers.map((answer) => scorer(written, answer, classes)));
}

/** The lines of an answer, from the first that is not empty on. */
export function linesOf(prediction: string): string[] {
  return prediction.replace(/^\n+/, "").split("\n");
}

/** Whether a line counts as code in {@linkcode LongBenchScore} `code_sim`: it has no backticks, "#" or "//". */
export function isCode(line: string): boolean {
  return !/`|#|\/\//.test(line);
}

/** The share of an answer's numbers that are the right one; 0 where it has none. */
function numberShare(prediction: string, right: string | undefined): number {
  const numbers = prediction.match(/\p{Nd}+/gu) ?? [];
  return numbers.length === 0
    ? 0
    : numbers.filter((number) => number === right).length / numbers.length;
}

/**
 * One, divided by the number of classes that an answer names, if the right one is among them (`classification_score`). Classes whose
 * names are a part of the right one's are left out; the script removes from the list that it goes through, so that of two such
 * in a row the second stays, and so it does here.
 */
function classificationScore(
  prediction: string,
  answer: string,
  classes: readonly string[],
): number {
  const named = classes.filter((name) => prediction.includes(name));
  for (let i = 0; i < named.length; i++) {
    const name = named[i];
    if (answer.includes(name) && name !== answer) named.splice(named.indexOf(name), 1);
  }
  return named.includes(answer) ? 1 / named.length : 0;
}

/**
 * ROUGE-L of LongBench (`rouge_score`): F1 of the sets of words. Sentences end at full stops; what is common is the union over all pairs
 * of sentences of the words of their longest common subsequence. 0 where one of the texts is empty.
 *
 * Source: github.com/pltrdy/rouge (package `rouge` 1.0), rouge/rouge_score.py (`rouge_l_summary_level`, `exclusive`).
 */
export function rougeL(prediction: string, answer: string): number {
  const written = sentencesOf(prediction), right = sentencesOf(answer);
  if (written.length === 0 || right.length === 0) return 0;
  const common = new Set(
    right.flatMap((sentence) => written.flatMap((other) => commonSubsequence(sentence, other))),
  );
  const precision = common.size / new Set(written.flat()).size;
  const recall = common.size / new Set(right.flat()).size;
  return 2 * precision * recall / (precision + recall + 1e-8);
}

/** Sentences of words. One that is white space alone is a word without letters, as there. */
function sentencesOf(text: string): string[][] {
  return text.split(".").filter((sentence) => sentence !== "")
    .map((sentence) => splitPython(sentence).join(" ").split(" "));
}

/** The words of a longest common subsequence; of several that which the package finds. */
function commonSubsequence(x: readonly string[], y: readonly string[]): string[] {
  const width = y.length + 1, table = new Uint32Array((x.length + 1) * width);
  for (let i = 1; i <= x.length; i++) {
    for (let j = 1; j <= y.length; j++) {
      table[i * width + j] = x[i - 1] === y[j - 1]
        ? table[(i - 1) * width + j - 1] + 1
        : Math.max(table[(i - 1) * width + j], table[i * width + j - 1]);
    }
  }
  const words: string[] = [];
  let i = x.length, j = y.length;
  while (i > 0 && j > 0) {
    if (x[i - 1] === y[j - 1]) {
      words.unshift(x[i - 1]);
      i--;
      j--;
    } else if (table[(i - 1) * width + j] > table[i * width + j - 1]) i--;
    else j--;
  }
  return words;
}

/**
 * The similarity of an answer's first line of code to the right one (`code_sim_score`): that without backticks, "#" or "//", else
 * nothing; two texts' matching characters, twice, divided by all of both, rounded to hundredths.
 *
 * Source: LongBench/metrics.py, and `fuzz.ratio` of the package fuzzywuzzy 0.18 without python-Levenshtein, which is Python's
 * `difflib.SequenceMatcher.ratio`.
 */
function codeSimilarity(prediction: string, answer: string): number {
  const line = linesOf(prediction).find(isCode) ?? "";
  return roundHalfEven(100 * sequenceRatio([...line], [...answer])) / 100;
}

/** Python's `round` of a number that is not negative. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + floor % 2 : Math.round(value);
}

/** The rule of `difflib` for texts so long: characters that are more than a hundredth of the second, and one, begin no match. */
const popularFrom = 200;

/**
 * Ratcliff and Obershelp's similarity 2 M / T, as Python's `difflib` computes it: M sums the lengths of the longest matching
 * block, and of those left and right of it in turn, T the lengths of both.
 */
export function sequenceRatio(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 && b.length === 0) return 1;
  const places = new Map<string, number[]>();
  b.forEach((character, j) => {
    const known = places.get(character);
    if (known) known.push(j);
    else places.set(character, [j]);
  });
  if (b.length >= popularFrom) {
    const most = Math.floor(b.length / 100) + 1;
    for (const [character, at] of places) if (at.length > most) places.delete(character);
  }
  let matched = 0;
  const open = [{ aFrom: 0, aTo: a.length, bFrom: 0, bTo: b.length }];
  for (let range = open.pop(); range; range = open.pop()) {
    const { aFrom, aTo, bFrom, bTo } = range;
    const { i, j, size } = longestMatch(a, b, places, range);
    if (size === 0) continue;
    matched += size;
    open.push({ aFrom, aTo: i, bFrom, bTo: j });
    open.push({ aFrom: i + size, aTo, bFrom: j + size, bTo });
  }
  return 2 * matched / (a.length + b.length);
}

/** The longest block that matches within ranges: of several the first in `a`, of these the first in `b`. */
function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  { aFrom, aTo, bFrom, bTo }: Readonly<Record<"aFrom" | "aTo" | "bFrom" | "bTo", number>>,
): { i: number; j: number; size: number } {
  let best = { i: aFrom, j: bFrom, size: 0 };
  /** Lengths of the matches that end at the character of `a` before, by their end in `b`. */
  let lengths = new Map<number, number>();
  for (let i = aFrom; i < aTo; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i]) ?? []) {
      if (j < bFrom || j >= bTo) continue;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) best = { i: i - size + 1, j: j - size + 1, size };
    }
    lengths = next;
  }
  // Popular characters begin no match, but prolong one.
  let { i, j, size } = best;
  while (i > aFrom && j > bFrom && a[i - 1] === b[j - 1]) [i, j, size] = [i - 1, j - 1, size + 1];
  while (i + size < aTo && j + size < bTo && a[i + size] === b[j + size]) size++;
  return { i, j, size };
}
