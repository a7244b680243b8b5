/**
 * One training step as a graph: forward pass, loss, gradients, clipping, AdamW.
 */
import { isGate } from "../backbone/architecture.ts";
import { adam } from "../graph/adam.ts";
import { gradients } from "../graph/gradients.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { concat } from "../graph/ops/concat.ts";
import { div } from "../graph/ops/div.ts";
import { greaterOrEqual } from "../graph/ops/greater_or_equal.ts";
import { mul } from "../graph/ops/mul.ts";
import { reduceSum } from "../graph/ops/reduce_sum.ts";
import { reduceSumSquare } from "../graph/ops/reduce_sum_square.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { sqrt } from "../graph/ops/sqrt.ts";
import { where } from "../graph/ops/where.ts";
import { InputTypeError } from "../errors.ts";
import type { TrainingConfig } from "./config.ts";

/** Names of a step's inputs besides weights and batch, and of its outputs besides the new parameters. */
export const stepNames = {
  /** 1 for targets that count, 0 for padding: [N]. */
  lossWeights: "loss.weights",
  /** 1 / number of targets of the update. */
  lossScale: "loss.scale",
  /** Sum of the negative log-likelihoods, in nats. */
  loss: "loss",
  /** Sum of squares of each parameter's gradient, in the order of the parameters. */
  gradientSquares: "gradientSquares",
  mean: (name: string) => `adam.mean.${name}`,
  square: (name: string) => `adam.square.${name}`,
  gradient: (name: string) => `gradient.${name}`,
  stepSize: (group: ParameterGroup) => `adam.stepSize.${group}`,
  decay: "adam.decay",
  active: "adam.active",
  updated: (name: string) => `updated.${name}`,
} as const;

/** Parameters that always have a gradient, and those that have one only while there is memory (the gates). */
export type ParameterGroup = "always" | "withMemory";

/** The group of a parameter: without memory the gates take no part in a step (specification section 11). */
export function parameterGroup(name: string): ParameterGroup {
  return isGate(name) ? "withMemory" : "always";
}

/** Options of a step's optimiser. */
export type StepOptions = Pick<TrainingConfig, "betas" | "epsilon" | "clipNorm">;

/** Adds loss and gradients to a graph: d(sum of weighted losses * scale) / d(parameter). */
function lossAndGradients(
  graph: Graph,
  nll: Value,
  parameters: ReadonlyMap<string, Value>,
): Map<string, Value> {
  const weights = graph.input(stepNames.lossWeights, nll.shape);
  const loss = reduceSum(mul(nll, weights));
  graph.output(stepNames.loss, loss);
  const found = gradients(loss, [...parameters.values()], graph.input(stepNames.lossScale, []));
  return new Map([...parameters.keys()].map((name, i) => {
    const gradient = found[i];
    if (!gradient) {
      throw new InputTypeError(`Cannot train "${name}" as the loss does not depend on it`);
    }
    return [name, gradient];
  }));
}

/** Returns the sum of squares of each gradient from a graph, which tells whether all are finite. */
function addSquares(graph: Graph, sums: readonly Value[]): Value {
  const squares = concat(sums.map((sum) => reshape(sum, [1])), 0);
  graph.output(stepNames.gradientSquares, squares);
  return squares;
}

/** Adds the update of all parameters. */
function update(
  graph: Graph,
  parameters: ReadonlyMap<string, Value>,
  rawGradients: ReadonlyMap<string, Value>,
  options: StepOptions,
): void {
  const squares = addSquares(graph, [...rawGradients.values()].map((g) => reduceSum(mul(g, g))));
  const factor = options.clipNorm === undefined ? undefined : clipFactor(squares, options.clipNorm);
  const decay = graph.input(stepNames.decay, []);
  for (const [name, parameter] of parameters) {
    const group = parameterGroup(name);
    const scalar = (inputName: string) => graph.inputs.get(inputName) ?? graph.input(inputName, []);
    const gradient = rawGradients.get(name)!;
    const state = {
      parameter,
      mean: graph.input(stepNames.mean(name), parameter.shape),
      square: graph.input(stepNames.square(name), parameter.shape),
    };
    const next = adam(state, factor ? mul(gradient, factor) : gradient, {
      betas: options.betas,
      epsilon: options.epsilon,
      stepSize: scalar(stepNames.stepSize(group)),
      decay,
      ...(group === "withMemory" && {
        active: graph.inputs.get(stepNames.active) ?? graph.input(stepNames.active, [], "bool"),
      }),
    });
    graph.output(stepNames.updated(name), next.parameter);
    graph.output(stepNames.updated(stepNames.mean(name)), next.mean);
    graph.output(stepNames.updated(stepNames.square(name)), next.square);
  }
}

/** min(1, clipNorm / (norm + 1e-6)), as torch clips. */
function clipFactor(squares: Value, clipNorm: number): Value {
  const { graph } = squares;
  const norm = sqrt(reduceSum(squares));
  const limited = div(graph.scalar(clipNorm), add(norm, graph.scalar(1e-6)));
  return where(greaterOrEqual(limited, graph.scalar(1)), graph.scalar(1), limited);
}

/** Turns a graph with losses into one that makes a whole step. */
export function addStep(
  graph: Graph,
  nll: Value,
  parameters: ReadonlyMap<string, Value>,
  options: StepOptions,
): void {
  update(graph, parameters, lossAndGradients(graph, nll, parameters), options);
}

/** Turns a graph with losses into one that returns its gradients, by which something else updates the parameters. */
export function addGradients(
  graph: Graph,
  nll: Value,
  parameters: ReadonlyMap<string, Value>,
): void {
  const found = lossAndGradients(graph, nll, parameters);
  addSquares(graph, [...found.values()].map(reduceSumSquare));
  for (const [name, gradient] of found) graph.output(stepNames.gradient(name), gradient);
}

/** Turns a graph with losses into one that adds its gradients to those of earlier batches. */
export function addAccumulation(
  graph: Graph,
  nll: Value,
  parameters: ReadonlyMap<string, Value>,
): void {
  for (const [name, gradient] of lossAndGradients(graph, nll, parameters)) {
    const sum = graph.input(stepNames.gradient(name), gradient.shape);
    graph.output(stepNames.updated(stepNames.gradient(name)), add(sum, gradient));
  }
}

/** A graph that updates parameters from accumulated gradients, which it multiplies by the input `loss.scale`. */
export function addUpdate(
  graph: Graph,
  shapes: ReadonlyMap<string, readonly number[]>,
  options: StepOptions,
): void {
  const parameters = new Map([...shapes].map(([name, shape]) => [name, graph.input(name, shape)]));
  const scale = graph.input(stepNames.lossScale, []);
  const scaled = new Map(
    [...shapes].map(([name, shape]) => {
      const sum = graph.input(stepNames.gradient(name), shape);
      return [name, mul(sum, scale)];
    }),
  );
  update(graph, parameters, scaled, options);
}
