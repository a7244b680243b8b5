import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { Pace, type Work, worksOf } from "../../src/queue/eta.ts";
import { smallExperiment } from "../experiment/small_experiment.ts";
import { assert, test } from "../testing.ts";

function observed(runs: Record<string, readonly Work[]>) {
  const clock = { ms: 3_600_000 };
  const pace = new Pace(() => clock.ms);
  pace.plan(new Map(Object.entries(runs)));
  return { pace, clock };
}

const works = (evaluation?: number): Work[] => [
  { phase: "longmem", training: "the same", operations: 600 },
  { phase: "p longmem", ...(evaluation === undefined ? {} : { operations: evaluation }) },
];

test("Pace tells by the arithmetic that is left what a run and all will take", () => {
  const { pace, clock } = observed({ a: works(120), b: works(60) });
  assert.equal(pace.remark(), "all runs: 0 of 2 done");
  pace.report("a", "longmem", 0.5); // resumed: what was done before took no time here
  assert.equal(pace.restOf("a", 9000), undefined);
  clock.ms += 10_000;
  pace.report("a", "longmem", 0.75); // 150 operations in 10 s
  assert.equal(pace.restOf("a", 40_000), "about 48 s"); // 8 s for the evaluation
  // 150 + 120 of this run, 60 of the other, which trains the same
  assert.equal(pace.remark(), "all runs: 0 of 2 done, about 22 s left");
  pace.report("a", "p longmem", 0);
  assert.equal(pace.restOf("a", 9000), undefined, "nothing follows");
  pace.finish("a");
  assert.equal(pace.remark(), "all runs: 1 of 2 done, about 4 s left");
});

test("Pace counts what follows the present phase, not what is done", () => {
  const three = ["first", "second", "third"].map((phase) => ({ phase, operations: 100 }));
  const { pace, clock } = observed({ a: three });
  pace.report("a", "first", 0);
  clock.ms += 10_000;
  pace.report("a", "first", 1);
  pace.report("a", "second", 0);
  assert.equal(pace.restOf("a", 5000), "about 15 s"); // 5 s, and 10 s of the third
  pace.report("a", "unknown", 0.5);
  pace.report("unknown", "first", 0.5);
  assert.equal(pace.restOf("a", 5000), "about 15 s", "what was not planned changes nothing");
});

test("Pace says where it will take longer than it knows, and nothing of single runs", () => {
  const { pace, clock } = observed({ a: works() });
  pace.report("a", "longmem", 0);
  clock.ms += 10_000;
  pace.report("a", "longmem", 0.6);
  assert.equal(pace.restOf("a", 4000), "over 4 s");
  assert.equal(pace.restOf("unknown", 4000), undefined);
  assert.equal(pace.remark(), undefined);
});

test("worksOf() names phases as runs report them, and trainings that runs share", async () => {
  const runs = resolveSweep("a.ts", {
    ...smallExperiment,
    corpus: { kind: "chronicle", books: { train: 1, valid: 1, test: 1 } },
    tokenizer: { kind: "chronicle" },
    sweep: { "memory.chunkTokens": [2, 4], "evaluations.0.contextTokens": [16, 32] },
  });
  const planned = await Promise.all(
    runs.map(async ({ experiment }) => worksOf(await estimateRun(experiment))),
  );
  const keysOf = (phase: string) =>
    planned.map((works) => works.find((work) => work.phase === phase)?.training);
  const [first, second, third] = keysOf("longmem");
  assert.ok(first !== undefined && first === second && first !== third);
  assert.equal(new Set(keysOf("backbone")).size, 1);
  for (const work of planned[0]) assert.ok(work.operations! > 0, work.phase);
  const models = smallExperiment.evaluations[0].models.map(String);
  assert.deepEqual(
    planned[0].filter(({ training }) => training === undefined).map(({ phase }) => phase),
    models.map((model) => `perplexity-test ${model}`),
  );
});
