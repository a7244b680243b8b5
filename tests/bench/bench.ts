/**
 * Benchmarks at the official code's configuration on a CPU (width 256, 8 heads, 8 + 4 layers, vocabulary 8192, 2 x 512 tokens a
 * step, memory 4096, chunk 4, K 64; 13,662,216 parameters, of which 3,153,416 train):
 *
 *     deno task bench [--device cpu|webgpu|wasm] [--threads N] [--config bench|released|tiny] [--repeats N] [--write]
 *
 * Every part runs in processes of its own, so that its peak memory is its own: three, or `--repeats`, one after the other; the table
 * shows the median of each quantity, the least and the most. Each process first measures the engine's roof, the
 * rate of its largest matrix product, and rates are quoted against it: absolute times say little on a shared machine. On the cpu
 * they are also quoted against the machine's limit, the larger of the roof and of the rate of a BLAS, where one is installed
 * (Debian's libopenblas0-pthread).
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import {
  asksForHelp,
  commandHelp,
  positiveInteger,
  readArguments,
  terminalWidth,
  UsageError,
} from "../../src/command_line.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { BackboneShape } from "../../src/backbone/shape.ts";
import { Graph } from "../../src/graph/graph.ts";
import { matmul } from "../../src/graph/ops/matmul.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { SideNetShape } from "../../src/longmem/sidenet_shape.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { createExactSearch } from "../../src/memory/index/exact_search.ts";
import { bankInputNames, retrieveExactly } from "../../src/memory/memory_graph.ts";
import { compile } from "../../src/runtime/compile.ts";
import { type Device, type DeviceKind, deviceKinds } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open_device.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { Random } from "../../src/random.ts";
import { openTrainer, releasedTraining } from "../training/small_training.ts";
import { measureBlas } from "./blas.ts";
import { describeMachine, machineLoad } from "./machine.ts";

/** A model and a batch to measure. */
interface BenchConfig {
  readonly backbone: BackboneShape;
  readonly sideNet: SideNetShape;
  readonly memory: MemoryConfig;
  readonly rows: number;
  readonly contextTokens: number;
  /** Rows and columns of the matrices whose product is the roof. */
  readonly roofSize: number;
  /** Chunks among which retrieval is measured, for 16 heads and 1,024 queries. */
  readonly retrievalChunks: readonly number[];
}

const official = {
  ...memoryProtocols["released-code"],
  storage: "float32",
  chunkTokens: 4,
  retrievedTokens: 64,
  index: { kind: "exact" },
} as const;

const configs: Readonly<Record<string, BenchConfig>> = {
  bench: {
    backbone: { layers: 8, hiddenDim: 256, heads: 8, feedForwardDim: 1024, vocabSize: 8192 },
    sideNet: { layers: 4, reductionFactor: 2, memoryBlock: 5 },
    memory: { ...official, capacityTokens: 4096 },
    rows: 2,
    contextTokens: 512,
    roofSize: 2048,
    retrievalChunks: [1024, 16_384],
  },
  released: {
    backbone: { layers: 24, hiddenDim: 1024, heads: 16, feedForwardDim: 4096, vocabSize: 51_200 },
    sideNet: { layers: 12, reductionFactor: 2, memoryBlock: 17 },
    memory: { ...official, capacityTokens: 65_536 },
    rows: 1,
    contextTokens: 1024,
    roofSize: 4096,
    retrievalChunks: [1024, 16_384],
  },
  // Shows that the benchmark runs, for example on a software adapter; its numbers mean nothing.
  tiny: {
    backbone: { layers: 2, hiddenDim: 32, heads: 2, feedForwardDim: 128, vocabSize: 64 },
    sideNet: { layers: 1, reductionFactor: 2, memoryBlock: 1 },
    memory: { ...official, capacityTokens: 256, retrievedTokens: 16 },
    rows: 2,
    contextTokens: 16,
    roofSize: 128,
    retrievalChunks: [64],
  },
};

/** What one part measured. */
interface Measurement {
  readonly part: string;
  readonly roofGflops: number;
  /** Of a BLAS with as many threads; absent without one, and where the processor is not what runs the models. */
  readonly blasGflops?: number;
  readonly peakMiB: number;
  readonly rows: readonly { readonly what: string; readonly value: string }[];
}

/** Useful floating-point operations a token: what the method needs, whatever the program does beside it. */
function usefulFlops(
  { backbone, sideNet, memory, contextTokens: T }: BenchConfig,
  training: boolean,
): number {
  const { layers: L, hiddenDim: E, vocabSize: V } = backbone;
  const block = 24 * E * E, attention = 4 * T * E, head = 2 * V * E;
  const retrieval = 2 * Math.floor(memory.capacityTokens / memory.chunkTokens) * E +
    4 * memory.retrievedTokens * E;
  return L * (block + attention) + sideNet.layers * ((training ? 3 : 1) * block + attention) +
    (training ? 2 : 1) * head + retrieval;
}

/** Milliseconds of the fastest of `count` runs after `warmUp`. */
async function fastest(
  run: () => Promise<unknown>,
  options: { count: number; warmUp: number },
): Promise<number> {
  let best = Infinity;
  for (let i = -options.warmUp; i < options.count; i++) {
    const start = performance.now();
    await run();
    if (i >= 0) best = Math.min(best, performance.now() - start);
  }
  return best;
}

async function measureRoof(device: Device, n: number): Promise<number> {
  const graph = new Graph();
  graph.output("y", matmul(graph.input("a", [n, n]), graph.input("b", [n, n])));
  const session = await compile(device, graph);
  const random = randomArray(n * n, 1);
  const a = device.tensor(random, [n, n]);
  const into = { y: device.zeros([n, n]) }; // one result for all runs, so that no garbage counts as the model's memory
  const ms = await fastest(async () => {
    const { y } = await session.run({ a, b: a }, into);
    if (device.kind === "webgpu") await y.read();
  }, { count: 8, warmUp: 1 });
  for (const tensor of [a, into.y]) tensor.dispose();
  await session.close();
  return 2 * n ** 3 / ms / 1e6;
}

function randomArray(size: number, seed: number): Float32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => random.nextUint32() / 2 ** 32 - 0.5);
}

function randomIds(config: BenchConfig, seed: number): Int32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Int32Array.from(
    { length: config.rows * config.contextTokens },
    () => 4 + random.below(config.backbone.vocabSize - 4),
  );
}

function parts(config: BenchConfig) {
  const backbone = { shape: config.backbone, weights: initializeBackbone(config.backbone, 1) };
  const sideNet = {
    shape: config.sideNet,
    weights: initializeSideNet(config.sideNet, backbone, { kind: "paper" }, 1),
  };
  return { backbone, sideNet };
}

const tokensOf = (config: BenchConfig) => config.rows * config.contextTokens;
/** The row whose value is quoted against the roof. */
const useful = "useful GFLOP/s";

const rate = (config: BenchConfig, ms: number, training: boolean) => {
  const gflops = usefulFlops(config, training) * tokensOf(config) / ms / 1e6;
  return [
    { what: "ms a step", value: ms.toFixed(0) },
    { what: "tokens/s", value: (1000 * tokensOf(config) / ms).toFixed(0) },
    { what: useful, value: gflops.toFixed(1) },
  ];
};

async function benchTraining(device: Device, config: BenchConfig) {
  const trainer = await openTrainer({
    device,
    seed: 1,
    parts: { ...parts(config), memory: config.memory },
    config: {
      ...releasedTraining,
      batchSize: config.rows,
      contextTokens: config.contextTokens,
      batches: "lanes",
    },
  });
  let step = 0;
  const next = () => ({
    tokens: randomIds(config, step++),
    targets: randomIds(config, step),
    starts: Array.from({ length: config.rows }, () => false),
    epoch: 0,
    endsEpoch: false,
  });
  // As in a training, several updates follow one another on a device that computes while the host goes on.
  const updates = device.runsAhead ? 8 : 1, { signal } = new AbortController();
  const ms = await fastest(async () => {
    for (let i = 0; i < updates; i++) await trainer.advance(next, signal);
    await Array.fromAsync(trainer.results());
  }, { count: 20, warmUp: 4 }) / updates;
  await trainer.close();
  return rate(config, ms, true);
}

async function benchForward(device: Device, config: BenchConfig) {
  const model = new LongMem(device, { ...parts(config), memory: config.memory });
  let step = 0;
  const ms = await fastest(
    () => model.score(randomIds(config, step++), randomIds(config, step), { batch: config.rows }),
    { count: 20, warmUp: 4 },
  );
  await model.close();
  return rate(config, ms, false);
}

/**
 * Generation from windows that are three quarters full: by the cached keys and values of their tokens, and by a pass over all of
 * them for each token, as it is when a full window slides.
 */
async function benchGeneration(device: Device, config: BenchConfig) {
  const model = new LongMem(device, { ...parts(config), memory: config.memory });
  const { contextTokens } = config;
  const tokens = randomIds(config, 1);
  const filled = Math.ceil(3 * contextTokens / 4);
  const times = { count: Math.min(8, contextTokens - filled - 2), warmUp: 2 };

  const growing = model.openWindow({ contextTokens });
  await growing.append(tokens.subarray(0, filled));
  let next = filled;
  const cached = await fastest(() => growing.append([tokens[next++]]), times);
  const sliding = model.openWindow({ contextTokens: filled });
  await sliding.append(tokens.subarray(0, filled));
  const whole = await fastest(() => sliding.append([tokens[0]]), times);

  for (const window of [growing, sliding]) await window.close();
  await model.close();
  return [
    { what: "tokens/s, keys and values cached", value: (1000 / cached).toFixed(1) },
    { what: "tokens/s, a whole window for each", value: (1000 / whole).toFixed(1) },
    { what: "times as fast, keys and values cached", value: (whole / cached).toFixed(1) },
  ];
}

/**
 * Exact retrieval of 16 chunks for 1,024 queries of 16 heads from full banks: by nodes of a graph, and on a GPU by kernels of
 * our own, too. They may differ in a few ids of chunks whose scores are equal but for rounding.
 */
async function benchRetrieval(device: Device, config: BenchConfig) {
  const rows: { what: string; value: string }[] = [];
  for (const P of config.retrievalChunks) {
    const H = 16, T = 1024, D = 64;
    const bank = { banks: 1, heads: H, headDim: D, capacityChunks: P, chunkTokens: 4 };
    const sizes = { retrievedChunks: 16, blockBytes: device.blockBytes };
    const queries = device.tensor(randomArray(H * T * D, 1), [1, H, T, D]);
    const meanKeys = device.tensor(randomArray(H * (D + 1) * P, 2), [1, H, D + 1, P]);
    const graph = new Graph();
    const found = retrieveExactly(graph.input("queries", [1, H, T, D]), bank, sizes);
    graph.output("ids", found.ids);
    const session = await compile(device, graph, { hostOutputs: ["ids"] });
    const kernels = device.kind === "webgpu"
      ? await createExactSearch(device as WebGpuDevice, bank, { ...sizes, meanKeys: [meanKeys] })
      : undefined;
    const methods: Record<string, () => Promise<Int32Array>> = {
      "ONNX Runtime's operators": async () => {
        const { ids } = await session.run({ queries, [bankInputNames.meanKeys]: meanKeys });
        const read = await ids.read() as Int32Array;
        ids.dispose();
        return read;
      },
    };
    if (kernels) {
      methods["our kernels"] = async () => {
        const [ids, scores] = await kernels.search([queries]);
        const read = await ids.read() as Int32Array;
        for (const tensor of [ids, scores]) tensor.dispose();
        return read;
      };
    }
    const measured: { ms: number; ids: Int32Array }[] = [];
    for (const [method, run] of Object.entries(methods)) {
      const before = peakMiB();
      let ids!: Int32Array;
      const ms = await fastest(async () => ids = await run(), { count: 2, warmUp: 1 });
      measured.push({ ms, ids });
      const by = kernels ? `, ${method}` : "";
      rows.push(
        { what: `us a query (16 heads) among ${P} chunks${by}`, value: (1000 * ms / T).toFixed(1) },
        { what: `MiB of scratch among ${P} chunks${by}`, value: (peakMiB() - before).toFixed(0) },
      );
    }
    if (measured.length === 2) {
      const [operators, ours] = measured;
      const different = ours.ids.filter((id, i) => id !== operators.ids[i]).length;
      rows.push(
        {
          what: `times as fast among ${P} chunks, our kernels`,
          value: (operators.ms / ours.ms).toFixed(1),
        },
        {
          what: `different ids among ${P} chunks`,
          value: `${different} of ${ours.ids.length}`,
        },
      );
    }
    kernels?.dispose();
    for (const tensor of [queries, meanKeys]) tensor.dispose();
    await session.close();
  }
  return rows;
}

const benchmarks = {
  training: benchTraining,
  forward: benchForward,
  generation: benchGeneration,
  retrieval: benchRetrieval,
} as const;

/** Peak resident memory of this process; the present one where the system does not say. */
function peakMiB(): number {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"));
    if (peak) return Number(peak[1]) / 1024;
  } catch { /* not Linux */ }
  return Deno.memoryUsage().rss / 2 ** 20;
}

async function runPart(
  part: keyof typeof benchmarks,
  kind: DeviceKind,
  config: BenchConfig,
  threads?: number,
) {
  const device = await openDevice(kind, threads === undefined ? {} : { threads });
  const before = await measureRoof(device, config.roofSize);
  const rows = await benchmarks[part](device, config);
  const peak = peakMiB();
  const roofGflops = Math.max(before, await measureRoof(device, config.roofSize));
  await device.close();
  const blasGflops = kind === "cpu"
    ? measureBlas(config.roofSize, threads ?? navigator.hardwareConcurrency)
    : undefined;
  const share = (value: string, of: number) => (Number(value) / of).toFixed(2);
  const scaled = rows.flatMap((row) =>
    row.what !== useful ? [row] : [
      row,
      { what: "share of the roof", value: share(row.value, roofGflops) },
      ...blasGflops === undefined ? [] : [{
        what: "share of the machine's limit",
        value: share(row.value, Math.max(roofGflops, blasGflops)),
      }],
    ]
  );
  const blas = blasGflops === undefined ? {} : { blasGflops };
  return { part, roofGflops, ...blas, peakMiB: peak, rows: scaled, device: device.description };
}

const command = {
  operands: "",
  help:
    "Measures speed and peak memory of training, forward passes, generation and retrieval, each in processes of its own.",
  flags: [
    {
      name: "device",
      value: "DEVICE",
      allowed: deviceKinds.filter((kind) => kind !== "auto"),
      help: "where to run (default cpu)",
    },
    {
      name: "config",
      value: "NAME",
      allowed: Object.keys(configs),
      help: "sizes of the model and of the batch (default bench)",
    },
    { name: "threads", value: "N", help: "threads of the cpu engine (default one a core)" },
    {
      name: "part",
      value: "PART",
      allowed: Object.keys(benchmarks),
      help: "only this part, in this process, as JSON",
    },
    { name: "repeats", value: "N", help: "processes for each part (default 3)" },
    { name: "write", help: "write the table to results/bench/, too" },
  ],
};

/** The flags, with their defaults; help and wrong flags end the process. */
function readCommandLine() {
  if (asksForHelp(command, Deno.args)) {
    console.log(commandHelp("bench", command, terminalWidth(Deno.env, Deno.consoleSize)).trimEnd());
    Deno.exit(0);
  }
  try {
    const args = readArguments(command, Deno.args);
    if (args.operands.length > 0) {
      throw new UsageError(`Cannot measure "${args.operands[0]}" as it follows no flag`);
    }
    const last = (flag: string) => args.flags.get(flag)?.at(-1);
    return {
      device: (last("device") ?? "cpu") as DeviceKind,
      config: last("config") ?? "bench",
      part: last("part"),
      threads: positiveInteger(args, "threads"),
      repeats: positiveInteger(args, "repeats") ?? 3,
      write: args.flags.has("write"),
    };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}

/** What a process measured, by its name. */
function quantities({ rows, roofGflops, blasGflops, peakMiB }: Measurement): Map<string, string> {
  return new Map([
    ...rows.map(({ what, value }) => [what, value] as const),
    ["roof GFLOP/s", roofGflops.toFixed(0)],
    ...blasGflops === undefined ? [] : [["GFLOP/s of a BLAS", blasGflops.toFixed(0)] as const],
    ["peak MiB of the process", peakMiB.toFixed(0)],
  ]);
}

if (import.meta.main) {
  const values = readCommandLine();
  const config = configs[values.config];
  const kind = values.device;
  const threads = values.threads;
  if (values.part) {
    console.log(
      JSON.stringify(await runPart(values.part as keyof typeof benchmarks, kind, config, threads)),
    );
    Deno.exit(0);
  }
  const lines = [
    `# Benchmark "${values.config}" on ${kind}`,
    "",
    `${describeMachine(`${machineLoad()} at the start`)}.`,
    `Of each quantity the median of ${values.repeats} processes, the least and the most. In each: the fastest of 20 steps after 4 (retrieval: of 2 after 1); the roof is the larger of two measurements of the largest matrix product, before and after.`,
    "",
    "| part | quantity | median | least | most |",
    "|---|---|---|---|---|",
  ];
  for (const part of Object.keys(benchmarks)) {
    const found: (Measurement & { device: string })[] = [];
    let failure: string | undefined;
    for (let i = 0; i < values.repeats && failure === undefined; i++) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          import.meta.url,
          "--part",
          part,
          "--device",
          kind,
          "--config",
          values.config,
          ...(values.threads ? ["--threads", `${values.threads}`] : []),
        ],
      }).output();
      const lastLine = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
      if (code === 0) found.push(JSON.parse(lastLine));
      else {
        const printed = new TextDecoder().decode(stderr).split("\n");
        failure = printed.find((line) => line.includes("rror")) ?? `${code}`;
      }
    }
    if (failure !== undefined) {
      lines.push(`| ${part} | failed | ${failure} |`);
      continue;
    }
    if (lines.length === 7) lines.splice(3, 0, `Device: ${found[0].device}.`);
    const runs = found.map(quantities);
    for (const what of runs[0].keys()) {
      const sorted = runs.map((run) => run.get(what)!).sort((a, b) => Number(a) - Number(b));
      const median = sorted[Math.floor(sorted.length / 2)];
      lines.push(`| ${part} | ${what} | ${median} | ${sorted[0]} | ${sorted.at(-1)} |`);
    }
  }
  const text = lines.join("\n") + "\n";
  console.log(text);
  if (values.write) {
    await Deno.mkdir("results/bench", { recursive: true });
    await Deno.writeTextFile(`results/bench/${values.config}_${kind}.md`, text);
  }
}
