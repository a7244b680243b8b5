/**
 * A likelihood that is NaN or infinite ends every kind of evaluation.
 */
import { chapterBreakQuestions, scoreChapterBreak } from "../../src/evaluation/chapter_break.ts";
import { askEpisodes } from "../../src/evaluation/in_context_learning.ts";
import { askNeedles } from "../../src/evaluation/needle.ts";
import { scoreDocuments } from "../../src/evaluation/perplexity.ts";
import { scoreRecalls } from "../../src/evaluation/recall.ts";
import type { PromptedModel } from "../../src/evaluation/shared/language_model.ts";
import { askQuestions } from "../../src/evaluation/squad.ts";
import { assert, test } from "../testing.ts";
import { characterTokenizer } from "../text/characters.ts";
import { ScriptedModel } from "./scripted_model.ts";
import { pad, randomDocuments } from "./small_documents.ts";

const tokenizer = characterTokenizer(256);

const asking = { evaluation: "probe", rows: 1, pad };
const prompt = Int32Array.of(10, 11, 12);
const episode = {
  task: "mood",
  seed: 7,
  memory: [],
  labels: ["good", "bad"],
  labelTokens: [Int32Array.of(20, 21), Int32Array.of(22)],
  commonestLabel: 0,
  queries: [{ item: "mood 0", prompt, label: 0 }],
};
const [document] = randomDocuments([20], { contextTokens: 8 });

/** Has a model score something, and says where an error places the second likelihood. */
const kinds: Record<string, { run: (model: PromptedModel) => Promise<unknown>; place: RegExp }> = {
  perplexity: {
    run: (model) => scoreDocuments(model, [document], asking),
    place: /position 2 of document "document 0"/,
  },
  recall: {
    run: (model) => scoreRecalls(model, [{ ...document, recalls: [] }], asking),
    place: /position 2 of document "document 0"/,
  },
  "chapter-break": {
    run: (model) =>
      scoreChapterBreak(
        model,
        chapterBreakQuestions(
          [{
            name: "book/3",
            work: "book",
            prefix: Int32Array.of(10),
            candidates: [prompt, prompt],
          }],
          {
            prefixTokens: [1],
            suffixTokens: 3,
            contextTokens: 8,
            scoring: "sum",
            ties: "wrong",
          },
        ),
        { ...asking, memory: "per-row", scoring: "sum", ties: "wrong" },
      ),
    place: /position 2 of prompt 0 of item "book\/3"/,
  },
  "in-context-learning by labels": {
    run: (model) =>
      askEpisodes(model, [episode], {
        ...asking,
        tokenizer,
        scoring: "label-likelihood",
        calibration: "none",
      }),
    place: /position 4 of "mood 0"/,
  },
  "in-context-learning by tokens": {
    run: (model) =>
      askEpisodes(model, [{
        ...episode,
        queries: [{ ...episode.queries[0], prompt: Int32Array.of(10) }],
      }], {
        ...asking,
        tokenizer,
        scoring: "open-vocabulary",
        calibration: "none",
      }),
    place: /position 1 of "mood 0"/,
  },
  squad: {
    run: (model) =>
      askQuestions(model, [{
        task: "squad",
        seed: 3,
        memory: [],
        queries: [{ item: "q", article: "a", prompt, shots: 0, answers: ["a"] }],
      }], { ...asking, tokenizer, maxAnswerTokens: 4 }),
    place: /position 3 of prompt 0 of item "squad seed 3"/,
  },
  needle: {
    run: (model) =>
      askNeedles(
        model,
        [{
          instance: 2,
          needles: 1,
          reading: [],
          prompts: [{ tokens: prompt, scored: 2, distance: 8, actualDistance: 8, places: [] }],
        }] as unknown as Parameters<typeof askNeedles>[1],
        { ...asking, memory: "per-row" },
      ),
    place: /position 2 of prompt 0 of item "1\/2"/,
  },
};

for (const [kind, { run, place }] of Object.entries(kinds)) {
  test(`${kind} ends where a likelihood is not finite, and says where`, async () => {
    const position = Number(/position (\d+)/.exec(place.source)![1]);
    for (const nats of [NaN, Infinity, -Infinity]) {
      // Likelihoods before the prompt's end, and behind the text, are not scored.
      const model = new ScriptedModel({
        nats: (before) => before.length === position ? nats : 1,
      }, pad);
      await assert.rejects(run(model), (error: Error) => {
        assert.match(
          error.message,
          /^Cannot evaluate model "scripted" in "probe" as the likelihood /,
        );
        assert.match(error.message, place);
        assert.ok(error.message.endsWith(`must be finite: current value is ${nats} nats`));
        return error instanceof RangeError;
      });
    }
    await run(new ScriptedModel({}, pad));
  });
}
