/** What Llama and its relatives have in common: RMS norms, rotary positions, shared heads of keys, gated MLPs. */
import { z } from "zod";
import { isDeepStrictEqual } from "../system.ts";
import type { Architecture } from "./architecture.ts";
import { positiveInteger, positiveNumber, trueOrFalse } from "../declaration/fields.ts";
import type { ConfigReader } from "./config_reader.ts";
import { type Activation, activation, blockNumbers, decoder, type DecoderPlan } from "./decoder.ts";
import {
  headsOf,
  isRotaryBuffer,
  readActivation,
  readEpsilon,
  readRope,
  type RopeFields,
  sourcesByName,
  type TensorNames,
} from "./huggingface_settings.ts";
import { ropeScaling, rotary, rotatedChannels } from "./rotary.ts";
import type { BackboneShape } from "./shape.ts";

/** Settings of the family; each absent one has the value with which most members have it. */
export const llamaSettings = z.strictObject({
  /** Heads of keys and values; absent: as many as of queries. */
  keyValueHeads: positiveInteger.exactOptional(),
  /** Channels of a head; absent: `hiddenDim / heads`. */
  headDim: positiveInteger.exactOptional(),
  epsilon: positiveNumber.default(1e-6),
  ropeTheta: positiveNumber.default(10_000),
  ropeScaling: ropeScaling.exactOptional(),
  activation: activation.default("silu"),
  /** Biases of the projections to queries, keys and values. */
  qkvBias: trueOrFalse.default(false),
  /** Bias of the projection after the attention. */
  outBias: trueOrFalse.default(false),
  mlpBias: trueOrFalse.default(false),
  /** Tokens that a query sees, itself included; absent: all before it. */
  windowTokens: positiveInteger.exactOptional(),
  /** Blocks whose queries see no more than that; absent: all. */
  windowedBlocks: blockNumbers.exactOptional(),
  tied: trueOrFalse.default(false),
});

/** Settings that a member of the family reads from its `config.json`, besides the common ones. */
type MemberSettings = Partial<z.output<typeof llamaSettings>>;

/** Settings that all members have, and one that some have. */
type CommonSettings = z.output<typeof llamaSettings> & { readonly rotatedShare?: number };

/** How a member differs. */
export interface LlamaLike<Settings extends z.ZodObject = typeof llamaSettings> {
  readonly name: string;
  /** Its settings: the family's with other defaults, and those of its own; with a `rotatedShare`, as {@linkcode rotatedChannels} has it, it may turn a part of the channels. Absent: the family's. */
  readonly settings?: Settings;
  /** Parts that are not Llama's; `isWindowed` says whether a block has a sliding window. */
  plan?(
    shape: BackboneShape,
    settings: z.output<Settings>,
    parts: { readonly headDim: number; isWindowed(block: number): boolean },
  ): Partial<DecoderPlan>;
  /** Values of `model_type`; absent: its name. */
  readonly modelTypes?: readonly string[];
  /** Fields that say its sizes and settings; absent: those of `config.json` itself. */
  configOf?(config: ConfigReader): ConfigReader;
  /** Prefixes of names in some of its files, as {@linkcode HuggingFaceFormat} has them. */
  readonly otherPrefixes?: readonly string[];
  /** Whether a tensor of its files is of another part of the model. */
  isUnused?(name: string): boolean;
  /** Whether its MLPs have no gate. */
  readonly plainMlp?: true;
  /** Names of tensors in its files that are not Llama's, as {@linkcode TensorNames} has them within a block. */
  readonly names?: TensorNames["inner"];
  /** Its fused tensors; absent: there are none. */
  readonly fused?: Pick<TensorNames, "fused" | "fusedGate">;
  /** Whether channels of a head turn with their neighbours in its files, as {@linkcode TensorNames} has it; absent: they do not. */
  readonly paired?: true;
  /** Whether a block has a sliding window where settings do not name blocks; absent: each has one. */
  isWindowed?(block: number): boolean;
  /** Heads, and tokens of the vocabulary, where `config.json` does not say; absent: it must. */
  readonly absentHeads?: number;
  readonly absentVocabSize?: number;
  /** Heads of keys, likewise; absent: as many as of queries. */
  readonly absentKeyValueHeads?: number;
  /** Channels of a head, likewise; absent: `hidden_size / num_attention_heads`. */
  readonly absentHeadDim?: number;
  /** Positions that it was trained on, likewise; absent: 2048. */
  readonly absentPositions?: number;
  /** What else is different about rotary positions in `config.json`; absent: nothing. */
  readonly rope?: Pick<RopeFields, "absentOriginalPositions" | "scalings" | "kinds">;
  /** Field of the norms' epsilon; absent: `rms_norm_eps`. */
  readonly epsilonField?: string;
  /** Whether gains of norms are stored less 1 in its files. */
  readonly gainsLessOne?: boolean;
  /** Activation of its MLPs; absent: as Llama's `config.json` says it. */
  readActivation?(config: ConfigReader): Activation;
  /** Settings of {@linkcode LlamaLike.settings} that its `config.json` says, besides those that Llama's says. */
  readSettings?(config: ConfigReader, layers: number): Readonly<Record<string, unknown>>;
}

/** A member of the family. */
export function llamaLike<Settings extends z.ZodObject = typeof llamaSettings>(
  member: LlamaLike<Settings>,
): Architecture {
  const { name } = member;
  const schema = member.settings ?? llamaSettings;
  const absent = schema.parse({}) as CommonSettings;
  return decoder({
    name,
    settings: schema,
    plan(shape, declared) {
      const settings = declared as CommonSettings, { heads, hiddenDim } = shape;
      const headDim = settings.headDim ?? hiddenDim / heads;
      const { ropeTheta, ropeScaling, rotatedShare, windowTokens, windowedBlocks } = settings;
      const isWindowed = (block: number) =>
        windowedBlocks?.includes(block) ?? member.isWindowed?.(block) ?? true;
      return {
        keyValueHeads: settings.keyValueHeads ?? heads,
        headDim,
        norm: { kind: "rms", epsilon: settings.epsilon },
        positions: rotary({
          ropeTheta,
          ropeScaling,
          channels: rotatedChannels(headDim, rotatedShare),
        }),
        residual: "sequential",
        attentionBias: { qkv: settings.qkvBias, out: settings.outBias },
        mlp: {
          gated: !member.plainMlp,
          activation: settings.activation,
          bias: settings.mlpBias,
        },
        windowTokens: (block) => isWindowed(block) ? windowTokens : undefined,
        tied: settings.tied,
        ...member.plan?.(shape, declared as z.output<Settings>, { headDim, isWindowed }),
      };
    },
    huggingFace: {
      modelTypes: member.modelTypes ?? [name],
      prefix: "model.",
      otherPrefixes: member.otherPrefixes ?? [],
      readShape(whole) {
        const config = member.configOf?.(whole) ?? whole;
        const layers = config.layers("num_hidden_layers", "n_layer");
        const heads = config.optionalSize("num_attention_heads", "n_head") ?? member.absentHeads ??
          config.size("num_attention_heads");
        const keyValueHeads = config.optionalSize("num_key_value_heads") ??
          (config.has("num_key_value_heads") ? heads : member.absentKeyValueHeads ?? heads);
        const hiddenDim = config.size("hidden_size", "n_embd");
        const headDim = config.optionalSize("head_dim") ??
          (config.has("head_dim") ? undefined : member.absentHeadDim);
        return {
          architecture: name,
          layers,
          hiddenDim,
          heads,
          feedForwardDim: config.size("intermediate_size"),
          vocabSize: config.optionalSize("vocab_size") ?? member.absentVocabSize ??
            config.size("vocab_size"),
          settings: schema.parse({
            keyValueHeads,
            ...(headDim === undefined || headDim === hiddenDim / heads ? {} : { headDim }),
            epsilon: readEpsilon(config, member.epsilonField ?? "rms_norm_eps", absent.epsilon),
            ...readRope(config, {
              absentTheta: absent.ropeTheta,
              absentShare: absent.rotatedShare,
              absentPositions: member.absentPositions,
              ...member.rope,
            }),
            activation: member.readActivation?.(config) ??
              readActivation(config, ["hidden_act", "hidden_activation"], "silu"),
            tied: config.flag("tie_word_embeddings", absent.tied),
            ...member.readSettings?.(config, layers),
          }),
        };
      },
      source: sourcesByName({
        gainsLessOne: member.gainsLessOne ?? false,
        outer: { embeddings: "embed_tokens", final_norm: "norm", head: "lm_head" },
        block: (index) => `layers.${index}.`,
        inner: {
          attention_norm: "input_layernorm",
          "attention.q": "self_attn.q_proj",
          "attention.k": "self_attn.k_proj",
          "attention.v": "self_attn.v_proj",
          "attention.q_norm": "self_attn.q_norm",
          "attention.k_norm": "self_attn.k_norm",
          "attention.out": "self_attn.o_proj",
          mlp_norm: "post_attention_layernorm",
          "mlp.gate": "mlp.gate_proj",
          "mlp.in": "mlp.up_proj",
          "mlp.out": "mlp.down_proj",
          ...member.names,
        },
        ...member.fused,
        ...(member.paired && {
          paired(shape) {
            const { rotatedShare } = schema.parse(shape.settings) as CommonSettings;
            const channels = rotatedChannels(headsOf(shape).headDim, rotatedShare);
            return 2 * Math.ceil(channels / 2);
          },
        }),
      }),
      heads: ["lm_head.weight"],
      isUnused: (name) => isRotaryBuffer(name) || (member.isUnused?.(name) ?? false),
    },
  });
}

/** Names, within a block, of the norms behind attention and MLP, where none stand before them. */
export const namesOfNormsAfter = {
  "attention_output_norm": "post_attention_layernorm",
  "mlp_output_norm": "post_feedforward_layernorm",
};

/** Biases of all projections of the attention, or of none. */
export function readAttentionBiases(config: ConfigReader): MemberSettings {
  const bias = config.flag("attention_bias", false);
  return { qkvBias: bias, outBias: bias };
}

/** Which blocks are not the last of so many. */
export function allButEvery(period: number): (block: number) => boolean {
  return (block) => (block + 1) % period !== 0;
}

/** Numbers of the blocks of which something holds. */
export function blocksWhere(layers: number, holds: (block: number) => boolean): number[] {
  return Array.from({ length: layers }, (_, i) => i).filter(holds);
}

/**
 * The sliding window of Qwen's models: one only where `use_sliding_window` says so, in the blocks that `layer_types` names or
 * those from `max_window_layers` on.
 */
export function readQwenWindow(config: ConfigReader, layers: number): MemberSettings {
  const isUsed = config.flag("use_sliding_window", false);
  const windowTokens = isUsed ? readWindowTokens(config, 4096) : undefined;
  const first = config.count("max_window_layers", 28);
  return windowSettings(config, { windowTokens, layers, isWindowed: (block) => block >= first });
}

/** Tokens of a sliding window; undefined where it is null, or absent without a default. */
export function readWindowTokens(config: ConfigReader, absent?: number): number | undefined {
  return config.has("sliding_window") ? config.optionalSize("sliding_window") : absent;
}

/**
 * A sliding window, in the blocks that `layer_types` names, or else in some: absent, in all.
 *
 * @throws TypeError where `layer_types` is malformed, or names blocks with a window where there is none.
 */
export function windowSettings(
  config: ConfigReader,
  { windowTokens, layers, isWindowed }: {
    windowTokens: number | undefined;
    layers: number;
    isWindowed?: (block: number) => boolean;
  },
): MemberSettings {
  const named = readWindowedBlocks(config, layers);
  if (windowTokens === undefined) {
    if (named && named.length > 0) {
      config.refuse("layer_types", `${layers} of "full_attention", as there is no sliding window`);
    }
    return {};
  }
  const windowedBlocks = named ?? (isWindowed && blocksWhere(layers, isWindowed));
  if (windowedBlocks?.length === 0) return {};
  return { windowTokens, ...(windowedBlocks ? { windowedBlocks } : {}) };
}

/** A sliding window that there must be, and the blocks that have it: those that `layer_types` names or else some, or none. */
export function namedWindows(
  config: ConfigReader,
  { layers, isWindowed }: { layers: number; isWindowed: (block: number) => boolean },
): Required<Pick<MemberSettings, "windowTokens" | "windowedBlocks">> {
  return {
    windowTokens: readWindowTokens(config, 4096) ??
      config.refuse("sliding_window", "positive integers"),
    windowedBlocks: readWindowedBlocks(config, layers) ?? blocksWhere(layers, isWindowed),
  };
}

/**
 * The same, where `sliding_window_pattern` may say that all blocks but each so many have the window: older official code reads this,
 * newer code `layer_types`.
 */
export function patternedWindows(
  config: ConfigReader,
  { layers, period }: { layers: number; period: number },
): ReturnType<typeof namedWindows> {
  const name = "sliding_window_pattern", written = config.optionalSize(name);
  const isWindowed = allButEvery(written ?? period);
  const windows = namedWindows(config, { layers, isWindowed });
  if (
    written !== undefined &&
    !isDeepStrictEqual(windows.windowedBlocks, blocksWhere(layers, isWindowed))
  ) {
    config.refuse(name, "what layer_types says");
  }
  return windows;
}

/** Blocks that `layer_types` gives a sliding window; undefined where it is absent. */
function readWindowedBlocks(config: ConfigReader, layers: number): number[] | undefined {
  const types = config.value("layer_types");
  if (types === undefined) return undefined;
  const allowed = ["full_attention", "sliding_attention"];
  if (
    !Array.isArray(types) || types.length !== layers ||
    !types.every((type) => allowed.includes(type))
  ) {
    return config.refuse(
      "layer_types",
      `${layers} of ${allowed.map((type) => `"${type}"`).join(", ")}`,
    );
  }
  return types.flatMap((type, i) => type === "sliding_attention" ? [i] : []);
}
