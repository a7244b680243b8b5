/**
 * Time and memory of a training step and of a forward pass by tokens of context, tokens in memory, and rows of a batch, and the exponents
 * with which they grow. By runs of one folder: `many_runs.ts`.
 *
 *     deno run -A tests/bench/growth.ts [--sizes small|large] [--write]
 *
 * Each measurement is a process of its own on one thread; times are the fastest of three after one.
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import process from "node:process";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { readArguments } from "../../src/command_line.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { Random } from "../../src/random.ts";
import { openDevice } from "../../src/runtime/open_device.ts";
import { openTrainer, releasedTraining } from "../training/small_training.ts";
import { fitExponent } from "./many_runs.ts";
import { describeMachine, machineLoad } from "./machine.ts";

/** Sizes of a batch and of the memory behind it. */
interface Sizes {
  readonly contextTokens: number;
  readonly memoryTokens: number;
  readonly rows: number;
}

/** What is measured, while the other sizes stay: the numbers of each axis. */
const sweeps = {
  small: { contextTokens: [16, 32], memoryTokens: [128, 256], rows: [1, 2] },
  large: {
    contextTokens: [64, 128, 256, 512, 1024],
    memoryTokens: [4096, 16_384, 65_536, 262_144],
    rows: [1, 2, 4, 8],
  },
} as const;

const fixed = {
  small: { contextTokens: 16, memoryTokens: 128, rows: 1 },
  large: { contextTokens: 128, memoryTokens: 4096, rows: 1 },
} as const;

/** What one process measured. */
interface Measured {
  readonly trainingMs: number;
  readonly forwardMs: number;
  readonly peakMiB: number;
}

const backbone = { layers: 4, hiddenDim: 128, heads: 4, feedForwardDim: 512, vocabSize: 1024 };
const sideNet = { layers: 2, reductionFactor: 2, memoryBlock: 2 };

/** Measures in this process. The memory is full, as every slot is compared. */
async function measure({ contextTokens, memoryTokens, rows }: Sizes): Promise<Measured> {
  const device = await openDevice("cpu", { threads: 1 });
  const memory: MemoryConfig = {
    ...memoryProtocols.strict,
    bank: "shared",
    reset: "epoch",
    capacityTokens: memoryTokens,
    chunkTokens: 4,
    retrievedTokens: 32,
    index: { kind: "exact" },
  };
  const weights = initializeBackbone(backbone, 1), frozen = { shape: backbone, weights };
  const parts = {
    backbone: frozen,
    sideNet: {
      shape: sideNet,
      weights: initializeSideNet(sideNet, frozen, { kind: "paper" }, 1),
    },
  };
  const ids = (seed: string) => {
    const random = new Random(seed);
    return Int32Array.from(
      { length: rows * contextTokens },
      () => 4 + random.below(backbone.vocabSize - 4),
    );
  };
  const trainer = await openTrainer({
    ...{ device, seed: 1, parts: { ...parts, memory } },
    config: { ...releasedTraining, batchSize: rows, contextTokens, batches: "lanes" },
  });
  const { signal } = new AbortController();
  const trainingMs = await fastest(async () => {
    const batch = {
      tokens: ids("text"),
      targets: ids("next"),
      starts: Array.from({ length: rows }, () => false),
      epoch: 0,
      endsEpoch: false,
    };
    await trainer.advance(() => batch, signal);
    await Array.fromAsync(trainer.results());
  });
  await trainer.close();
  const model = new LongMem(device, { ...parts, memory });
  const forwardMs = await fastest(() => model.score(ids("text"), ids("next"), { batch: rows }));
  await model.close();
  await device.close();
  return { trainingMs, forwardMs, peakMiB: process.resourceUsage().maxRSS / 1024 };
}

/** Milliseconds of the fastest of three calls after one. */
async function fastest(call: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 4; i++) {
    const start = performance.now();
    await call();
    if (i > 0) best = Math.min(best, performance.now() - start);
  }
  return best;
}

async function measureApart(sizes: Sizes): Promise<Measured> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url, "--measure", JSON.stringify(sizes)],
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`${JSON.stringify(sizes)}: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout).trim().split("\n").at(-1)!) as Measured;
}

/** Measures along each axis; a table in Markdown for each, with the exponents in its last row. */
export async function measureGrowthOfSizes(name: keyof typeof sweeps): Promise<string> {
  const titles = {
    contextTokens: "tokens of context",
    memoryTokens: "tokens in memory",
    rows: "rows of a batch",
  };
  const tables: string[] = [];
  for (const [axis, title] of Object.entries(titles)) {
    const values = sweeps[name][axis as keyof Sizes];
    const measured: Measured[] = [];
    for (const value of values) {
      measured.push(await measureApart({ ...fixed[name], [axis]: value }));
    }
    const exponent = (of: keyof Measured) =>
      fitExponent(measured.map((one, i) => [values[i], one[of]] as const)).toFixed(2);
    tables.push(
      [
        `| ${title} | ms a training step | ms a forward pass | peak MiB |`,
        "| ---: | ---: | ---: | ---: |",
        ...measured.map(({ trainingMs, forwardMs, peakMiB }, i) =>
          `| ${values[i].toLocaleString("en")} | ${trainingMs.toPrecision(3)} | ${
            forwardMs.toPrecision(3)
          } | ${Math.round(peakMiB)} |`
        ),
        `| exponent | ${exponent("trainingMs")} | ${exponent("forwardMs")} | ${
          exponent("peakMiB")
        } |`,
      ].join("\n"),
    );
  }
  return tables.join("\n\n");
}

if (import.meta.main) {
  if (Deno.args[0] === "--measure") {
    console.log(JSON.stringify(await measure(JSON.parse(Deno.args[1]))));
    Deno.exit(0);
  }
  const flags = [
    { name: "sizes", value: "SIZES", allowed: ["small", "large"], help: "default large" },
    { name: "write", help: "write the tables to results/bench/growth.md, too" },
  ];
  const args = readArguments({ flags }, Deno.args);
  const name = (args.flags.get("sizes")?.at(-1) ?? "large") as keyof typeof sweeps;
  const start = machineLoad(), tables = await measureGrowthOfSizes(name);
  const { contextTokens, memoryTokens, rows } = fixed[name];
  const text = [
    "# Growth",
    "",
    `${
      describeMachine(`${start} at the start and ${machineLoad()} at the end`)
    }. Where the load exceeds 1, other work ran beside it.`,
    `Width ${backbone.hiddenDim}, ${backbone.layers} + ${sideNet.layers} layers, one thread. Where they are not swept: ${contextTokens} tokens ` +
    `of context, ${memoryTokens} in memory, ${rows} row.`,
    "",
    tables,
    "",
  ].join("\n");
  console.log(text);
  if (args.flags.has("write")) {
    await Deno.mkdir("results/bench", { recursive: true });
    await Deno.writeTextFile("results/bench/growth.md", text);
  }
}
