import type { Value } from "./graph.ts";
import { add } from "./ops/add.ts";
import { div } from "./ops/div.ts";
import { mul } from "./ops/mul.ts";
import { sqrt } from "./ops/sqrt.ts";
import { sub } from "./ops/sub.ts";
import { where } from "./ops/where.ts";

/** A parameter with Adam's running means of its gradient and of the gradient's square, all of one shape. */
export interface AdamState {
  readonly parameter: Value;
  readonly mean: Value;
  readonly square: Value;
}

/** Scalars of one update; they change from step to step, so they are inputs of the graph. */
export interface AdamScalars {
  /** lr sqrt(1 - beta2^n) / (1 - beta1^n), n the parameter's own count of updates. */
  readonly stepSize: Value;
  /** 1 - lr weightDecay. */
  readonly decay: Value;
  /** Truth value: whether this parameter has a gradient in this step; absent if it always has. */
  readonly active?: Value;
}

/**
 * One step of fairseq's Adam with decoupled weight decay (specification section 11), for a gradient g:
 * m' = beta1 m + (1 - beta1) g, w' = beta2 w + (1 - beta2) g^2, p' = p decay - stepSize m' / (sqrt(w') + epsilon).
 * Epsilon is added to the square root of the uncorrected w'. Where inactive, nothing changes.
 */
export function adam(
  state: AdamState,
  gradient: Value,
  options: AdamScalars & { betas: readonly [number, number]; epsilon: number },
): AdamState {
  const { parameter, mean, square } = state;
  const { graph } = parameter;
  const [beta1, beta2] = options.betas;
  const blend = (old: Value, fresh: Value, beta: number) =>
    add(mul(old, graph.scalar(beta)), mul(fresh, graph.scalar(1 - beta)));
  const newMean = blend(mean, gradient, beta1);
  const newSquare = blend(square, mul(gradient, gradient), beta2);
  const direction = div(newMean, add(sqrt(newSquare), graph.scalar(options.epsilon)));
  const newParameter = sub(mul(parameter, options.decay), mul(direction, options.stepSize));
  const { active } = options;
  const choose = (fresh: Value, old: Value) => active ? where(active, fresh, old) : fresh;
  return {
    parameter: choose(newParameter, parameter),
    mean: choose(newMean, mean),
    square: choose(newSquare, square),
  };
}
