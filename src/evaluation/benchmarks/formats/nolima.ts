/**
 * NoLiMa (arXiv 2502.05167): needles that share no words with their questions, hidden in shuffled books. A JSON list of sets: `id`,
 * `needle`, `questions` by type, `tests` with `input_args` and `gold_answers`, and `character_set` where the needle names "{CHAR}".
 *
 * A needle stands at a line break of the book, the first at or behind so many tokens as its depth says; the text has `lengths` tokens of
 * the book without the needle, so that its depth is exact, as in the official generator (github.com/adobe-research/NoLiMa,
 * data/book_haystack.py). The score is the official `contains`. Every question is asked at each depth, of the books in turn, where the
 * official runs ask each in five books at 26 depths. Prompts are ours unless a set has a `task_template`; system prompts are left out;
 * sets with distractors are not read.
 */
import { z } from "zod";
import { InputRangeError } from "../../../errors.ts";
import { Random } from "../../../random.ts";
import { pick } from "../../../text/chronicle/draft.ts";
import { parseEntry, said } from "../../../text/json_entries.ts";
import { textOf, type Tokenizer } from "../../../text/tokenizer.ts";
import { type BenchmarkFormat, fillPrompt, type PlannedItem, untilRight } from "../format.ts";
import { contains, roundHalfEven } from "../scorers.ts";

const entryForm = z.looseObject({
  id: said,
  needle: said,
  questions: z.record(z.string(), said),
  tests: z.record(
    z.string(),
    z.looseObject({ input_args: z.array(z.string()), gold_answers: z.array(said).exactOptional() }),
  ),
  character_set: z.array(said).min(1).exactOptional(),
  task_template: said.exactOptional(),
  distractors: z.undefined({ message: "must not be there: sets with distractors are not read" })
    .exactOptional(),
});

const form = "The beginning and the end of the following text are cut off.\n\n{context}\n\n" +
  "Answer by what it says or what follows from that, in as few words as possible.\n" +
  "Question: {input}\nAnswer:";
const character = "{CHAR}";

export const noLiMa: BenchmarkFormat = {
  source:
    'needlesets/needle_set.json and, for haystack, the folder haystack/rand_shuffle of the Hugging Face data set "amodaresi/NoLiMa"',
  hidesNeedles: true,
  read(files, { lengths, haystack, depths, seed, tokenizer, prompts, maxAnswerTokens = 64 }) {
    const books = haystack.map((text) => new Book(text, tokenizer));
    const shares = Array.from({ length: depths }, (_, i) => depths === 1 ? 0.5 : i / (depths - 1));
    let asked = 0;
    return files.flatMap(({ entries }) =>
      entries.flatMap((entry) => {
        const set = parseEntry(entry, entryForm), template = templateOf(set) ?? form;
        return Object.entries(set.questions).flatMap(([task, questionForm]) =>
          Object.keys(set.tests).flatMap((test) => {
            const drawAnswer = answersOf(set, test, entry.where);
            return lengths.flatMap((length) =>
              shares.map((depth): PlannedItem => {
                const book = books[asked++ % books.length];
                const name = `${set.id}/${test}/${task}/${length}/${depth}`;
                return {
                  task,
                  length,
                  write() {
                    const { answers, chance, fill } = drawAnswer(
                      new Random(`${seed}/nolima/${name}`),
                    );
                    const context = book.hide(fill(set.needle), { length, depth });
                    const input = fill(questionForm);
                    return {
                      name,
                      task,
                      length,
                      ...fillPrompt(prompts[task] ?? template, { context, input }, entry.where),
                      answers,
                      maxAnswerTokens,
                      cluster: set.id,
                      ...untilRight((prediction) => contains(prediction, answers)),
                      ...(chance !== undefined && { chance }),
                    };
                  },
                };
              })
            );
          })
        );
      })
    );
  },
};

type NeedleSet = z.infer<typeof entryForm>;

/** The form of a set's prompts; a question without a place in it stands behind. */
function templateOf(set: NeedleSet): string | undefined {
  const declared = set.task_template?.replace("{haystack}", "{context}");
  return declared === undefined || declared.includes("{question}")
    ? declared
    : `${declared}\n{input}`;
}

/** Right answers of a question, and the words that its texts take. */
interface DrawnAnswer {
  readonly answers: readonly string[];
  readonly chance?: number;
  readonly fill: (text: string) => string;
}

/**
 * Draws the answers of a test: of a needle that names a character the one that is drawn, else those of the test.
 *
 * @throws {RangeError} If the set has no names, or the test no answers.
 */
function answersOf(
  { needle, character_set: names = [], tests }: NeedleSet,
  test: string,
  where: string,
): (random: Random) => DrawnAnswer {
  const { input_args, gold_answers } = tests[test];
  const fillWith = (name: string) => (text: string) =>
    input_args.reduce((filled, word, i) => filled.replaceAll(`{${i + 1}}`, () => word), text)
      .replaceAll(character, () => name);
  if (!needle.includes(character)) {
    if (gold_answers) return () => ({ answers: gold_answers, fill: fillWith("") });
    throw new InputRangeError(`Cannot ask ${where} as test "${test}" has no gold_answers`);
  }
  if (names.length === 0) {
    throw new InputRangeError(
      `Cannot ask ${where} as its needle names ${character} and character_set is missing`,
    );
  }
  return (random) => {
    const name = pick(names, random);
    return { answers: [name], chance: 1 / names.length, fill: fillWith(name) };
  };
}

class Book {
  readonly #ids: readonly number[];
  /** Numbers of tokens with a line break; 0 counts, too. */
  readonly #breaks: readonly number[];
  readonly #tokenizer: Tokenizer;

  constructor(text: string, tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
    this.#ids = tokenizer.encode(text);
    const known = new Map<number, boolean>();
    const hasBreak = (id: number) => {
      if (!known.has(id)) known.set(id, textOf(tokenizer, id)?.includes("\n") ?? false);
      return known.get(id)!;
    };
    this.#breaks = [0, ...this.#ids.flatMap((id, i) => hasBreak(id) ? [i] : [])];
  }

  /** So many tokens of the book with a needle among them; `depth` is a share of them. */
  hide(
    needle: string,
    { length, depth }: { readonly length: number; readonly depth: number },
  ): string {
    const at = this.#breaks.find((at) => at / (length + 1) >= depth) ?? Infinity;
    const start = at - roundHalfEven(length * depth), end = start + length;
    if (end > this.#ids.length) {
      throw new InputRangeError(
        `Cannot hide a needle in a book as it must have more tokens behind a line break: current number of tokens is ` +
          `${this.#ids.length}, the text has ${length}`,
      );
    }
    const before = this.#tokenizer.decode(this.#ids.slice(start, at + 1));
    const after = this.#tokenizer.decode(this.#ids.slice(at + 1, end));
    return `${before.slice(0, Math.max(before.lastIndexOf("\n"), 0))} ${needle}\n${after}`;
  }
}
