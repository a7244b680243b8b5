import { dims, type Value } from "../graph.ts";
import { add } from "./add.ts";
import { concat } from "./concat.ts";
import { matmul } from "./matmul.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { softmax } from "./softmax.ts";

/**
 * Attention of one query a row to cached keys and values and to its own:  o = softmax([q keys^T, q k^T] + bias) [values; v].
 * Neither are the cached keys transposed nor the new ones joined to them: that would copy the whole cache for every token.
 *
 * @param q Queries [B, H, 1, D], already scaled.
 * @param own Keys and values of the same tokens [B, H, 1, D].
 * @param options `cache`: keys and values of the tokens before [B, H, C, D]; `bias`: broadcasts to [B, H, 1, C+1], must hide
 * what is not filled, and ends with the own key's.
 * @returns [B, H, 1, D]
 */
export function cachedAttention(
  q: Value,
  own: { k: Value; v: Value },
  options: { cache: { k: Value; v: Value }; bias: Value },
): Value {
  const { B, H, D } = dims(q, "B H T D", { T: 1 });
  const { cache, bias } = options;
  const { C } = dims(cache.k, "B H C D", { B, H, D });
  const column = reshape(q, [B, H, D, 1]);
  const scores = ({ k }: { k: Value }) => reshape(matmul(k, column), [B, H, 1, k.shape[2]]);
  const p = softmax(add(concat([scores(cache), scores(own)], 3), bias)); // [B, H, 1, C+1]
  return add(
    matmul(slice(p, { axis: 3, start: 0, end: C }), cache.v),
    matmul(slice(p, { axis: 3, start: C, end: C + 1 }), own.v),
  );
}
