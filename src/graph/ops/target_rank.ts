import { dims, type Value } from "../graph.ts";
import { cast } from "./cast.ts";
import { concat } from "./concat.ts";
import { type LogitBlock, targetLogits } from "./cross_entropy.ts";
import { greaterOrEqual } from "./greater_or_equal.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { sub } from "./sub.ts";

/**
 * Rank of every row's target among its logits, from 1: one more than the logits that are larger. Gradients stop here.
 *
 * @param blocks Logits [N, V], in blocks of rows.
 * @param targets int32 [N]
 * @returns int32 [N]
 */
export function targetRank(blocks: readonly LogitBlock[], targets: Value): Value {
  const ranks = blocks.map(({ range, logits }) => {
    const { n, V } = dims(logits, "n V");
    const own = targetLogits(logits, slice(targets, range)); // [n, 1]
    // Counted in float32, which every engine sums, and exactly: vocabularies are below 2^24.
    const notLarger = reduceSum(cast(greaterOrEqual(own, logits), "float32"), { axes: [1] });
    return cast(sub(logits.graph.scalar(V + 1), reshape(notLarger, [n])), "int32");
  });
  return concat(ranks, 0);
}
