import { catalogued } from "../../src/results/evaluation_table.ts";
import { closingText, foundText } from "../../src/results/run_summary.ts";
import { assert, test } from "../testing.ts";
import { metric, noSums, run as recordOf, type RunChange } from "./run_records.ts";

function run(change: RunChange) {
  return catalogued(recordOf(change), noSums);
}

test("closingText() has the main table, what it means, and where the rest is", () => {
  const metrics = [metric({}), metric({ name: "perplexity <5K" })];
  const text = closingText(
    [run({ path: "results/novels/m1", summary: { metrics } })],
    noSums,
  );
  assert.match(text, /^## novels \(scaled-down\)$/m);
  assert.match(text, /^\| backbone \| 24\.12 \u00b1 0\.35 \|$/m);
  assert.match(
    text,
    /^perplexity-test: perplexity of the backbone 24\.12 \u00b1 0\.35$/m,
  );
  assert.match(text, /results\/novels\/m1\/samples$/m);
  assert.match(text, /deno task table results\/novels\/m1$/m);
  assert.match(text, /deno task report results\/novels$/m);
  assert.doesNotMatch(text, /<5K/, "parts are left to the whole tables");
});

test("closingText() has the first part of an evaluation without a main table, and no sentence of it", () => {
  const metrics = ["speed 64", "speed 256", "peak memory 64"].map((name) => metric({ name }));
  const text = closingText([run({ summary: { metrics } })], noSums);
  assert.match(
    text,
    /^### perplexity-test, speed, by tokens in sight\n\n\| model +\| +64 \| +256 \|$/m,
  );
  assert.doesNotMatch(text, /peak memory|^perplexity-test:/m);
});

const swept = [64, 8].map((size) =>
  run({
    declaration: { memory: { size } },
    summary: { run: `m${size}`, variation: { "memory.size": size } },
  })
);

test("closingText() has all runs of an experiment in one table", () => {
  const text = closingText(swept, noSums);
  assert.match(text, /^\| 8 +\| backbone [^]*^\| 64 +\| backbone /m);
  assert.match(
    text,
    /^perplexity-test, by size: [^]*^perplexity-test, size 8: [^]*^perplexity-test, size 64: /m,
  );
  assert.match(text, /deno task table results\/novels$/m);
  assert.doesNotMatch(text, /samples/);
});

test("foundText() of one of several runs has its sentences alone", () => {
  assert.match(
    foundText(swept[0], noSums),
    /^perplexity-test: perplexity of the longmem 21\.500[^\n]*$/,
  );
});
