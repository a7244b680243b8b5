import { elementCount, type TensorMap } from "../tensor.ts";
import { Random } from "../random.ts";
import { architectureOf } from "./architectures.ts";
import type { TensorRole } from "./architecture.ts";
import type { BackboneShape } from "./shape.ts";
import { checkShape } from "./shape_form.ts";

/**
 * Which random weights a backbone starts from. Biases are 0, norms 1 and 0, and the embedding of a padding id is 0
 * in both.
 *
 * - `official` (specification section 9): matrices and embeddings N(0, 0.02^2).
 * - `scaled`, for narrow backbones, for which 0.02 is far below 1/sqrt(E): matrices N(0, 1/E), but those that write
 *   into the residual stream N(0, 1/(2L fan-in)); embeddings 0.1 times and the head 0.5/sqrt(E) times the same normal
 *   numbers. They are not tied in training.
 */
export type BackboneInitialization = { readonly kind: "official" } | { readonly kind: "scaled" };

/** Standard deviation of the official matrices. */
const officialDeviation = 0.02;

/**
 * A backbone from scratch.
 *
 * @param seed The same seed gives the same weights on every machine.
 * @param initialization Distribution of the weights; default `official`.
 * @returns Tensors by their names; of the paper's architecture the official ones, without the prefix `decoder.model.`.
 * @throws {TypeError} If a size is missing, unknown or no positive integer, or RangeError if sizes do not go together.
 */
export function initializeBackbone(
  shape: BackboneShape,
  seed: number | string,
  initialization: BackboneInitialization = { kind: "official" },
): TensorMap {
  checkShape(shape, "initialise a backbone");
  const architecture = architectureOf(shape);
  const shapes = architecture.tensors(shape);
  const [embeddings] = [...shapes.keys()].filter((name) =>
    architecture.roleOf(name) === "embeddings"
  );
  const weights: TensorMap = new Map();
  for (const [name, sizes] of shapes) {
    const data = new Float32Array(elementCount(sizes));
    const role = architecture.roleOf(name);
    if (sizes.length === 2) {
      const deviation = deviationOf(role, { ...shape, fanIn: sizes[1] }, initialization);
      // The scaled head has the embeddings' directions.
      const drawn = initialization.kind === "scaled" && role === "head" ? embeddings : name;
      const random = new Random(`${seed}/${drawn}`);
      for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
    } else if (role === "gain") {
      data.fill(1);
    }
    weights.set(name, { shape: sizes, data });
  }
  const { hiddenDim: E } = shape, { padId } = architecture;
  if (padId !== undefined) {
    weights.get(embeddings)!.data.fill(0, padId * E, (padId + 1) * E);
  }
  return weights;
}

function deviationOf(
  role: TensorRole,
  { layers: L, hiddenDim: E, fanIn }: BackboneShape & { fanIn: number },
  initialization: BackboneInitialization,
): number {
  switch (initialization.kind) {
    case "official":
      return officialDeviation;
    case "scaled":
      if (role === "embeddings") return 0.1;
      if (role === "head") return 0.5 / Math.sqrt(E);
      if (role === "output") return 1 / Math.sqrt(2 * L * fanIn);
      return 1 / Math.sqrt(E);
    default:
      return initialization satisfies never;
  }
}
