/**
 * The folder of a run, `results/<experiment>/<run>/`: what was asked, where it ran, every step,
 * every scored item, and the summary from which tables are made.
 *
 *     experiment.json     the resolved declaration
 *     environment.json    commit, versions, machine, device, hashes of data and weights
 *     tokenizer.json      the vocabulary, where the run trained one
 *     metrics.jsonl       one line per recorded training step
 *     samples/NAME.jsonl  one line per scored item of an evaluation
 *     summary.json        state and metrics
 *     failure.txt         where the code was when the run failed, for those who look into it
 *     checkpoint/         written and read by the training
 *     lock                locked by the process that executes the run
 *
 * Whole files are replaced atomically and `metrics.jsonl` is only appended to, so that whenever a run
 * is killed, its folder can be opened again and nothing finished is lost.
 */
import { basename, dirname, join } from "node:path";
import { removeIfThere, writeAtomically, writing } from "../writing.ts";
import type { Environment } from "./environment.ts";

/** What a run has come to. `running` in a folder that nobody writes is a run that was killed. */
export type RunState = "planned" | "running" | "completed" | "failed" | "interrupted";

/** One number that a run measured, with its uncertainty. */
export interface Metric {
  /** Evaluation that measured it. */
  readonly evaluation: string;
  /** Model that was measured. */
  readonly model: string;
  /** What was measured: `perplexity`. */
  readonly name: string;
  /** The number. */
  readonly value: number;
  /** Standard error over items; absent where a single item gives none. */
  readonly stderr?: number;
  /** 95 % confidence interval; absent likewise. */
  readonly ci95?: readonly [number, number];
  /** Items that were scored. */
  readonly n: number;
  /** Items there are; absent where all were scored. */
  readonly total?: number;
  /** Unit of the value; empty for a plain number. */
  readonly unit: string;
  /** Direction of improvement. */
  readonly higherIsBetter: boolean;
  /** Changes whenever the same model would get another number; numbers of two versions are never compared. */
  readonly metricVersion: number;
}

/** What tells the runs of a sweep apart: the values of the swept fields by their paths. */
export type Variation = Readonly<Record<string, unknown>>;

/** The contents of `summary.json`. */
export interface RunSummary {
  /** What the run has come to. */
  readonly state: RunState;
  /** Name of the experiment. */
  readonly experiment: string;
  /** Identity of the run within it. */
  readonly run: string;
  /** The question the experiment asks. */
  readonly question?: string;
  /** Whether sizes are the paper's. */
  readonly scale: "paper" | "scaled-down";
  /** Items per evaluation at most, where the command line limited them. */
  readonly limit?: number;
  /** What tells it from the other runs of its sweep; absent where it was never part of one. */
  readonly variation?: Variation;
  /** Message of the error that ended a failed run. */
  readonly error?: string;
  /** What was measured so far. */
  readonly metrics: readonly Metric[];
}

/** One training step, or one measurement of the validation loss, as `metrics.jsonl` holds it. */
export interface MetricsRecord {
  /** What is trained: `backbone`, `longmem`, ...; steps count from 1 in each. */
  readonly phase: string;
  /** Updates done. */
  readonly step: number;
  /** Whether the loss is that of the batch trained on, or of the valid split. */
  readonly split: "train" | "valid";
  /** Tokens trained on so far in this phase. */
  readonly tokens: number;
  /** Mean negative log-likelihood of a token, in nats. */
  readonly loss: number;
  /** Learning rate of the update. */
  readonly learningRate?: number;
  /** Global norm of the gradient, before clipping. */
  readonly gradientNorm?: number;
  /** Tokens held by the memory, all banks together. */
  readonly memoryTokens?: number;
  /** Measured times: the only part that differs between two runs of the same declaration. */
  readonly timing?: {
    /** Tokens trained on per second, lately. */
    readonly tokensPerSecond: number;
    /** Milliseconds since the phase began, or was resumed. */
    readonly elapsedMs: number;
  };
}

/** Order of the keys in a line of `metrics.jsonl`; times come last. */
const recordKeys = [
  "phase",
  "step",
  "split",
  "tokens",
  "loss",
  "learningRate",
  "gradientNorm",
  "memoryTokens",
  "timing",
] as const satisfies readonly (keyof MetricsRecord)[];

/** What was computed for one item of an evaluation; `item` names it, the rest is the evaluation's own. */
export interface SampleRecord {
  /** Name of the item: a document, a question. */
  readonly item: string;
  /** Its scores. */
  readonly [score: string]: string | number | boolean | readonly number[];
}

/** The contents of `environment.json`. */
export interface RunEnvironment extends Environment {
  /** File that declares the experiment. */
  readonly declarationFile: string;
  /** What the command line set anew, `path=value` each; absent where that was nothing. */
  readonly assignments?: readonly string[];
  /** Device and adapter that the run opened. */
  readonly device?: string;
  /** Seconds from the beginning of this part of the run to its end; absent where it was killed. */
  readonly wallSeconds?: number;
  /** Most main memory that the process has held until then, other runs at once included. */
  readonly peakMemoryBytes?: number;
  /** SHA-256 of what the run read: data, tokenizer, weights. */
  readonly hashes: Readonly<Record<string, string>>;
  /** Trainings that were taken from other runs, by phase: the run, and the SHA-256 of the weights. */
  readonly taken?: Readonly<Record<string, TakenPhase>>;
  /** Where the run began, if it was interrupted and resumed, oldest first. */
  readonly earlier: readonly Omit<RunEnvironment, "hashes" | "taken" | "earlier">[];
}

/** A training that was taken from another run. */
export interface TakenPhase {
  /** The run, `<experiment>/<run>`. */
  readonly run: string;
  /** SHA-256 of the weights. */
  readonly weights: string;
}

/** What a run folder is opened for. */
export interface RunFolderOptions {
  /** Folder of all results. */
  readonly results: string;
  /** The run's identity and labels, as its summary begins. */
  readonly identity: Omit<RunSummary, "state" | "error" | "metrics">;
  /** The resolved declaration, written to `experiment.json`. */
  readonly declaration: unknown;
  /** Where this part of the run runs. */
  readonly environment: Environment & Pick<RunEnvironment, "declarationFile" | "assignments">;
  /** Forgets an earlier run of the same declaration. */
  readonly fresh?: boolean;
  /** Told of what the run reads and where it runs, as soon as that is known. */
  readonly watch?: RecordWatch;
}

/** Takes what is recorded of a run while it runs. */
export interface RecordWatch {
  /** The device that was opened. */
  device(device: string): void;
  /** SHA-256 of data, tokenizer or weights, when it is first known. */
  hash(name: string, sha256: string): void;
}

/** What a fresh start removes. */
const runFiles = [
  "summary.json",
  "environment.json",
  "tokenizer.json",
  "metrics.jsonl",
  "samples",
  "failure.txt",
  "checkpoint",
];

/** An open run folder. */
export class RunFolder {
  /** The folder. */
  readonly path: string;
  #summary: RunSummary;
  #environment: RunEnvironment;
  readonly #watch: RecordWatch | undefined;

  private constructor(
    path: string,
    summary: RunSummary,
    environment: RunEnvironment,
    watch: RecordWatch | undefined,
  ) {
    this.path = path;
    this.#summary = summary;
    this.#environment = environment;
    this.#watch = watch;
  }

  /**
   * Opens the folder of a run, creating it where it is missing. An earlier run's summary, metrics and
   * samples are kept, unless `fresh`.
   *
   * @throws {Error} Where the folder cannot be written, or its summary is not one.
   */
  static async open(options: RunFolderOptions): Promise<RunFolder> {
    const { identity, declaration } = options;
    const path = join(options.results, identity.experiment, identity.run);
    await writing(path, () => Deno.mkdir(path, { recursive: true }));
    if (options.fresh) {
      for (const name of runFiles) {
        await writing(path, () => removeIfThere(join(path, name)));
      }
    }
    const earlier = await readSummary(join(path, "summary.json"));
    const { state = "planned", metrics = [], error } = earlier ?? {};
    const variation = { ...earlier?.variation, ...identity.variation };
    const folder = new RunFolder(
      path,
      {
        state,
        ...identity,
        ...(Object.keys(variation).length > 0 && { variation }),
        ...(error !== undefined && { error }),
        metrics,
      },
      await continuedEnvironment(join(path, "environment.json"), options.environment, state),
      options.watch,
    );
    await writeAtomically(join(path, "experiment.json"), toJson(declaration));
    await folder.#writeEnvironment(folder.#environment);
    await folder.#writeSummary(folder.#summary);
    return folder;
  }

  /** State and metrics so far. */
  get summary(): RunSummary {
    return this.#summary;
  }

  /** Folder in which the training keeps its checkpoint; the training creates it. */
  get checkpointFolder(): string {
    return join(this.path, "checkpoint");
  }

  /**
   * Records what the run has come to; `error` belongs to the state `failed`, or says why a run is still `planned`; the `details` are those of `failure.txt`.
   */
  async setState(state: RunState, error?: string, details?: string): Promise<void> {
    const path = join(this.path, "failure.txt");
    if (details === undefined) await writing(path, () => removeIfThere(path));
    else await writeAtomically(path, details);
    const { error: _earlier, metrics, state: _state, ...identity } = this.#summary;
    await this.#writeSummary({
      state,
      ...identity,
      ...(error !== undefined && { error }),
      metrics,
    });
  }

  /** Records metrics; one of the same evaluation, model and name replaces the earlier. */
  async recordMetrics(metrics: readonly Metric[]): Promise<void> {
    for (const metric of metrics) {
      const { evaluation, model, name, value, stderr = 0, ci95 = [0, 0] } = metric;
      checkFinite(`${evaluation} ${model} ${name}`, { value, stderr, low: ci95[0], high: ci95[1] });
    }
    const key = ({ evaluation, model, name }: Metric) => JSON.stringify([evaluation, model, name]);
    const replaced = new Set(metrics.map(key));
    const kept = this.#summary.metrics.filter((metric) => !replaced.has(key(metric)));
    await this.#writeSummary({ ...this.#summary, metrics: [...kept, ...metrics] });
  }

  /** Forgets the metrics of an evaluation that is to be measured anew; its samples are replaced one model at a time. */
  async dropMetrics(evaluation: string): Promise<void> {
    const metrics = this.#summary.metrics.filter((metric) => metric.evaluation !== evaluation);
    await this.#writeSummary({ ...this.#summary, metrics });
  }

  async #writeSummary(summary: RunSummary): Promise<void> {
    await writeAtomically(join(this.path, "summary.json"), toJson(summary));
    this.#summary = summary;
  }

  /**
   * Appends one line to `metrics.jsonl`.
   *
   * @throws {RangeError} Where a number is not finite, which JSON cannot say.
   */
  async appendMetrics(record: MetricsRecord): Promise<void> {
    const { phase, step, split: _split, timing, ...numbers } = record;
    checkFinite(`${phase} step ${step}`, { ...numbers, ...timing });
    const ordered = Object.fromEntries(recordKeys.map((key) => [key, record[key]]));
    const path = join(this.path, "metrics.jsonl");
    await writing(
      path,
      () => Deno.writeTextFile(path, JSON.stringify(ordered) + "\n", { append: true }),
    );
  }

  /**
   * The recorded lines, in order. A half-written last line, left by a kill, is not among them.
   *
   * @throws {SyntaxError} Where another line is not JSON.
   */
  async readMetrics(): Promise<MetricsRecord[]> {
    return await readMetricsRecords(this.path);
  }

  /** Replaces the lines of a phase in `metrics.jsonl`. */
  async replaceMetrics(phase: string, lines: readonly MetricsRecord[]): Promise<void> {
    const others = (await this.readMetrics()).filter((line) => line.phase !== phase);
    await writeAtomically(join(this.path, "metrics.jsonl"), toLines([...others, ...lines]));
  }

  /**
   * Takes `metrics.jsonl` back to a step of a phase, from which a checkpoint resumes: drops the later
   * lines of that phase and a half-written last line; other phases are kept. `step` 0 drops the phase.
   */
  async truncateMetrics(phase: string, step: number): Promise<void> {
    const kept = (await this.readMetrics()).filter((line) =>
      line.phase !== phase || line.step <= step
    );
    await writeAtomically(join(this.path, "metrics.jsonl"), toLines(kept));
  }

  /** Replaces a model's lines in `samples/<evaluation>.jsonl`; other models' lines are kept. */
  async writeSamples(
    evaluation: string,
    model: string,
    samples: readonly SampleRecord[],
  ): Promise<void> {
    const others = (await this.readSamples(evaluation)).filter((line) => line.model !== model);
    const lines = [...others, ...samples.map((sample) => ({ model, ...sample }))];
    await writing(this.path, () => Deno.mkdir(join(this.path, "samples"), { recursive: true }));
    await writeAtomically(samplesPath(this.path, evaluation), toLines(lines));
  }

  /**
   * The scored items of an evaluation, each with its `model`.
   *
   * @throws {SyntaxError} Where a line is not JSON.
   */
  async readSamples(evaluation: string): Promise<(SampleRecord & { model: string })[]> {
    return await readSampleRecords(this.path, evaluation);
  }

  /** Where the run runs, and what it has read so far. */
  get environment(): RunEnvironment {
    return this.#environment;
  }

  /** Records that a training was taken from another run. */
  async recordTaken(phase: string, from: TakenPhase): Promise<void> {
    const { taken } = this.#environment;
    await this.#writeEnvironment({ ...this.#environment, taken: { ...taken, [phase]: from } });
  }

  /** Records the device and adapter that the run opened. */
  async recordDevice(device: string): Promise<void> {
    await this.#writeEnvironment({ ...this.#environment, device });
    this.#watch?.device(device);
  }

  /** Records what this part of the run has taken. */
  async recordResources(
    resources: Required<Pick<RunEnvironment, "wallSeconds" | "peakMemoryBytes">>,
  ): Promise<void> {
    await this.#writeEnvironment({ ...this.#environment, ...resources });
  }

  /**
   * Records the SHA-256 of something the run read.
   *
   * @throws {Error} Where the run, before it was interrupted, read something else under this name.
   */
  async recordHash(name: string, sha256: string): Promise<void> {
    const { hashes } = this.#environment;
    if (hashes[name] !== undefined && hashes[name] !== sha256) {
      throw new Error(
        `Cannot resume run "${this.path}" as ${name} has changed since: current SHA-256 is ` +
          `${sha256}, allowed is ${hashes[name]}; --fresh starts the run anew`,
      );
    }
    await this.#writeEnvironment({ ...this.#environment, hashes: { ...hashes, [name]: sha256 } });
    if (hashes[name] === undefined) this.#watch?.hash(name, sha256);
  }

  async #writeEnvironment(environment: RunEnvironment): Promise<void> {
    await writeAtomically(join(this.path, "environment.json"), toJson(environment));
    this.#environment = environment;
  }
}

/** The environment of a run that begins, or goes on after another part of it. */
async function continuedEnvironment(
  path: string,
  environment: RunFolderOptions["environment"],
  state: RunState,
): Promise<RunEnvironment> {
  const text = await readIfThere(path);
  if (text === undefined) return { ...environment, hashes: {}, earlier: [] };
  const { hashes, taken, earlier, ...last } = parseFile(path, text) as RunEnvironment;
  // A run that was only planned has no earlier part.
  return {
    ...environment,
    hashes,
    ...(taken && { taken }),
    earlier: state === "planned" ? earlier : [...earlier, last],
  };
}

/** Records what tells a run from others, in the summary that an earlier part of it, or another declaration, left. */
export async function recordVariation(path: string, variation: Variation): Promise<void> {
  const { metrics, error, ...summary } = (await readSummary(path))!;
  const merged = { ...summary.variation, ...variation };
  if (JSON.stringify(merged) === JSON.stringify(summary.variation ?? {})) return;
  await writeAtomically(
    path,
    toJson({ ...summary, variation: merged, ...(error !== undefined && { error }), metrics }),
  );
}

/** What tells a run from the others of its sweep, to read: `memory.chunkTokens=4 seed=1`. */
export function formatVariation(variation: Variation): string {
  return Object.entries(variation)
    .map(([path, value]) => `${path}=${formatSwept(value)}`).join(" ");
}

/** A swept value, to read. */
export function formatSwept(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

/**
 * Reads a `summary.json`; undefined where there is none.
 *
 * @throws {SyntaxError} Where the file is not a summary.
 */
export async function readSummary(path: string): Promise<RunSummary | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const summary = parseFile(path, text) as Partial<RunSummary> | null;
  if (typeof summary?.state !== "string" || !Array.isArray(summary.metrics)) {
    throw new SyntaxError(
      `Cannot read "${path}" as state or metrics is missing in it; ${remedy(path)}`,
    );
  }
  return summary as RunSummary;
}

/**
 * The lines of a run's `metrics.jsonl`, in order; none where there was no training. A half-written last line, left by a
 * kill, is not among them; a run that is completed has none.
 *
 * @throws {SyntaxError} Where another line is not JSON.
 */
export async function readMetricsRecords(
  run: string,
  { isCompleted = false }: { readonly isCompleted?: boolean } = {},
): Promise<MetricsRecord[]> {
  const lines = await readLines(join(run, "metrics.jsonl"), { mayBeCutOff: !isCompleted });
  return lines as MetricsRecord[];
}

/** The scored items of an evaluation, each with its `model`; none where nothing was scored. */
export async function readSampleRecords(
  run: string,
  evaluation: string,
): Promise<(SampleRecord & { model: string })[]> {
  const lines = await readLines(samplesPath(run, evaluation), { mayBeCutOff: false });
  return lines as (SampleRecord & { model: string })[];
}

function samplesPath(run: string, evaluation: string): string {
  return join(run, "samples", `${evaluation}.jsonl`);
}

/** A JSON file of a run; undefined where it is missing. */
export async function readRunFile(path: string): Promise<unknown> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : parseFile(path, text);
}

/** The lines of a `.jsonl` file; a last line that was cut off is left out where that may be, as by a kill. */
async function readLines(
  path: string,
  { mayBeCutOff }: { readonly mayBeCutOff: boolean },
): Promise<unknown[]> {
  const lines = (await readIfThere(path) ?? "").split("\n");
  const last = lines.pop() ?? "";
  const records = lines.map((line, i) => parseFile(path, line, i + 1));
  if (last === "") return records;
  try {
    // Only the line break may be missing: an object without its closing brace does not parse.
    return [...records, parseFile(path, last, lines.length + 1)];
  } catch (error) {
    if (mayBeCutOff) return records;
    throw error;
  }
}

function parseFile(path: string, text: string, line?: number): unknown {
  const place = line === undefined ? `"${path}"` : `line ${line} of "${path}"`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const begins = JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 40));
    throw new SyntaxError(
      `Cannot read ${place} as it is not JSON: it begins with ${begins}; ${remedy(path)}`,
      { cause },
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new SyntaxError(`Cannot read ${place} as it is not a JSON object; ${remedy(path)}`);
}

/** What mends a damaged file of a run. */
function remedy(path: string): string {
  const folder = dirname(path);
  switch (basename(path)) {
    case "summary.json":
      return "without the file, running the experiment again evaluates what is trained anew";
    default:
      return `without the folder "${
        basename(folder) === "samples" ? dirname(folder) : folder
      }", running the experiment again does the run anew`;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  }
}

function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}

function toLines(records: readonly unknown[]): string {
  return records.map((record) => JSON.stringify(record) + "\n").join("");
}

function checkFinite(subject: string, numbers: Record<string, number | undefined>): void {
  for (const [key, value] of Object.entries(numbers)) {
    if (value !== undefined && !Number.isFinite(value)) {
      throw new RangeError(
        `Cannot record ${subject} as ${key} is not finite: current value is ${value}`,
      );
    }
  }
}
