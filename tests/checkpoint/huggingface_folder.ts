/** Folders of Hugging Face's format, written for tests. */
import { architectureOf } from "../../src/backbone/architectures.ts";
import { isOfHead } from "../../src/backbone/huggingface_format.ts";
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { writeTorchFile } from "../../src/formats/torch_writer.ts";
import { elementCount, type TensorMap } from "../../src/tensor.ts";
import { withFolder } from "../temporary_folder.ts";

/** The settings that a `config.json` gives. */
export function settingsOf(config: Record<string, unknown>): Promise<Record<string, unknown>> {
  return withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    return { ...(await readHuggingFaceShape(folder)).settings };
  });
}

/** The tensors of a model as files of its architecture hold them. */
export function huggingFaceTensors(
  { shape, weights }: BackboneCheckpoint,
  options: { prefix?: string } = {},
): TensorMap {
  const format = architectureOf(shape).huggingFace!;
  const { prefix = format.prefix } = options;
  const files: TensorMap = new Map();
  for (const [name, { data, shape: sizes }] of weights) {
    const { name: source, layout } = format.source(name, shape);
    const inFile = isOfHead(format, source) ? source : prefix + source;
    const [out, into = 1] = sizes;
    const { transposed, rows, lessOne } = layout ?? {};
    const count = rows?.count ?? out, dimensions = [count, ...sizes.slice(1)];
    const fileShape = transposed ? dimensions.reverse() : dimensions;
    const tensor = files.get(inFile) ??
      { shape: fileShape, data: new Float32Array(elementCount(fileShape)) };
    data.forEach((value, i) => {
      const o = Math.floor(i / into), j = i % into, row = rows?.at(o) ?? o;
      tensor.data[transposed ? j * count + row : row * into + j] = lessOne ? value - 1 : value;
    });
    files.set(inFile, tensor);
  }
  return files;
}

/** Writes a folder: its configuration, and its tensors in one file or several, of safetensors or, `pickled`, of torch. */
export async function writeHuggingFace(
  folder: string,
  config: Record<string, unknown>,
  tensors: TensorMap,
  options: { shards?: number; pickled?: boolean } = {},
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const { shards = 1, pickled = false } = options;
  const [name, ending] = pickled ? ["pytorch_model", "bin"] : ["model", "safetensors"];
  const write = (path: string, tensors: TensorMap) =>
    pickled
      ? writeTorchFile(
        path,
        (tensor) => new Map([...tensors].map(([name, value]) => [name, tensor(value)])),
      )
      : writeSafetensors(path, tensors);
  if (shards === 1) return await write(`${folder}/${name}.${ending}`, tensors);
  const map: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `${name}-0000${shard + 1}-of-0000${shards}.${ending}`;
    const part = new Map([...tensors].filter((_, i) => i % shards === shard));
    await write(`${folder}/${file}`, part);
    for (const name of part.keys()) map[name] = file;
  }
  await Deno.writeTextFile(
    `${folder}/${name}.${ending}.index.json`,
    JSON.stringify({ metadata: {}, ["weight_map"]: map }),
  );
}
