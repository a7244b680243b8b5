/** Folders of Hugging Face's format, written for tests. */
import { architectureOf } from "../../src/backbone/architectures.ts";
import type { TensorLayout } from "../../src/backbone/huggingface_format.ts";
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { elementCount, type TensorMap } from "../../src/tensor.ts";

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
    const inFile = format.heads.includes(source) ? source : prefix + source;
    const [out, into] = sizes;
    const parts = layout && layout.kind !== "transposed" ? 3 : 1;
    const fileShape = layout?.kind === "heads" || !layout
      ? [parts * out, ...sizes.slice(1)]
      : [...(into === undefined ? [] : [into]), parts * out];
    const tensor = files.get(inFile) ??
      { shape: fileShape, data: new Float32Array(elementCount(fileShape)) };
    data.forEach((value, i) => tensor.data[placeInFile(i, sizes, layout)] = value);
    files.set(inFile, tensor);
  }
  return files;
}

/** Where element i of a tensor of ours lies in that of the file. */
function placeInFile(
  i: number,
  [out, into = 1]: readonly number[],
  layout: TensorLayout | undefined,
): number {
  const o = Math.floor(i / into), j = i % into;
  switch (layout?.kind) {
    case undefined:
      return i;
    case "transposed":
      return j * out + o;
    case "columns":
      return j * 3 * out + layout.part * out + o;
    case "heads": {
      const D = out / layout.heads, head = Math.floor(o / D);
      return (head * 3 * D + layout.part * D + o % D) * into + j;
    }
    default:
      return layout satisfies never;
  }
}

/** Writes a folder: its configuration, and its tensors in one file or several. */
export async function writeHuggingFace(
  folder: string,
  config: Record<string, unknown>,
  tensors: TensorMap,
  options: { shards?: number } = {},
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const { shards = 1 } = options;
  if (shards === 1) return await writeSafetensors(`${folder}/model.safetensors`, tensors);
  const map: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-0000${shard + 1}-of-0000${shards}.safetensors`;
    const part = new Map([...tensors].filter((_, i) => i % shards === shard));
    await writeSafetensors(`${folder}/${file}`, part);
    for (const name of part.keys()) map[name] = file;
  }
  await Deno.writeTextFile(
    `${folder}/model.safetensors.index.json`,
    JSON.stringify({ metadata: {}, ["weight_map"]: map }),
  );
}
