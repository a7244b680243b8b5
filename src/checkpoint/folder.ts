/**
 * The project's own format: a folder with `config.json` and safetensors files.
 *
 *     config.json            { "format": "longmem-lab", "version": 1, "kind": "backbone" | "longmem", ... }
 *     backbone.safetensors   official names without `decoder.model.`
 *     sidenet.safetensors    official names without `decoder.` (kind "longmem")
 *     tokenizer.json         or encoder.json, vocab.bpe and dict.txt, where config.json says so
 *
 * A folder of kind "longmem" may leave the frozen backbone out and name it by its hash.
 */
import * as z from "zod";
import { type BackboneCheckpoint, type BackboneShape } from "../backbone/shape.ts";
import { backboneShapeForm } from "../backbone/shape_form.ts";
import {
  lastResiduals,
  type SideNetCheckpoint,
  sideNetTensorShapes,
} from "../longmem/sidenet_shape.ts";
import type { TensorMap } from "../tensor.ts";
import {
  nonNegativeInteger,
  oneOf,
  positiveInteger as size,
  trueOrFalse,
} from "../declaration/fields.ts";
import { parseForm } from "../declaration/form_problems.ts";
import { show } from "../declaration/problem.ts";
import { composed } from "../declaration/registry.ts";
import { ifThere, isThere, readJson, requireThere, writeAtomically } from "../files.ts";
import {
  checkBackboneShape,
  checkSideNetShape,
  checkTensorShapes,
  checkWeights,
  readFloats,
} from "./content.ts";
import { localPath } from "./hub_cache.ts";
import { findTokenizerFile } from "../text/tokenizers/file.ts";
import {
  huggingFaceArchitecture,
  isHuggingFaceFolder,
  readHuggingFaceShape,
} from "./huggingface.ts";
import { openSafetensors, writeSafetensors, type WrittenFloats } from "../formats/safetensors.ts";
import { hashFile, hashTensors } from "../formats/tensor_hash.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import type { MemorySizes } from "../memory/config.ts";
import { makeFolders, NotFound } from "../system.ts";
import { backboneTensorShapes } from "../backbone/architectures.ts";
import {
  folderTokenizer,
  tokenizerRecord,
  type TokenizerSource,
  writeFolderTokenizer,
} from "../text/tokenizers/tokenizers.ts";

const FORMAT = "longmem-lab", VERSION = 1;

/** File name of the declaration. */
const CONFIG_FILE = "config.json";
/** File name of the frozen language model's weights. */
const BACKBONE_FILE = "backbone.safetensors";
/** File name of the SideNet's weights. */
const SIDE_NET_FILE = "sidenet.safetensors";

/** A backbone's shape from JSON. */
export function parseBackboneShape(value: unknown): BackboneShape {
  return backboneShapeForm.parse(value);
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/).describe("SHA-256 hashes, hexadecimal");

const folderConfig = composed(() => {
  const common = {
    format: z.literal(FORMAT),
    version: z.literal(VERSION),
    backbone: backboneShapeForm,
    contextTokens: size.optional(),
    tokenizer: tokenizerRecord().optional(),
  };
  return z.discriminatedUnion("kind", [
    z.strictObject({
      ...common,
      kind: z.literal("backbone"),
      files: z.strictObject({ [BACKBONE_FILE]: sha256.optional() }).optional(),
    }),
    z.strictObject({
      ...common,
      kind: z.literal("longmem"),
      sideNet: z.strictObject({
        layers: size,
        reductionFactor: size,
        memoryBlock: nonNegativeInteger,
        crossNetworkResidual: trueOrFalse.exactOptional(),
        lastResidual: oneOf(...lastResiduals).exactOptional(),
      }),
      memory: z.strictObject({ capacityTokens: size, chunkTokens: size, retrievedTokens: size }),
      backboneHash: sha256.optional(),
      files: z.strictObject({
        [BACKBONE_FILE]: sha256.optional(),
        [SIDE_NET_FILE]: sha256.optional(),
      }).optional(),
    }),
  ]);
});

type FolderConfig = z.infer<ReturnType<typeof folderConfig>>;

/** Content of a LongMem folder; the backbone's weights may be elsewhere. */
export interface LongMemFolder {
  /** The frozen language model; `weights` is absent where the folder leaves it out. */
  readonly backbone: {
    readonly shape: BackboneShape;
    readonly contextTokens?: number;
    readonly weights?: TensorMap;
  };
  /** The trained part. */
  readonly sideNet: SideNetCheckpoint;
  /** The memory it was trained with. */
  readonly memory: MemorySizes;
  /** `hashTensors` of the backbone it was trained on. */
  readonly backboneHash?: string;
}

/** Content of a folder besides the model. */
export interface FolderExtras {
  /** The tokenizer of the model's token ids, whose files are copied. */
  readonly tokenizer?: TokenizerSource | undefined;
}

/** The same beside a backbone alone; a SideNet is trained beside exact weights. */
export interface BackboneExtras extends FolderExtras {
  /** Type that weights are rounded to (default `float32`). */
  readonly floats?: WrittenFloats | undefined;
}

/** Writes a backbone; the declaration comes last, so that a folder that was not finished is not taken for one. */
export async function writeBackboneFolder(
  path: string,
  backbone: BackboneCheckpoint,
  { tokenizer, floats }: BackboneExtras = {},
): Promise<void> {
  const { shape, contextTokens, weights } = backbone;
  checkWritten(weights, backboneTensorShapes(shape), `${path}/${BACKBONE_FILE}`);
  await makeFolders(path);
  await writeSafetensors(`${path}/${BACKBONE_FILE}`, weights, {}, floats);
  await writeConfig(path, {
    format: FORMAT,
    version: VERSION,
    kind: "backbone",
    backbone: { ...shape },
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(tokenizer ? { tokenizer: await writeFolderTokenizer(path, tokenizer) } : {}),
    files: { [BACKBONE_FILE]: await hashFile(`${path}/${BACKBONE_FILE}`) },
  });
}

/**
 * The sizes of the backbone of a folder, of this format or of Hugging Face's, without its weights.
 *
 * @returns undefined where the path is not such a folder, or not there.
 */
export async function readFolderShape(path: string): Promise<BackboneShape | undefined> {
  if (await isHuggingFaceFolder(path)) return await readHuggingFaceShape(path);
  return (await ifThere(readConfig(path)))?.backbone;
}

/**
 * The tokenizer that a folder carries.
 *
 * @returns undefined where it carries none, or the path is not a folder of this format or of Hugging Face's.
 */
export async function readFolderTokenizer(given: string): Promise<TokenizerSource | undefined> {
  const path = await localPath(given);
  if (await isHuggingFaceFolder(path)) return await findTokenizerFile(path);
  const record = (await ifThere(readConfig(path)))?.tokenizer;
  return record && folderTokenizer(path, record);
}

/**
 * The tokenizer that lies beside the weights of a folder.
 *
 * @throws {TypeError} Where none does.
 */
export async function tokenizerBeside(folder: string): Promise<TokenizerSource> {
  const source = await readFolderTokenizer(folder);
  if (source) return source;
  throw new InputTypeError(
    `Cannot open the tokenizer of "${folder}" as it has no "tokenizer.json", and no "vocab.json" with "merges.txt": allowed are models with one, or another kind of tokenizer`,
  );
}

/** Reads what `writeBackboneFolder` wrote, or the backbone of a LongMem folder that has it. */
export async function readBackboneFolder(path: string): Promise<BackboneCheckpoint> {
  const config = await readConfig(path);
  if (config.kind === "longmem" && !await isThere(`${path}/${BACKBONE_FILE}`)) {
    throw new NotFound(
      `Cannot read a backbone from folder "${path}" as it leaves its backbone out: ` +
        `"${BACKBONE_FILE}" is missing` +
        (config.backboneHash ? `, the hash of its tensors is ${config.backboneHash}` : ""),
    );
  }
  return await readBackboneOf(path, config);
}

/** Writes a LongMem; without the backbone's weights, it is named by its hash only. */
export async function writeLongMemFolder(
  path: string,
  longMem: LongMemFolder,
  { tokenizer }: FolderExtras = {},
): Promise<void> {
  const { backbone, sideNet, memory } = longMem;
  const expected = sideNetTensorShapes(sideNet.shape, backbone.shape);
  checkWritten(sideNet.weights, expected, `${path}/${SIDE_NET_FILE}`);
  if (backbone.weights) {
    const shapes = backboneTensorShapes(backbone.shape);
    checkWritten(backbone.weights, shapes, `${path}/${BACKBONE_FILE}`);
  }
  const backboneHash = backbone.weights ? hashTensors(backbone.weights) : longMem.backboneHash;
  await makeFolders(path);
  const files: { [BACKBONE_FILE]?: string; [SIDE_NET_FILE]?: string } = {};
  if (backbone.weights) {
    await writeSafetensors(`${path}/${BACKBONE_FILE}`, backbone.weights);
    files[BACKBONE_FILE] = await hashFile(`${path}/${BACKBONE_FILE}`);
  }
  await writeSafetensors(`${path}/${SIDE_NET_FILE}`, sideNet.weights);
  files[SIDE_NET_FILE] = await hashFile(`${path}/${SIDE_NET_FILE}`);
  await writeConfig(path, {
    format: FORMAT,
    version: VERSION,
    kind: "longmem",
    backbone: { ...backbone.shape },
    ...(backbone.contextTokens === undefined ? {} : { contextTokens: backbone.contextTokens }),
    ...(tokenizer ? { tokenizer: await writeFolderTokenizer(path, tokenizer) } : {}),
    sideNet: { ...sideNet.shape },
    memory: { ...memory },
    ...(backboneHash === undefined ? {} : { backboneHash }),
    files,
  });
}

/**
 * Reads what `writeLongMemFolder` wrote.
 *
 * @param options `backboneWeights: false` leaves the backbone's weights unread.
 */
export async function readLongMemFolder(
  path: string,
  options: { backboneWeights?: boolean } = {},
): Promise<LongMemFolder> {
  const config = await readConfig(path);
  if (config.kind !== "longmem") {
    throw new InputTypeError(
      `Cannot read a SideNet from folder "${path}" as kind must be "longmem": ` +
        `current value is "${config.kind}"`,
    );
  }
  const hasBackbone = options.backboneWeights !== false &&
    (config.files?.[BACKBONE_FILE] !== undefined || await isThere(`${path}/${BACKBONE_FILE}`));
  const expected = sideNetTensorShapes(config.sideNet, config.backbone);
  const weights = await readWeights(path, SIDE_NET_FILE, expected, config.files?.[SIDE_NET_FILE]);
  return {
    backbone: hasBackbone ? await readBackboneOf(path, config) : withoutWeights(config),
    sideNet: { shape: config.sideNet, weights },
    memory: config.memory,
    ...(config.backboneHash === undefined ? {} : { backboneHash: config.backboneHash }),
  };
}

/** Reads a folder, whichever of the two it is. */
export async function readFolder(path: string): Promise<BackboneCheckpoint | LongMemFolder> {
  const config = await readConfig(path);
  return config.kind === "backbone"
    ? await readBackboneOf(path, config)
    : await readLongMemFolder(path);
}

async function readBackboneOf(
  path: string,
  config: FolderConfig,
): Promise<BackboneCheckpoint> {
  const expected = backboneTensorShapes(config.backbone);
  const weights = await readWeights(path, BACKBONE_FILE, expected, config.files?.[BACKBONE_FILE]);
  return { ...withoutWeights(config), weights };
}

function withoutWeights(
  config: FolderConfig,
): { shape: BackboneShape; contextTokens?: number } {
  const { backbone: shape, contextTokens } = config;
  return { shape, ...(contextTokens === undefined ? {} : { contextTokens }) };
}

async function readWeights(
  folder: string,
  fileName: string,
  expected: ReadonlyMap<string, readonly number[]>,
  recordedHash: string | undefined,
): Promise<TensorMap> {
  const path = `${folder}/${fileName}`;
  using file = await openSafetensors(path);
  checkTensorShapes(file.entries, expected, { path });
  if (recordedHash !== undefined) {
    const found = await hashFile(path);
    if (found !== recordedHash) {
      throw new InputRangeError(
        `Cannot read "${path}" as it is not the file that "${CONFIG_FILE}" records: ` +
          `expected SHA-256 ${recordedHash}, found ${found}`,
      );
    }
  }
  return await readFloats({ path }, expected.keys(), (name) => file.read(name));
}

function checkWritten(
  weights: TensorMap,
  expected: ReadonlyMap<string, readonly number[]>,
  path: string,
): void {
  try {
    checkWeights(weights, expected, path);
  } catch (error) {
    throw new InputRangeError((error as Error).message.replace("Cannot read", "Cannot write"));
  }
}

async function writeConfig(path: string, config: FolderConfig): Promise<void> {
  await writeAtomically(`${path}/${CONFIG_FILE}`, JSON.stringify(config, null, 2) + "\n");
}

async function readConfig(path: string): Promise<FolderConfig> {
  const file = `${path}/${CONFIG_FILE}`;
  const value = await requireThere(
    readJson(file),
    `Cannot read a checkpoint in folder "${path}" as "${CONFIG_FILE}" is missing: allowed are folders of Hugging Face ` +
      `and of "deno task import", which takes finished runs, .pt and safetensors files`,
  );
  const foreign = huggingFaceArchitecture(value);
  if (foreign !== undefined) {
    throw new InputTypeError(
      `Cannot read folder "${path}" as a checkpoint as its "${CONFIG_FILE}" is one of Hugging Face, of a model of ` +
        `architecture ${foreign}: allowed is format "${FORMAT}"`,
    );
  }
  const { format, version, kind } = (value ?? {}) as Record<string, unknown>;
  // Before the other fields: of a foreign format, every one of them would be wrong.
  expectOneOf(file, "format", format, [FORMAT]);
  expectOneOf(file, "version", version, [VERSION]);
  expectOneOf(file, "kind", kind, ["backbone", "longmem"]);
  const { declared: config, problems: [problem] } = parseForm(folderConfig(), value);
  if (!config) {
    throw new InputTypeError(`Cannot read "${file}" as ${problem.path} ${problem.message}`);
  }
  checkBackboneShape(config.backbone, file);
  if (config.kind === "longmem") checkSideNetShape(config.sideNet, config.backbone, file);
  return config;
}

function expectOneOf(file: string, key: string, value: unknown, allowed: unknown[]): void {
  if (allowed.includes(value)) return;
  throw new InputTypeError(
    `Cannot read "${file}" as ${key} is not supported: current value is ${show(value)}, ` +
      `allowed are ${allowed.map(show).join(", ")}`,
  );
}
