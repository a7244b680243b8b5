import type { Value } from "../graph.ts";
import { exp } from "./exp.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";
import { unary } from "../unary.ts";

/** y = erf x = 2/sqrt(pi) int_0^x e^(-t^2) dt;  dx = dy 2/sqrt(pi) e^(-x^2). */
export function erf(x: Value): Value {
  const factor = x.graph.scalar(2 / Math.sqrt(Math.PI));
  return unary("Erf", x, (dy) => mul(dy, mul(exp(neg(mul(x, x))), factor)));
}
