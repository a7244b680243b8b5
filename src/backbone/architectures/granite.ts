/** Granite 3: Llama with factors of embeddings, scores, outputs and logits. */
import { positiveNumber } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings, readAttentionBiases } from "../llama_like.ts";

export const granite = llamaLike({
  name: "granite",
  settings: llamaSettings.extend({
    /** Factor of the embeddings. */
    embeddingScale: positiveNumber.default(1),
    /** Factor of the scores; absent: one over the square root of a head's channels. */
    scoreScale: positiveNumber.exactOptional(),
    /** Factor of outputs of attention and MLP as they are added to the stream. */
    residualScale: positiveNumber.default(1),
    /** Factor of the logits. */
    logitScale: positiveNumber.default(1),
  }),
  plan: (_shape, { embeddingScale, scoreScale, residualScale, logitScale }) => ({
    embeddingScale,
    residualScale,
    logitScale,
    ...(scoreScale === undefined ? {} : { scoreScale: () => scoreScale }),
  }),
  readSettings(config) {
    return {
      ...readAttentionBiases(config),
      mlpBias: config.flag("mlp_bias", false),
      embeddingScale: config.positiveNumber("embedding_multiplier", 1),
      scoreScale: config.positiveNumber("attention_multiplier", 1),
      residualScale: config.positiveNumber("residual_multiplier", 1),
      logitScale: 1 / config.positiveNumber("logits_scaling", 1),
    };
  },
});
