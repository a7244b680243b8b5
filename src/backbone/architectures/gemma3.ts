/**
 * Gemma 3: Gemma 2 without a soft cap of scores, but with a norm of each head's queries and keys, and with faster rotations in blocks
 * with a sliding window, five of six. Of models that also see images the part that reads text.
 */
import { positiveNumber } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { gemmaLike, gemmaSettings, normsOnBothSides } from "../gemma_like.ts";
import { allButEvery, patternedWindows } from "../llama_like.ts";
import { rotaryOfKinds } from "../rotary.ts";

/** Kinds of blocks in `config.json`: those that see all tokens before, and those with a window. */
const kinds = ["full_attention", "sliding_attention"] as const;

/** The sixth block has no window, unless settings say otherwise. */
const period = 6;

/** Gemma 3. */
export const gemma3 = gemmaLike({
  name: "gemma3",
  settings: gemmaSettings.extend({
    /** Of blocks without a window, as is their scaling. */
    ropeTheta: positiveNumber.default(1_000_000),
    /** The same of blocks with a window, in which nothing is scaled. */
    windowRopeTheta: positiveNumber.default(10_000),
    /** Channels by whose root scores are divided; absent: those of a head. */
    scoreChannels: positiveNumber.exactOptional(),
    logitSoftCap: positiveNumber.exactOptional(),
  }),
  isWindowed: allButEvery(period),
  plan(_shape, settings, { headDim, isWindowed }) {
    const { ropeTheta, ropeScaling, windowRopeTheta, scoreChannels, logitSoftCap } = settings;
    return {
      norms: "both",
      queryKeyNorms: "of each head",
      positions: rotaryOfKinds(isWindowed, {
        windowed: { ropeTheta: windowRopeTheta, channels: headDim },
        others: { ropeTheta, ropeScaling, channels: headDim },
      }),
      ...(scoreChannels !== undefined && { scoreScale: () => scoreChannels ** -0.5 }),
      logitSoftCap,
    };
  },
  modelTypes: ["gemma3_text", "gemma3"],
  configOf(config) {
    if (!config.has("text_config")) return config;
    const part = config.part("text_config"), tied = part.flag("tie_word_embeddings", true);
    if (config.flag("tie_word_embeddings", tied) !== tied) {
      config.refuse("tie_word_embeddings", `${tied}, as text_config says`);
    }
    return part;
  },
  otherPrefixes: ["language_model.model.", "model.language_model."],
  isUnused: (name) => /(^|\.)(vision_tower|multi_modal_projector)\./.test(name),
  names: normsOnBothSides,
  absentHeads: 8,
  absentVocabSize: 262_208,
  absentKeyValueHeads: 4,
  absentPositions: 131_072,
  rope: { kinds },
  readSettings(config, layers) {
    const cap = config.positiveNumber("final_logit_softcapping", NaN);
    return {
      ...patternedWindows(config, { layers, period }),
      windowRopeTheta: readWindowTheta(config),
      scoreChannels: config.positiveNumber("query_pre_attn_scalar", 256),
      ...(Number.isNaN(cap) ? {} : { logitSoftCap: cap }),
    };
  },
});

/** The rotations of blocks with a window, in the older spelling or the newer. */
function readWindowTheta(config: ConfigReader): number {
  const older = config.positiveNumber("rope_local_base_freq", 10_000);
  if (config.value("rope_parameters") === undefined) return older;
  const ofAll = config.part("rope_parameters");
  if (!kinds.some((kind) => ofAll.value(kind) !== undefined)) {
    config.refuse("rope_parameters", `those of ${kinds.join(" and ")}`);
  }
  const [, kind] = kinds;
  if (ofAll.value(kind) === undefined) return older;
  const part = ofAll.part(kind);
  if (part.word("rope_type", "default") !== "default") part.refuse("rope_type", '"default"');
  return part.positiveNumber("rope_theta", older);
}
