import { gzipSync } from "node:zlib";
import type { EvaluationDeclaration } from "../../src/experiment/declaration.ts";
import { estimateEvaluation } from "../../src/experiment/evaluation_estimate.ts";
import { resolvedExperiment } from "./resolved.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

const forward = { backbone: 10, sidenet: 7 };

/** Estimates an evaluation of the small experiment, whose segments have 128 tokens. */
function estimate(evaluation: EvaluationDeclaration, folder: string, known = forward) {
  const corpus = { ...small.corpus, folder };
  const resolved = resolvedExperiment({ ...small, corpus, evaluations: [evaluation] });
  return estimateEvaluation(resolved.evaluations[0], resolved.corpus, known);
}

test("a document takes a token for four bytes, of a compressed one those that it will have, in whole segments", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/test`);
    await Deno.writeTextFile(`${folder}/test/a.txt`, "x".repeat(4 * 300));
    await Deno.writeFile(`${folder}/test/b.txt.gz`, gzipSync("y".repeat(4 * 1000)));
    const evaluation = { kind: "perplexity", split: "test", models: ["backbone"] } as const;
    // Three segments of 128 tokens, and eight.
    const one = await estimate(evaluation, folder);
    const cost = { tokens: 1408, operations: 14_080 };
    assert.deepEqual(one, {
      name: "perplexity-test",
      models: [{ model: "backbone", ...cost }],
      ...cost,
    });
    const two = await estimate({ ...evaluation, models: ["backbone", "longmem"] }, folder);
    assert.deepEqual([two.tokens, two.operations], [2816, 14_080 + 1408 * 17]);
    const first = await estimate({ ...evaluation, maxDocuments: 1 }, folder);
    assert.equal(first.tokens, 3 * 128);

    // A window of two segments reads each twice, but for what is not there yet.
    const window = { model: "backbone-sliding-window", windowTokens: 256 } as const;
    const windowed = await estimate({ ...evaluation, maxDocuments: 1, models: [window] }, folder);
    assert.equal(windowed.tokens, 128 + 256 + 256);
  });
});

test("nothing is said of texts that are not there, or that nobody has counted", async () => {
  for (
    const evaluation of [
      { kind: "perplexity", split: "test", models: ["longmem"] },
      { kind: "chapter-break", models: ["longmem"] },
      {
        kind: "in-context-learning",
        source: { kind: "sentences", folder: "nowhere" },
        models: ["longmem"],
      },
    ] as const
  ) {
    const { name, ...rest } = await estimate(evaluation, "nowhere");
    assert.ok(name.startsWith(evaluation.kind));
    assert.deepEqual(rest, { models: [{ model: "longmem" }] });
  }
});

test("chapter breaks are read into memory once, and six candidates asked for", async () => {
  const { tokens } = await estimate({
    kind: "chapter-break",
    prefixTokens: [64, 1000],
    suffixTokens: 28,
    maxItems: 5,
    models: ["longmem", "longmem-memory-off"],
  }, "nowhere");
  const asked = 6 * (64 + 28) + 6 * 128;
  assert.equal(tokens, 5 * (2 * asked + (1000 - 100)));
});

test("demonstrations are read for each seed, and each query asked for each label", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/mr`);
    // Two lines of 18 characters and their ends; the template adds "Review: " and " Sentiment: ".
    const lines = `${"a".repeat(18)}\n`.repeat(2);
    await Deno.writeTextFile(`${folder}/mr/train.csv`, lines);
    await Deno.writeTextFile(`${folder}/mr/test.csv`, lines.repeat(2));
    const source = {
      kind: "sentences",
      folder,
      tasks: ["mr"],
      seeds: [1, 2],
      memoryDemonstrations: 10,
    } as const;
    const demonstration = (19 + 8 + 12) / 4;
    const evaluation = {
      kind: "in-context-learning",
      source,
      shots: 3,
      models: ["backbone"],
    } as const;
    const { tokens } = await estimate({ ...evaluation, scoring: "open-vocabulary" }, folder);
    assert.equal(tokens, Math.round(2 * 4 * 4 * demonstration));
    const both = await estimate({ ...evaluation, models: ["longmem"], maxItems: 1 }, folder);
    assert.equal(both.tokens, Math.round(2 * (10 * demonstration + 2 * 4 * demonstration)));
  });
});

test("efficiency passes what is in sight, with a memory the last segment alone", async () => {
  const { tokens } = await estimate({
    kind: "efficiency",
    totalTokens: [512, 1024],
    warmupPasses: 1,
    repetitions: 3,
    batchSize: 2,
    models: ["backbone", "longmem"],
  }, "nowhere");
  assert.equal(tokens, 2 * 4 * (512 + 1024) + 2 * 4 * 2 * 128);
});
