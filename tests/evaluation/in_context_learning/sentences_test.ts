import { createHash } from "node:crypto";
import type { LabelledEpisode } from "../../../src/evaluation/shared/few_shot.ts";
import {
  drawDemonstrations,
  type SentenceEpisodeOptions,
  writeSentenceEpisode,
} from "../../../src/evaluation/in_context_learning/sentences.ts";
import {
  type LabelledSentence,
  readSentenceTask,
  type SentenceTaskData,
  sentenceTaskFormats,
  sentenceTasks,
} from "../../../src/text/sentence_tasks.ts";
import { openTokenizer } from "../../../src/text/tokenizers/tokenizers.ts";
import { assert, fixturePath, sharedPath, sharedTest, test } from "../../testing.ts";
import { characterTokenizer } from "../../text/characters.ts";
import { officialNames } from "../../text/official_names.ts";

const characters = characterTokenizer(256);

/** Sentences of a task, its labels one after the other. */
function sentences(prefix: string, count: number, labels: number): LabelledSentence[] {
  return Array.from({ length: count }, (_, i) => ({ text: `${prefix}${i}`, label: i % labels }));
}

const data: SentenceTaskData = {
  train: sentences("t", 40, 5),
  evaluated: sentences("e", 7, 5),
  hashes: { train: "", evaluated: "" },
};

const options: SentenceEpisodeOptions = {
  tokenizer: characters,
  seed: 1,
  draw: "balanced",
  shots: 2,
  memoryDemonstrations: 12,
  memoryLabels: "true",
  contextTokens: 160,
};

const textOf = (tokens: ArrayLike<number>) =>
  Array.from(tokens, (id) => id === 0 ? "<s>" : id === 2 ? "</s>" : String.fromCharCode(id)).join(
    "",
  );
const memoryOf = (episode: LabelledEpisode) =>
  textOf(episode.memory.flatMap((segment) => [...segment]));
/** Text and label of each demonstration in a text. */
const shown = (text: string) =>
  [...text.matchAll(/<s>Review: (\S+) Sentiment: (\w+)\. <\/s>/g)].map(([, ...parts]) => parts);

test("writeSentenceEpisode() writes demonstrations and queries as tokens, each between its own <s> and </s>", () => {
  const episode = writeSentenceEpisode("sst-5", data, options);
  assert.deepEqual(
    episode.queries.map(({ item }) => item),
    Array.from(
      { length: 7 },
      (_, i) => `sst-5 ${i}`,
    ),
  );
  for (const [i, { prompt, label }] of episode.queries.entries()) {
    const text = textOf(prompt);
    assert.match(
      text,
      new RegExp(`^(<s>Review: t\\d+ Sentiment: \\w+\\. </s>){2}<s>Review: e${i} Sentiment:$`),
    );
    assert.equal(label, i % 5);
  }
  assert.equal(shown(memoryOf(episode)).length, 12);
  // Segments one after the other, the last one shorter.
  assert.ok(episode.memory.slice(0, -1).every(({ length }) => length === 160));
  assert.ok(episode.memory.at(-1)!.length < 160);
  assert.equal(memoryOf(episode).replaceAll(/<s>Review: \S+ Sentiment: \w+\. <\/s>/g, ""), "");
  assert.deepEqual(episode.labelTokens.map(textOf), [
    " terrible",
    " bad",
    " okay",
    " good",
    " great",
  ]);
  assert.match(textOf(episode.contentFreePrompt!), /<s>Review: N\/A Sentiment:$/);

  const released = writeSentenceEpisode("sst-5", data, { ...options, draw: "released-code" });
  assert.equal(released.memory.length, episode.memory.length - 1);
  assert.ok(released.memory.every(({ length }) => length === 160));
});

test("writeSentenceEpisode() evaluates examples evenly spaced, and knows the commonest label", () => {
  const episode = writeSentenceEpisode("sst-5", {
    ...data,
    train: [...data.train, { text: "x", label: 3 }],
  }, {
    ...options,
    maxItems: 3,
  });
  assert.deepEqual(episode.queries.map(({ item }) => item), ["sst-5 0", "sst-5 2", "sst-5 4"]);
  assert.equal(episode.commonestLabel, 3);
});

test("writeSentenceEpisode() shuffles the labels in memory, and nothing else, where it is asked to", () => {
  const own = writeSentenceEpisode("sst-5", data, options);
  const shuffled = writeSentenceEpisode("sst-5", data, { ...options, memoryLabels: "shuffled" });
  const [before, after] = [own, shuffled].map((episode) => shown(memoryOf(episode)));
  assert.deepEqual(after.map(([text]) => text), before.map(([text]) => text));
  const changed = after.filter(([, label], i) => label !== before[i][1]);
  assert.ok(changed.length >= 6, `${changed.length} of 12`);
  const counts = (pairs: string[][]) => pairs.map(([, label]) => label).sort();
  assert.deepEqual(counts(after), counts(before));
  assert.deepEqual(shuffled.queries, own.queries);
});

test("writeSentenceEpisode() refuses a prompt that is longer than the window", () => {
  assert.throws(
    () => writeSentenceEpisode("sst-5", data, { ...options, contextTokens: 80 }),
    /^RangeError: Cannot ask "sst-5 0" with 2 demonstrations, seed 1, as the prompt must fit contextTokens: current values are \d+ and 80; /,
  );
});

test("writeSentenceEpisode() refuses demonstrations that leave the memory empty", () => {
  const few = { ...options, draw: "released-code", memoryDemonstrations: 3 } as const;
  assert.throws(
    () => writeSentenceEpisode("sst-5", data, few),
    /^RangeError: Cannot show a memory 3 demonstrations of "sst-5", seed 1, as they must fill a segment .* current values are \d+ tokens and 160$/,
  );
  const none = writeSentenceEpisode("sst-5", data, { ...few, memoryDemonstrations: 0 });
  assert.deepEqual(none.memory, []);
  const kept = writeSentenceEpisode("sst-5", data, { ...few, draw: "balanced" });
  assert.equal(kept.memory.length, 1);
});

test("drawDemonstrations() balanced: as many of each label, and nothing twice", () => {
  // Three texts that are evaluated, two that occur twice, one that is empty: none of these is free.
  const train = [
    ...data.train,
    { text: "e1", label: 1 },
    { text: " e2 ", label: 2 },
    { text: "t3", label: 4 },
    { text: "", label: 0 },
  ];
  const firsts = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const draw = (shots: number, memoryDemonstrations: number) =>
      drawDemonstrations("sst-5", { train, evaluated: data.evaluated }, {
        seed,
        draw: "balanced",
        shots,
        memoryDemonstrations,
      });
    const { context, memory } = draw(7, 28);
    const texts = [...context, ...memory].map(({ text }) => text);
    assert.equal(new Set(texts).size, 35);
    assert.ok(texts.every((text) => text.startsWith("t")));
    for (const [part, least] of [[context, 1], [memory, 5]] as const) {
      const counts = [0, 1, 2, 3, 4].map((label) => part.filter((s) => s.label === label).length);
      assert.deepEqual(new Set(counts), new Set([least, least + 1]));
    }
    // Neither part depends on the size of the other; few demonstrations are among more.
    assert.deepEqual(draw(2, 28).memory, memory);
    assert.deepEqual(draw(7, 5).context, context);
    const few = draw(5, 0).context, more = draw(10, 0).context;
    assert.ok(few.every((sentence) => more.includes(sentence)));
    firsts.add(context[0].text);
  }
  assert.ok(firsts.size > 5, "seeds draw alike");
});

test("drawDemonstrations() refuses to draw more than there are", () => {
  const draw = (fields: Partial<SentenceEpisodeOptions>) =>
    drawDemonstrations("sst-5", data, { ...options, ...fields });
  assert.throws(
    () => draw({ draw: "released-code", shots: 41 }),
    /^RangeError: Cannot draw demonstrations of "sst-5" as shots must not exceed its 40 training examples: current value is 41$/,
  );
  assert.throws(
    () => draw({ draw: "released-code", memoryDemonstrations: 2000 }),
    /^RangeError: .* as memoryDemonstrations must not exceed its 40 training examples: current value is 2000$/,
  );
  assert.throws(
    () => draw({ shots: 5, memoryDemonstrations: 40 }),
    /^RangeError: .* more of label "terrible" than there are, .*: current values ask for 1 and 8 of 8$/,
  );
});

sharedTest(
  "writeSentenceEpisode() gives the memories and prompts of the released evaluation",
  async () => {
    const { tasks } = JSON.parse(await Deno.readTextFile(fixturePath("icl_protocol.json")));
    const tokenizer = await openTokenizer({ kind: "gpt2", folder: sharedPath("data/gpt2_bpe") });
    const hash = (tokens: readonly Int32Array[]) => {
      const sha256 = createHash("sha256");
      for (const { buffer } of tokens) sha256.update(new Uint8Array(buffer));
      return sha256.digest("hex");
    };
    let episodes = 0;
    for (const task of sentenceTasks) {
      const official = tasks[officialNames[task]];
      const data = await readSentenceTask(sharedPath("data/icl"), task);
      // The official run was cut to its first three queries.
      const few = { ...data, evaluated: data.evaluated.slice(0, 3) };
      for (const shots of [20, 4]) {
        for (const golden of official.seeds[`k${shots}`]) {
          const { memory, queries, labelTokens } = writeSentenceEpisode(task, few, {
            tokenizer,
            seed: golden.seed,
            draw: "released-code",
            shots,
            memoryDemonstrations: 2000,
            memoryLabels: "true",
            contextTokens: 1024,
          });
          const name = `${task}, ${shots} shots, seed ${golden.seed}`;
          assert.equal(memory.length, golden.memory_blocks, name);
          assert.deepEqual([...memory[0].slice(0, 16)], golden.memory_first_16, name);
          assert.equal(hash(memory), golden.memory_tokens_sha256, name);
          assert.deepEqual(queries.map(({ prompt }) => prompt.length), golden.query_lengths, name);
          assert.deepEqual(queries.map(({ prompt }) => hash([prompt])), golden.query_sha256, name);
          if (shots === 4 && golden.seed === 1) {
            assert.deepEqual([...queries[0].prompt], official.seed1_k4_first_query_tokens, name);
          }
          assert.ok(labelTokens.every(({ length }) => length === 1));
          const { labels } = sentenceTaskFormats[task];
          labels.forEach((word, label) =>
            assert.equal(tokenizer.decode(labelTokens[label]), ` ${word}`)
          );
          episodes++;
        }
      }
    }
    assert.equal(episodes, 60);
  },
);
