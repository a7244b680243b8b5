import type { Value } from "../graph.ts";
import { add } from "./add.ts";
import { mul } from "./mul.ts";
import { sigmoid } from "./sigmoid.ts";
import { sub } from "./sub.ts";

/** y = x s, s = 1 / (1 + e^-x), also called swish;  dx = dy s (1 + x (1 - s)). */
export function silu(x: Value): Value {
  const { graph } = x;
  const s = sigmoid(x);
  const y = mul(x, s);
  graph.derive([x], [y], ({ dy }) => {
    const one = graph.scalar(1);
    return [mul(dy, mul(s, add(one, mul(x, sub(one, s)))))];
  });
  return y;
}
