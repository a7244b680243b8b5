import { Display } from "../../src/queue/terminal.ts";
import { formatDuration } from "../../src/queue/duration.ts";
import { Pace } from "../../src/queue/eta.ts";
import { Progress } from "../../src/queue/progress.ts";
import { assert, test } from "../testing.ts";

/** A progress with a clock of its own; `shown` is what it wrote. */
function observed(overwrites: boolean) {
  const clock = { ms: 0 };
  const shown: string[] = [];
  const now = () => clock.ms;
  const pace = new Pace(now);
  const progress = new Progress({
    label: "experiment/run",
    place: "1/2",
    display: new Display({ write: (text) => shown.push(text), overwrites }),
    pace,
    now,
  });
  return { progress, shown, clock, pace };
}

function training(step: number, steps = 100) {
  return { phase: "longmem", step, steps, loss: 3.14159, tokensPerSecond: 999.6 };
}

test("Progress writes plain lines, one in ten seconds and the last, where none can be overwritten", () => {
  const { progress, shown, clock } = observed(false);
  for (let step = 1; step <= 100; step++) {
    clock.ms += 1000;
    progress.step({ ...training(step), memory: { tokens: 64 * step, capacityTokens: 9999 } });
  }
  assert.equal(shown.length, 11);
  const line = "experiment/run  longmem step";
  const rest = "loss 3.1416  1000 tokens/s  memory";
  assert.equal(shown[0], `${line} 1/100  ${rest} 64/9999 tokens\n`);
  assert.equal(shown[1], `${line} 11/100  ${rest} 704/9999 tokens  2 min left\n`);
  assert.match(shown[10], /^experiment\/run {2}longmem step 100\/100 .*9999 tokens\n$/);
});

test("Progress writes fewer lines the longer a phase takes", () => {
  const { progress, shown, clock } = observed(false);
  const day = 86_400;
  for (let second = 1; second <= day; second++) {
    clock.ms += 1000;
    progress.step(training(second, day));
  }
  const first = shown.filter((_, i) => i < 11).at(-1)!;
  assert.match(first, / step 101\//, "every 10 s at first");
  assert.ok(shown.length > day / 300 && shown.length < 350, `${shown.length} lines`);
});

test("Progress says on a terminal what a run is at, of all runs, too, and keeps what is done", () => {
  const { progress, shown, clock, pace } = observed(true);
  pace.plan(
    new Map([
      ["experiment/run", [{ phase: "longmem", operations: 100 }, {
        phase: "e longmem",
        operations: 5,
      }]],
      ["experiment/other", [{ phase: "e longmem", operations: 5 }]],
    ]),
  );
  progress.begin("run 1 of 2: seed=1");
  progress.doing("reading");
  clock.ms += 1000;
  progress.step(training(1));
  clock.ms += 50; // too soon to show
  progress.step(training(2));
  clock.ms += 950;
  progress.step(training(2));
  progress.step(training(100));
  progress.item({ evaluation: "e", model: "longmem", items: 1, total: 4, unit: "tokens" });
  clock.ms += 4000;
  progress.item({ evaluation: "e", model: "longmem", items: 2, total: 4, unit: "tokens" });
  progress.note("done");
  const text = shown.join("").replaceAll("\x1b[1A", "").replaceAll("\r\x1b[J", "<");
  const all = "all runs: 0 of 2 done";
  assert.equal(
    text,
    [
      "experiment/run  run 1 of 2: seed=1",
      `1/2  reading\n${all}<1/2  longmem step 1/100  loss 3.1416  1000 tokens/s`,
      // 1 operation a second: 98 and 5 of this run, 5 of the other
      `${all}<1/2  longmem step 2/100  loss 3.1416  1000 tokens/s  2 min left  run: about 2 min left`,
      `${all}, about 2 min left<1/2  longmem step 100/100  loss 3.1416  1000 tokens/s`,
      "1/2  e longmem 2/4 tokens  0.25 tokens/s  8 s left",
      `${all}, about 1 s left<1/2  done`,
      "",
    ].join("\n"),
  );
});

test("Progress starts to count anew with each phase", () => {
  const { progress, shown, clock } = observed(false);
  progress.step({ ...training(99), phase: "backbone" });
  clock.ms += 60_000;
  progress.step({ ...training(1), steps: 3 });
  clock.ms += 20_000;
  progress.step({ ...training(2), steps: 3 });
  assert.match(shown[1], /step 1\/3 {2}loss 3.1416 {2}1000 tokens\/s\n$/); // no pace yet
  assert.match(shown[2], / {2}20 s left\n$/);
});

test("formatDuration() rounds up, as people count", () => {
  assert.deepEqual(
    [1, 59_000, 59_001, 3_540_001, 7_500_000].map(formatDuration),
    ["1 s", "59 s", "1 min", "1 h 00 min", "2 h 05 min"],
  );
});
