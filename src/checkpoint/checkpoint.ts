/** Reads weights of any format: a checkpoint is recognised by its content, never by its name. */
import { type BackboneCheckpoint, type BackboneShape } from "../backbone/shape.ts";
import {
  lastResiduals,
  layerPrefix,
  type SideNetCheckpoint,
  type SideNetShape,
  sideNetTensorShapes,
  usualLastResidual,
} from "../longmem/sidenet_shape.ts";
import { ByteFile } from "../formats/byte_file.ts";
import { checkBackboneShape, checkGiven, checkSideNetShape, readTensors } from "./content.ts";
import { readFairseq, readFairseqBackbone, readFairseqSideNet } from "./fairseq.ts";
import { architectureOf, backboneTensorShapes } from "../backbone/architectures.ts";
import {
  type LongMemFolder,
  parseBackboneShape,
  readBackboneFolder,
  readFolder,
  readLongMemFolder,
} from "./folder.ts";
import { localPath } from "./hub_cache.ts";
import { isHuggingFaceFolder, readHuggingFaceBackbone } from "./huggingface.ts";
import { openSafetensors, type SafetensorsFile } from "../formats/safetensors.ts";
import { hashTensors } from "../formats/tensor_hash.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import type { MemorySizes } from "../memory/config.ts";
import { stat } from "../system.ts";

/** Formats that are read: torch's zip archive, one safetensors file, the project's folder, a repository of Hugging Face. */
export type CheckpointFormat = "torch" | "safetensors" | "folder" | "huggingface";

/** A SideNet with its checkpoint's information besides the tensors. */
export interface LoadedSideNet extends SideNetCheckpoint {
  /** The memory it was trained with; absent for bare tensors. */
  readonly memory?: MemorySizes;
  /** `hashTensors` of the backbone it was trained on, where the checkpoint says. */
  readonly backboneHash?: string;
}

/** Reads a checkpoint of one format; bare tensors do not say how many `heads` they have. */
type Reader<Content> = (
  path: string,
  given: { shape?: Partial<BackboneShape> },
) => Promise<Content>;

const backboneReaders: Readonly<Record<CheckpointFormat, Reader<BackboneCheckpoint>>> = {
  torch: readFairseqBackbone,
  folder: readBackboneFolder,
  huggingface: readHuggingFaceBackbone,
  safetensors: readBareBackbone,
};

const wholeReaders: Readonly<
  Record<CheckpointFormat, Reader<BackboneCheckpoint | LongMemFolder>>
> = { ...backboneReaders, torch: readFairseq, folder: readFolder };

/** Bytes looked at to recognise a file. */
const START_BYTES = 512;

/**
 * Reads all that a checkpoint holds: a backbone alone, or a LongMem.
 *
 * @param path A file or folder, as for `loadBackboneWeights`; of bare safetensors files, that of a backbone.
 */
export async function loadCheckpoint(
  path: string,
  options: { shape?: Partial<BackboneShape> } = {},
): Promise<BackboneCheckpoint | LongMemFolder> {
  const checkpoint = await wholeReaders[await recogniseCheckpoint(path)](path, options);
  const { shape } = "sideNet" in checkpoint ? checkpoint.backbone : checkpoint;
  checkGiven(options.shape, shape, path);
  return checkpoint;
}

/**
 * Reads a backbone from an official fairseq checkpoint (its own or a LongMem that contains it), a folder
 * of this project, a folder of Hugging Face's format, or a bare safetensors file with the official names.
 *
 * @param given A file or folder, or a model of the Hub that is in its cache, `hf:OWNER/NAME`.
 * @param options `shape`: sizes that the checkpoint must have. A bare safetensors file does not say how
 * many heads it has, so `shape.heads` is needed for one that was not written with `backboneMetadata`.
 * @throws errors that name the file, the expected and the actual content.
 */
export async function loadBackboneWeights(
  given: string,
  options: { shape?: Partial<BackboneShape> } = {},
): Promise<BackboneCheckpoint> {
  const path = await localPath(given);
  const checkpoint = await backboneReaders[await recogniseCheckpoint(path)](path, options);
  checkGiven(options.shape, checkpoint.shape, path);
  return checkpoint;
}

/**
 * Reads a SideNet from an official LongMem checkpoint, a folder of this project, or a bare safetensors file.
 *
 * @param path A file or folder.
 * @param backbone Sizes of the backbone it is to work with.
 * @param options `shape`: sizes that the checkpoint must have; a bare safetensors file does not say which
 * backbone block is cached, so `shape.memoryBlock` is needed for one that was not written with `sideNetMetadata`. `backboneHash`: `hashTensors` of the
 * backbone, which must be the recorded one where the checkpoint records it, or the one that an official checkpoint contains.
 */
export async function loadSideNetWeights(
  path: string,
  backbone: BackboneShape,
  options: { shape?: Partial<SideNetShape>; backboneHash?: string } = {},
): Promise<LoadedSideNet> {
  const format = await recogniseCheckpoint(path);
  let loaded: LoadedSideNet;
  switch (format) {
    case "torch": {
      const { sideNet, memory, backboneShape } = await readFairseqSideNet(path);
      checkGiven(backbone, backboneShape, path);
      loaded = { ...sideNet, memory };
      if (options.backboneHash) {
        // The official loader replaces the given backbone by the one inside, which may have been rounded to float16.
        const inner = await readFairseqBackbone(path);
        loaded = { ...loaded, backboneHash: hashTensors(inner.weights) };
      }
      break;
    }
    case "folder": {
      const { sideNet, memory, backbone: { shape }, backboneHash } = await readLongMemFolder(
        path,
        { backboneWeights: false },
      );
      checkGiven(backbone, shape, path);
      loaded = { ...sideNet, memory, ...(backboneHash === undefined ? {} : { backboneHash }) };
      break;
    }
    case "huggingface":
      throw new InputTypeError(
        `Cannot read a SideNet from "${path}" as it is a model of Hugging Face, which has none`,
      );
    case "safetensors":
      loaded = await readBareSideNet(path, backbone, options.shape);
      break;
    default:
      return format satisfies never;
  }
  const usual = { crossNetworkResidual: true, lastResidual: usualLastResidual(backbone) };
  checkGiven(options.shape, { ...usual, ...loaded.shape }, path);
  const { backboneHash } = loaded;
  if (backboneHash && options.backboneHash && backboneHash !== options.backboneHash) {
    throw new InputRangeError(
      `Cannot use the SideNet of "${path}" as it was trained on another backbone: ` +
        `expected one with hash ${backboneHash}, found ${options.backboneHash}` +
        (format === "torch" ? `; "${path}" contains its own, which can be loaded as backbone` : ""),
    );
  }
  return loaded;
}

/** Recognises the format of a checkpoint by its content; anything else is an error that describes it. */
export async function recogniseCheckpoint(path: string): Promise<CheckpointFormat> {
  // Folders cannot be opened as files; a path that does not exist is left to `ByteFile` to report.
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory) return await isHuggingFaceFolder(path) ? "huggingface" : "folder";
  using file = await ByteFile.open(path);
  const start = await file.read(0, Math.min(START_BYTES, file.sizeBytes));
  if (start[0] === 0x50 && start[1] === 0x4b) return "torch";
  if (isSafetensors(start)) return "safetensors";
  throw new InputTypeError(
    `Cannot read "${path}" as a checkpoint as it is ${
      describeStart(start, file.sizeBytes)
    }: expected ` +
      `a torch checkpoint (a zip archive, .pt), a safetensors file, or a folder with config.json`,
  );
}

/** A header length that is no text's, then the brace of the header. */
function isSafetensors(start: Uint8Array<ArrayBuffer>): boolean {
  return start.length > 8 && start[8] === 0x7b &&
    new DataView(start.buffer).getBigUint64(0, true) < 2n ** 32n;
}

function describeStart(start: Uint8Array<ArrayBuffer>, sizeBytes: number): string {
  if (sizeBytes === 0) return "an empty file";
  const text = new TextDecoder().decode(start).trimStart();
  if (text.startsWith("version https://git-lfs.github.com/spec")) {
    const declared = /^size (\d+)$/m.exec(text)?.[1];
    return `a git-LFS pointer of ${sizeBytes} bytes` +
      (declared ? ` to a file of ${declared} bytes` : "") + ` (fetch it with "git lfs pull")`;
  }
  if (/^<(!doctype|html|head|\?xml)/i.test(text)) {
    return `an HTML or XML page of ${sizeBytes} bytes, perhaps an error message of a download`;
  }
  if (start[0] === 0x80 && start[1] >= 2 && start[1] <= 5) {
    return `a bare pickle, torch's format before version 1.6 or none of torch ` +
      `(save it again with a newer torch: torch.save(torch.load(path), path))`;
  }
  if (start[0] === 0x1f && start[1] === 0x8b) return "gzip data (unpack it first)";
  if (text.startsWith("{") || text.startsWith("[")) return `JSON of ${sizeBytes} bytes`;
  const first = [...start.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `none of the known formats, ${sizeBytes} bytes that begin with ${first.join(" ")}`;
}

async function readBareBackbone(
  path: string,
  { shape: given }: { shape?: Partial<BackboneShape> },
): Promise<BackboneCheckpoint> {
  using file = await openSafetensors(path);
  const { entries } = file;
  const recorded = recordedShape(file);
  if (recorded) return await readShapedBackbone(file, recorded);
  const prefix = findPrefix(file, "decoder.model.", "transformer.wte.weight");
  const wte = entries.get(prefix + "transformer.wte.weight")?.shape;
  const layers = countLayers(file, (i) => `${prefix}transformer.h.${i}.ln_1.weight`);
  if (wte?.length !== 2 || layers === 0) {
    throw new InputTypeError(
      `Cannot read a backbone from "${path}" as the official names are missing: expected ` +
        `"[decoder.model.]transformer.wte.weight" and so on, found ${names(file)}`,
    );
  }
  const heads = given?.heads ?? recordedSize(file, "heads");
  if (heads === undefined) {
    throw new InputTypeError(
      `Cannot read a backbone from "${path}" as bare tensors do not say how many heads they have: ` +
        `give shape.heads`,
    );
  }
  return await readShapedBackbone(file, {
    layers,
    hiddenDim: wte[1],
    heads,
    feedForwardDim: entries.get(prefix + "transformer.h.0.mlp.fc_in.weight")?.shape[0] ??
      4 * wte[1],
    vocabSize: wte[0],
  });
}

/**
 * Reads the backbone that a run has trained, whose file holds tensors alone.
 *
 * @param sizes The shape that the run declares; the vocabulary is that of the embeddings.
 * @throws {RangeError} If the tensors are others.
 */
export async function loadTrainedBackbone(
  path: string,
  sizes: Omit<BackboneShape, "vocabSize">,
): Promise<BackboneCheckpoint> {
  using file = await openSafetensors(path);
  const architecture = architectureOf(sizes);
  const embeddings = [...architecture.tensors({ ...sizes, vocabSize: 1 }).keys()]
    .find((name) => architecture.roleOf(name) === "embeddings")!;
  const vocabSize = file.entries.get(embeddings)?.shape[0] ?? 1;
  return await readShapedBackbone(file, { ...sizes, vocabSize });
}

/** Reads a backbone all of whose shape is known. */
async function readShapedBackbone(
  file: SafetensorsFile,
  shape: BackboneShape,
): Promise<BackboneCheckpoint> {
  checkBackboneShape(shape, file.path);
  const expected = backboneTensorShapes(shape);
  const prefix = findPrefix(file, "decoder.model.", [...expected.keys()][0]);
  return { shape, weights: await readTensors(file, expected, prefix) };
}

async function readBareSideNet(
  path: string,
  backbone: BackboneShape,
  given: Partial<SideNetShape> = {},
): Promise<LoadedSideNet> {
  using file = await openSafetensors(path);
  const { sideNet } = architectureOf(backbone);
  const [first] = sideNet.layerTensors(backbone, { reads: false }).keys();
  const prefix = findPrefix(file, "decoder.", layerPrefix(0) + first);
  const layers = countLayers(file, (i) => prefix + layerPrefix(i) + first);
  if (layers === 0) {
    throw new InputTypeError(
      `Cannot read a SideNet from "${path}" as the official names are missing: expected ` +
        `"[decoder.]${layerPrefix(0)}${first}" and so on, found ${names(file)}`,
    );
  }
  const memoryBlock = given.memoryBlock ?? recordedSize(file, "memoryBlock");
  if (memoryBlock === undefined) {
    throw new InputTypeError(
      `Cannot read a SideNet from "${path}" as bare tensors do not say which block of the backbone ` +
        `is cached: give shape.memoryBlock`,
    );
  }
  if (backbone.layers % layers !== 0) {
    throw new InputRangeError(
      `Cannot read a SideNet from "${path}" as its layers must divide the backbone's: ` +
        `current values are ${layers} and ${backbone.layers}`,
    );
  }
  const recorded = lastResiduals.find((form) => form === file.metadata.lastResidual);
  const lastResidual = recorded ?? given.lastResidual;
  const shape: SideNetShape = {
    layers,
    reductionFactor: backbone.layers / layers,
    memoryBlock,
    ...((given.crossNetworkResidual ?? file.metadata.crossNetworkResidual !== "false")
      ? {}
      : { crossNetworkResidual: false }),
    ...(lastResidual === undefined ? {} : { lastResidual }),
  };
  checkSideNetShape(shape, backbone, path);
  const memory = recordedMemory(file);
  const backboneHash = file.metadata.backboneHash;
  return {
    shape,
    weights: await readTensors(file, sideNetTensorShapes(shape, backbone), prefix),
    ...(memory ? { memory } : {}),
    ...(backboneHash ? { backboneHash } : {}),
  };
}

/** Metadata of a bare safetensors file of a backbone: settings that do not follow from its tensors. */
export function backboneMetadata(shape: BackboneShape): Record<string, string> {
  const { architecture, heads } = shape;
  return architecture === undefined ? { heads: `${heads}` } : { shape: JSON.stringify(shape) };
}

/** The whole shape in the metadata of a file, of an architecture that is not the official one. */
function recordedShape({ metadata, path }: SafetensorsFile): BackboneShape | undefined {
  if (metadata.shape === undefined) return undefined;
  try {
    return parseBackboneShape(JSON.parse(metadata.shape));
  } catch {
    throw new InputTypeError(
      `Cannot read a backbone from "${path}" as the shape in its metadata is malformed: current value is ${metadata.shape}`,
    );
  }
}

/** Metadata of a bare safetensors file of a SideNet: settings that do not follow from its tensors. */
export function sideNetMetadata(
  { shape, memory, backboneHash }: LoadedSideNet,
): Record<string, string> {
  return {
    ...(memory && {
      capacityTokens: `${memory.capacityTokens}`,
      chunkTokens: `${memory.chunkTokens}`,
      retrievedTokens: `${memory.retrievedTokens}`,
    }),
    memoryBlock: `${shape.memoryBlock}`,
    ...(shape.crossNetworkResidual === false ? { crossNetworkResidual: "false" } : {}),
    ...(shape.lastResidual === undefined ? {} : { lastResidual: shape.lastResidual }),
    ...(backboneHash ? { backboneHash } : {}),
  };
}

/** A size in the metadata of a file, if the file was written with one. */
function recordedSize({ metadata }: SafetensorsFile, name: string): number | undefined {
  const text = metadata[name];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function recordedMemory(file: SafetensorsFile): MemorySizes | undefined {
  const capacityTokens = recordedSize(file, "capacityTokens");
  const chunkTokens = recordedSize(file, "chunkTokens");
  const retrievedTokens = recordedSize(file, "retrievedTokens");
  if (!capacityTokens || !chunkTokens || !retrievedTokens) return undefined;
  return { capacityTokens, chunkTokens, retrievedTokens };
}

/** The prefix, where the file has a tensor under it; else none. */
function findPrefix(file: SafetensorsFile, prefix: string, name: string): string {
  return file.entries.has(prefix + name) ? prefix : "";
}

function countLayers(file: SafetensorsFile, name: (layer: number) => string): number {
  let layers = 0;
  while (file.entries.has(name(layers))) layers++;
  return layers;
}

/** The first names of a file, for messages. */
function names(file: SafetensorsFile): string {
  const all = [...file.entries.keys()];
  return all.slice(0, 3).join(", ") + (all.length > 3 ? ` and ${all.length - 3} more` : "");
}
