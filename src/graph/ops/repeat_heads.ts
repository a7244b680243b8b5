import { dims, type Value } from "../graph.ts";
import { expand } from "./expand.ts";
import { reshape } from "./reshape.ts";

/**
 * Repeats each of Hkv heads for the H / Hkv queries of its group, which are neighbours: y[b, h] = x[b, h div (H / Hkv)];
 * dx is the sum of dy over a group.
 *
 * @param x [B, Hkv, T, D]
 * @param heads H, a multiple of Hkv.
 * @returns [B, H, T, D]
 */
export function repeatHeads(x: Value, heads: number): Value {
  const { B, K, T, D } = dims(x, "B K T D");
  if (heads === K) return x;
  const grouped = expand(reshape(x, [B, K, 1, T, D]), [B, K, heads / K, T, D]);
  return reshape(grouped, [B, heads, T, D]);
}
