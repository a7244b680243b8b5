import type { Value } from "../graph.ts";
import { exp } from "./exp.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";

/** y = erf x = 2/sqrt(pi) int_0^x e^(-t^2) dt;  dx = dy 2/sqrt(pi) e^(-x^2). */
export function erf(x: Value): Value {
  return x.graph.node({
    op: "Erf",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: (
      { dy },
    ) => [mul(dy, mul(exp(neg(mul(x, x))), x.graph.scalar(2 / Math.sqrt(Math.PI))))],
  });
}
