import { Display, formatDuration, Progress } from "../../src/runner/progress.ts";
import { assert, test } from "../testing.ts";

/** A progress with a clock of its own; `shown` is what it wrote. */
function observed(overwrites: boolean) {
  const clock = { ms: 0 };
  const shown: string[] = [];
  const progress = new Progress({
    label: "run",
    display: new Display({ write: (text) => shown.push(text), overwrites }),
    now: () => clock.ms,
  });
  return { progress, shown, clock };
}

function training(step: number) {
  return { phase: "longmem", step, steps: 100, loss: 3.14159, tokensPerSecond: 999.6 };
}

test("Progress writes plain lines, one in ten seconds and the last, where none can be overwritten", () => {
  const { progress, shown, clock } = observed(false);
  for (let step = 1; step <= 100; step++) {
    clock.ms += 1000;
    progress.step({ ...training(step), memory: { tokens: 64 * step, capacityTokens: 9999 } });
  }
  assert.equal(shown.length, 11);
  assert.equal(shown[0], "run  longmem step 1/100  loss 3.1416  1000 tokens/s  memory 64/9999\n");
  assert.equal(
    shown[1],
    "run  longmem step 11/100  loss 3.1416  1000 tokens/s  memory 704/9999  2 min left\n",
  );
  assert.match(shown[10], /^run {2}longmem step 100\/100 .*9999\n$/);
});

test("Progress overwrites its line, blanking what a shorter one leaves, and ends it when done", () => {
  const { progress, shown, clock } = observed(true);
  progress.item({ evaluation: "perplexity-test", model: "longmem", items: 1, total: 2 });
  clock.ms += 50; // too soon to show
  progress.item({ evaluation: "p", model: "m", items: 1, total: 3 });
  clock.ms += 100;
  progress.item({ evaluation: "p", model: "m", items: 2, total: 3 });
  progress.note("done");
  assert.deepEqual(shown, [
    "\rrun  perplexity-test longmem  1/2",
    "\rrun  p m  2/3  1 s left".padEnd("\rrun  perplexity-test longmem  1/2".length),
    "\r" + "run  done".padEnd("run  p m  2/3  1 s left".length) + "\n",
  ]);
});

test("Display shows what several runs are at side by side, cut to the terminal, below what stays", () => {
  const shown: string[] = [];
  const display = new Display({
    write: (text) => shown.push(text),
    overwrites: true,
    columns: () => 31,
  });
  const of = (label: string, place: string) =>
    new Progress({ label, place, display, remark: () => "9 s left for all", now: () => Infinity });
  const first = of("first", "1/2"), second = of("second", "2/2");
  first.item({ evaluation: "e", model: "m", items: 1, total: 9 });
  second.item({ evaluation: "e", model: "m", items: 2, total: 9 });
  first.note("done");
  second.note("done");
  assert.deepEqual(shown, [
    "\r1/2  e m  1/9  9 s left for al",
    "\r1/2  e m  1/9  9 s left for al",
    "\r" + "first  done".padEnd(30) + "\n",
    "\r2/2  e m  2/9  9 s left for al",
    "\r" + "second  done".padEnd(30) + "\n",
  ]);
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
