import { dims, type Value } from "../graph.ts";
import { add } from "./add.ts";
import { unbroadcast } from "./broadcast.ts";
import { div } from "./div.ts";
import { mul } from "./mul.ts";
import { reduceMean } from "./reduce_mean.ts";
import { sqrt } from "./sqrt.ts";
import { sub } from "./sub.ts";

/**
 * Normalisation by the root mean square over the last axis, n = x r with r = 1 / sqrt(mean(x^2) + epsilon):  y = n g;
 * dn = dy g, dx = r (dn - n mean(dn n)), dg = sum over rows of dy n.
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  const E = x.shape[x.rank - 1];
  dims(weight, "E", { E });
  const { graph } = x;
  const root = sqrt(add(reduceMean(mul(x, x)), graph.scalar(epsilon)));
  const r = div(graph.scalar(1), root);
  const n = mul(x, r);
  const y = mul(n, weight);
  graph.derive([x, weight], [y], ({ dy }) => {
    const dn = mul(dy, weight);
    const dx = mul(r, sub(dn, mul(n, reduceMean(mul(dn, n)))));
    return [dx, unbroadcast(mul(dy, n), weight.shape)];
  });
  return y;
}
