/**
 * The fields of a backbone that is trained here.
 */
import { z } from "zod";
import {
  type BackboneKind,
  backboneSizeFields,
  fillSizes,
  missingSizes,
  type NamedSize,
  shapeProblems,
} from "../backbone/config.ts";
import { type BackboneInitialization, initializeBackbone } from "../backbone/initialization.ts";
import { architectureOf } from "../backbone/architectures.ts";
import type { ArchitectureSettings, BackboneShape } from "../backbone/shape.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import { composed } from "../declaration/registry.ts";
import { text } from "../declaration/fields.ts";
import { introducedAt } from "../declaration/identity.ts";
import { loadBackboneWeights } from "../checkpoint/checkpoint.ts";
import { checkGiven } from "../checkpoint/content.ts";
import { fetchedPath } from "../checkpoint/hub_cache.ts";
import type { TensorMap } from "../tensor.ts";
import type { Accepts, Assert, Declared } from "../declaration/part.ts";
import {
  type TrainingConfig,
  type TrainingDeclaration,
  type TrainingDefaults,
  trainingPart,
} from "./config.ts";

/** Weights that a training of a backbone starts from: random ones, or those of a checkpoint, which is trained further. */
export type BackboneStart = BackboneInitialization | {
  readonly kind: "checkpoint";
  /**
   * The file or folder, relative to the folder in which the command runs, or a fetched model of the Hub, `hf:OWNER/NAME`. Its model
   * has the declared architecture and sizes.
   */
  readonly path: string;
};

/** A backbone trained here. */
export interface PretrainedBackboneConfig {
  /** Distinguishes it from weights that are read from a file. */
  readonly kind: "pretrain";
  /** Name of its architecture; absent: the paper's, `longmem_gpt2`. */
  readonly architecture?: string;
  /** Settings of the architecture besides sizes (default: those of most models of it). */
  readonly settings?: ArchitectureSettings;
  /** Blocks L. */
  readonly layers: number;
  /** Width E, a multiple of `heads`. */
  readonly hiddenDim: number;
  /** Attention heads H. */
  readonly heads: number;
  /** Width of the MLP F. */
  readonly feedForwardDim: number;
  /** Weights that it starts from. */
  readonly initialization: BackboneStart;
  /** How it is trained, on the train split. */
  readonly training: TrainingConfig;
}

/** Such a backbone as declared; `layers`, `hiddenDim` and `heads` may be left out where a `size` is named. */
export type PretrainedBackboneDeclaration =
  & Declared<Omit<PretrainedBackboneConfig, "training">, "kind">
  & NamedSize
  & { readonly training: TrainingDeclaration };

const schema = composed(() =>
  z.strictObject({
    kind: z.literal("pretrain"),
    ...backboneSizeFields(),
    initialization: introducedAt(
      z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("official") }),
        z.strictObject({ kind: z.literal("scaled") }),
        z.strictObject({ kind: z.literal("checkpoint"), path: text }),
      ]),
      { kind: "official" },
    ).exactOptional(),
    training: trainingPart.schema,
  })
);
type _SchemaAcceptsTheType = Assert<
  Accepts<ReturnType<typeof schema>, PretrainedBackboneDeclaration>
>;

/** A backbone that is trained here, as a part of declarations. */
export const pretrainedBackbone = {
  get schema() {
    return schema();
  },
  missing: (backbone, path) => [
    ...missingSizes(backbone, path),
    ...trainingPart.missing(backbone.training, `${path}.training`, backbone),
  ],

  fill({ training, initialization = { kind: "official" }, kind, ...sizes }, { protocol }) {
    const filled = fillSizes(sizes);
    const { layers, hiddenDim, heads, feedForwardDim = 4 * hiddenDim! } = filled;
    const { architecture, settings } = filled;
    return {
      ...(architecture === undefined ? {} : { architecture }),
      ...(settings === undefined ? {} : { settings }),
      feedForwardDim,
      initialization,
      kind,
      // Nothing is missing.
      ...({ layers, hiddenDim, heads } as Pick<BackboneShape, "layers" | "hiddenDim" | "heads">),
      training: trainingPart.fill(training, { protocol, size: sizes.size }),
    };
  },

  check: (backbone, path) => [
    ...trainingPart.check(backbone.training, `${path}.training`),
    ...shapeProblems(sizesOf(backbone), path),
    ...positionProblems(backbone, path),
  ],

  shapeOf: (backbone, path) => ({ shape: sizesOf(backbone), path }),

  async files({ initialization }, path) {
    if (initialization.kind !== "checkpoint") return [];
    return [{
      field: `${path}.initialization.path`,
      path: await fetchedPath(initialization.path),
    }];
  },
  trained: {
    training: ({ training }) => training,
    sizes: sizesOf,
    async start(config, vocabSize, seed) {
      const { initialization } = config, sizes = sizesOf(config);
      if (initialization.kind === "checkpoint") return await readStart(initialization.path, sizes);
      const shape = { ...sizes, vocabSize };
      return { shape, weights: initializeBackbone(shape, seed, initialization) };
    },
  },
} satisfies BackboneKind<
  PretrainedBackboneDeclaration,
  PretrainedBackboneConfig,
  TrainingDefaults,
  TrainingConfig
>;

async function readStart(
  path: string,
  sizes: Omit<BackboneShape, "vocabSize">,
): Promise<{ shape: BackboneShape; weights: TensorMap }> {
  const { shape: found, weights } = await loadBackboneWeights(path, { shape: sizes });
  const shape = { ...sizes, vocabSize: found.vocabSize };
  // A shape of the default architecture does not name it.
  const [declared, architecture] = [shape, found].map((shape) => architectureOf(shape).name);
  checkGiven({ architecture: declared }, { architecture }, path);
  return { shape, weights };
}

/** Segments longer than the positions that the architecture learns. */
function positionProblems(backbone: PretrainedBackboneConfig, path: string): Problem[] {
  const { contextTokens } = backbone.training, shape = sizesOf(backbone);
  if (shapeProblems(shape, path).length > 0) return [];
  const most = architectureOf(shape).mostTokens?.({ ...shape, vocabSize: 1 });
  return most === undefined || contextTokens <= most ? [] : [wrong(
    `${path}.training.contextTokens`,
    `must not exceed the positions of ${path}.settings`,
    contextTokens,
    `integers up to ${most}`,
  )];
}

/** Its shape without the vocabulary. */
export function sizesOf(
  { architecture, settings, layers, hiddenDim, heads, feedForwardDim }: PretrainedBackboneConfig,
): Omit<BackboneShape, "vocabSize"> {
  return {
    ...(architecture === undefined ? {} : { architecture }),
    layers,
    hiddenDim,
    heads,
    feedForwardDim,
    ...(settings === undefined ? {} : { settings }),
  };
}
