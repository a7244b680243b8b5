/**
 * Everything that determines the weights of a training: its declaration, its data, where it starts, the machine, and the
 * code. Of the code, the graph of the step and the batches are identified by their content, not by a version that somebody
 * would have to keep: a changed operation changes the ONNX, a changed order of the documents the batches. What the host
 * computes beside the graph (the memory, the learning rate, the dropout, the validation) is known by its source.
 */
import { createHash } from "node:crypto";
import { hashFrozen } from "../formats/tensor_hash.ts";
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import { canonicalJson, identityOf } from "../declaration/identity.ts";
import { memoryPart } from "../memory/config.ts";
import { trainingPart } from "../training/config.ts";
import { treatmentOf } from "../text/corpora/corpora.ts";
import { networks } from "../longmem/networks.ts";
import { trainedPart } from "../longmem/parts.ts";
import type { SegmentStream } from "../text/segments.ts";
import type { TensorMap } from "../tensor.ts";
import type { TrainerOptions } from "../training/trainer.ts";
import type { RunDocument, RunText } from "../text/corpora/corpus_kind.ts";
import type { RunContext } from "./run_context.ts";
import { sha256Of } from "../sha256.ts";

/** Form of {@linkcode PhaseIdentity.determinedBy}; records of version 1 had neither graph nor batches. */
const identityVersion = 2;

/** Most tokens of batches that are hashed; later ones are identified by the documents. */
const hashedTokens = 2 ** 24;

/** One training of a run. */
export interface Phase {
  /** Name in `metrics.jsonl`, and folder of its checkpoints: `backbone`, `longmem`, ... */
  readonly name: string;
  readonly trainer: TrainerOptions;
}

/** Determinants of weights, by name. */
export type Determinants = Readonly<Record<string, unknown>>;

/** A training to be found again. */
export interface PhaseIdentity {
  /** SHA-256 of the determinants of the weights. */
  readonly key: string;
  /** The determinants, readable. */
  readonly determinedBy: Determinants;
}

/**
 * Returns the determinants of the weights besides the data.
 *
 * @param graph SHA-256 of the step's graph.
 */
export async function codeDeterminants(
  { name, trainer }: Phase,
  graph: string,
  { corpus, seed }: ResolvedExperiment,
  { results }: Pick<RunContext, "results">,
): Promise<Determinants> {
  const { config, parts, dropout } = trainer, part = trainedPart(parts);
  const { kind, description } = trainer.device;
  const { packages } = results.environment;
  const sources = await hashSources({ validates: Boolean(config.validateEverySteps) });
  return {
    version: identityVersion,
    name,
    training: identityOf(trainingPart.schema, config),
    seed,
    maxDocumentTokens: treatmentOf(corpus).maxDocumentTokens,
    backbone: initial(parts.backbone),
    ...(part.name === "backbone" ? {} : {
      memory: identityOf(memoryPart.schema, parts.memory),
      dropout,
      [part.name]: initial(part),
    }),
    device: `${kind}: ${description}`,
    engines: Object.entries(packages).filter(([name]) => name.startsWith("onnxruntime")),
    graph,
    ...(sources === undefined ? {} : { sources }),
  };
}

function initial({ shape, weights }: { readonly shape: unknown; readonly weights: TensorMap }) {
  return { shape, weights: hashFrozen(weights) };
}

/**
 * Identifies a training.
 *
 * @param code Determinants of its weights besides the data.
 * @param stream Its batches; it stands at its beginning, and does so afterwards.
 */
export async function identifyPhase(
  code: Determinants,
  { trainer: { config } }: Phase,
  documents: readonly RunDocument[],
  stream: SegmentStream,
  text: RunText,
): Promise<PhaseIdentity> {
  const determinedBy = {
    ...code,
    tokenizer: text.tokenizer.hash,
    documents: hashDocuments(documents),
    batches: hashBatches(stream, config.steps * config.accumulationSteps),
    ...(config.validateEverySteps ? { valid: hashDocuments(await text.documents("valid")) } : {}),
  };
  return {
    key: sha256Of(canonicalJson(determinedBy)),
    determinedBy,
  };
}

function hashDocuments(documents: readonly RunDocument[]): string {
  const hash = createHash("sha256");
  for (const { name, tokens } of documents) {
    hash.update(JSON.stringify([name, tokens.length])).update(bytesOf(tokens));
  }
  return hash.digest("hex");
}

/** Hashes the first batches of a stream, and goes back to its beginning. */
export function hashBatches(stream: SegmentStream, count: number): string {
  const hash = createHash("sha256");
  const beginning = stream.position();
  const most = Math.ceil(hashedTokens / (stream.batchSize * stream.contextTokens));
  for (let i = 0; i < Math.min(count, most); i++) {
    const { tokens, targets, starts, epoch, endsEpoch } = stream.next();
    hash.update(JSON.stringify([starts, epoch, endsEpoch]));
    hash.update(bytesOf(tokens)).update(bytesOf(targets));
  }
  stream.seek(beginning);
  return hash.digest("hex");
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Source files and folders of the host's computations in every training, and of validation. */
const sourcePaths = {
  training: [
    "../memory/",
    "../training/",
    "../runtime/",
    "../longmem/open_memory.ts",
    "../random.ts",
    "./training.ts",
  ],
  validation: [
    "../longmem/",
    "../evaluation/shared/",
    "../evaluation/perplexity.ts",
    "../text/segments.ts",
  ],
};

/** SHA-256 of the source of the host's computations, without comments; undefined if unreadable, as in a package on the web. */
async function hashSources(
  { validates }: { readonly validates: boolean },
): Promise<string | undefined> {
  const paths = [...sourcePaths.training, ...validates ? sourcePaths.validation : []];
  const hash = createHash("sha256");
  try {
    for (const path of paths) {
      for (const url of await filesBelow(new URL(path, import.meta.url))) {
        hash.update(withoutComments(await Deno.readTextFile(url)));
      }
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error; // a path above that is no longer right
    return undefined;
  }
  return hash.digest("hex");
}

async function filesBelow(url: URL): Promise<URL[]> {
  if (!url.pathname.endsWith("/")) return [url];
  const entries = await Array.fromAsync(Deno.readDir(url));
  const names = entries.map(({ name, isDirectory }) => isDirectory ? `${name}/` : name).sort();
  return (await Promise.all(names.map((name) => filesBelow(new URL(name, url))))).flat();
}

/** Source without the lines that are comments: an explanation changes no weights. */
function withoutComments(source: string): string {
  return source.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !/^(\/\/|\/\*|\*\/|\*( |$))/.test(line)).join("\n");
}

/** Determinants that must be the same as in the training that is continued, by their names in a record. */
const pinned = () => ({
  graph: "the graph of its step",
  batches: "its batches",
  documents: "its documents",
  valid: "the documents it validates on",
  tokenizer: "its tokenizer",
  backbone: "the backbone it starts from",
  ...Object.fromEntries(
    networks.all.flatMap(({ part }) => part?.weights ?? [])
      .map(({ name, label }) => [name, `${label} it starts from`]),
  ),
});

/**
 * Compares a training with the one that it continues.
 *
 * @returns `changes`: differences that change its weights, a part of a sentence each; `doubts`: those that might.
 */
export function compareDeterminants(
  recorded: Determinants,
  current: Determinants,
): { readonly changes: string[]; readonly doubts: string[] } {
  if (recorded.version !== identityVersion) {
    return {
      changes: [],
      doubts: ["it began with code that did not record the graph of its step"],
    };
  }
  const differs = (key: string) =>
    key in recorded && key in current &&
    canonicalJson(recorded[key]) !== canonicalJson(current[key]);
  // Another device has another graph of the same step.
  const isElsewhere = differs("device") || differs("engines");
  const changes = Object.entries(pinned())
    .filter(([key]) => differs(key) && !(key === "graph" && isElsewhere))
    .map(([key, text]) =>
      `${text} (SHA-256 ${short(current[key])}, recorded is ${short(recorded[key])})`
    );
  const doubts = differs("sources")
    ? ["the code of its memory, its updates or its validation has changed since it began"]
    : [];
  return { changes, doubts };
}

/** The beginning of a hash, or of that of an object. */
function short(value: unknown): string {
  const hash = typeof value === "string" ? value : sha256Of(canonicalJson(value));
  return hash.slice(0, 12);
}
