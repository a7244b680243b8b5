import { readRunRecords, replicationKey } from "../../src/results/run_record.ts";
import { assert, test } from "../testing.ts";
import { run } from "./run_records.ts";

test("readRunRecords() finds every run below folders, in order, once, with all it holds", async () => {
  const results = await Deno.makeTempDir();
  try {
    for (const [experiment, name] of [["b", "1"], ["a", "2"], ["a", "1"]]) {
      const folder = `${results}/${experiment}/${name}`;
      await Deno.mkdir(`${folder}/samples`, { recursive: true });
      const { summary } = run({ summary: { experiment, run: name } });
      await Deno.writeTextFile(`${folder}/summary.json`, JSON.stringify(summary));
      await Deno.writeTextFile(`${folder}/experiment.json`, `{"seed": ${name}}`);
      await Deno.writeTextFile(`${folder}/samples/perplexity-test.jsonl`, '{"item":"x"}\n');
      await Deno.writeTextFile(`${folder}/metrics.jsonl`, '{"step":1}\n{"step":2}\n');
    }
    await Deno.mkdir(`${results}/empty`);
    const found = await readRunRecords([results, `${results}/a`]);
    assert.deepEqual(found.map(({ path }) => path.slice(results.length)), ["/a/1", "/a/2", "/b/1"]);
    const [{ declaration, samples, training, environment }] = found;
    assert.deepEqual(declaration, { seed: 1 });
    assert.deepEqual([...samples], [["perplexity-test", [{ item: "x" }]]]);
    assert.equal(training.length, 2);
    assert.equal(environment, undefined);
  } finally {
    await Deno.remove(results, { recursive: true });
  }
});

test("replicationKey() is the same for other seeds and labels, and for nothing else", () => {
  const declaration = {
    name: "a",
    seed: 1,
    corpus: { kind: "chronicle", seed: 1, drills: 3 },
    backbone: { training: { steps: 10, checkpointEverySteps: 5 } },
  };
  const key = (change: object) =>
    replicationKey(run({ declaration: { ...declaration, ...change } }));
  const { corpus, backbone: { training } } = declaration;
  assert.equal(key({ seed: 2, corpus: { ...corpus, seed: 2 } }), key({}));
  assert.equal(key({ corpus: { drills: 3, seed: 1, kind: "chronicle" } }), key({}));
  assert.equal(key({ question: "Why?", device: "wasm", scale: "paper" }), key({}));
  assert.equal(key({ backbone: { training: { ...training, checkpointEverySteps: 7 } } }), key({}));
  assert.notEqual(key({ backbone: { training: { ...training, steps: 11 } } }), key({}));
  assert.notEqual(key({ corpus: { ...corpus, drills: 4 } }), key({}));
  const limited = run({ declaration, summary: { limit: 2 } });
  assert.notEqual(replicationKey(limited), key({}));
});
