/**
 * The folder of a run, `results/<experiment>/<run>/`: its declaration, machine, every step,
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
 * A completed run may have the lines compressed, as `.jsonl.gz` (`compressed_records.ts`).
 *
 * Whole files are replaced atomically and `metrics.jsonl` is only appended to, so that whenever a run
 * is killed, its folder can be opened again and nothing finished is lost.
 */
import { join } from "node:path";
import { defined } from "../defined.ts";
import {
  ifThere,
  makeFolder,
  removeCutOff,
  removeIfThere,
  writeAtomically,
  writing,
} from "../files.ts";
import { compressedEnding, restoreRecords } from "./compressed_records.ts";
import type { Environment } from "./environment.ts";
import {
  checkSamples,
  type Metric,
  type MetricsRecord,
  readEnvironment,
  readMetricsRecords,
  readSampleRecords,
  readSummary,
  type RunEnvironment,
  type RunState,
  type RunSummary,
  type SampleRecord,
  samplesPath,
  type TakenPhase,
  type Variation,
} from "./records.ts";
import type { CurveWatch } from "./tensorboard.ts";
import { InputError, InputRangeError } from "../errors.ts";

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
  "diagnostics",
  "timing",
] as const satisfies readonly (keyof MetricsRecord)[];

export interface RunFolderOptions {
  readonly results: string;
  /** The run's identity and labels, as its summary begins. */
  readonly identity: Omit<RunSummary, "state" | "error" | "metrics">;
  /** The resolved declaration, written to `experiment.json`. */
  readonly declaration: unknown;
  /** Where this part of the run runs. */
  readonly environment: Environment & Pick<RunEnvironment, "declarationFile" | "assignments">;
  /** Forgets an earlier run of the same declaration. */
  readonly fresh?: boolean;
  /** Notified of the run's inputs and device, as soon as they are known. */
  readonly watch?: RecordWatch;
  /** The lock of the run, which is checked before anything is written. */
  readonly lock?: { check(): Promise<void> };
  /** Takes the lines of trainings as they are recorded. */
  readonly curves?: CurveWatch;
}

/** Receives records of a run while it runs. */
export interface RecordWatch {
  /** The device that was opened. */
  device(device: string): void;
  /** SHA-256 of data, tokenizer or weights, when it is first known. */
  hash(name: string, sha256: string): void;
}

/**
 * Files that a fresh start removes, in this order: where it is killed on the way, nothing says any more that the run is completed, and the
 * hashes of its inputs are there as long as anything that was made of them.
 */
const runFiles = [
  "summary.json",
  "tokenizer.json",
  "metrics.jsonl",
  `metrics.jsonl${compressedEnding}`,
  "samples",
  "failure.txt",
  "checkpoint",
  "environment.json",
];

export class RunFolder {
  readonly path: string;
  #summary: RunSummary;
  #environment: RunEnvironment;
  readonly #options: Pick<RunFolderOptions, "watch" | "lock" | "curves">;

  private constructor(
    path: string,
    summary: RunSummary,
    environment: RunEnvironment,
    options: Pick<RunFolderOptions, "watch" | "lock" | "curves">,
  ) {
    this.path = path;
    this.#summary = summary;
    this.#environment = environment;
    this.#options = options;
  }

  /**
   * Opens the folder of a run, creating it where it is missing. An earlier run's summary, metrics and
   * samples are kept, unless `fresh`; partial writes of a killed run are removed. No other process may have the run's lock.
   *
   * @throws {Error} Where the folder cannot be written, or its summary is not one.
   */
  static async open(options: RunFolderOptions): Promise<RunFolder> {
    const { identity, declaration } = options;
    const path = join(options.results, identity.experiment, identity.run);
    await makeFolder(path);
    await removeCutOff(path);
    if (options.fresh) {
      for (const name of runFiles) {
        await writing(path, () => removeIfThere(join(path, name)));
      }
    }
    await restoreRecords(path);
    const earlier = await readSummary(join(path, "summary.json"));
    const { state = "planned", metrics = [], error } = earlier ?? {};
    const variation = { ...earlier?.variation, ...identity.variation };
    const folder = new RunFolder(
      path,
      defined({
        state,
        ...identity,
        variation: Object.keys(variation).length > 0 ? variation : undefined,
        error,
        metrics,
      }),
      await continuedEnvironment(join(path, "environment.json"), options.environment, state),
      options,
    );
    await writeAtomically(join(path, "experiment.json"), toJson(declaration));
    await folder.#writeEnvironment(folder.#environment);
    await folder.#writeSummary(folder.#summary);
    return folder;
  }

  /**
   * Checks that no other process has taken the run over.
   *
   * @throws {LostLockError} Where one has.
   */
  async checkLock(): Promise<void> {
    await this.#options.lock?.check();
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
   * Records the state of the run; `error` belongs to the state `failed`, or says why a run is still `planned`; the `details` are those of `failure.txt`.
   */
  async setState(state: RunState, error?: string, details?: string): Promise<void> {
    const path = join(this.path, "failure.txt");
    await this.checkLock();
    if (details === undefined) await writing(path, () => removeIfThere(path));
    else await writeAtomically(path, details);
    const { error: _earlier, metrics, state: _state, ...identity } = this.#summary;
    await this.#writeSummary(defined({ state, ...identity, error, metrics }));
  }

  /** Records metrics; one of the same evaluation, model and name takes the place of the earlier. */
  async recordMetrics(metrics: readonly Metric[]): Promise<void> {
    for (const metric of metrics) {
      const { evaluation, model, name, value, stderr = 0, ci95 = [0, 0] } = metric;
      checkFinite(`${evaluation} ${model} ${name}`, { value, stderr, low: ci95[0], high: ci95[1] });
    }
    const key = ({ evaluation, model, name }: Metric) => JSON.stringify([evaluation, model, name]);
    const added = new Map(metrics.map((metric) => [key(metric), metric]));
    const kept = this.#summary.metrics.map((metric) => {
      const replacement = added.get(key(metric));
      added.delete(key(metric));
      return replacement ?? metric;
    });
    await this.#writeSummary({ ...this.#summary, metrics: [...kept, ...added.values()] });
  }

  /** Forgets the metrics of an evaluation that is to be measured again; its samples are replaced one model at a time. */
  async dropMetrics(evaluation: string): Promise<void> {
    const metrics = this.#summary.metrics.filter((metric) => metric.evaluation !== evaluation);
    await this.#writeSummary({ ...this.#summary, metrics });
  }

  async #writeSummary(summary: RunSummary): Promise<void> {
    await this.checkLock();
    await writeAtomically(join(this.path, "summary.json"), toJson(summary));
    this.#summary = summary;
  }

  /**
   * Appends one line to `metrics.jsonl`.
   *
   * @throws {RangeError} Where a number is not finite, which JSON cannot say.
   */
  async appendMetrics(record: MetricsRecord): Promise<void> {
    const { phase, step, split: _split, timing, diagnostics, ...numbers } = record;
    const { gates = [], updateToWeightOfLayers = {}, ...diagnosed } = diagnostics ?? {};
    checkFinite(`${phase} step ${step}`, {
      ...numbers,
      ...timing,
      ...diagnosed,
      ...updateToWeightOfLayers,
      ...Object.fromEntries(gates.map((gate, head) => [`gate ${head}`, gate])),
    });
    const ordered = Object.fromEntries(recordKeys.map((key) => [key, record[key]]));
    const path = join(this.path, "metrics.jsonl");
    await this.checkLock();
    await writing(
      path,
      () => Deno.writeTextFile(path, JSON.stringify(ordered) + "\n", { append: true }),
    );
    await this.#options.curves?.add(record);
  }

  /** Sees to it that the lines of `metrics.jsonl` outlast a power cut, as a checkpoint of the same step does. */
  async syncMetrics(): Promise<void> {
    await syncFile(join(this.path, "metrics.jsonl"));
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
    await this.#rewriteMetrics(phase, [...others, ...lines]);
  }

  /**
   * Takes `metrics.jsonl` back to a step of a phase, from which a checkpoint resumes: drops the later
   * lines of that phase and a half-written last line; other phases are kept. `step` 0 drops the phase.
   */
  async truncateMetrics(phase: string, step: number): Promise<void> {
    const kept = (await this.readMetrics()).filter((line) =>
      line.phase !== phase || line.step <= step
    );
    await this.#rewriteMetrics(phase, kept);
  }

  /** Replaces all lines, of which one phase has others than before. */
  async #rewriteMetrics(phase: string, lines: readonly MetricsRecord[]): Promise<void> {
    await this.checkLock();
    await writeAtomically(join(this.path, "metrics.jsonl"), toLines(lines));
    await this.#options.curves?.begin(phase, lines.filter((line) => line.phase === phase));
  }

  /**
   * Appends a model's lines to `samples/<evaluation>.jsonl`.
   *
   * @throws {RangeError} Where a number is not finite, which JSON cannot say.
   */
  async appendSamples(
    evaluation: string,
    model: string,
    samples: readonly SampleRecord[],
  ): Promise<void> {
    checkSamples(`${evaluation} ${model}`, samples);
    const path = samplesPath(this.path, evaluation);
    const lines = toLines(samples.map((sample) => ({ model, ...sample })));
    await this.checkLock();
    await writing(this.path, () => Deno.mkdir(join(this.path, "samples"), { recursive: true }));
    await writing(path, () => Deno.writeTextFile(path, lines, { append: true }));
    // The summary that follows must not outlast what it was computed from.
    await syncFile(path);
  }

  /**
   * Takes `samples/<evaluation>.jsonl` back to the lines of some models: lines of others, or cut off by a kill, are dropped.
   *
   * @returns The lines that are kept, each with its `model`.
   * @throws {SyntaxError} Where a line is not the record of a scored item.
   */
  async keepSamples(
    evaluation: string,
    models: readonly string[],
  ): Promise<(SampleRecord & { model: string })[]> {
    const path = samplesPath(this.path, evaluation);
    const kept = (await this.readSamples(evaluation)).filter(({ model }) => models.includes(model));
    const text = await ifThere(Deno.readTextFile(path));
    if (text === undefined || text === toLines(kept)) return kept;
    await this.checkLock();
    await writeAtomically(path, toLines(kept));
    return kept;
  }

  /**
   * The scored items of an evaluation, each with its `model`.
   *
   * @throws {SyntaxError} Where a line is not JSON.
   */
  async readSamples(evaluation: string): Promise<(SampleRecord & { model: string })[]> {
    return await readSampleRecords(this.path, evaluation);
  }

  /** Machine of the run, and its inputs so far. */
  get environment(): RunEnvironment {
    return this.#environment;
  }

  /** Records that a training was taken from another run. */
  async recordTaken(phase: string, from: TakenPhase): Promise<void> {
    const { taken } = this.#environment;
    await this.#writeEnvironment({ ...this.#environment, taken: { ...taken, [phase]: from } });
  }

  /** Records the files that the run reads, as SHA-256 by the fields that name them. */
  async recordInputs(inputs: NonNullable<RunEnvironment["inputs"]>): Promise<void> {
    if (Object.keys(inputs).length === 0) return;
    await this.#writeEnvironment({ ...this.#environment, inputs });
  }

  /** Records the device and adapter that the run opened. */
  async recordDevice(device: string): Promise<void> {
    await this.#writeEnvironment({ ...this.#environment, device });
    this.#options.watch?.device(device);
  }

  /** Records the resources used by this part of the run. */
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
      throw new InputError(
        `Cannot resume run "${this.path}" as ${name} has changed since: current SHA-256 is ` +
          `${sha256}, allowed is ${hashes[name]}; --fresh starts the run again`,
      );
    }
    await this.#writeEnvironment({ ...this.#environment, hashes: { ...hashes, [name]: sha256 } });
    if (hashes[name] === undefined) this.#options.watch?.hash(name, sha256);
  }

  async #writeEnvironment(environment: RunEnvironment): Promise<void> {
    await this.checkLock();
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
  const recorded = await readEnvironment(path);
  if (recorded === undefined) return { ...environment, hashes: {}, earlier: [] };
  const { hashes, inputs, taken, earlier, ...last } = recorded;
  // A run that was only planned has no earlier part.
  return defined({
    ...environment,
    hashes,
    inputs,
    taken,
    earlier: state === "planned" ? earlier : [...earlier, last],
  });
}

/** Records the variation of a run, in the summary that an earlier part of it, or another declaration, left. */
export async function recordVariation(path: string, variation: Variation): Promise<void> {
  const { metrics, error, ...summary } = (await readSummary(path))!;
  const merged = { ...summary.variation, ...variation };
  if (JSON.stringify(merged) === JSON.stringify(summary.variation ?? {})) return;
  // JSON leaves out what is undefined.
  await writeAtomically(path, toJson({ ...summary, variation: merged, error, metrics }));
}

/** Waits until what was appended to a file is on the disk; makes the file where it is missing. */
async function syncFile(path: string): Promise<void> {
  await writing(path, async () => {
    using file = await Deno.open(path, { append: true, create: true });
    await file.syncData();
  });
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
      throw new InputRangeError(
        `Cannot record ${subject} as ${key} is not finite: current value is ${value}`,
      );
    }
  }
}
