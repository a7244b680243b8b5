/** CodeGen: GPT-J whose queries, values and keys lie in one tensor, those of a quarter of the heads after those of another. */
import { gptJLike } from "../gpt_j_like.ts";

const quarters = 4, fused = "attn.qkv_proj";

export const codeGen = gptJLike({
  name: "codegen",
  projections: { q: fused, k: fused, v: fused },
  fusedRows(projection, { hiddenDim: E }) {
    const inQuarter = E / quarters, part = "qvk".indexOf(projection);
    return {
      count: 3 * E,
      at: (row) => (3 * Math.floor(row / inQuarter) + part) * inQuarter + row % inQuarter,
    };
  },
  check(config) {
    const heads = config.size("n_head", "num_attention_heads");
    if (heads % quarters > 0) config.refuse("n_head", `multiples of ${quarters}`);
  },
});
