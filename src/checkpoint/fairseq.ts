/**
 * The official checkpoints (specification section 13): the files that fairseq's trainer saves for the backbone
 * ("newgpt") and for LongMem, read without Python.
 */
import { type BackboneCheckpoint, type BackboneShape } from "../backbone/shape.ts";
import {
  type SideNetCheckpoint,
  type SideNetShape,
  sideNetTensorShapes,
} from "../longmem/sidenet_shape.ts";
import { elementCount, type TensorMap } from "../tensor.ts";
import {
  checkBackboneShape,
  checkSideNetShape,
  checkTensorShapes,
  type LongMemCheckpoint,
  readFloats,
} from "./content.ts";
import {
  ALIASES,
  BACKBONE_PREFIX,
  INNER_PREFIX,
  SIDE_NET_PREFIX,
  VERSION,
  VERSION_NAME,
} from "./fairseq_names.ts";
import { describe, PickleNamespace, type PickleValue } from "../formats/pickle.ts";
import type { ByteSource } from "../formats/byte_file.ts";
import {
  namedTensors,
  openTorchFile,
  type TorchFile,
  type TorchTensor,
} from "../formats/torch_file.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import type { MemorySizes } from "../memory/config.ts";
import { backboneTensorShapes } from "../backbone/architectures.ts";

/** Bytes of weights per byte of file: float16 doubles, names may share a storage; more is hostile. */
const MAX_GROWTH = 4;

/** The parts of an official checkpoint that matter here. */
interface FairseqFile {
  readonly file: TorchFile;
  /** The state dict. */
  readonly model: ReadonlyMap<string, TorchTensor>;
  /** `cfg.model`, a dictionary or the attributes of a namespace. */
  readonly config: ReadonlyMap<PickleValue, PickleValue>;
  readonly kind: "backbone" | "longmem";
  /** Prefix of the backbone's tensors. */
  readonly prefix: string;
}

/** Reads the backbone from its official checkpoint, or the one inside a LongMem checkpoint. */
export async function readFairseqBackbone(path: string): Promise<BackboneCheckpoint> {
  using file = await openTorchFile(path);
  return await readBackbone(recogniseModel(file));
}

/** The trained part of an official LongMem checkpoint. */
interface FairseqSideNet {
  readonly sideNet: SideNetCheckpoint;
  readonly memory: MemorySizes;
  /** Sizes of the backbone that it contains. */
  readonly backboneShape: BackboneShape;
}

/** Reads SideNet and memory sizes from an official LongMem checkpoint, and the backbone's sizes but not its weights. */
export async function readFairseqSideNet(path: string): Promise<FairseqSideNet> {
  using file = await openTorchFile(path);
  return await readSideNet(recogniseModel(file));
}

/** Reads an official checkpoint, whichever of the two it is; with a LongMem comes the backbone it contains. */
export async function readFairseq(path: string): Promise<BackboneCheckpoint | LongMemCheckpoint> {
  using file = await openTorchFile(path);
  const fairseq = recogniseModel(file);
  if (fairseq.kind === "backbone") return await readBackbone(fairseq);
  const { sideNet, memory } = await readSideNet(fairseq);
  return { backbone: await readBackbone(fairseq), sideNet, memory };
}

/** Sizes of an official checkpoint, of which no weights are read. */
export interface FairseqSizes {
  /** Whether it is a backbone alone or a LongMem with the backbone in it. */
  readonly kind: "backbone" | "longmem";
  /** Sizes of the backbone. */
  readonly backbone: BackboneShape;
  /** Sizes of the SideNet; absent in a backbone alone. */
  readonly sideNet?: SideNetShape;
}

/**
 * Reads the kind and the sizes of an official checkpoint, but no weights.
 *
 * @param source Path of the file, or its bytes.
 * @throws {TypeError} Where it is another file.
 */
export async function readFairseqSizes(source: string | ByteSource): Promise<FairseqSizes> {
  using file = await openTorchFile(source);
  const fairseq = recogniseModel(file);
  const backbone = backboneShape(fairseq);
  return fairseq.kind === "backbone"
    ? { kind: "backbone", backbone }
    : { kind: "longmem", backbone, sideNet: sideNetShape(fairseq) };
}

/** Recognises the parts of an official checkpoint, and which of the two it is. */
function recogniseModel(file: TorchFile): FairseqFile {
  const { path, content } = file;
  const saved = content instanceof Map ? content.get("model") : undefined;
  if (!(content instanceof Map) || !(saved instanceof Map)) {
    throw new InputTypeError(
      `Cannot read "${path}" as it is not a fairseq checkpoint: expected a dictionary with "cfg" and ` +
        `"model", found ${content instanceof Map ? keys(content) : describe(content)}`,
    );
  }
  const model = namedTensors(saved, { path, what: "its model" });
  const cfg = content.get("cfg");
  const given = cfg instanceof Map ? cfg.get("model") : undefined;
  const config = given instanceof PickleNamespace ? given.attributes : given;
  if (!(config instanceof Map)) {
    throw new InputTypeError(
      `Cannot read "${path}" as cfg.model must be a dictionary or a namespace: ` +
        `current value is ${describe(given)}`,
    );
  }
  const has = (prefix: string) => [...model.keys()].some((name) => name.startsWith(prefix));
  const parts = { file, model, config };
  if (has(BACKBONE_PREFIX)) return { ...parts, kind: "backbone", prefix: BACKBONE_PREFIX };
  if (has(SIDE_NET_PREFIX + "layers.") || has(INNER_PREFIX)) {
    return { ...parts, kind: "longmem", prefix: INNER_PREFIX };
  }
  throw new InputTypeError(
    `Cannot read "${path}" as its model is neither a backbone (names begin with "${BACKBONE_PREFIX}") ` +
      `nor a LongMem ("${SIDE_NET_PREFIX}layers."): found ${keys(model)}`,
  );
}

async function readBackbone(fairseq: FairseqFile): Promise<BackboneCheckpoint> {
  const { file, model, config, prefix } = fairseq;
  const shape = backboneShape(fairseq);
  const expected = backboneTensorShapes(shape);
  checkTensorShapes(model, expected, {
    path: file.path,
    prefix,
    isOther: (name) => fairseq.kind === "longmem" && !name.startsWith(prefix),
  });
  const contextTokens = config.get("tokens_per_sample");
  return {
    shape,
    ...(typeof contextTokens === "number" ? { contextTokens } : {}),
    weights: await readWeights(fairseq, expected, prefix),
  };
}

async function readSideNet(fairseq: FairseqFile): Promise<FairseqSideNet> {
  const { file, model } = fairseq;
  if (fairseq.kind !== "longmem") {
    throw new InputTypeError(
      `Cannot read a SideNet from "${file.path}" as it is a checkpoint of a backbone alone: ` +
        `expected tensors "${SIDE_NET_PREFIX}layers.0...", found ${keys(model)}`,
    );
  }
  // The SideNet is built from these; another value would be another computation.
  expectField(fairseq, "activation_fn", "gelu");
  expectField(fairseq, "decoder_normalize_before", true);
  expectField(fairseq, "no_decoder_final_norm", false);
  await checkVersion(fairseq);
  const backbone = backboneShape(fairseq), shape = sideNetShape(fairseq);
  checkSideNetShape(shape, backbone, file.path);
  const expected = sideNetTensorShapes(shape, backbone);
  checkTensorShapes(model, expected, {
    path: file.path,
    prefix: SIDE_NET_PREFIX,
    isOther: (name) => name === VERSION_NAME || ALIASES.has(name) || name.startsWith(INNER_PREFIX),
  });
  for (const [alias, target] of ALIASES) await checkAlias(fairseq, alias, target);
  return {
    sideNet: { shape, weights: await readWeights(fairseq, expected, SIDE_NET_PREFIX) },
    memory: {
      capacityTokens: sizeField(fairseq, "memory_size"),
      chunkTokens: sizeField(fairseq, "chunk_size"),
      retrievedTokens: sizeField(fairseq, "k"),
    },
    backboneShape: backbone,
  };
}

function sideNetShape(fairseq: FairseqFile): SideNetShape {
  return {
    layers: sizeField(fairseq, "decoder_layers"),
    reductionFactor: sizeField(fairseq, "layer_reduction_factor"),
    memoryBlock: sizeField(fairseq, "retrieval_layer_index", 0),
  };
}

/** Sizes from the configuration; the vocabulary and the width of the MLP, which it does not always name, from the tensors. */
function backboneShape(fairseq: FairseqFile): BackboneShape {
  const { file, model, kind, prefix } = fairseq;
  const rows = (name: string) => {
    const tensor = model.get(prefix + name);
    if (!tensor) {
      throw new InputRangeError(
        `Cannot read "${file.path}" as tensor "${prefix}${name}" is missing`,
      );
    }
    return tensor.shape[0] ?? 0;
  };
  let layers: number, hiddenDim: number, heads: number;
  if (kind === "backbone") {
    expectField(fairseq, "newgpt_mode", "alibi");
    layers = sizeField(fairseq, "num_layers");
    hiddenDim = sizeField(fairseq, "embed_dim");
    heads = sizeField(fairseq, "num_attention_heads");
  } else {
    layers = sizeField(fairseq, "decoder_layers") * sizeField(fairseq, "layer_reduction_factor");
    hiddenDim = sizeField(fairseq, "decoder_embed_dim");
    heads = sizeField(fairseq, "decoder_attention_heads");
  }
  const shape = {
    layers,
    hiddenDim,
    heads,
    feedForwardDim: rows("transformer.h.0.mlp.fc_in.weight"),
    vocabSize: rows("transformer.wte.weight"),
  };
  checkBackboneShape(shape, file.path);
  return shape;
}

async function checkVersion({ file, model }: FairseqFile): Promise<void> {
  const tensor = model.get(VERSION_NAME);
  const version = tensor && elementCount(tensor.shape) === 1
    ? (await file.read(tensor)).data[0]
    : undefined;
  if (!(version !== undefined && version >= VERSION)) {
    throw new InputRangeError(
      `Cannot read "${file.path}" as "${VERSION_NAME}" must be at least ${VERSION}: ` +
        `${version === undefined ? "it is absent" : `current value is ${version}`}; the official ` +
        `loader would drop the final LayerNorm of such a file`,
    );
  }
}

/** Checks that an alias, if the file has it, is bitwise equal to its target. */
async function checkAlias(fairseq: FairseqFile, alias: string, target: string): Promise<void> {
  const { file, model } = fairseq;
  const a = model.get(alias), b = model.get(target);
  if (!a || (b && a.sameView(b))) return;
  if (
    !b || a.shape.join() !== b.shape.join() || !equalBits(await file.read(a), await file.read(b))
  ) {
    throw new InputRangeError(
      `Cannot read "${file.path}" as tensor "${alias}" must equal "${target}"`,
    );
  }
}

function equalBits(a: { data: ArrayBufferView }, b: { data: ArrayBufferView }): boolean {
  const words = ({ data }: { data: ArrayBufferView }) =>
    new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  const left = words(a), right = words(b);
  return left.length === right.length && left.every((word, i) => word === right[i]);
}

async function readWeights(
  { file, model }: FairseqFile,
  expected: ReadonlyMap<string, readonly number[]>,
  prefix: string,
): Promise<TensorMap> {
  let bytes = 0;
  for (const shape of expected.values()) bytes += 4 * elementCount(shape);
  if (bytes > MAX_GROWTH * file.sizeBytes) {
    throw new InputRangeError(
      `Cannot read "${file.path}" as its tensors would take ${bytes} bytes: ` +
        `the file has ${file.sizeBytes}`,
    );
  }
  const read = (name: string) => file.read(model.get(name)!);
  return await readFloats({ path: file.path, prefix }, expected.keys(), read);
}

function sizeField({ file, config }: FairseqFile, key: string, least = 1): number {
  const value = config.get(key);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
    throw new InputRangeError(
      `Cannot read "${file.path}" as cfg.model.${key} must be a whole number from ${least}: ` +
        `current value is ${describe(value)}`,
    );
  }
  return value;
}

/** A field that may be absent, but if it is there, has only one value that this code computes. */
function expectField({ file, config }: FairseqFile, key: string, value: string | boolean): void {
  const found = config.get(key);
  if (found !== undefined && found !== value) {
    throw new InputRangeError(
      `Cannot read "${file.path}" as cfg.model.${key} is not supported: ` +
        `current value is ${describe(found)}, allowed is ${describe(value)}`,
    );
  }
}

function keys(map: ReadonlyMap<PickleValue, unknown>): string {
  const names = [...map.keys()];
  const first = names.slice(0, 5).map((name) => describe(name)).join(", ");
  return names.length > 5 ? `${first} and ${names.length - 5} more` : first || "nothing";
}
