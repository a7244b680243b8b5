import type { Value } from "../graph.ts";
import { add } from "./add.ts";
import { concat } from "./concat.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";
import { slice } from "./slice.ts";
import { sub } from "./sub.ts";

/**
 * Rotates channels j and j + r/2 of the first r of the last axis by angles a_j:  y_j = x_j cos a_j - x_{j+r/2} sin a_j,
 * y_{j+r/2} = x_{j+r/2} cos a_j + x_j sin a_j; the others stay.  dx = dy rotated by -a; angles take no gradient.
 *
 * @param cos [..., r/2], broadcast; likewise `sin`.
 */
export function rotateHalves(x: Value, cos: Value, sin: Value): Value {
  const axis = x.rank - 1, D = x.shape[axis], half = cos.shape[cos.rank - 1];
  const first = slice(x, { axis, start: 0, end: half });
  const second = slice(x, { axis, start: half, end: 2 * half });
  const y = concat([
    sub(mul(first, cos), mul(second, sin)),
    add(mul(second, cos), mul(first, sin)),
    ...(2 * half < D ? [slice(x, { axis, start: 2 * half, end: D })] : []),
  ], axis);
  x.graph.derive([x], [y], ({ dy }) => [rotateHalves(dy, cos, neg(sin))]);
  return y;
}
