import type { Value } from "../graph.ts";
import { add } from "./add.ts";
import { erf } from "./erf.ts";
import { exp } from "./exp.ts";
import { mul } from "./mul.ts";
import { sigmoid } from "./sigmoid.ts";
import { sub } from "./sub.ts";
import { tanh } from "./tanh.ts";

/**
 * The exact GELU: y = x P(x), P the normal distribution function, p = P' its density;  dx = dy (P + x p).
 */
export function gelu(x: Value): Value {
  const { graph } = x;
  return graph.node({
    op: "Gelu",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => {
      const distribution = mul(
        add(erf(mul(x, graph.scalar(Math.SQRT1_2))), graph.scalar(1)),
        graph.scalar(0.5),
      );
      const density = mul(
        exp(mul(mul(x, x), graph.scalar(-0.5))),
        graph.scalar(1 / Math.sqrt(2 * Math.PI)),
      );
      return [mul(dy, add(distribution, mul(x, density)))];
    },
  });
}

/**
 * The tanh form of GELU ("gelu_new"): y = x/2 (1 + t), t = tanh(u), u = a (x + b x^3), a = sqrt(2/pi), b = 0.044715;
 * dx = dy (1/2 (1 + t) + x/2 (1 - t^2) a (1 + 3 b x^2)).
 */
export function geluTanh(x: Value): Value {
  const { graph } = x;
  return graph.node({
    op: "Gelu",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    attributes: { approximate: "tanh" },
    gradient: ({ dy }) => {
      const a = Math.sqrt(2 / Math.PI), b = 0.044715;
      const one = graph.scalar(1), half = graph.scalar(0.5);
      const square = mul(x, x);
      const t = tanh(mul(x, add(graph.scalar(a), mul(square, graph.scalar(a * b)))));
      const halfSum = mul(add(t, one), half);
      // (1 - t^2) / 2 = (1 + t) / 2 * (1 - t)
      const slope = mul(
        mul(halfSum, sub(one, t)),
        add(graph.scalar(a), mul(square, graph.scalar(3 * a * b))),
      );
      return [mul(dy, add(halfSum, mul(x, slope)))];
    },
  });
}

/** The sigmoid form of GELU ("quick_gelu"): y = x s, s = 1 / (1 + e^(-1.702 x)). */
export function geluSigmoid(x: Value): Value {
  return mul(x, sigmoid(mul(x, x.graph.scalar(1.702))));
}
