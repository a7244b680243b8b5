import { InputRangeError } from "../../errors.ts";
import type { Value } from "../graph.ts";
import { cast } from "./cast.ts";
import { concat } from "./concat.ts";
import { greaterOrEqual } from "./greater_or_equal.ts";
import { where } from "./where.ts";

/**
 * y = x, but with `earlier`, whose shape broadcasts to x's, computed first; dx = dy. ONNX Runtime computes all that one output needs
 * before it begins with the next, and holds a large value that both need from the one to the other.
 */
export function following(x: Value, earlier: Value): Value {
  const { graph } = x;
  const always = greaterOrEqual(graph.scalar(0), graph.scalar(0));
  const y = where(always, x, cast(earlier, x.type));
  graph.derive([x], [y], ({ dy }) => [dy]);
  return y;
}

/**
 * y = x, whose parts, joined along axis 0, are each computed after the same part of every other value; dx = dy. ONNX Runtime begins with
 * the last node that no other reads: this one should be added after the others.
 */
export function inStep(x: Value, others: readonly Value[]): Value {
  const parts = partsOf(x);
  if (parts.length === 1) return x;
  const joined = parts.map((part, i) =>
    others.reduce((one, other) => {
      const { length, [i]: same } = partsOf(other);
      if (length === parts.length) return following(one, same);
      throw new InputRangeError(
        `Cannot compute ${x.name} of ${parts.length} parts in step with ${other.name} of ${length}`,
      );
    }, part)
  );
  const y = concat(joined, 0);
  x.graph.derive([x], [y], ({ dy }) => [dy]);
  return y;
}

function partsOf(value: Value): readonly Value[] {
  return value.node?.op === "Concat" ? value.node.inputs as readonly Value[] : [value];
}
