/** GPT-J. */
import { gptJLike } from "../gpt_j_like.ts";

export const gptJ = gptJLike({
  name: "gptj",
  projections: { q: "attn.q_proj", k: "attn.k_proj", v: "attn.v_proj" },
});
