/** Names of tensors in the official checkpoints. */

/** Prefix of the backbone's tensors in its own checkpoint. */
export const BACKBONE_PREFIX = "decoder.model.";

/** Prefix of the SideNet's tensors. */
export const SIDE_NET_PREFIX = "decoder.";

/** Prefix of the backbone's tensors inside a LongMem checkpoint. */
export const INNER_PREFIX: string = "decoder.pretrained_model." + BACKBONE_PREFIX;

/** Names in a LongMem checkpoint that repeat a tensor of the backbone; the computation never reads them. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ["decoder.embed_tokens.weight", INNER_PREFIX + "transformer.wte.weight"],
  ["decoder.output_projection.weight", INNER_PREFIX + "lm_head.weight"],
]);

/** Name of the version of fairseq's decoder. */
export const VERSION_NAME = "decoder.version";

/** Version of fairseq's decoder; the official loader takes an earlier one for a model without a final LayerNorm. */
export const VERSION = 3;
