/** Answers do not depend on how many prompts are asked side by side, nor on the cache of keys and values. */
import {
  askItems,
  type BenchmarkItem,
  writeItems,
} from "../../../src/evaluation/benchmarks/benchmark.ts";
import {
  languageModel,
  type PromptedModel,
  readableText,
} from "../../../src/evaluation/shared/language_model.ts";
import { otherDocumentModel } from "../../../src/evaluation/shared/other_document.ts";
import { askPrompts } from "../../../src/evaluation/shared/prompting.ts";
import { LongMem } from "../../../src/longmem/longmem.ts";
import type { TokenWindow } from "../../../src/longmem/token_window.ts";
import { Random } from "../../../src/random.ts";
import { randomBackbone, randomSideNet, smallShapes } from "../../architectures/small_models.ts";
import { testedDevice } from "../../graph/devices.ts";
import { assert, assertClose, test } from "../../testing.ts";
import { smallMemory } from "../../training/small_training.ts";
import { wordTokenizer } from "../word_tokenizer.ts";

const vocabulary = Array.from({ length: 28 }, (_, i) => `w${i}`);
const { tokenizer } = wordTokenizer(`<s> <pad> </s> ${vocabulary.join(" ")}`);
const random = new Random("items");
const text = (words: number) =>
  Array.from({ length: words }, () => vocabulary[random.below(28)]).join(" ");

/** Texts that are longer than the window, and some that fit it; answers that are written, of several lengths, and choices. */
const items = [60, 0, 30, 4, 44, 3].map((words, i): BenchmarkItem => ({
  name: `item ${i}`,
  task: "words",
  context: text(words),
  question: text(3 + i % 2),
  answers: [text(2)],
  maxAnswerTokens: 3 + 2 * i,
  score: (prediction) => prediction.split(" ").length / 20,
  isDone: (prediction) => prediction.split(" ").length > 9,
})).map((item, i) =>
  i % 3 === 2 ? { ...item, choices: [...item.answers, text(1), text(4)] } : item
);
const contextTokens = 24;
const written = writeItems(items, {
  tokenizer,
  contextTokens,
  chunkTokens: smallMemory.chunkTokens,
});

/** Backbones alone and with a memory: the paper's architecture, and Llama's. */
const [paper, llama] = ["longmem_gpt2", "llama"].map((name) =>
  smallShapes().find(({ architecture }) => architecture === name)!
);
const shapes = [paper, llama];
const models = shapes.flatMap((shape) => {
  const backbone = randomBackbone(shape);
  return (["longmem", "other document", "backbone"] as const).map((kind) => ({ backbone, kind }));
});

/** Texts in the place of each item's, in segments of the same lengths. */
const others = written.map(({ reading }) => readableText(reading.map((ids) => ids.toReversed())));

async function withModel(
  { backbone, kind }: (typeof models)[number],
  use: (model: PromptedModel) => Promise<void>,
): Promise<void> {
  const memory = { ...smallMemory, bank: "shared", reset: "epoch" } as const;
  const sideNet = randomSideNet(backbone);
  const parts = kind === "backbone" ? { backbone } : { backbone, sideNet, memory };
  const model = new LongMem(await testedDevice("cpu"), parts);
  await use(
    kind === "other document"
      ? otherDocumentModel(kind, model, others)
      : languageModel(kind, model, kind),
  );
  await model.close();
}

/** The shared device outlives the tests. */
const withDevice = { sanitizeOps: false, sanitizeResources: false };

for (const { backbone, kind } of models) {
  const name = `${kind} of ${backbone.shape.architecture}`;
  test({
    name: `askItems() gives ${name} one score whatever its batches, cached or not`,
    ...withDevice,
    fn: () =>
      withModel({ backbone, kind }, async (model) => {
        const { openWindow: _, ...uncached } = model;
        const answer = async (asked: PromptedModel, rows: number) => {
          let reads = 0, passes = 0;
          const counting: PromptedModel = {
            ...asked,
            read: (segment) => (reads++, asked.read(segment)),
            ask: (prompt) => (passes++, asked.ask(prompt)),
          };
          const options = { tokenizer, stop: "official", rows, pad: 1 } as const;
          return { records: await askItems(counting, written, options), reads, passes };
        };
        const alone = await answer(uncached, 1), several = await answer(uncached, 4);
        const cached = await answer(model, 4);
        const segments = written.reduce((sum, { reading }) => sum + reading.length, 0);
        for (const { reads } of [alone, several, cached]) {
          assert.equal(reads, kind === "backbone" ? 0 : segments);
        }
        assert.ok(several.passes < alone.passes, "nothing is asked side by side");
        assert.ok(cached.passes < several.passes, "answers take whole passes");
        for (const { records } of [several, cached]) {
          for (const [i, record] of records.entries()) {
            const { nats, choiceNats, ...others } = record;
            const { nats: own, choiceNats: ownChoices, ...expected } = alone.records[i];
            assert.deepEqual(others, expected);
            assertClose(
              [nats, ...(choiceNats as number[] ?? [])] as number[],
              [own, ...(ownChoices as number[] ?? [])] as number[],
              { tolerance: 1e-5, name: `nats of item ${i}` },
            );
          }
        }
        const predictions = alone.records.flatMap(({ prediction }) => prediction ?? []);
        assert.ok(new Set(predictions).size > 1, "all answers are alike");
      }),
  });

  test({
    name: `the window of ${name} gives each written token the likelihood of a pass over the prompt`,
    ...withDevice,
    fn: () =>
      withModel({ backbone, kind }, async (model) => {
        const logits: Float32Array[] = [];
        const recording: PromptedModel = {
          ...model,
          openWindow(options) {
            const window = model.openWindow!(options);
            const append: TokenWindow["append"] = async (tokens) => {
              logits.push(await window.append(tokens));
              return logits.at(-1)!;
            };
            return { ...window, append };
          },
        };
        const [one] = written;
        const endless = { ...tokenizer, specialIds: { bos: -1, eos: -1 } };
        const options = { tokenizer: endless, stop: "official", rows: 1, pad: 1 } as const;
        const long = { ...one, item: { ...one.item, maxAnswerTokens: 8, isDone: () => false } };
        await askItems(recording, [long], options);
        const ids = logits.map((of) => of.indexOf(Math.max(...of)));
        assert.equal(ids.length, 8);
        const score = async (reading: readonly Int32Array[]) => {
          const tokens = Int32Array.from([...one.prompt, ...ids]);
          const prompted = { reading, prompts: [{ tokens, scored: ids.length }] };
          const asking = { rows: 1, memory: "shared", pad: 1 } as const;
          const [[{ nll }]] = await askPrompts(model, [prompted], asking);
          return [...nll];
        };
        const nll = await score(one.reading);
        assert.equal(kind !== "backbone", String(await score([])) !== String(nll));
        assert.equal(new Set(nll).size, ids.length);
        const found = ids.map((id, t) => {
          const sum = logits[t].reduce((sum, logit) => sum + Math.exp(logit - logits[t][id]), 0);
          return Math.log(sum);
        });
        assertClose(found, nll, { tolerance: 1e-5 });
      }),
  });
}
