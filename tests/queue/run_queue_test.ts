import { perplexityVersion } from "../../src/evaluation/perplexity.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import type { Metric, RunSummary } from "../../src/results/records.ts";
import { Display } from "../../src/queue/terminal.ts";
import { lockRun } from "../../src/queue/run_lifecycle.ts";
import type { RunExecutor } from "../../src/runner/run_context.ts";
import { InputRangeError } from "../../src/errors.ts";
import {
  executeQueue,
  type QueuedState,
  type QueueOptions,
  summarizeQueue,
} from "../../src/queue/run_queue.ts";
import { smallEnvironment } from "../results/small_environment.ts";
import { temporaryOf } from "../../src/files.ts";
import { withFolder } from "../temporary_folder.ts";
import { smallExperiment } from "../experiment/small_experiment.ts";
import { assert, test } from "../testing.ts";

const runs = resolveSweep("a.ts", { ...smallExperiment, sweep: { seed: [1, 2, 3, 4] } });

function metric(change: Partial<Metric> = {}): Metric {
  return {
    evaluation: "perplexity-test",
    model: "backbone",
    name: "perplexity",
    measure: "perplexity",
    value: 9,
    n: 1,
    unit: "",
    higherIsBetter: false,
    metricVersion: perplexityVersion,
    ...change,
  };
}

/** A queue of four runs in a folder of its own; `act` is what each does, by its seed. */
async function queueTest(
  body: (
    run: (
      act: (seed: number, context: Parameters<RunExecutor>[1]) => Promise<void> | void,
      change?: Partial<QueueOptions>,
    ) => Promise<QueuedState[]>,
    observed: { executed: number[]; shown: string[]; reported: string[]; results: string },
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (results) => {
    const observed = {
      executed: [] as number[],
      shown: [] as string[],
      reported: [] as string[],
      results,
    };
    await body(async (act, change = {}) => {
      for (const list of [observed.executed, observed.shown, observed.reported]) list.length = 0;
      const executor: RunExecutor = async ({ experiment: { seed } }, context) => {
        observed.executed.push(seed);
        await act(seed, context);
        const report = { phase: "longmem", steps: 2, loss: 1, tokensPerSecond: 1 };
        for (const step of [1, 2]) {
          context.progress.step({ ...report, step });
          await new Promise((done) => setTimeout(done, 1));
        }
        await context.results.recordMetrics([metric({ value: seed })]);
      };
      return await executeQueue(runs, executor, {
        results,
        environment: smallEnvironment,
        fresh: false,
        jobs: 1,
        retryFailed: false,
        failFast: false,
        signal: new AbortController().signal,
        display: new Display({ write: (text) => observed.shown.push(text), overwrites: false }),
        report: (text) => observed.reported.push(text),
        worksOf: () => Promise.resolve([{ phase: "longmem", operations: 100 }]),
        closing: (folder) => Promise.resolve(`closing of ${folder}`),
        ...change,
      });
    }, observed);
  });
}

async function summaryOf(results: string, i: number): Promise<RunSummary> {
  return JSON.parse(await Deno.readTextFile(`${results}/small/${runs[i].id}/summary.json`));
}

function failOn(...seeds: number[]) {
  return (seed: number) => {
    if (seeds.includes(seed)) throw new InputRangeError(`Cannot go on as ${seed} is unlucky`);
  };
}

test("executeQueue() keeps what is completed, and says what each run varies and when all will be", async () => {
  await queueTest(async (run, { executed, shown, results }) => {
    assert.deepEqual(await run(() => {}), Array(4).fill("completed"));
    assert.deepEqual(executed, [1, 2, 3, 4]);
    assert.equal(shown[0], `small/${runs[0].id}  run 1 of 4: seed=1\n`);
    assert.equal(shown[3], `\nclosing of ${results}/small/${runs[0].id}\n`);
    const all = shown.filter((line) => line.includes("all runs"));
    assert.match(all[1], /^small\/\S+ {2}all runs: 2 of 4 done, about \d+ s left\n$/);
    assert.match(all[3], / {2}all runs: 4 of 4 done\n$/);
    assert.deepEqual((await summaryOf(results, 2)).variation, { seed: 3 });
    assert.deepEqual(await run(() => {}), Array(4).fill("completed earlier"));
    assert.deepEqual(executed, []);
    assert.deepEqual(await run(() => {}, { fresh: true }), Array(4).fill("completed"));
  });
});

test("executeQueue() lists what failed earlier, and resumes it where it is asked to", async () => {
  await queueTest(async (run, { executed, reported }) => {
    const states = ["completed", "failed", "completed", "completed"];
    assert.deepEqual(await run(failOn(2)), states);
    assert.deepEqual(executed, [1, 2, 3, 4]);
    assert.deepEqual(reported, [`small/${runs[1].id} failed: Cannot go on as 2 is unlucky`]);
    const earlier = "completed earlier";
    assert.deepEqual(await run(() => {}), [earlier, "failed earlier", earlier, earlier]);
    assert.deepEqual(executed, []);
    assert.deepEqual(reported, [
      `small/${runs[1].id} failed earlier: Cannot go on as 2 is unlucky; --retry-failed resumes it`,
    ]);
    const retried = await run(() => {}, { retryFailed: true });
    assert.deepEqual(retried, [earlier, "completed", earlier, earlier]);
    assert.deepEqual(executed, [2]);
  });
});

test("executeQueue() takes a completed run for one whose variation cannot be recorded", async () => {
  await queueTest(async (run, { executed, shown, reported, results }) => {
    await run(() => {});
    const path = `${results}/small/${runs[1].id}/summary.json`;
    const { variation: _variation, ...summary } = await summaryOf(results, 1);
    await Deno.writeTextFile(path, JSON.stringify(summary));
    await Deno.mkdir(temporaryOf(path)); // cannot be written
    assert.deepEqual(await run(() => {}), Array(4).fill("completed earlier"));
    assert.deepEqual([executed, reported], [[], []]);
    assert.ok(shown.some((line) => /Cannot write ".*summary.json" as a folder stands/.test(line)));
    await run(() => {});
    assert.deepEqual((await summaryOf(results, 1)).variation, { seed: 2 });
  });
});

test("executeQueue() says that a run failed whose state cannot be written, whatever its state was", async () => {
  const { rename } = Deno;
  for (const before of ["planned", "interrupted"] as const) {
    await queueTest(async (run, { executed, reported, results }) => {
      const stop = new AbortController();
      const interrupt = () => {
        stop.abort(new DOMException("The run was interrupted", "AbortError"));
        stop.signal.throwIfAborted();
      };
      if (before === "interrupted") {
        assert.equal((await run(interrupt, { signal: stop.signal }))[0], "interrupted");
      }
      let written = 0;
      Deno.rename = async (from, to) => {
        // The folder is opened; the next summary would say that the run is running.
        if (String(to).endsWith(`${runs[0].id}/summary.json`) && ++written > 1) {
          throw Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
        }
        await rename(from, to);
      };
      try {
        assert.deepEqual((await run(() => {}))[0], "failed");
      } finally {
        Deno.rename = rename;
      }
      assert.ok(!executed.includes(1));
      assert.equal(reported.length, 1);
      assert.match(
        reported[0],
        /^small\/\S+ failed: Cannot write .*summary.json" as the disk is full$/,
      );
      assert.equal((await summaryOf(results, 0)).state, before);
      assert.equal((await run(() => {}))[0], "completed");
    });
  }
});

test("executeQueue() begins no run after a failure where it is to stop, nor after an interruption", async () => {
  await queueTest(async (run, { executed, results }) => {
    const states = await run(failOn(2), { failFast: true });
    assert.deepEqual(states, ["completed", "failed", "waiting", "waiting"]);
    assert.deepEqual(executed, [1, 2]);
    assert.equal((await summaryOf(results, 2)).state, "planned");

    const interruption = new AbortController();
    const interrupted = await run((seed) => {
      if (seed !== 3) return;
      interruption.abort(new Error("Enough"));
      interruption.signal.throwIfAborted();
    }, { signal: interruption.signal });
    assert.deepEqual(interrupted, [
      "completed earlier",
      "failed earlier",
      "interrupted",
      "waiting",
    ]);
    assert.equal((await summaryOf(results, 2)).state, "interrupted");
  });
});

test("executeQueue() leaves a run to the process that executes it, and goes on with the others", async () => {
  await queueTest(async (run, { executed, shown, results }) => {
    const taken = await lockRun(results, runs[1]);
    assert.ok("lock" in taken);
    const states = await run(() => {}, { fresh: true });
    assert.deepEqual(states, ["completed", "locked", "completed", "completed"]);
    assert.deepEqual(executed, [1, 3, 4]);
    const left = shown.filter((line) => line.includes("left to process"));
    assert.equal(left.length, 1);
    assert.match(
      left[0],
      new RegExp(`left to process ${Deno.pid} on host .* since .*, which executes it`),
    );
    const names = await Array.fromAsync(Deno.readDir(`${results}/small/${runs[1].id}`));
    assert.deepEqual(names.map(({ name }) => name), ["lock"], "nothing of it is touched");
    taken.lock[Symbol.dispose]();
    assert.equal((await run(() => {}))[1], "completed");
  });
});

test("executeQueue() does not execute again what another process completes before its turn comes", async () => {
  await queueTest(async (run, { executed, results }) => {
    const states = await run(async (seed) => {
      if (seed !== 1) return;
      const path = `${results}/small/${runs[2].id}/summary.json`;
      const planned = JSON.parse(await Deno.readTextFile(path));
      assert.equal(planned.state, "planned");
      await Deno.writeTextFile(path, JSON.stringify({ ...planned, state: "completed" }));
    });
    assert.deepEqual(states, ["completed", "completed", "completed elsewhere", "completed"]);
    assert.deepEqual(executed, [1, 2, 4]);
  });
});

/** What another process, which had a run when the queue began, leaves of it, and what the queue makes of that. */
const leftByOthers: [state: string, queued: QueuedState, executed: number[], fresh: boolean][] = [
  ["completed", "completed elsewhere", [1, 3, 4], false],
  ["completed", "completed elsewhere", [1, 3, 4], true],
  ["failed", "failed earlier", [1, 3, 4], false],
  ["interrupted", "completed", [1, 3, 4, 2], false],
  ["running", "completed", [1, 3, 4, 2], false], // killed
];

for (const [state, queued, wanted, fresh] of leftByOthers) {
  const name = `executeQueue() looks at the end after a run that another process left ${state}` +
    (fresh ? ", also with --fresh" : "");
  test(name, async () => {
    await queueTest(async (run, { executed, results }) => {
      const path = `${results}/small/${runs[1].id}/summary.json`;
      const taken = await lockRun(results, runs[1]);
      assert.ok("lock" in taken);
      const states = await run(async (seed) => {
        if (seed !== 4) return;
        const { id, experiment: { name, scale } } = runs[1];
        const summary = { state, experiment: name, run: id, scale, metrics: [] };
        await Deno.writeTextFile(path, JSON.stringify(summary));
        taken.lock[Symbol.dispose]();
      }, { fresh });
      assert.deepEqual(states, ["completed", queued, "completed", "completed"]);
      assert.deepEqual(executed, wanted);
    });
  });
}

test("executeQueue() opens the folders of runs that begin at once a single time, of others to plan them", async () => {
  for (const [jobs, wanted] of [[1, 1 + 2 * 3], [3, 3 + 2 * 1], [9, 4]]) {
    await queueTest(async (run, { results }) => {
      let opened = 0;
      const environment = {
        ...smallEnvironment,
        get startedAt() {
          opened++;
          return "2026-01-01T00:00:00.000Z";
        },
      };
      await run(async (seed) => {
        if (seed !== 1) return;
        for (const [i, { id }] of runs.entries()) {
          if (i < jobs) continue;
          const path = `${results}/small/${id}/summary.json`;
          assert.equal(JSON.parse(await Deno.readTextFile(path)).state, "planned");
        }
      }, { environment, jobs });
      assert.equal(opened, wanted, `${jobs} at once`);
    });
  }
});

for (const [when, opening, taken] of [["planned", 1, 1], ["begun", 4, 0]] as const) {
  test(`executeQueue() leaves a run to the process that takes it over while it is ${when}`, async () => {
    await queueTest(async (run, { executed, reported, results }) => {
      let opened = 0;
      const environment = {
        ...smallEnvironment,
        get startedAt() {
          if (++opened === opening) {
            const other = { pid: 7, host: "elsewhere", token: "another" };
            const path = `${results}/small/${runs[taken].id}/lock`;
            // deno-lint-ignore no-sync-fn-in-async-fn -- a getter cannot wait
            Deno.writeTextFileSync(path, JSON.stringify(other));
          }
          return "2026-01-01T00:00:00.000Z";
        },
      };
      const states = await run(() => {}, { environment });
      assert.deepEqual(
        states.map((state) => state === "taken over"),
        [0, 1, 2, 3].map((i) => i === taken),
      );
      assert.deepEqual(executed, [1, 2, 3, 4].filter((seed) => seed !== taken + 1));
      assert.match(
        reported.join("\n"),
        /^small\/\S+ was left: .* taken over by process 7 on host elsewhere/,
      );
    });
  });
}

test("executeQueue() holds a run's lock while it executes, and several at once", async () => {
  await queueTest(async (run, { results }) => {
    let atOnce = 0, most = 0;
    const three = Promise.withResolvers<void>();
    const states = await run(async (seed) => {
      most = Math.max(most, ++atOnce);
      if (atOnce === 3) three.resolve();
      assert.ok("holder" in await lockRun(results, runs[seed - 1]));
      await three.promise;
      atOnce--;
    }, { jobs: 3 });
    assert.deepEqual(states, Array(4).fill("completed"));
    assert.equal(most, 3);
    assert.ok("lock" in await lockRun(results, runs[0]));
  });
});

test("executeQueue() executes a completed run again where its metrics have a newer version", async () => {
  await queueTest(async (run, { executed, results }) => {
    await run(() => {});
    const path = `${results}/small/${runs[3].id}/summary.json`;
    const { metrics, ...summary } = await summaryOf(results, 3);
    const outdated = metrics.map((metric) => ({ ...metric, metricVersion: 0 }));
    await Deno.writeTextFile(path, JSON.stringify({ ...summary, metrics: outdated }));
    const states = await run(() => {});
    assert.deepEqual(states.slice(2), ["completed earlier", "completed"]);
    assert.deepEqual(executed, [4]);
  });
});

test("summarizeQueue() counts what runs have come to, earlier ones apart", () => {
  assert.equal(
    summarizeQueue(
      [
        "completed",
        "completed earlier",
        "failed",
        "failed earlier",
        "completed elsewhere",
        "locked",
        "interrupted",
        "waiting",
        "waiting",
      ],
      "results",
    ),
    "9 runs: 3 completed (1 earlier, 1 by other processes), 2 failed (1 earlier), " +
      "1 still executed by other processes, 1 interrupted, 2 not begun; results are in results",
  );
  assert.equal(summarizeQueue(["completed"], "r"), "1 run: 1 completed; results are in r");
});
