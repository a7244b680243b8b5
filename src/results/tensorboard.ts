/**
 * Training curves for TensorBoard, beside the records and written at the same time: FOLDER/EXPERIMENT/RUN/PHASE has the
 * lines of a training in `metrics.jsonl`, as files of events.
 *
 * A training that begins, resumes or is taken from another run opens a new file. It begins with a session that starts at
 * the first step, which makes TensorBoard discard the content of earlier files, and with the lines recorded so far: so the last
 * file has the whole curve, also where an earlier command wrote none.
 */
import { join } from "node:path";
import { encodeEvent, type Event } from "../formats/event_file.ts";
import { makeFolder, writing } from "../files.ts";
import { InputError, isInputError } from "../errors.ts";
import { hostName } from "../permitted.ts";
import type { MetricsRecord } from "./records.ts";

/** Takes the lines of `metrics.jsonl` as they are written. */
export interface CurveWatch {
  /** A training has these lines, and its earlier ones are void. */
  begin(phase: string, lines: readonly MetricsRecord[]): Promise<void>;
  /** It has another line. */
  add(line: MetricsRecord): Promise<void>;
}

/**
 * Makes the folder of TensorBoard's files.
 *
 * @throws {InputError} Where nothing can be written there: its path, and why.
 */
export async function prepareTensorboard(folder: string): Promise<void> {
  if (folder === "") {
    throw new InputError(
      'Cannot write files for TensorBoard as --tensorboard names no folder: current value is "", allowed is a path',
    );
  }
  await writing(folder, async () => {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: folder }));
  });
}

/**
 * Writes the curves of a run. Where a file cannot be written, as on a full disk, the curve of its training ends, and the run
 * goes on: its records are elsewhere.
 */
export class TensorboardWriter implements CurveWatch {
  readonly #folder: string;
  readonly #warn: (text: string) => void;
  /** The file of each training that has begun here; undefined where it could not be written. */
  readonly #files = new Map<string, string | undefined>();

  /**
   * @param folder Folder of the run: each training has a folder in it.
   * @param warn Told of each curve that ends before its training.
   */
  constructor(folder: string, warn: (text: string) => void) {
    this.#folder = folder;
    this.#warn = warn;
  }

  /** Opens a file for a training, and writes the lines that it has. */
  begin(phase: string, lines: readonly MetricsRecord[]): Promise<void> {
    return this.#attempt(phase, () => this.#begin(phase, lines));
  }

  async #begin(phase: string, lines: readonly MetricsRecord[]): Promise<void> {
    const folder = join(this.#folder, phase);
    await makeFolder(folder);
    const path = join(folder, await nextName(folder));
    const wallSeconds = now();
    const events: Event[] = [
      { wallSeconds, step: 0, what: "version" },
      { wallSeconds, step: 1, what: "session start" },
      ...lines.map((line) => ({ wallSeconds, step: line.step, what: scalarsOf(line) })),
    ];
    this.#files.set(phase, path);
    await append(path, events);
  }

  /** Writes a line of a training. */
  async add(line: MetricsRecord): Promise<void> {
    if (!this.#files.has(line.phase)) await this.begin(line.phase, []);
    const path = this.#files.get(line.phase);
    if (path === undefined) return;
    const event = { wallSeconds: now(), step: line.step, what: scalarsOf(line) };
    await this.#attempt(line.phase, () => append(path, [event]));
  }

  async #attempt(phase: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isInputError(error)) throw error;
      this.#files.set(phase, undefined);
      this.#warn(`${(error as Error).message}: the curve of ${phase} for TensorBoard ends here`);
    }
  }
}

/** Appends events to a file, each whole. */
async function append(path: string, events: readonly Event[]): Promise<void> {
  await writing(path, async () => {
    const bytes = new Blob(events.map(encodeEvent));
    await Deno.writeFile(path, await bytes.bytes(), { append: true });
  });
}

function now(): number {
  return Date.now() / 1000;
}

/**
 * A name behind those of all files of a folder, whatever the clocks of several hosts say: TensorBoard reads files in the
 * order of their names.
 */
async function nextName(folder: string): Promise<string> {
  let seconds = Math.floor(now());
  for await (const { name } of Deno.readDir(folder)) {
    const [, earlier] = /^events\.out\.tfevents\.(\d+)\./.exec(name) ?? [];
    if (earlier !== undefined) seconds = Math.max(seconds, Number(earlier) + 1);
  }
  return `events.out.tfevents.${seconds}.${hostName() ?? "localhost"}.${Deno.pid}`;
}

/** The numbers of a line, by the tags under which TensorBoard shows them: the line's split or `diagnostics`, then the field. */
function scalarsOf({ split, ...line }: MetricsRecord): ReadonlyMap<string, number> {
  const { gates = [], memoryShare, updateToWeight, updateToWeightOfLayers = {} } =
    line.diagnostics ?? {};
  const scalars: [string, number | undefined][] = [
    [`${split}/loss`, line.loss],
    [`${split}/learningRate`, line.learningRate],
    [`${split}/gradientNorm`, line.gradientNorm],
    [`${split}/tokensPerSecond`, line.timing?.tokensPerSecond],
    [`${split}/tokens`, line.tokens],
    [`${split}/memoryTokens`, line.memoryTokens],
    ["diagnostics/memoryShare", memoryShare],
    ["diagnostics/updateToWeight", updateToWeight],
    ...gates.map((gate, head) => [`gates/${head}`, gate] as [string, number]),
    ...Object.entries(updateToWeightOfLayers)
      .map(([layer, ratio]) => [`updateToWeightOfLayers/${layer}`, ratio] as [string, number]),
  ];
  return new Map(scalars.filter((scalar): scalar is [string, number] => scalar[1] !== undefined));
}
