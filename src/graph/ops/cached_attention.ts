import { dims, type Value } from "../graph.ts";
import { add } from "./add.ts";
import { concat } from "./concat.ts";
import { matmul } from "./matmul.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { softCap } from "./soft_cap.ts";
import { softmax } from "./softmax.ts";
import { transposeLast } from "./transpose.ts";

/**
 * Attention of one query a row to cached keys and values and to its own:  o = softmax([q keys^T, q k^T] + bias) [values; v].
 * Neither are the cached keys transposed nor the new ones joined to them: that would copy the whole cache for every token. Nor
 * are heads of keys repeated for the H / Hkv neighbouring queries that share each.
 *
 * @param q Queries [B, H, 1, D], already scaled.
 * @param own Keys and values of the same tokens [B, Hkv, 1, D].
 * @param options `cache`: keys and values of the tokens before [B, Hkv, C, D]; `bias`: broadcasts to [B, H, 1, C+1], must hide
 * unfilled positions, and ends with the own key's; `softCap`: of the scores, before the bias.
 * @returns [B, H, 1, D]
 */
export function cachedAttention(
  q: Value,
  own: { k: Value; v: Value },
  options: { cache: { k: Value; v: Value }; bias: Value; softCap?: number | undefined },
): Value {
  const { B, H, D } = dims(q, "B H T D", { T: 1 });
  const { cache, bias } = options;
  const { K, C } = dims(cache.k, "B K C D", { B, D });
  dims(own.k, "B K T D", { B, K, T: 1, D });
  const group = H / K;
  // Of one query, the transpose has the same elements in the same order.
  const transposed = (x: Value) => group === 1 ? x : transposeLast(x);
  const columns = reshape(transposed(inGroups(q, K)), [B, K, D, group]);
  const scores = ({ k }: { k: Value }) =>
    reshape(transposed(matmul(k, columns)), [B, H, 1, k.shape[2]]);
  const capped = softCap(concat([scores(cache), scores(own)], 3), options.softCap);
  const p = softmax(add(capped, bias)); // [B, H, 1, C+1]
  const mixed = (start: number, end: number, v: Value) =>
    matmul(inGroups(slice(p, { axis: 3, start, end }), K), v);
  const o = add(mixed(0, C, cache.v), mixed(C, C + 1, own.v)); // [B, Hkv, group, D]
  return group === 1 ? o : reshape(o, [B, H, 1, D]);
}

/** [B, H, 1, X] -> [B, Hkv, H / Hkv, X] */
function inGroups(x: Value, keyHeads: number): Value {
  const { B, H, X } = dims(x, "B H T X");
  return H === keyHeads ? x : reshape(x, [B, keyHeads, H / keyHeads, X]);
}
