/**
 * Writes the official checkpoints (specification section 13): the files that the released code loads, with the weights, the
 * sizes and the state of a training that has not begun. Settings of the data and the optimiser are left to its defaults.
 */
import { architectureOf, defaultArchitecture } from "../backbone/architectures.ts";
import type { BackboneCheckpoint, BackboneShape } from "../backbone/shape.ts";
import { InputTypeError } from "../errors.ts";
import { PickleNamespace } from "../formats/pickle.ts";
import { PickleOrderedDict, type WritablePickle } from "../formats/pickle_writer.ts";
import { writeTorchFile } from "../formats/torch_writer.ts";
import { usualLastResidual } from "../longmem/sidenet_shape.ts";
import type { HostTensor } from "../tensor.ts";
import type { LongMemCheckpoint } from "./content.ts";
import {
  ALIASES,
  BACKBONE_PREFIX,
  INNER_PREFIX,
  SIDE_NET_PREFIX,
  VERSION,
  VERSION_NAME,
} from "./fairseq_names.ts";

/**
 * Writes a backbone as its official checkpoint.
 *
 * @throws {TypeError} Where it is not of the paper's architecture.
 */
export async function writeFairseqBackbone(
  path: string,
  checkpoint: BackboneCheckpoint,
): Promise<void> {
  const { shape, weights, contextTokens } = checkpoint;
  checkArchitecture(path, shape);
  const config = new PickleNamespace();
  for (const [name, value] of Object.entries(backboneConfig(shape, contextTokens))) {
    config.attributes.set(name, value);
  }
  await writeTorchFile(path, (tensor) =>
    officialState({
      config: config as WritablePickle,
      task: "gpt_pretraining",
      contextTokens,
      model: Array.from(weights, ([name, value]) => [BACKBONE_PREFIX + name, tensor(value)]),
    }));
}

/**
 * Writes a LongMem as its official checkpoint, with the backbone in it.
 *
 * @throws {TypeError} Where it is not of the paper's architecture, or wired in a way that the official code does not have.
 */
export async function writeFairseqLongMem(
  path: string,
  { backbone, sideNet, memory }: LongMemCheckpoint,
): Promise<void> {
  checkArchitecture(path, backbone.shape);
  const { crossNetworkResidual = true, lastResidual = usualLastResidual(backbone.shape) } =
    sideNet.shape;
  if (!crossNetworkResidual || lastResidual !== usualLastResidual(backbone.shape)) {
    throw new InputTypeError(
      `Cannot write "${path}" in the official format as its SideNet is wired in another way: current values are ` +
        `crossNetworkResidual ${crossNetworkResidual} and lastResidual "${lastResidual}", allowed are true and ` +
        `"${usualLastResidual(backbone.shape)}"`,
    );
  }
  const inner = new Map<string, HostTensor>(
    Array.from(backbone.weights, ([name, value]) => [INNER_PREFIX + name, value]),
  );
  const [embedding, projection] = [...ALIASES];
  await writeTorchFile(path, (tensor) => {
    const alias = ([name, target]: readonly [string, string]) =>
      [name, tensor(inner.get(target)!)] as const;
    return officialState({
      config: new Map(Object.entries(sideNetConfig({ backbone, sideNet, memory }))),
      task: "language_modeling",
      contextTokens: backbone.contextTokens,
      // In the order of the official modules.
      model: [
        [VERSION_NAME, tensor({ shape: [1], data: Float32Array.of(VERSION) })],
        alias(embedding),
        ...Array.from(
          sideNet.weights,
          ([name, value]) => [SIDE_NET_PREFIX + name, tensor(value)] as const,
        ),
        ...Array.from(inner, ([name, value]) => [name, tensor(value)] as const),
        alias(projection),
      ],
    });
  });
}

function checkArchitecture(path: string, shape: BackboneShape): void {
  const { name } = architectureOf(shape);
  if (name === defaultArchitecture.name) return;
  throw new InputTypeError(
    `Cannot write "${path}" in the official format as it is of the paper's architecture alone: current value is "${name}", ` +
      `allowed is "${defaultArchitecture.name}"`,
  );
}

/** Configuration from which the official code builds a backbone; other fields have its defaults. */
function backboneConfig(
  { layers, hiddenDim, heads }: BackboneShape,
  contextTokens: number | undefined,
): Record<string, string | number | boolean> {
  return {
    "_name": "newgpt-medium",
    arch: "newgpt-medium",
    task: "gpt_pretraining",
    "newgpt_mode": "alibi",
    "embed_dim": hiddenDim,
    "num_attention_heads": heads,
    "num_layers": layers,
    "use_external_memory": false,
    pad: 1,
    eos: 2,
    unk: 3,
    ...windowFields(contextTokens),
    ...(contextTokens === undefined ? {} : { "newgpt_window": contextTokens }),
  };
}

/** Configuration from which the official code builds a LongMem; other fields have its defaults. */
function sideNetConfig(
  { backbone: { shape, contextTokens }, sideNet, memory }: LongMemCheckpoint,
): Record<string, string | number | boolean> {
  return {
    "_name": "transformer_lm_sidenet_gpt2_small",
    "activation_fn": "gelu",
    "decoder_embed_dim": shape.hiddenDim,
    "decoder_output_dim": shape.hiddenDim,
    "decoder_input_dim": shape.hiddenDim,
    "decoder_ffn_embed_dim": shape.feedForwardDim,
    "decoder_layers": sideNet.shape.layers,
    "decoder_attention_heads": shape.heads,
    "decoder_normalize_before": true,
    "no_decoder_final_norm": false,
    "no_token_positional_embeddings": true,
    "share_decoder_input_output_embed": true,
    "layer_reduction_factor": sideNet.shape.reductionFactor,
    "reload_ptm_layer": true,
    "use_external_memory": true,
    "retrieval_layer_index": sideNet.shape.memoryBlock,
    "chunk_size": memory.chunkTokens,
    k: memory.retrievedTokens,
    "memory_size": memory.capacityTokens,
    "pretrained_model_path": "gpt2_medium/checkpoint_last.pt",
    ...windowFields(contextTokens),
    ...(contextTokens === undefined ? {} : { "max_target_positions": contextTokens }),
  };
}

function windowFields(contextTokens: number | undefined): Record<string, number> {
  return contextTokens === undefined ? {} : { "tokens_per_sample": contextTokens };
}

/** A checkpoint before any training, as fairseq's trainer saves one. */
function officialState(
  { config, task, contextTokens, model }: {
    readonly config: WritablePickle;
    readonly task: string;
    readonly contextTokens: number | undefined;
    readonly model: Iterable<readonly [string, WritablePickle]>;
  },
): WritablePickle {
  const of = (fields: Readonly<Record<string, WritablePickle>>) => new Map(Object.entries(fields));
  return of({
    args: null,
    cfg: of({
      "_name": null,
      common: of({}),
      model: config,
      task: of({ "_name": task, data: "data", ...windowFields(contextTokens) }),
      criterion: of({ "_name": "cross_entropy" }),
    }),
    model: new PickleOrderedDict(model),
    criterion: null,
    "optimizer_history": [of({
      "criterion_name": "CrossEntropyCriterion",
      "optimizer_name": "FairseqAdam",
      "lr_scheduler_state": of({ best: null }),
      "num_updates": 0,
    })],
    "task_state": of({}),
    "extra_state": of({
      "train_iterator": of({ version: 2, epoch: 1, "iterations_in_epoch": 0, shuffle: false }),
      "val_loss": null,
    }),
    "last_optimizer_state": of({}),
  });
}
