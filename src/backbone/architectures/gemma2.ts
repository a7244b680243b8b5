/** Gemma 2: Gemma with norms before and after attention and MLP, soft caps, and a sliding window in every other block. */
import { positiveNumber } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { gemmaLike, gemmaSettings, normsOnBothSides } from "../gemma_like.ts";
import { namedWindows } from "../llama_like.ts";

/** A soft cap; null: there is none. */
const cap = positiveNumber.nullable();

/** The first block has a window, the second has none. */
const isWindowed = (block: number) => block % 2 === 0;

/** Gemma 2. */
export const gemma2 = gemmaLike({
  name: "gemma2",
  settings: gemmaSettings.extend({
    /** Channels by whose root scores are divided; absent: those of a head. */
    scoreChannels: positiveNumber.exactOptional(),
    scoreSoftCap: cap.default(50),
    logitSoftCap: cap.default(30),
  }),
  absentKeyValueHeads: 4,
  isWindowed,
  plan: (_shape, { scoreChannels, scoreSoftCap, logitSoftCap }) => ({
    norms: "both",
    ...(scoreChannels !== undefined && { scoreScale: () => scoreChannels ** -0.5 }),
    scoreSoftCap: scoreSoftCap ?? undefined,
    logitSoftCap: logitSoftCap ?? undefined,
  }),
  names: normsOnBothSides,
  readSettings: (config, layers) => ({
    scoreChannels: config.positiveNumber("query_pre_attn_scalar", 256),
    scoreSoftCap: readCap(config, "attn_logit_softcapping", 50),
    logitSoftCap: readCap(config, "final_logit_softcapping", 30),
    ...namedWindows(config, { layers, isWindowed }),
  }),
});

/** A soft cap; null where it is null. */
function readCap(config: ConfigReader, name: string, absent: number): number | null {
  return config.has(name) && config.value(name) === undefined
    ? null
    : config.positiveNumber(name, absent);
}
