import { dims, type Value } from "../graph.ts";
import { concat } from "./concat.ts";
import { gather } from "./gather.ts";
import type { LogitBlock } from "./cross_entropy.ts";

/** Id of the largest logit of every row, the first of equal ones: int32 [N]. Gradients stop here. */
export function mostLikely(blocks: readonly LogitBlock[]): Value {
  return concat(blocks.map(({ logits }) => largest(logits)), 0);
}

function largest(logits: Value): Value {
  const { n, V } = dims(logits, "n V");
  const { graph } = logits;
  const place = graph.node({
    op: "ArgMax",
    inputs: [logits],
    outputs: [{ shape: [n], type: "int64" }],
    attributes: { axis: 1, keepdims: 0 },
  });
  // ArgMax says int64, for which WebGPU has hardly a kernel: looking the ids up makes them int32 there.
  return gather(graph.int32(Int32Array.from({ length: V }, (_, id) => id), [V]), place);
}
