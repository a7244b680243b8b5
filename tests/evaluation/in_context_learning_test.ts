import { EncodedMemories } from "../../src/evaluation/shared/memory_cache.ts";
import type { LabelledEpisode } from "../../src/evaluation/shared/few_shot.ts";
import {
  askEpisodes,
  type AskEpisodesOptions,
  commonestLabelSamples,
} from "../../src/evaluation/in_context_learning.ts";
import { languageModel } from "../../src/evaluation/shared/language_model.ts";
import { writeSentenceEpisode } from "../../src/evaluation/in_context_learning/sentences.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { memoryProtocols } from "../../src/memory/config.ts";
import { Random } from "../../src/random.ts";
import { readSentenceTask, sentenceTasks } from "../../src/text/sentence_tasks.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { openTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { deviceTest } from "../graph/devices.ts";
import { fixtureMemory, fixtureNetworks, fixtureTest, Golden } from "../longmem/fixture_model.ts";
import { assert, assertClose, fixturePath, sharedPath, sharedTest, test } from "../testing.ts";
import { officialNames } from "../text/official_names.ts";
import { smallBackbone, smallMemory, smallSideNet } from "../training/small_training.ts";
import { ScriptedModel } from "./scripted_model.ts";

const pad = 1;

/** A token for each word, and two that stand for no text. */
const words = [
  "",
  "",
  "",
  "<unk>",
  " negative",
  " positive",
  " n",
  " pos",
  "neg ",
  "\n ",
  " it",
  "ative",
];
const tokenizer: Tokenizer = {
  vocabSize: words.length,
  specialIds: { bos: 0, pad, eos: 2, unk: 3 },
  hash: "words",
  encode: (text) => [words.indexOf(text)],
  decode: (ids) =>
    Array.from(ids, (id) => {
      if (id === pad || id >= words.length) throw new RangeError(`no text: ${id}`);
      return words[id];
    }).join(""),
};

/** An episode of queries with these labels: the last tokens of the prompts are 10, 11, ... */
function episode(
  labels: readonly number[],
  fields: Partial<LabelledEpisode> = {},
): LabelledEpisode {
  return {
    task: "mood",
    seed: 7,
    memory: [],
    labels: ["negative", "positive"],
    labelTokens: [Int32Array.of(4), Int32Array.of(5)],
    commonestLabel: 1,
    queries: labels.map((label, i) => ({
      item: `mood ${i}`,
      prompt: Int32Array.of(0, 10 + i),
      label,
    })),
    ...fields,
  };
}

const open: AskEpisodesOptions = {
  rows: 2,
  pad,
  tokenizer,
  scoring: "open-vocabulary",
  calibration: "none",
};
const likelihood: AskEpisodesOptions = { ...open, scoring: "label-likelihood" };

test("askEpisodes() refuses labels that the tokenizer does not tell apart", async () => {
  const labelTokens = [Int32Array.of(3), Int32Array.of(3)];
  const model = new ScriptedModel({ names: () => 0, nats: () => 1 }, pad);
  await assert.rejects(askEpisodes(model, [episode([0], { labelTokens })], likelihood), {
    name: "RangeError",
    message:
      'Cannot ask task "mood" as two of its choices are the same tokens in the vocabulary: ' +
      'current values are "negative" and "positive"',
  });
});

test("askEpisodes() takes a token as the label that begins with it, and nothing else", async () => {
  // What is named, what the label is, what is read from it, whether that is right.
  const cases: [named: number, label: number, prediction: string, correct: boolean][] = [
    [4, 0, "negative", true],
    [4, 1, "negative", false],
    [6, 0, "n", true],
    [7, 1, "pos", true],
    [7, 0, "pos", false],
    [8, 0, "neg", true],
    [10, 0, "it", false],
    [11, 0, "ative", false], // an end of the label
    [9, 0, "", false], // white space
    [2, 0, "", false], // </s>
    [3, 0, "<unk>", false],
    [pad, 0, "", false], // no text
    [99, 1, "", false], // beyond the tokenizer
  ];
  const model = new ScriptedModel({
    names: (tokens) => cases[tokens.at(-1)! - 10]?.[0] ?? 0,
    nats: (_, next) => next / 4,
  }, pad);
  const records = await askEpisodes(model, [episode(cases.map(([, label]) => label))], open);
  assert.deepEqual(
    records,
    cases.map(([token, label, prediction, correct], i) => ({
      item: `mood ${i}`,
      task: "mood",
      seed: 7,
      label: ["negative", "positive"][label],
      prediction,
      correct,
      token,
      nats: (4 + label) / 4, // of the label's own token
    })),
  );
});

test("askEpisodes() takes the label whose tokens are likeliest together", async () => {
  const labels = ["bad", "good enough", "good"];
  const labelTokens = [[4], [5, 6], [5]].map((ids) => Int32Array.from(ids));
  // After prompt 10 the first token costs 3, 1; what follows token 5 costs 1.5. After prompt 11 the other way round.
  const model = new ScriptedModel({
    nats: (tokens, next) =>
      tokens.at(-1) === 5
        ? 1.5
        : tokens.at(-1) === 10
        ? { 4: 3, 5: 1 }[next]!
        : { 4: 1, 5: 3 }[next]!,
  }, pad);
  const asked = episode([2, 1], { labels, labelTokens });
  const records = await askEpisodes(model, [asked], likelihood);
  assert.deepEqual(
    records.map(({ prediction, correct, scores, label }) => [prediction, correct, scores, label]),
    [
      ["good", true, [-3, -2.5, -1], "good"],
      ["bad", false, [-1, -4.5, -3], "good enough"],
    ],
  );
});

test("askEpisodes() calibrates by what it would say of nothing", async () => {
  // "positive" is likelier after any prompt; more so after one without content (12) than after prompt 10.
  const nats: Record<number, Record<number, number>> = {
    10: { 4: 2, 5: 1 },
    11: { 4: 5, 5: 1 },
    12: { 4: 3, 5: 1 },
  };
  const model = new ScriptedModel(
    { nats: (tokens, next) => nats[tokens.at(-1)!]?.[next] ?? 0 },
    pad,
  );
  const asked = episode([0, 1], { contentFreePrompt: Int32Array.of(0, 12) });
  const plain = await askEpisodes(model, [asked], likelihood);
  assert.deepEqual(plain.map(({ prediction }) => prediction), ["positive", "positive"]);
  const calibrated = await askEpisodes(model, [asked], {
    ...likelihood,
    calibration: "content-free",
  });
  assert.deepEqual(
    calibrated.map(({ prediction, correct, scores }) => [prediction, correct, scores]),
    [
      ["negative", true, [1, 0]],
      ["positive", true, [-2, 0]],
    ],
  );
});

for (const options of [open, likelihood]) {
  test(`askEpisodes() of ${options.scoring}: who knows the answers is always right, who confuses them never`, async () => {
    const random = new Random("answers");
    const labels = Array.from({ length: 9 }, () => random.below(2));
    const knowing = (confused: number) =>
      new ScriptedModel({
        names: (tokens) => 4 + (labels[tokens.at(-1)! - 10] ^ confused),
        nats: (tokens, next) => next === 4 + (labels[tokens.at(-1)! - 10] ^ confused) ? 0.1 : 3,
      }, pad);
    const episodes = [episode(labels.slice(0, 4)), episode(labels, { seed: 8 })];
    const accuracy = async (confused: number) => {
      const records = await askEpisodes(knowing(confused), episodes, options);
      assert.deepEqual(records.map(({ seed }) => seed), [7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8]);
      return records.filter(({ correct }) => correct).length / records.length;
    };
    assert.equal(await accuracy(0), 1);
    assert.equal(await accuracy(1), 0);
  });
}

test("askEpisodes() reads the demonstrations of an episode before its queries", async () => {
  const read: number[][][] = [];
  const model = new ScriptedModel({
    names: () => {
      read.push(model.segments);
      return 0;
    },
  }, pad);
  const memory = [Int32Array.of(4, 5), Int32Array.of(6)];
  await askEpisodes(model, [episode([0]), episode([1, 1, 1], { memory })], open);
  assert.deepEqual(read[0], []);
  assert.deepEqual(read.at(-1), [[4, 5], [6]]);
});

test("commonestLabelSamples() always tells the commonest label", () => {
  const samples = commonestLabelSamples([episode([0, 1, 1])]);
  assert.deepEqual(samples.map(({ item, prediction, correct }) => [item, prediction, correct]), [
    ["mood 0", "positive", false],
    ["mood 1", "positive", true],
    ["mood 2", "positive", true],
  ]);
});

sharedTest(
  "askEpisodes() counts the answers that the official script was given as that script does",
  async () => {
    const { tasks } = JSON.parse(await Deno.readTextFile(fixturePath("icl_protocol.json")));
    const gpt2 = await openTokenizer({ kind: "gpt2", folder: sharedPath("data/gpt2_bpe") });
    for (const task of sentenceTasks) {
      const data = await readSentenceTask(sharedPath("data/icl"), task);
      const [golden] = tasks[officialNames[task]].seeds.k4;
      const asked = writeSentenceEpisode(task, { ...data, evaluated: data.evaluated.slice(0, 3) }, {
        tokenizer: gpt2,
        seed: golden.seed,
        draw: "released-code",
        shots: 4,
        memoryDemonstrations: 0,
        memoryLabels: "true",
        contextTokens: 1024,
      });
      // The script of the golden file's note: the label, its first letter, </s>.
      const answers = asked.queries.map(({ label }, i) => {
        const word = asked.labels[label];
        return [gpt2.encode(` ${word}`)[0], gpt2.encode(` ${word[0]}`)[0], gpt2.specialIds.eos][i];
      });
      const prompts = asked.queries.map(({ prompt }) => prompt.join());
      const model = new ScriptedModel({
        names: (tokens) => answers[prompts.indexOf(tokens.join())] ?? 0,
      }, pad);
      const records = await askEpisodes(model, [asked], { ...open, tokenizer: gpt2 });
      const correct = records.map(({ correct }) => correct);
      assert.deepEqual(correct, [true, true, false], task);
      assert.equal(correct.filter((is) => is).length / 3, golden.accuracy_with_scripted_answers);
    }
  },
);

fixtureTest(
  "askEpisodes() gives the official answers of a small model with memory",
  async (device) => {
    const golden = await Golden.read("icl_tiny_f32mem.safetensors");
    const { data: blocks, shape: [count, T] } = golden.integers("memory_blocks");
    const { icl_tiny: { chunk_size_override: chunkTokens } } = JSON.parse(
      await Deno.readTextFile(fixturePath("config.json")),
    );
    const asked = episode([0, 0, 0], {
      memory: Array.from({ length: count }, (_, i) => blocks.slice(i * T, (i + 1) * T)),
      labelTokens: [Int32Array.of(50)],
      labels: ["label"],
      queries: [0, 1, 2].map((i) => ({
        item: `query ${i}`,
        prompt: golden.integers(`query${i}/src_tokens`).data,
        label: 0,
      })),
    });
    const model = new LongMem(device, {
      ...await fixtureNetworks(),
      memory: { ...fixtureMemory, chunkTokens },
    });
    for (const rows of [1, 2]) {
      for (const network of ["longmem", "backbone"] as const) {
        const records = await askEpisodes(languageModel(network, model, network), [asked], {
          ...open,
          rows,
        });
        assert.equal(records.length, 3);
        for (const [i, { token, nats }] of records.entries()) {
          const name = `query${i}/`;
          if (network === "longmem") {
            assert.equal(token, golden.integers(name + "argmax").data[0], name);
            const probability = golden.floats(name + "last_softmax").data[50];
            assertClose([Number(nats)], [-Math.log(probability)], { tolerance: 1e-4, name });
          } else {
            const logits = golden.floats(name + "backbone_last_logits").data;
            assert.equal(token, logits.indexOf(Math.max(...logits)), name);
          }
        }
      }
    }
    await model.close();
  },
);

deviceTest(
  "Models of one backbone encode the demonstrations of each episode once",
  async (device) => {
    const random = new Random("episodes");
    const tokens = (length: number) => Int32Array.from({ length }, () => 4 + random.below(9));
    const episodes = [0, 1, 2].map((seed) =>
      episode([0, 1, 1], { seed, memory: [tokens(8), tokens(8), tokens(3)] })
    ).map((written) => ({
      ...written,
      queries: written.queries.map((query) => ({ ...query, prompt: tokens(6) })),
    }));
    const longer = episodes.map((written) => ({
      ...written,
      queries: written.queries.map((query) => ({ ...query, prompt: tokens(11) })),
    }));
    const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
    const other = smallSideNet(smallBackbone(2)); // other weights beside the same backbone
    const memory = {
      ...smallMemory,
      ...memoryProtocols["released-code"],
      storage: "float32",
    } as const;
    const memories = new EncodedMemories(backbone);
    const expected: unknown[] = [], found: unknown[] = [];
    for (const net of [sideNet, other]) {
      const model = new LongMem(device, { backbone, sideNet: net, memory });
      for (const asked of [episodes, longer]) {
        for (
          const [records, longmem] of [[expected, model], [found, memories.keep(model)]] as const
        ) {
          const answers = await askEpisodes(
            languageModel("longmem", longmem, "longmem"),
            asked,
            likelihood,
          );
          records.push(answers.map(({ scores }) => (scores as number[]).map((x) => x.toFixed(4))));
        }
      }
      await model.close();
    }
    assert.deepEqual(found, expected);
    assert.notDeepEqual(found[0], found[2]);
    assert.equal(memories.encoded, episodes.length);
  },
  { kinds: ["cpu"] },
);
