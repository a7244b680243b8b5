/**
 * Evaluating ChapterBreak: where the items come from, as token ids, and how they are asked.
 */
import { createHash } from "node:crypto";
import {
  type ChapterBreakItem,
  chapterBreakQuestions,
  chapterBreakSamples,
  scoreChapterBreak,
  textsOfOtherWorks,
} from "../evaluation/chapter_break.ts";
import { spreadEvenly } from "../evaluation/shared/few_shot.ts";
import type {
  ChapterBreakEvaluation,
  ChapterBreakSource,
  CorpusConfig,
  FileCorpusConfig,
  ResolvedExperiment,
} from "../experiment/declaration.ts";
import {
  type ChapterBreakWorks,
  parseChapterBreak,
  writeBookChapterBreak,
} from "../text/chapter_break.ts";
import { chapteredBooks } from "../text/chapters.ts";
import { writeChapterBreak } from "../text/chronicle/chapter_break.ts";
import { joinLines, separatesParagraphs, tokenizeLines } from "../text/document_tokens.ts";
import { type EvaluationSteps, promptOptions } from "./evaluation_steps.ts";
import type { RunContext } from "./run_context.ts";
import type { RunText } from "./corpus.ts";
import { readText } from "../files.ts";
import { InputRangeError } from "../errors.ts";

/** Makes the questions of an evaluation, and says how models are asked and measured. */
export async function chapterBreakSteps(
  evaluation: ChapterBreakEvaluation,
  { corpus }: Pick<ResolvedExperiment, "corpus">,
  text: RunText,
  context: RunContext,
): Promise<EvaluationSteps> {
  const { maxItems, scoring: comparison, ties } = evaluation;
  const all = await chapterBreakItems(evaluation, corpus, text, context);
  const items = spreadEvenly(all, maxItems);
  const questions = chapterBreakQuestions(items, evaluation);
  return {
    score: async (model, scoring) =>
      chapterBreakSamples(
        await scoreChapterBreak(model, questions, {
          ...promptOptions(evaluation, questions, scoring),
          scoring: comparison,
          ties,
        }),
      ),
    others: () => textsOfOtherWorks(questions),
    ...(items.length < all.length && { total: () => all.length }),
  };
}

/**
 * The items of an evaluation, work by work. Texts become tokens as those of the corpus do, without `<s>` and `</s>` around
 * the whole. Items made of books whose prefix is too short are left out.
 *
 * @throws {RangeError} If there are none.
 */
export async function chapterBreakItems(
  evaluation: ChapterBreakEvaluation,
  corpus: CorpusConfig,
  text: RunText,
  { results }: Pick<RunContext, "results">,
): Promise<ChapterBreakItem[]> {
  const { name, source, prefixTokens } = evaluation;
  const needed = source.kind === "books" ? source.minPrefixTokens : 1;
  const most = Math.max(needed, ...prefixTokens);
  const treatment = corpus.kind === "files" ? corpus : { lines: "plain", unwrap: false } as const;
  const items: ChapterBreakItem[] = [];
  for (const [work, instances] of Object.entries(await worksOf(source, corpus, text))) {
    for (const [i, { ctx, pos, negs }] of instances.entries()) {
      // A candidate is too short to tell whether blank lines separate the paragraphs of its work.
      const joins = treatment.unwrap && separatesParagraphs(ctx);
      const encode = (part: string) =>
        tokenizeLines(joins ? joinLines(part) : part, text.tokenizer, treatment.lines);
      const prefix = lastTokens(ctx, most, encode);
      if (prefix.length < needed) continue;
      const candidates = [pos, ...negs].map((candidate) => Int32Array.from(encode(candidate)));
      items.push({ name: `${work}/${i}`, work, prefix, candidates });
    }
  }
  if (items.length === 0) {
    throw new InputRangeError(
      `Cannot evaluate "${name}" as no work has a chapter break with six candidates` +
        (needed > 1 ? ` and ${needed} tokens before it` : ""),
    );
  }
  await results.recordHash(`items ${name}`, hashItems(items));
  return items;
}

function hashItems(items: readonly ChapterBreakItem[]): string {
  const hash = createHash("sha256");
  for (const { name, prefix, candidates } of items) {
    hash.update(`${name} ${prefix.length} ${candidates.map(({ length }) => length)}\n`);
    for (const tokens of [prefix, ...candidates]) hash.update(new Uint8Array(tokens.buffer));
  }
  return hash.digest("hex");
}

async function worksOf(
  source: ChapterBreakSource,
  corpus: CorpusConfig,
  text: RunText,
): Promise<ChapterBreakWorks> {
  switch (source.kind) {
    case "chronicle":
      return writeChapterBreak(await text.books(source.split), source).chronicle;
    case "books":
      return writeBookChapterBreak(
        await chapteredBooks(
          (corpus as FileCorpusConfig).folder,
          await text.texts(source.split),
          source,
        ),
        source,
      );
    case "file":
      return parseChapterBreak(await readText(source.path), {
        name: source.path,
        split: source.split,
      });
    default:
      return source satisfies never;
  }
}

/** The last tokens of a text, at most so many, without encoding much more of it than they take. */
function lastTokens(
  text: string,
  count: number,
  encode: (part: string) => number[],
): Int32Array<ArrayBuffer> {
  for (let characters = 6 * count;; characters *= 2) {
    let start = Math.max(0, text.length - characters);
    // A part that begins within a word would begin with another token than the text has there.
    while (start > 0 && /\S/.test(text[start])) start--;
    const tokens = encode(text.slice(start));
    if (start === 0 || tokens.length >= count) return Int32Array.from(tokens.slice(-count));
  }
}
