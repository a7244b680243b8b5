import { add } from "./ops/add.ts";
import type { Derivation, Value } from "./graph.ts";

/**
 * Adds the nodes that compute d(loss)/d(value) for every value of `wrt` (reverse mode), and returns the gradients in
 * the same order; undefined where the loss does not depend on a value.
 *
 * @param loss Value to differentiate. Its own gradient is `seed`, of its shape; 1 for a scalar.
 */
export function gradients(loss: Value, wrt: readonly Value[], seed?: Value): (Value | undefined)[] {
  const graph = loss.graph;
  const wanted = dependents(loss, new Set(wrt));
  const sums = new Map<Value, Value>([[loss, seed ?? graph.scalar(1)]]);

  for (const derivation of [...wanted].sort((a, b) => b.order - a.order)) {
    const dys = derivation.outputs.map((output) => sums.get(output));
    const first = dys.find((dy) => dy !== undefined);
    if (!first) continue;
    const dInputs = derivation.gradient({ dys, dy: dys[0] ?? first });
    derivation.inputs.forEach((input, i) => {
      const dInput = dInputs[i];
      if (!dInput) return;
      if (String(dInput.shape) !== String(input.shape)) {
        throw new RangeError(
          `Cannot differentiate ${
            derivation.outputs[0].name
          }: gradient of ${input.name} has shape [${dInput.shape}], not [${input.shape}]`,
        );
      }
      const sum = sums.get(input);
      sums.set(input, sum ? add(sum, dInput) : dInput);
    });
  }
  return wrt.map((value) => sums.get(value));
}

/** The operations on paths from `sources` to `loss`. */
function dependents(loss: Value, sources: ReadonlySet<Value>): Set<Derivation> {
  const reaches = new Map<Value, boolean>();
  const wanted = new Set<Derivation>();
  const visit = (value: Value): boolean => {
    const known = reaches.get(value);
    if (known !== undefined) return known;
    let found = sources.has(value);
    if (value.derivation) {
      for (const input of value.derivation.inputs) {
        if (visit(input)) {
          wanted.add(value.derivation);
          found = true;
        }
      }
    }
    reaches.set(value, found);
    return found;
  };
  visit(loss);
  return wanted;
}
