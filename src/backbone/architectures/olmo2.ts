/** OLMo 2: Llama whose norms stand after attention and MLP, with a norm of all queries and one of all keys of a token. */
import { positiveNumber } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings, namesOfNormsAfter, readAttentionBiases } from "../llama_like.ts";

/** OLMo 2. */
export const olmo2 = llamaLike({
  name: "olmo2",
  settings: llamaSettings.extend({ epsilon: positiveNumber.default(1e-5) }),
  plan: () => ({ norms: "after", queryKeyNorms: "of all heads" }),
  names: namesOfNormsAfter,
  readSettings: readAttentionBiases,
});
