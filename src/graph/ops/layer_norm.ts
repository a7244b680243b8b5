import { dims, type Value } from "../graph.ts";
import { unbroadcast } from "./broadcast.ts";
import { mul } from "./mul.ts";
import { reduceMean } from "./reduce_mean.ts";
import { sub } from "./sub.ts";

/**
 * Layer normalisation over the last axis, n = (x - mean) r with r = 1 / sqrt(var + epsilon):  y = n g + b;
 * dn = dy g, dx = r (dn - mean(dn) - n mean(dn n)), dg = sum over rows of dy n, db = sum over rows of dy.
 */
export function layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  const E = x.shape[x.rank - 1];
  dims(weight, "E", { E });
  dims(bias, "E", { E });
  const statistics = [...x.shape.slice(0, -1), 1];
  const [y, mean, inverseDeviation] = x.graph.nodeWithOutputs({
    op: "LayerNormalization",
    inputs: [x, weight, bias],
    outputs: [x.shape, statistics, statistics].map((shape) => ({ shape, type: x.type })),
    attributes: { axis: -1, epsilon: { float: epsilon } },
  });
  x.graph.derive([x, weight, bias], [y], ({ dy }) => {
    const n = mul(sub(x, mean), inverseDeviation);
    const dn = mul(dy, weight);
    const centred = sub(sub(dn, reduceMean(dn)), mul(n, reduceMean(mul(dn, n))));
    return [
      mul(inverseDeviation, centred),
      unbroadcast(mul(dy, n), weight.shape),
      unbroadcast(dy, bias.shape),
    ];
  });
  return y;
}
