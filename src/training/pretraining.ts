/**
 * The fields of a backbone that is trained here.
 */
import { z } from "zod";
import {
  type BackboneKind,
  backboneSizeFields,
  fillSizes,
  headProblems,
  missingSizes,
  type NamedSize,
} from "../backbone/config.ts";
import type { BackboneInitialization } from "../backbone/initialization.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { introducedAt } from "../declaration/identity.ts";
import type { Accepts, Assert, Declared } from "../declaration/part.ts";
import {
  type TrainingConfig,
  type TrainingDeclaration,
  type TrainingDefaults,
  trainingPart,
} from "./config.ts";

/** A backbone trained here, from random weights. */
export interface PretrainedBackboneConfig {
  /** Distinguishes it from weights that are read from a file. */
  readonly kind: "pretrain";
  /** Blocks L. */
  readonly layers: number;
  /** Width E, a multiple of `heads`. */
  readonly hiddenDim: number;
  /** Attention heads H. */
  readonly heads: number;
  /** Width of the MLP F. */
  readonly feedForwardDim: number;
  /** Which random weights it starts from. */
  readonly initialization: BackboneInitialization;
  /** How it is trained, on the train split. */
  readonly training: TrainingConfig;
}

/** Such a backbone as declared; `layers`, `hiddenDim` and `heads` may be left out where a `size` is named. */
export type PretrainedBackboneDeclaration =
  & Declared<Omit<PretrainedBackboneConfig, "training">, "kind">
  & NamedSize
  & { readonly training: TrainingDeclaration };

const schema = z.strictObject({
  kind: z.literal("pretrain"),
  ...backboneSizeFields,
  initialization: introducedAt(
    z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("official") }),
      z.strictObject({ kind: z.literal("scaled") }),
    ]),
    { kind: "official" },
  ).exactOptional(),
  training: trainingPart.schema,
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, PretrainedBackboneDeclaration>>;

/** A backbone that is trained here, as a part of declarations. */
export const pretrainedBackbone: BackboneKind<
  PretrainedBackboneDeclaration,
  PretrainedBackboneConfig,
  TrainingDefaults
> = {
  schema,
  missing: (backbone, path) => [
    ...missingSizes(backbone, path),
    ...trainingPart.missing(backbone.training, `${path}.training`, backbone),
  ],

  fill({ training, initialization = { kind: "official" }, kind, ...sizes }, { protocol }) {
    const { layers, hiddenDim, heads, feedForwardDim = 4 * hiddenDim! } = fillSizes(sizes);
    return {
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
    ...headProblems(backbone, path),
  ],

  shapeOf: ({ layers, hiddenDim, heads, feedForwardDim }, path) => ({
    shape: { layers, hiddenDim, heads, feedForwardDim },
    path,
  }),
};
