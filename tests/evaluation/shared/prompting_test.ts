import { languageModel, otherDocuments } from "../../../src/evaluation/shared/language_model.ts";
import { otherDocumentModel } from "../../../src/evaluation/shared/other_document.ts";
import {
  askAndContinue,
  askPrompts,
  type PromptedItem,
} from "../../../src/evaluation/shared/prompting.ts";
import { generate } from "../../../src/longmem/generation.ts";
import { LongMem } from "../../../src/longmem/longmem.ts";
import type { MemoryConfig } from "../../../src/memory/config.ts";
import { Random } from "../../../src/random.ts";
import { testedDevice } from "../../graph/devices.ts";
import { assert, assertClose, test } from "../../testing.ts";
import { smallBackbone, smallMemory, smallSideNet } from "../../training/small_training.ts";
import { ScriptedModel } from "../scripted_model.ts";
import { pad } from "../small_documents.ts";

const random = new Random("prompts");
const tokens = (length: number) => Int32Array.from({ length }, () => 4 + random.below(9));

/** Texts of none to four segments, with one to three prompts of unlike lengths. */
const items: readonly PromptedItem[] = [2, 0, 4, 1].map((segments, i) => ({
  reading: Array.from({ length: segments }, () => tokens(8)),
  prompts: Array.from({ length: 1 + i % 3 }, (_, j) => ({
    tokens: tokens(5 + 3 * j + i),
    scored: 1 + (i + j) % 3,
  })),
}));

async function openSmall(memory: Partial<MemoryConfig> = {}): Promise<LongMem> {
  const backbone = smallBackbone();
  return new LongMem(await testedDevice("cpu"), {
    backbone,
    sideNet: smallSideNet(backbone),
    memory: { ...smallMemory, ...memory },
  });
}

/** What the model itself says of every prompt, one after the other, unpadded. */
async function askedAlone(texts: readonly PromptedItem[]): Promise<number[][][]> {
  const model = await openSmall();
  const answers: number[][][] = [];
  for (const { reading, prompts } of texts) {
    await model.resetMemory();
    for (const segment of reading) await model.remember(segment);
    const answered: number[][] = [];
    for (const { tokens, scored } of prompts) {
      const { nll } = await model.choose(tokens.slice(0, -1), tokens.slice(1), { readOnly: true });
      answered.push([...nll.slice(-scored)]);
    }
    answers.push(answered);
  }
  await model.close();
  return answers;
}

/** The shared device outlives the tests. */
const withDevice = { sanitizeOps: false, sanitizeResources: false };

for (const rows of [1, 2, 3]) {
  test({
    name: `askPrompts() of ${rows} rows with a memory each gives what the model says of each alone`,
    ...withDevice,
    fn: async () => {
      const model = await openSmall();
      const progress: [number, number][] = [];
      const scores = await askPrompts(languageModel("longmem", model, "longmem"), items, {
        rows,
        memory: "per-row",
        pad,
        onPrompts: (asked, total) => progress.push([asked, total]),
      });
      await model.close();
      assert.deepEqual(progress.at(-1), [7, 7]);
      for (const [i, answers] of (await askedAlone(items)).entries()) {
        assert.equal(scores[i].length, answers.length);
        answers.forEach((nll, j) =>
          assertClose(scores[i][j].nll, nll, { tolerance: 1e-4, name: `item ${i}, prompt ${j}` })
        );
      }
    },
  });
}

test({
  name: "askPrompts() has the end of long prompts scored alone, by models that can",
  ...withDevice,
  fn: async () => {
    const prompts = [{ tokens: tokens(150), scored: 3 }, { tokens: tokens(90), scored: 2 }];
    const items = [{ reading: [tokens(8), tokens(8)], prompts }];
    const model = await openSmall({ bank: "shared", reset: "epoch" });
    const { asksEnds, ...whole } = languageModel("longmem", model, "longmem");
    const asked: number[] = [];
    const counting = {
      ...whole,
      ask: (prompt: Parameters<typeof whole.ask>[0]) => {
        asked.push(prompt.targets.length / prompt.rows);
        return whole.ask(prompt);
      },
    };
    const options = { rows: 2, memory: "shared", pad } as const;
    const [expected] = await askPrompts(counting, items, options);
    const [ends] = await askPrompts({ ...counting, asksEnds: asksEnds! }, items, options);
    await model.close();
    assert.deepEqual(asked, [192, 128]); // of 149 and 89 tokens, from the 87th on
    for (const [i, { nll, choices, ranks }] of expected.entries()) {
      assert.equal(nll.length, prompts[i].scored);
      assertClose(ends[i].nll, nll, { tolerance: 1e-6 });
      assert.deepEqual([ends[i].choices, ends[i].ranks], [choices, ranks]);
    }
  },
});

test({
  name: "askPrompts() of a shared memory reads each text once and asks several prompts at once",
  ...withDevice,
  fn: async () => {
    const model = await openSmall({ bank: "shared", reset: "epoch" });
    const longmem = languageModel("longmem", model, "longmem");
    let reads = 0;
    const counting = {
      ...longmem,
      read: (segment: Parameters<typeof longmem.read>[0]) => {
        reads++;
        return longmem.read(segment);
      },
    };
    const options = { rows: 2, memory: "shared", pad } as const;
    const scores = await askPrompts(counting, items, options);
    await model.close();
    assert.equal(reads, 2 + 0 + 4 + 1);
    for (const [i, answers] of (await askedAlone(items)).entries()) {
      answers.forEach((nll, j) => assertClose(scores[i][j].nll, nll, { tolerance: 1e-4 }));
    }
  },
});

test({
  name: "askPrompts() tells the most likely token in the place of each scored one",
  ...withDevice,
  fn: async () => {
    const model = await openSmall();
    const asked = items.slice(0, 1);
    const [[{ choices }]] = await askPrompts(languageModel("longmem", model, "longmem"), asked, {
      rows: 1,
      memory: "per-row",
      pad,
    });
    const [{ reading, prompts: [prompt] }] = asked;
    await model.resetMemory();
    for (const segment of reading) await model.remember(segment);
    const { logits } = await model.forward(prompt.tokens.slice(0, -1), { readOnly: true });
    const V = model.parts.backbone.shape.vocabSize;
    const last = [...logits.slice(-V)];
    assert.equal(choices.at(-1), last.indexOf(Math.max(...last)));
    await model.close();
  },
});

test({
  name: "askPrompts() has the control read other texts: those of the next item",
  ...withDevice,
  fn: async () => {
    const model = await openSmall();
    const two = items.filter(({ reading }) => reading.length > 1);
    const texts = two.map(({ reading }) => ({
      segments: reading.map((tokens) => ({ tokens, targetTokens: tokens.length })),
    }));
    const scores = await askPrompts(
      otherDocumentModel("other", model, otherDocuments(texts)),
      two,
      {
        rows: 2,
        memory: "per-row",
        pad,
      },
    );
    await model.close();
    // As much is read as of the item itself: the shorter one's text twice, the longer one's beginning.
    const exchanged = [
      { ...two[0], reading: two[1].reading.slice(0, 2) },
      { ...two[1], reading: [...two[0].reading, ...two[0].reading] },
    ];
    for (const [i, answers] of (await askedAlone(exchanged)).entries()) {
      answers.forEach((nll, j) => assertClose(scores[i][j].nll, nll, { tolerance: 1e-4 }));
    }
  },
});

test("askPrompts() refuses prompts without a context, and segments of two lengths", async () => {
  const model = {} as Parameters<typeof askPrompts>[0];
  const options = { rows: 1, memory: "per-row", pad } as const;
  const prompt = { tokens: Int32Array.of(4, 5), scored: 1 };
  await assert.rejects(
    askPrompts(model, [{ reading: [], prompts: [{ ...prompt, scored: 2 }] }], options),
    /^RangeError: Cannot ask a prompt of item 0 .* current values are 2 scored of 2 tokens$/,
  );
  const reading = [tokens(8), tokens(7)];
  await assert.rejects(
    askPrompts(model, [{ reading: [], prompts: [prompt] }, { reading, prompts: [] }], options),
    /^RangeError: Cannot read item 1 .* current lengths are 8 and 7$/,
  );
  const unlike = [8, 6].map((length) => ({ reading: [tokens(length)], prompts: [prompt] }));
  await assert.rejects(
    askPrompts(model, unlike, { ...options, rows: 2 }),
    /^RangeError: Cannot read items side by side .* current lengths are 8 and 6$/,
  );
});

test("askPrompts() refuses a likelihood that is not finite, but does not look at padding", async () => {
  const prompts = [{ tokens: tokens(4), scored: 2 }];
  for (const [place, fails] of [[0, false], [1, true], [2, true], [3, false]] as const) {
    const model = new ScriptedModel({
      nats: (before) => before.length === place + 1 ? NaN : 1,
    }, pad);
    const asked = askPrompts(model, [{ reading: [], prompts }], {
      rows: 1,
      memory: "per-row",
      pad,
    });
    if (fails) {
      await assert.rejects(
        asked,
        /^RangeError: Cannot evaluate model "scripted" as the likelihood of the token at position [23] of prompt 0 of item 0 must be finite: current value is NaN nats$/,
      );
    } else {
      assert.deepEqual([...(await asked)[0][0].nll], [1, 1]);
    }
  }
});

test({
  name: "askPrompts() reads a last, shorter segment into a shared memory, and into no other",
  ...withDevice,
  fn: async () => {
    const model = await openSmall({ bank: "shared", reset: "epoch" });
    const longmem = languageModel("longmem", model, "longmem");
    const texts = [{ reading: [tokens(8), tokens(8), tokens(5)], prompts: items[0].prompts }];
    const scores = await askPrompts(longmem, texts, { rows: 2, memory: "shared", pad });
    await model.close();
    for (const [i, answers] of (await askedAlone(texts)).entries()) {
      answers.forEach((nll, j) => assertClose(scores[i][j].nll, nll, { tolerance: 1e-4 }));
    }
    await assert.rejects(
      askPrompts(longmem, texts, { rows: 1, memory: "per-row", pad }),
      /^RangeError: Cannot read item 0 as its segments must have one length: current lengths are 8 and 5$/,
    );
    const lengths = [[8, 5, 8], [5, 8], [8, 0]];
    for (const reading of lengths) {
      await assert.rejects(
        askPrompts(longmem, [{ reading: reading.map(tokens), prompts: [] }], {
          rows: 1,
          memory: "shared",
          pad,
        }),
        /^RangeError: Cannot read item 0 .* must have one length, or the last a shorter one: /,
      );
    }
  },
});

test({
  name: "askAndContinue() gives, side by side, what generating from each prompt alone gives",
  ...withDevice,
  fn: async () => {
    const model = await openSmall({ bank: "shared", reset: "epoch" });
    const longmem = languageModel("longmem", model, "longmem");
    let reads = 0;
    const counting = {
      ...longmem,
      read: (segment: Parameters<typeof longmem.read>[0]) => {
        reads++;
        return longmem.read(segment);
      },
    };
    const texts = items.map(({ reading }, i) => ({
      reading,
      prompts: Array.from({ length: 3 - i % 2 }, (_, j) => tokens(1 + 2 * j + i)),
    }));
    // Ends after an even token, or after five.
    const ends = (named: readonly number[]) => named.at(-1)! % 2 === 0;
    const progress: [number, number][] = [];
    const asked = texts.map(({ reading, prompts }) => ({
      reading,
      prompts: [],
      continued: prompts.map((tokens) => ({ tokens, maxTokens: 5, ends })),
    }));
    const answers = await askAndContinue(counting, asked, {
      rows: 2,
      pad,
      onPrompts: (done, total) => progress.push([done, total]),
    });
    assert.equal(reads, 2 + 0 + 4 + 1);
    assert.deepEqual(progress.at(-1), [10, 10]);
    const lengths = new Set<number>();
    for (const [i, { reading, prompts }] of texts.entries()) {
      await model.resetMemory();
      for (const segment of reading) await model.remember(segment);
      for (const [j, prompt] of prompts.entries()) {
        const expected: number[] = [];
        for await (
          const id of generate(model, { prompt, tokens: 5, contextTokens: 64, temperature: 0 })
        ) {
          expected.push(id);
          if (ends(expected)) break;
        }
        assert.deepEqual(answers[i].continued[j], expected, `item ${i}, prompt ${j}`);
        lengths.add(expected.length);
      }
    }
    assert.ok(lengths.size > 1, "all continuations have one length");
    await assert.rejects(
      askAndContinue(longmem, [{
        reading: [],
        prompts: [],
        continued: [{ tokens: new Int32Array(), maxTokens: 1, ends }],
      }], { rows: 1, pad }),
      /^RangeError: Cannot ask a prompt of item 0 .* 1 scored of 1 tokens$/,
    );
    await model.close();
  },
});
