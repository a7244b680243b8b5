/**
 * Time and memory by the number of runs in one folder of results, and the exponent with which they grow: of the queue that does the
 * runs, of the same queue when all are done, and of `table` and `status`.
 *
 *     deno run -A tests/bench/many_runs.ts [--runs 10,100,1000] [--write]
 *
 * The runs train and score nothing: what they would record is written at once, so that only the project's own work with folders,
 * locks and records is measured. Each measurement is a process of its own, whose peak memory is its own; times are those within
 * the process, after it has loaded the code, the fastest of three except for new runs.
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import { join } from "node:path";
import process from "node:process";
import { readArguments, UsageError } from "../../src/command_line.ts";
import { statusCommand } from "../../src/commands/status.ts";
import { tableCommand } from "../../src/commands/table.ts";
import { perplexityVersion } from "../../src/evaluation/perplexity.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { type ResolvedRun, resolveSweep } from "../../src/experiment/resolve.ts";
import { worksOf } from "../../src/queue/eta.ts";
import { executeQueue } from "../../src/queue/run_queue.ts";
import { Display } from "../../src/queue/terminal.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import type { RunExecutor } from "../../src/runner/run_context.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { describeMachine, machineLoad } from "./machine.ts";

const training = { batchSize: 1, contextTokens: 32, steps: 40, learningRate: 1e-3 };

/** An experiment whose runs differ in their seeds. */
function experimentOf(runs: number): Experiment {
  return {
    name: "many",
    corpus: { kind: "chronicle" },
    tokenizer: { kind: "chronicle" },
    backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
    sidenet: { memoryBlock: 1 },
    memory: { capacityTokens: 64, retrievedTokens: 16 },
    adaptation: training,
    evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
    sweep: { seed: Array.from({ length: runs }, (_, i) => i + 1) },
  };
}

/** Records of a run: 80 steps, 24 scored documents of two models, and two metrics. */
const recordRun: RunExecutor = async ({ experiment: { seed } }, { results }) => {
  for (const phase of ["backbone", "longmem"]) {
    const lines = Array.from({ length: training.steps }, (_, i) => ({
      ...{ phase, step: i + 1, split: "train" as const, tokens: 32 * (i + 1), loss: 4 + 1 / seed },
      timing: { tokensPerSecond: 1000, elapsedMs: i },
    }));
    await results.replaceMetrics(phase, lines);
  }
  for (const [place, model] of ["backbone", "longmem"].entries()) {
    const samples = Array.from({ length: 24 }, (_, i) => ({
      ...{ item: `document ${i}`, nats: 400 + i + seed / 7 - 9 * place, tokens: 100 },
      words: 80,
      bucket: "<5K",
    }));
    await results.appendSamples("perplexity-test", model, samples);
    await results.recordMetrics([{
      ...{ evaluation: "perplexity-test", model, name: "perplexity", measure: "perplexity" },
      ...{ value: 60 - place, stderr: 1, n: 24, unit: "", higherIsBetter: false },
      metricVersion: perplexityVersion,
    }]);
  }
};

async function queue(runs: readonly ResolvedRun[], results: string): Promise<void> {
  const states = await executeQueue(runs, recordRun, {
    ...{ results, fresh: false, jobs: 1, retryFailed: false, failFast: false },
    environment: await currentEnvironment(),
    signal: new AbortController().signal,
    display: new Display({ write: () => {}, overwrites: false }),
    report: (text) => console.error(text),
    worksOf: async ({ experiment }) => worksOf(await estimateRun(experiment)),
    closing: () => Promise.resolve(""),
  });
  const wrong = states.find((state) => !state.startsWith("completed"));
  if (wrong !== undefined) throw new Error(`a run is ${wrong}`);
}

/** Does something with a command; its output is only counted. */
async function command(make: typeof tableCommand, ...args: string[]): Promise<void> {
  let characters = 0;
  const output = {
    print: (text: string) => void (characters += text.length),
    note: (text: string) => console.error(text),
  };
  const made = make(output);
  await made.execute(readArguments(made, args));
  if (characters === 0) throw new Error("nothing was printed");
}

/** What is measured, of a folder with results of runs; the first writes them. */
const measurements: Readonly<
  Record<string, (folder: string, runs: number, file: string) => Promise<void>>
> = {
  "queue, new runs": (folder, runs, file) => queue(resolveSweep(file, experimentOf(runs)), folder),
  "queue, completed runs": (folder, runs, file) =>
    queue(resolveSweep(file, experimentOf(runs)), folder),
  table: (folder) => command(tableCommand, folder),
  status: (folder, _runs, file) => command(statusCommand, file, "--results", folder),
};

/** What one process measured. */
interface Measured {
  readonly milliseconds: number;
  readonly peakMiB: number;
}

/** Measures in this process. */
async function measure(name: string, ...args: [string, number, string]): Promise<Measured> {
  const times: number[] = [];
  for (let i = 0; i < (name === "queue, new runs" ? 1 : 3); i++) {
    const begun = performance.now();
    await measurements[name](...args);
    times.push(performance.now() - begun);
  }
  return {
    milliseconds: Math.min(...times),
    peakMiB: process.resourceUsage().maxRSS / 1024,
  };
}

/** Measures in a process of its own. */
async function measureApart(name: string, folder: string, runs: number, file: string) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url, "--measure", name, folder, `${runs}`, file],
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`${name} of ${runs} runs: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout).trim().split("\n").at(-1)!) as Measured;
}

/**
 * The exponent b of the power law y = a x^b that is closest to points, by least squares of their logarithms.
 *
 * @param points At least two, positive, of different x.
 */
export function fitExponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  const mean = (place: number) => logs.reduce((sum, log) => sum + log[place], 0) / logs.length;
  const x = mean(0), y = mean(1);
  const covariance = logs.reduce((sum, log) => sum + (log[0] - x) * (log[1] - y), 0);
  return covariance / logs.reduce((sum, log) => sum + (log[0] - x) ** 2, 0);
}

/** Measures folders of so many runs; a table in Markdown, with the exponents in its last row. */
export async function measureGrowth(counts: readonly number[]): Promise<string> {
  const names = Object.keys(measurements);
  const rows: Measured[][] = [];
  for (const runs of counts) {
    const folder = await Deno.makeTempDir();
    try {
      const file = join(folder, "many.ts");
      await Deno.writeTextFile(
        file,
        `export default ${JSON.stringify(experimentOf(runs))};\n`,
      );
      const row: Measured[] = [];
      for (const name of names) row.push(await measureApart(name, join(folder, "r"), runs, file));
      rows.push(row);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  const cells = rows.map((row) =>
    row.map(({ milliseconds, peakMiB }) =>
      `${Math.ceil(milliseconds)} ms, ${Math.round(peakMiB)} MiB`
    )
  );
  // What takes the same time whatever there is hides how the rest grows.
  const many = counts.flatMap((runs, i) => runs >= 100 || counts.length < 4 ? [i] : []);
  const exponents = names.map((_, column) => {
    const points = many.map((i) => [counts[i], rows[i][column].milliseconds] as const);
    return points.length < 2 ? "" : fitExponent(points).toFixed(2);
  });
  return [
    `| runs | ${names.join(" | ")} |`,
    `| ---: |${" ---: |".repeat(names.length)}`,
    ...cells.map((row, i) => `| ${counts[i].toLocaleString("en")} | ${row.join(" | ")} |`),
    `| exponent of the time | ${exponents.join(" | ")} |`,
  ].join("\n");
}

/** Numbers of runs, where the command line gives none. */
const defaultCounts = [10, 30, 100, 300, 1000, 3000];

if (import.meta.main) {
  if (Deno.args[0] === "--measure") {
    const [, name, folder, runs, file] = Deno.args;
    console.log(JSON.stringify(await measure(name, folder, Number(runs), file)));
    Deno.exit(0);
  }
  const flags = [
    { name: "runs", value: "N,N,...", help: "numbers of runs" },
    { name: "write", help: "write the table to results/bench/many_runs.md, too" },
  ];
  const args = readArguments({ flags }, Deno.args);
  const counts = args.flags.get("runs")?.at(-1)?.split(",").map(Number) ?? defaultCounts;
  const wrong = counts.find((count) => !Number.isSafeInteger(count) || count < 1);
  if (wrong !== undefined) {
    throw new UsageError(`Cannot read --runs as it has ${wrong}: allowed are positive integers`);
  }
  const text = [
    "# Runs in one folder",
    "",
    `${
      describeMachine(`${machineLoad()} at the start`)
    }. Each run records 80 steps and 24 documents of two models; exponents are fitted from 100 runs.`,
    "",
    await measureGrowth(counts),
  ].join("\n") + "\n";
  console.log(text);
  if (args.flags.has("write")) {
    await Deno.mkdir("results/bench", { recursive: true });
    await Deno.writeTextFile("results/bench/many_runs.md", text);
  }
}
