import type { Value } from "../graph.ts";
import { cast } from "./cast.ts";
import { concat } from "./concat.ts";
import { greaterOrEqual } from "./greater_or_equal.ts";
import { where } from "./where.ts";

/**
 * y = x, computed after `earlier`, of the same shape; dx = dy. An engine computes all that one output needs before it begins with
 * the next, and holds large values from the one to the other where both are made from them.
 */
export function following(x: Value, earlier: Value): Value {
  const { graph } = x;
  const always = greaterOrEqual(graph.scalar(0), graph.scalar(0));
  const y = where(always, x, cast(earlier, x.type));
  graph.derive([x], [y], ({ dy }) => [dy]);
  return y;
}

/**
 * The parts of x, which are joined along axis 0, each computed after the parts of the others at its place. The engine begins with the
 * node that was added last, so this is for an output that is added after theirs. Gradients stop here.
 */
export function inStep(x: Value, others: readonly Value[]): Value {
  const parts = (value: Value) => value.node?.op === "Concat" ? value.node.inputs : [value];
  const joined = parts(x).map((part, i) =>
    others.reduce((one, other) => following(one, parts(other)[i]!), part!)
  );
  const y = concat(joined, 0);
  y.derivation = undefined;
  return y;
}
