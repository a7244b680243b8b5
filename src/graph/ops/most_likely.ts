import { dims, type Value } from "../graph.ts";
import { concat } from "./concat.ts";
import { gather } from "./gather.ts";
import type { LogitBlock } from "./cross_entropy.ts";

/** Id of the largest logit of every row, the first of equal ones: int32 [N]. Gradients stop here. */
export function mostLikely(blocks: readonly LogitBlock[]): Value {
  const [{ logits: first }] = blocks, [, V] = first.shape;
  // ArgMax says int64, for which WebGPU has hardly a kernel: looking the ids up makes them int32 there.
  const ids = first.graph.int32(Int32Array.from({ length: V }, (_, id) => id), [V]);
  return concat(blocks.map(({ logits }) => gather(ids, largest(logits))), 0);
}

function largest(logits: Value): Value {
  const { n } = dims(logits, "n V");
  const { graph } = logits;
  return graph.node({
    op: "ArgMax",
    inputs: [logits],
    outputs: [{ shape: [n], type: "int64" }],
    attributes: { axis: 1, keepdims: 0 },
  });
}
