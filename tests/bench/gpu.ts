/**
 * All that is to be measured when a GPU is at hand, in the order of worth: `deno task gpu`. Each step is a command of its own,
 * whose result is added to the report before the next one starts, so that a session that is cut off keeps what it has.
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  asksForHelp,
  type Command,
  commandHelp,
  type CommandSummary,
  readArguments,
  terminalWidth,
  UsageError,
} from "../../src/command_line.ts";
import { allowedWords } from "../../src/did_you_mean.ts";
import { writeAtomically } from "../../src/files.ts";
import { isSoftware, requestAdapter } from "../../src/runtime/open_device.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A run on a CPU that the same run on the GPU is compared with. */
const recordedRun = "results/chronicle_seeds/m4096-c4-k64-seed1-caf18cd7";

/** A command of a step: arguments of deno. */
export interface StepCommand {
  readonly args: readonly string[];
  /** The parts of its output that the report keeps (default all; where nothing matches, the last lines). */
  readonly keep?: RegExp;
}

/** Something to measure. */
interface Step {
  readonly help: string;
  /** Its commands. `results`: folder of runs; `quick`: at its smallest, to see that it runs. */
  commands(options: { results: string; quick: boolean }): readonly StepCommand[];
}

const bench = (config: string): StepCommand => ({
  args: ["task", "bench", "--device", "webgpu", "--config", config, "--repeats", "1"],
});

/** Runs a declaration on the GPU; kept is the comparison with a record and what follows the progress. */
const execute = (task: "run" | "measure", path: string, results: string, ...more: string[]) => ({
  args: ["task", task, path, "--device", "webgpu", "--results", results, ...more],
  keep: /^.* {2}again: .*$|^## [^]*/gm,
});

/** Prints the tables of an experiment; runs print the main one only. */
const tableOf = (results: string, experiment: string): StepCommand => ({
  args: ["task", "table", `${results}/${experiment}`],
});

/** Arguments that make `efficiency` cheap, without its lengths. */
const quickPoints = [
  ...["--set", "memory.retrievedTokens=16", "--set", "evaluations.0.contextTokens=32"],
  "--set",
];

/** What is measured, in order. */
const steps: Readonly<Record<string, Step>> = {
  tests: {
    help: "the tests on webgpu",
    commands: ({ quick }) => [{
      args: [
        ...["test", "--lock=deno.lock", "--allow-all", "--no-check", "--filter", "on webgpu"],
        ...quick ? ["tests/runtime/webgpu_device_test.ts"] : [],
      ],
      keep: /^(?:.*FAILED.*|(?:ok|FAILED) \| \d+ passed.*)$/gm,
    }],
  },
  bench: {
    help: "training, forward passes, generation and retrieval, by operators and by our kernels",
    commands: ({ quick }) => quick ? [bench("tiny")] : [bench("bench"), bench("released")],
  },
  quickstart: {
    help: "a run that was recorded on a CPU, again on the GPU, and how its numbers differ",
    commands: ({ quick, results }) => [
      quick
        ? execute(
          ...["run", "experiments/quickstart.ts", results, "--limit", "1"] as const,
          ...["--set", "adaptation.steps=1", "--set", "adaptation.batchSize=1"],
          ...["--set", 'corpus.config={"book":{"chapters":2}}', "--set", "corpus.books.train=1"],
          "--set",
          'evaluations=[{"kind":"recall","split":"test","models":["backbone","longmem"]}]',
        )
        : execute("run", recordedRun, results),
    ],
  },
  efficiency: {
    help: "speed and memory by tokens in sight, with attention to all of them and with a memory",
    commands: ({ quick, results }) => [
      execute(
        "measure",
        "tests/bench/efficiency.ts",
        results,
        ...quick ? [...quickPoints, "evaluations.0.totalTokens=64"] : [],
      ),
      tableOf(results, "efficiency"),
    ],
  },
  growth: {
    help: "speed by the size of the memory, up to a million tokens",
    commands: ({ quick, results }) => [
      execute(
        "measure",
        "tests/bench/memory_growth.ts",
        results,
        ...quick ? [...quickPoints, "evaluations.0.totalTokens=64,128"] : [],
      ),
      tableOf(results, "memory_growth"),
    ],
  },
};

const command: CommandSummary & Omit<Command, "execute"> = {
  operands: "[STEP...]",
  help:
    "Measures everything on a GPU, or the named steps, and writes a report with the adapter's name to results/bench/. " +
    `Steps, in order: ${
      Object.entries(steps).map(([name, { help }]) => `${name} (${help})`).join("; ")
    }.`,
  flags: [
    {
      name: "quick",
      help: "each step at its smallest, to see that it runs; the numbers mean nothing",
    },
    { name: "out", value: "FILE.md", help: "the report (default results/bench/gpu_ADAPTER.md)" },
  ],
};

/** What the report says about an adapter. */
function describeAdapter({ info, limits, features }: GPUAdapter): string {
  const { vendor, architecture, device, description } = info;
  const named = [
    "maxStorageBufferBindingSize",
    "maxBufferSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
  ] as const;
  return [
    "| adapter | |",
    "|---|---|",
    `| vendor, architecture, device | ${[vendor, architecture, device].join(", ")} |`,
    `| description | ${description} |`,
    ...named.map((name) => `| ${name} | ${limits[name]} |`),
    `| features | ${[...features].sort().join(", ")} |`,
  ].join("\n");
}

/** Runs a command, showing its output, and returns what its report keeps. */
async function runCommand(
  { args, keep }: StepCommand,
): Promise<{ success: boolean; text: string }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    env: { LONGMEM_REQUIRE_GPU: "1", NO_COLOR: "1" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of process.stdout) {
    text += decoder.decode(bytes, { stream: true });
    await Deno.stdout.write(bytes);
  }
  const { success } = await process.status;
  const kept = keep === undefined ? text : text.match(keep)?.join("\n");
  return { success, text: (kept ?? text.split("\n").slice(-20).join("\n")).trim() };
}

/** A heading of a report within another one. */
const lowered = (text: string) => text.replaceAll(/^#/gm, "###");

/** What {@linkcode measureSteps} measures, and where it writes. */
export interface Measuring {
  readonly adapter: GPUAdapter;
  /** Commands of each step, by its name. */
  readonly steps: Readonly<Record<string, readonly StepCommand[]>>;
  /** The report. */
  readonly out: string;
  /** What a reader must know of the numbers. */
  readonly remarks: readonly string[];
}

/** Runs steps one after the other and writes the report after each command; returns how many commands failed. */
export async function measureSteps({ adapter, steps, out, remarks }: Measuring): Promise<number> {
  const date = new Date().toISOString().slice(0, 10);
  let report = [
    `# Measured on ${adapterName(adapter)}`,
    `${date}, Deno ${Deno.version.deno}.`,
    ...remarks.map((remark) => `**${remark}**`),
    describeAdapter(adapter),
  ].join("\n\n") + "\n";
  console.log(report);
  let failures = 0;
  for (const [step, commands] of Object.entries(steps)) {
    report += `\n## ${step}\n`;
    for (const each of commands) {
      const quoted = each.args.map((arg) => /^[\w./:=,-]+$/.test(arg) ? arg : `'${arg}'`);
      const line = `deno ${quoted.join(" ")}`;
      console.log(`\n${step}: ${line}`);
      const started = performance.now();
      const { success, text } = await runCommand(each);
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      if (!success) failures++;
      const outcome = success ? `${seconds} s` : `**failed** after ${seconds} s`;
      report += `\n\`${line}\`: ${outcome}\n\n${lowered(text)}\n`;
      await Deno.mkdir(dirname(out), { recursive: true });
      await writeAtomically(out, [new TextEncoder().encode(report)]);
    }
  }
  return failures;
}

/** The name of an adapter, as good as the driver gives it. */
function adapterName({ info: { description, device, vendor } }: GPUAdapter): string {
  return description || device || vendor || "an unknown adapter";
}

async function measure(
  chosen: readonly string[],
  options: { quick: boolean; out: string | undefined },
): Promise<number> {
  const adapter = await requestAdapter();
  if (!adapter) {
    console.error("Cannot measure a GPU as WebGPU has no adapter: docs/gpu.md lists what it needs");
    return 1;
  }
  const slug = adapterName(adapter).toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const file = `results/bench/gpu_${slug.replaceAll(/^-|-$/g, "")}${
    options.quick ? "_quick" : ""
  }.md`;
  const out = resolve(options.out ?? join(root, file));
  const results = out.replace(/\.md$/, "_runs");
  const failures = await measureSteps({
    adapter,
    steps: Object.fromEntries(
      chosen.map((step) => [step, steps[step].commands({ results, quick: options.quick })]),
    ),
    out,
    remarks: [
      ...isSoftware(adapter) ? ["A software adapter: its speed is that of the CPU."] : [],
      ...options.quick ? ["Shortened (--quick): the numbers mean nothing."] : [],
    ],
  });
  const failed = failures === 0 ? "" : `; ${failures} commands failed`;
  console.log(`\nreport: ${out}; runs: ${results}${failed}`);
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) {
  if (asksForHelp(command, Deno.args)) {
    console.log(commandHelp("gpu", command, terminalWidth(Deno.env, Deno.consoleSize)).trimEnd());
    Deno.exit(0);
  }
  try {
    const { operands, flags } = readArguments(command, Deno.args);
    const names = Object.keys(steps);
    for (const step of operands) {
      if (names.includes(step)) continue;
      throw new UsageError(
        `Cannot measure "${step}" as it is unknown: ${allowedWords(step, names)}`,
      );
    }
    const chosen = names.filter((step) => operands.length === 0 || operands.includes(step));
    const options = { quick: flags.has("quick"), out: flags.get("out")?.at(-1) };
    Deno.exit(await measure(chosen, options));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
