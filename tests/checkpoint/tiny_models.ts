// deno-lint-ignore-file camelcase -- the names are fairseq's
/** Small models with random weights, and the official checkpoints they would have. */
import { type BackboneShape } from "../../src/backbone/shape.ts";
import { type SideNetShape, sideNetTensorShapes } from "../../src/longmem/sidenet_shape.ts";
import { elementCount, type TensorMap } from "../../src/tensor.ts";
import {
  floatStorage,
  NamespaceToWrite,
  type StorageToWrite,
  TensorToWrite,
  torchBytes,
  type ValueToWrite,
} from "../formats/torch_archive.ts";
import { backboneTensorShapes } from "../../src/backbone/architectures.ts";

/** Sizes of the tiny backbone. */
export const backboneShape: BackboneShape = {
  layers: 4,
  hiddenDim: 6,
  heads: 3,
  feedForwardDim: 24,
  vocabSize: 5,
};

/** Sizes of its SideNet. */
export const sideNetShape: SideNetShape = { layers: 2, reductionFactor: 2, memoryBlock: 3 };

/** Memory of the SideNet. */
export const memory = { capacityTokens: 64, chunkTokens: 2, retrievedTokens: 8 };

/** Weights that are all different from each other, by name. */
export function distinctWeights(shapes: ReadonlyMap<string, number[]>, first: number): TensorMap {
  let next = first;
  return new Map([...shapes].map(([name, shape]) => {
    const data = Float32Array.from({ length: elementCount(shape) }, () => next++ / 1024);
    return [name, { shape, data }];
  }));
}

/** The backbone's weights. */
export const backboneWeights = distinctWeights(backboneTensorShapes(backboneShape), 1);

/** The SideNet's weights. */
export const sideNetWeights = distinctWeights(
  sideNetTensorShapes(sideNetShape, backboneShape),
  5000,
);

/** What a test changes in an official checkpoint: tensors and fields of `cfg.model`. */
export interface Change {
  /** Tensors by their full names; `undefined` removes one. */
  tensors?: Record<string, { shape: number[]; data: Float32Array<ArrayBuffer> } | undefined>;
  /** Fields of the configuration; `undefined` removes one. */
  config?: Record<string, ValueToWrite | undefined>;
  /** Writes the configuration as a dictionary or a namespace, whatever the official code does. */
  configKind?: "dictionary" | "namespace";
}

/** An official checkpoint of the backbone. */
export function fairseqBackboneBytes(change: Change = {}): Uint8Array {
  return fairseqBytes(
    new Map([...backboneWeights].map(([name, tensor]) => ["decoder.model." + name, tensor])),
    {
      _name: "newgpt-medium",
      newgpt_mode: "alibi",
      embed_dim: 6,
      num_layers: 4,
      num_attention_heads: 3,
      tokens_per_sample: 32,
    },
    { configKind: "namespace", ...change },
  );
}

/** An official checkpoint of LongMem; aliases have storages of their own, as when saved from a GPU. */
export function fairseqLongMemBytes(change: Change = {}): Uint8Array {
  const tensors: TensorMap = new Map([
    ["decoder.version", { shape: [1], data: Float32Array.of(3) }],
    ["decoder.embed_tokens.weight", backboneWeights.get("transformer.wte.weight")!],
    ["decoder.output_projection.weight", backboneWeights.get("lm_head.weight")!],
  ]);
  for (const [name, tensor] of sideNetWeights) tensors.set("decoder." + name, tensor);
  for (const [name, tensor] of backboneWeights) {
    tensors.set("decoder.pretrained_model.decoder.model." + name, tensor);
  }
  return fairseqBytes(tensors, {
    _name: "transformer_lm_sidenet_gpt2_small",
    activation_fn: "gelu",
    decoder_normalize_before: true,
    no_decoder_final_norm: false,
    decoder_embed_dim: 6,
    decoder_ffn_embed_dim: 24,
    decoder_layers: 2,
    decoder_attention_heads: 3,
    layer_reduction_factor: 2,
    retrieval_layer_index: 3,
    chunk_size: 2,
    k: 8,
    memory_size: 64,
    tokens_per_sample: 32,
  }, { configKind: "dictionary", ...change });
}

function fairseqBytes(
  tensors: TensorMap,
  config: Record<string, ValueToWrite>,
  change: Change,
): Uint8Array {
  const all: Record<
    string,
    { shape: readonly number[]; data: Float32Array<ArrayBuffer> } | undefined
  > = { ...Object.fromEntries(tensors), ...change.tensors };
  const storages: StorageToWrite[] = [];
  const model = new Map<string, ValueToWrite>();
  for (const [name, tensor] of Object.entries(all)) {
    if (!tensor) continue;
    const storage = floatStorage(`${storages.length}`, tensor.data);
    storages.push(storage);
    model.set(name, new TensorToWrite(storage, [...tensor.shape]));
  }
  const fields = Object.entries({ ...config, ...change.config })
    .filter((field): field is [string, ValueToWrite] => field[1] !== undefined);
  const isNamespace = change.configKind === "namespace";
  const content = {
    args: null,
    cfg: {
      common: { seed: 1 },
      model: isNamespace ? new NamespaceToWrite(new Map(fields)) : Object.fromEntries(fields),
    },
    model,
    optimizer_history: [{ num_updates: 3 }],
    last_optimizer_state: { state: {}, param_groups: [{ lr: 0.5 }] },
  };
  return torchBytes(content, storages);
}
