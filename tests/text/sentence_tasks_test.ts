import {
  formatDemonstration,
  formatQuery,
  parseSentences,
  readSentenceTask,
  sentenceTaskFormats,
  sentenceTasks,
} from "../../src/text/sentence_tasks.ts";
import { withFolder } from "../temporary_folder.ts";
import { officialNames } from "./official_names.ts";
import { assert, fixturePath, sharedPath, sharedTest, test } from "../testing.ts";

const tab = { format: sentenceTaskFormats["sst-2"], path: "dev.tsv" };
const reviews = { format: sentenceTaskFormats.mr, path: "train.csv" };
const subj = { format: sentenceTaskFormats.subj, path: "test.csv" };

test("parseSentences() keeps the quotes and the spaces of a text, and strips those of Subj", () => {
  assert.deepEqual(parseSentences('sentence\tlabel\na film \t1\r\nno, "no"\t0\n', tab), [
    { text: "a film ", label: 1 },
    { text: 'no, "no"', label: 0 },
  ]);
  assert.deepEqual(parseSentences('0,"it ""is"", so"\n1 good \n1,,', reviews), [
    { text: '"it ""is"", so"', label: 0 },
    { text: "good ", label: 1 },
    { text: ",", label: 1 },
  ]);
  assert.deepEqual(parseSentences('0,""" a "" b"\n1,c" \n', subj), [
    { text: ' a "" b', label: 0 },
    { text: 'c" ', label: 1 }, // no quote stands at its end
  ]);
  assert.deepEqual(parseSentences("1,\n", { ...reviews, emptyTexts: true }), [
    { text: "", label: 1 },
  ]);
});

test("parseSentences() names file and line of what it cannot read", () => {
  const cases: [string, Parameters<typeof parseSentences>[1], RegExp][] = [
    [
      "a film\t1\n",
      tab,
      /^Cannot read line 1 of "dev.tsv" as it must be the header "sentence\\tlabel": .* "a film\\t1"$/,
    ],
    [
      "sentence\tlabel\na\t1\nb 1\n",
      tab,
      /^Cannot read line 3 of "dev.tsv" as .* has no tab: current value is "b 1"$/,
    ],
    ["sentence\tlabel\na\tb\t1\n", tab, /^Cannot read line 2 of "dev.tsv" as .* has 2 tabs: /],
    [
      "sentence\tlabel\na\t2\n",
      tab,
      /^Cannot read line 2 .* its label must be one of 0 \(negative\), 1 \(positive\): /,
    ],
    ["sentence\tlabel\na\t\n", tab, /^Cannot read line 2 .* its label must be one of 0 /],
    ["sentence\tlabel\n \t1\n", tab, /^Cannot read line 2 .* its text is empty: /],
    ["sentence\tlabel\n", tab, /^Cannot read "dev.tsv" as it has no examples$/],
    ["", reviews, /^Cannot read "train.csv" as it has no examples$/],
    [
      "0,a\n\n1,b\n",
      reviews,
      /^Cannot read line 2 of "train.csv" as it must be a label of one digit, .*: current value is ""$/,
    ],
    ["0,a\n10,b\n", reviews, /^Cannot read line 2 .* it must be a label of one digit/],
    ["0,a\n-,b\n", reviews, /^Cannot read line 2 .* its label must be one of 0 /],
    ["0,a\n1,\n", reviews, /^Cannot read line 2 .* its text is empty: current value is "1,"$/],
    ['0,a\n1,""\n', subj, /^Cannot read line 2 of "test.csv" as its text is empty/],
  ];
  for (const [content, options, message] of cases) {
    assert.throws(() => parseSentences(content, options), { name: "SyntaxError", message });
  }
});

test("readSentenceTask() names the file that is missing or not UTF-8", async () => {
  await withFolder(async (folder) => {
    await assert.rejects(readSentenceTask(folder, "mr"), {
      name: "NotFound",
      message: `Cannot read task "mr" as file "${folder}/mr/train.csv" is missing`,
    });
    await Deno.mkdir(`${folder}/mr`);
    await Deno.writeFile(`${folder}/mr/train.csv`, Uint8Array.of(48, 44, 0xff));
    await assert.rejects(readSentenceTask(folder, "mr"), {
      name: "TypeError",
      message: `Cannot read "${folder}/mr/train.csv" as its bytes must be UTF-8`,
    });
  });
});

test("Demonstrations end with a space, queries with a colon", () => {
  const example = { text: "so so ", label: 2 };
  assert.equal(
    formatDemonstration(sentenceTaskFormats["sst-5"], example),
    "Review: so so  Sentiment: okay. ",
  );
  assert.equal(
    formatQuery(sentenceTaskFormats["sst-5"], example.text),
    "Review: so so  Sentiment:",
  );
  assert.equal(formatQuery(sentenceTaskFormats.subj, "x"), "Input: x Type:");
  assert.equal(
    formatDemonstration(sentenceTaskFormats.subj, { text: "x", label: 0 }),
    "Input: x Type: subjective. ",
  );
});

sharedTest("readSentenceTask() reads what the released evaluation reads", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(fixturePath("icl_protocol.json")));
  for (const task of sentenceTasks) {
    const golden = tasks[officialNames[task]];
    const { train, evaluated } = await readSentenceTask(sharedPath("data/icl"), task);
    assert.equal(train.length, golden.sizes.train, task);
    assert.equal(evaluated.length, golden.sizes[golden.eval_subset], task);
    const { labels } = sentenceTaskFormats[task];
    assert.deepEqual([...labels].sort(), golden.labels);
    const named = (sentences: typeof train, count: number) =>
      sentences.slice(0, count).map(({ text, label }) => [text, labels[label]]);
    assert.deepEqual(named(train, 1), [golden.first_train]);
    assert.deepEqual(named(evaluated, 3), golden.first_eval);
  }
});
