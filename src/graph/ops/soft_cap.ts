import type { Value } from "../graph.ts";
import { div } from "./div.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";
import { tanh } from "./tanh.ts";

/** Numbers that stay between -c and c: y = c tanh(x / c), or x where c is absent. */
export function softCap(x: Value, cap: number | undefined): Value {
  if (cap === undefined) return x;
  const c = x.graph.scalar(cap);
  return mul(tanh(div(x, c)), c);
}

/** Gradient of {@linkcode softCap} where its result is y: dx = dy times its slope there, or dy where c is absent. */
export function softCapGradient(dy: Value, y: Value, cap: number | undefined): Value {
  return cap === undefined ? dy : mul(dy, softCapSlope(y, cap));
}

/** Slope of {@linkcode softCap} where its result is y: dy/dx = 1 - (y / c)^2. */
export function softCapSlope(y: Value, cap: number): Value {
  const { graph } = y, share = div(y, graph.scalar(cap));
  return sub(graph.scalar(1), mul(share, share));
}
