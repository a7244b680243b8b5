/**
 * Repositories of Hugging Face: a folder with `config.json` and the tensors in `model.safetensors` or `pytorch_model.bin`, or in
 * several files that a list of such a name and `.index.json` names.
 */
import type { Architecture } from "../backbone/architecture.ts";
import { architectures, backboneTensorShapes } from "../backbone/architectures.ts";
import { ConfigReader } from "../backbone/config_reader.ts";
import {
  type HuggingFaceFormat,
  isOfHead,
  type TensorLayout,
} from "../backbone/huggingface_format.ts";
import type { BackboneCheckpoint, BackboneShape } from "../backbone/shape.ts";
import { allowedWords } from "../did_you_mean.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import { readJson } from "../files.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import type { TensorFile } from "../formats/tensor_file.ts";
import { openTorchTensors } from "../formats/torch_tensors.ts";
import { NotFound, readDir } from "../system.ts";
import type { HostTensor, TensorMap } from "../tensor.ts";
import { checkBackboneShape, checkTensorShapes, readFloats } from "./content.ts";
import { configFile, weightsFiles, weightsIn } from "./hub_cache.ts";

/** Whether a folder has a `config.json` of Hugging Face's format, judged by the file's content. */
export async function isHuggingFaceFolder(path: string): Promise<boolean> {
  try {
    return huggingFaceArchitecture(await readJson(`${path}/${configFile}`)) !== undefined;
  } catch {
    return false; // the reader of the project's own format reports the problem
  }
}

/**
 * Reads the architecture in a `config.json` of Hugging Face, such as "GPT2LMHeadModel" or "gpt2".
 *
 * @returns undefined where it is of another kind.
 */
export function huggingFaceArchitecture(config: unknown): string | undefined {
  const { format, model_type: type, architectures } = (config ?? {}) as Record<string, unknown>;
  if (format !== undefined || (type === undefined && architectures === undefined)) return undefined;
  return `${Array.isArray(architectures) ? architectures[0] : type}`;
}

/**
 * The sizes of a model, without its weights.
 *
 * @throws TypeError or RangeError naming the file, and the setting that is missing, malformed or not supported; for an unknown
 * architecture, the known ones.
 */
export async function readHuggingFaceShape(path: string): Promise<BackboneShape> {
  return (await readConfig(path)).shape;
}

/** Reads a model with tensors of any float format as float32. */
export async function readHuggingFaceBackbone(path: string): Promise<BackboneCheckpoint> {
  const { architecture, shape } = await readConfig(path);
  const format = architecture.huggingFace!;
  using files = await openFiles(path);
  const prefix = prefixOf(format, files.tensors);
  const heads = format.heads.filter((name) => files.tensors.has(name));
  const nameInFile = (name: string) => {
    if (!isOfHead(format, name)) return prefix + name;
    return heads[0]?.replace(/\w+$/, /\w+$/.exec(name)![0]) ?? name;
  };
  const shapes = backboneTensorShapes(shape);
  const expected = new Map<string, number[]>();
  for (const [name, sizes] of shapes) {
    const { name: source, layout } = format.source(name, shape);
    expected.set(nameInFile(source), shapeInFile(sizes, layout));
  }
  checkTensorShapes(files.tensors, expected, {
    path,
    isOther: (name) =>
      format.isUnused(name.startsWith(prefix) ? name.slice(prefix.length) : name) ||
      !shapes.has("head.weight") && format.heads.includes(name), // checked below
  });
  const weights: TensorMap = new Map();
  let fused: { name: string; tensor: HostTensor } | undefined; // several of ours may lie in one of the file's
  for (const [name, expected] of shapes) {
    const source = format.source(name, shape);
    const inFile = nameInFile(source.name);
    if (fused?.name !== inFile) {
      const { file, path } = files.tensors.get(inFile)!;
      const read = await readFloats({ path }, [inFile], (name) => file.read(name));
      fused = { name: inFile, tensor: read.get(inFile)! };
    }
    weights.set(name, arrange(fused.tensor, expected, source.layout));
  }
  if (weights.has("head.weight")) return { shape, weights };
  for (const head of heads) {
    await checkCopy(head, weights.get("embeddings.weight")!, files.tensors.get(head)!);
  }
  return { shape, weights };
}

/** Rows of a head that are compared at a time: memory holds no second one. */
const comparedRows = 1024;

/** Checks that a head beside tied embeddings is a copy of them: of two that differ nothing says which is meant. */
async function checkCopy(
  name: string,
  { data, shape: [V, E] }: HostTensor,
  { file, shape, path }: PlacedTensor,
): Promise<void> {
  const refuse = (reason: string): never => {
    throw new InputRangeError(
      `Cannot read "${path}" as tensor "${name}" ${reason}, while "${configFile}" says that the head is that table ` +
        "(tie_word_embeddings: current value is true, which is also the default of some architectures, allowed is false)",
    );
  };
  if (shape.join() !== `${V},${E}`) {
    refuse(`has another shape than the embeddings, [${shape}] instead of [${V},${E}]`);
  }
  for (let start = 0; start < V; start += comparedRows) {
    const count = Math.min(comparedRows, V - start);
    const rows = await file.readRows(name, { start, count });
    const at = rows.findIndex((value, i) => value !== data[start * E + i]);
    if (at >= 0) {
      const row = start + Math.floor(at / E);
      refuse(
        `differs from the embeddings, first at [${row},${at % E}]: ${rows[at]} instead of ${
          data[start * E + at]
        }`,
      );
    }
  }
}

/** The tensor of ours that lies in one of a file. */
function arrange(
  { data }: HostTensor,
  shape: readonly number[],
  { transposed, rows, lessOne }: TensorLayout = {},
): HostTensor {
  if (lessOne) return { shape, data: data.map((value) => value + 1) };
  if (!transposed && !rows) return { shape, data };
  const [out, into = 1] = shape, { count, at } = rows ?? { count: out, at: (row: number) => row };
  const arranged = new Float32Array(out * into);
  for (let o = 0; o < out; o++) {
    const row = at(o);
    if (!transposed) {
      arranged.set(data.subarray(row * into, (row + 1) * into), o * into);
      continue;
    }
    for (let i = 0; i < into; i++) arranged[o * into + i] = data[i * count + row];
  }
  return { shape, data: arranged };
}

/** Shape that a tensor has in its file. */
function shapeInFile(
  [out, ...into]: readonly number[],
  { transposed, rows: { count } = { count: out, at: Number } }: TensorLayout = {},
): number[] {
  return transposed ? [...into, count] : [count, ...into];
}

/** The prefix that the names of a file have: files of the bare model, without its head, have none. */
function prefixOf(
  { prefix, otherPrefixes = [] }: HuggingFaceFormat,
  tensors: TensorFiles["tensors"],
): string {
  const names = [...tensors.keys()];
  return [...otherPrefixes, prefix].find((start) => names.some((name) => name.startsWith(start))) ??
    "";
}

/** The open files of a model. */
interface TensorFiles extends Disposable {
  readonly tensors: ReadonlyMap<string, PlacedTensor>;
}

/** Which file a tensor lies in, and its shape there. */
interface PlacedTensor {
  readonly file: TensorFile;
  readonly shape: readonly number[];
  readonly path: string;
}

async function openFiles(path: string): Promise<TensorFiles> {
  const { weights, index, names } = await weightsIn(path);
  const opened: TensorFile[] = [];
  const close = () => {
    for (const file of opened) file[Symbol.dispose]();
  };
  try {
    const tensors = new Map<string, PlacedTensor>();
    for (const name of names) {
      const file = await open(path, name);
      opened.push(file);
      for (const [tensor, { shape }] of file.entries) {
        const other = tensors.get(tensor);
        if (other) {
          throw new InputRangeError(
            `Cannot read "${path}" as tensor "${tensor}" is in two files: "${other.path}" and "${path}/${name}"`,
          );
        }
        tensors.set(tensor, { file, shape, path: `${path}/${name}` });
      }
    }
    if (index !== undefined) checkIndex(index, tensors, { folder: path, weights });
    return { tensors, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

async function open(folder: string, name: string): Promise<TensorFile> {
  try {
    return await (name.endsWith(".bin") ? openTorchTensors : openSafetensors)(`${folder}/${name}`);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    const others: string[] = [];
    for await (const entry of readDir(folder)) {
      if (/\.(bin|pt|pth|h5|msgpack|gguf|safetensors)$/.test(entry.name)) others.push(entry.name);
    }
    const found = others.sort().map((other) => `"${other}"`).join(", ");
    throw new NotFound(
      `Cannot read "${folder}" as "${name}" is missing` +
        (found ? `: found ${found}, allowed is "${weightsFiles[1]}", too` : ""),
    );
  }
}

/** Checks that every tensor is in the file that the index says. */
function checkIndex(
  index: unknown,
  tensors: TensorFiles["tensors"],
  { folder, weights }: { readonly folder: string; readonly weights: string },
): void {
  const { weight_map: map } = index as { weight_map: Record<string, string> };
  for (const [name, file] of Object.entries(map)) {
    const found = tensors.get(name)?.path;
    if (found === `${folder}/${file}`) continue;
    throw new InputRangeError(
      `Cannot read "${folder}" as "${weights}" says that tensor "${name}" is in "${file}": ` +
        (found ? `it is in "${found}"` : "it is in no file"),
    );
  }
}

async function readConfig(
  path: string,
): Promise<{ architecture: Architecture; shape: BackboneShape }> {
  const file = `${path}/${configFile}`;
  const config = new ConfigReader(file, await readJson(file));
  const known = architectures().filter(({ huggingFace }) => huggingFace);
  const types = known.flatMap(({ huggingFace }) => huggingFace!.modelTypes);
  const modelType = config.value("model_type");
  const architecture = known.find(({ huggingFace }) =>
    huggingFace!.modelTypes.includes(modelType as string)
  );
  if (!architecture) {
    throw new InputTypeError(
      `Cannot read "${file}" as model_type ${
        JSON.stringify(modelType ?? null)
      } is not a known architecture: ${allowedWords(String(modelType), types)}`,
    );
  }
  if (config.value("quantization_config") !== undefined) {
    config.refuse("quantization_config", "none: weights must be floating-point");
  }
  const shape = architecture.huggingFace!.readShape(config);
  checkBackboneShape(shape, file);
  return { architecture, shape };
}
