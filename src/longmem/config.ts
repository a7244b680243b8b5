/**
 * The fields of a SideNet: their meaning, forms, defaults and rules.
 */
import { z } from "zod";
import {
  type DeclaredShape,
  missingSizes,
  type ModelSize,
  modelSizes,
  type NamedSize,
  size,
} from "../backbone/config.ts";
import {
  nonNegativeInteger,
  nonNegativeIntegers,
  nonNegativeNumber,
  oneOf,
  positiveInteger,
  text,
  trueOrFalse,
} from "../declaration/fields.ts";
import type { Accepts, Assert, NamedPath, Part } from "../declaration/part.ts";
import { introducedAt } from "../declaration/identity.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import type { ByProtocol, Protocol } from "../declaration/protocol.ts";
import type { SideNetInitialization } from "./initialization.ts";
import {
  type LastResidual,
  lastResiduals,
  memoryLayer,
  type SideNetShape,
  usualLastResidual,
} from "./sidenet_shape.ts";

/** A SideNet whose first weights are made here. */
export interface InitializedSideNetConfig {
  /** Layer reduction factor r: the SideNet has one layer for r blocks of the backbone. */
  readonly reductionFactor: number;
  /** 0-based backbone block R whose keys and values are cached; SideNet layer trunc(R / r) reads them. */
  readonly memoryBlock: number;
  /** Which weights it starts from. */
  readonly initialization: SideNetInitialization;
  /** Whether layers add the backbone's residual; absent: they do. */
  readonly crossNetworkResidual?: boolean;
  /** How the last block's output enters the last layer's residual; absent: as the architecture has it. */
  readonly lastResidual?: LastResidual;
  /** Distinguishes it from weights that are read from a file; absent, as it was when there were no others. */
  readonly kind?: undefined;
}

/** A SideNet that has been trained with a memory; an adaptation trains it further. */
export interface CheckpointSideNetConfig {
  /** Weights from a file: official LongMem `.pt`, `.safetensors`, or our own folder. */
  readonly kind: "checkpoint";
  /** The file or folder, relative to the folder in which the command runs. */
  readonly path: string;
  /**
   * Sizes that the checkpoint must have. With all of them costs can be told before there is a file; a bare safetensors file
   * does not say its `memoryBlock`.
   */
  readonly shape?: Partial<SideNetShape>;
}

/** The trainable network beside the backbone. */
export type SideNetConfig = InitializedSideNetConfig | CheckpointSideNetConfig;

/** A SideNet as declared; initialised here, unless its kind says otherwise. `memoryBlock` may be left out where a `size` is named. */
export type SideNetDeclaration =
  | (
    & Partial<Omit<InitializedSideNetConfig, "kind">>
    & NamedSize
    & { readonly kind?: "initialized" | undefined }
  )
  | (
    & Omit<CheckpointSideNetConfig, "shape">
    & { readonly shape?: NamedSize & Partial<SideNetShape> }
  );

const start = {
  outputScale: introducedAt(nonNegativeNumber, 1).exactOptional(),
  memoryShare: introducedAt(
    z.number().gt(0).lt(1).describe("numbers above 0, below 1"),
    0.5,
  ).exactOptional(),
};

const schema = z.discriminatedUnion("kind", [
  z.strictObject({
    // Not exactOptional(), with which a declaration without it would match no form.
    kind: z.literal("initialized").optional(),
    size: size.exactOptional(),
    reductionFactor: positiveInteger.exactOptional(),
    memoryBlock: nonNegativeInteger.exactOptional(),
    crossNetworkResidual: trueOrFalse.exactOptional(),
    lastResidual: oneOf(...lastResiduals).exactOptional(),
    initialization: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("blocks"), blocks: nonNegativeIntegers, ...start }),
      z.strictObject({ kind: z.literal("paper"), ...start }),
      z.strictObject({ kind: z.literal("random"), ...start }),
    ]).exactOptional(),
  }),
  z.strictObject({
    kind: z.literal("checkpoint"),
    path: text,
    shape: z.strictObject({
      size: size.exactOptional(),
      layers: positiveInteger.exactOptional(),
      reductionFactor: positiveInteger.exactOptional(),
      memoryBlock: nonNegativeInteger.exactOptional(),
      crossNetworkResidual: trueOrFalse.exactOptional(),
      lastResidual: oneOf(...lastResiduals).exactOptional(),
    }).exactOptional(),
  }),
]);
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, SideNetDeclaration>>;

/**
 * SideNets beside the backbones of named sizes. The cached block is the paper's in proportion, and odd, as those are that
 * `paper` initialisation copies.
 */
const sidenetSizes: Readonly<
  Record<ModelSize, Pick<InitializedSideNetConfig, "reductionFactor" | "memoryBlock">>
> = {
  tiny: { reductionFactor: 2, memoryBlock: 3 },
  mini: { reductionFactor: 2, memoryBlock: 3 },
  small: { reductionFactor: 2, memoryBlock: 3 },
  "gpt2-medium": { reductionFactor: 2, memoryBlock: 17 }, // specification section 1
};

const defaults = {
  reductionFactor: 2,
  initialization: { kind: "paper" },
} as const satisfies Partial<InitializedSideNetConfig>;

/** Settings of a new SideNet by protocol; the number is a row of specification section 17. Empty: as its architecture has it. */
export const sideNetProtocols: ByProtocol<Pick<SideNetShape, "lastResidual">> = {
  "released-code": {}, // 3
  strict: {},
  paper: { lastResidual: "raw" }, // 3
};

/** Inputs from which the defaults of a SideNet are derived. */
export interface SideNetDefaults {
  readonly protocol: Protocol;
  /** The backbone's architecture, as far as it is declared: absent for weights that say it themselves. */
  readonly architecture?: string | undefined;
}

/** The SideNet, as a part of declarations. */
export const sidenetPart = {
  schema,

  missing(sidenet: SideNetDeclaration, path: string): Problem[] {
    if (sidenet.kind === "checkpoint" || sidenet.size !== undefined) return [];
    return missingSizes(sidenet, path, { memoryBlock: "integers from 0" });
  },

  /** Fields that equal their defaults are left out, so that equal declarations are one run. */
  fill(sidenet: SideNetDeclaration, { protocol, architecture }: SideNetDefaults): SideNetConfig {
    if (sidenet.kind === "checkpoint") {
      const { shape, ...fields } = sidenet;
      return { ...fields, ...(shape && { shape: fillShape(shape) }) };
    }
    const { kind: _initialized, size, crossNetworkResidual, ...declared } = sidenet;
    const { lastResidual, ...fields } = { ...sideNetProtocols[protocol], ...declared };
    const isUsual = architecture !== undefined &&
      lastResidual === usualLastResidual({ architecture });
    const sizes = { ...(size && sidenetSizes[size]), ...fields };
    return {
      ...defaults,
      ...sizes,
      memoryBlock: sizes.memoryBlock!, // nothing is missing
      ...(crossNetworkResidual === false ? { crossNetworkResidual } : {}),
      ...(lastResidual === undefined || isUsual ? {} : { lastResidual }),
    };
  },

  /** All of a SideNet from a file is checked once it is read, the blocks of a backbone from one by {@linkcode blockProblems}. */
  check(sidenet: SideNetConfig, path: string, backbone: DeclaredShape): Problem[] {
    const { layers: blocks } = backbone.shape;
    if (sidenet.kind === "checkpoint") {
      const { layers, reductionFactor } = sidenet.shape ?? {};
      if (!layers || !reductionFactor || !blocks || layers * reductionFactor === blocks) return [];
      return [wrong(
        `${path}.shape.layers`,
        `must be the backbone's layers divided by ${path}.shape.reductionFactor`,
        layers,
        `${blocks / reductionFactor} for ${blocks} layers`,
      )];
    }
    const { reductionFactor, initialization } = sidenet;
    const problems: Problem[] = [];
    if (initialization.kind === "paper" && reductionFactor === 1) {
      problems.push(wrong(
        `${path}.initialization.kind`,
        `must not be paper where ${path}.reductionFactor is 1: blocks r*i+1 end beyond the backbone`,
        "paper",
        "blocks, random",
      ));
    }
    if (blocks === undefined) return problems;
    return [...problems, ...blockProblems(sidenet, blocks, `${backbone.path}.layers`)];
  },
} satisfies Part<SideNetDeclaration, SideNetConfig, SideNetDefaults, DeclaredShape>;

/** Files that a SideNet is read from, by the field that names them. */
export function sideNetFiles(sidenet: SideNetConfig, path: string): NamedPath[] {
  return sidenet.kind === "checkpoint" ? [{ field: `${path}.path`, path: sidenet.path }] : [];
}

/** The shape of a SideNet, as far as its declaration says it. */
export function declaredSideNet(sidenet: SideNetConfig): Partial<SideNetShape> {
  return sidenet.kind === "checkpoint" ? sidenet.shape ?? {} : wiringOf(sidenet);
}

/** Wiring of a SideNet that is initialised here: its shape without the number of layers. */
export function wiringOf(
  { reductionFactor, memoryBlock, crossNetworkResidual, lastResidual }: InitializedSideNetConfig,
): Omit<SideNetShape, "layers"> {
  return {
    reductionFactor,
    memoryBlock,
    ...(crossNetworkResidual === undefined ? {} : { crossNetworkResidual }),
    ...(lastResidual === undefined ? {} : { lastResidual }),
  };
}

function fillShape({ size, ...given }: NamedSize & Partial<SideNetShape>): Partial<SideNetShape> {
  if (size === undefined) return given;
  const { reductionFactor } = { ...sidenetSizes[size], ...given };
  return { layers: modelSizes[size].layers / reductionFactor, ...sidenetSizes[size], ...given };
}

/** Checks a new SideNet against the blocks of its backbone, and returns the problems. */
export function blockProblems(sidenet: SideNetConfig, layers: number, field: string): Problem[] {
  if (sidenet.kind === "checkpoint") return [];
  const { reductionFactor, memoryBlock, initialization } = sidenet;
  const problems: Problem[] = [];
  if (layers % reductionFactor !== 0) {
    problems.push(wrong(
      "sidenet.reductionFactor",
      `must divide ${field}`,
      reductionFactor,
      `${divisorsOf(layers).join(", ")} for ${layers} layers`,
    ));
  }
  if (memoryBlock >= layers) {
    problems.push(wrong(
      "sidenet.memoryBlock",
      `must be below ${field}`,
      memoryBlock,
      `integers from 0 to ${layers - 1}`,
    ));
  }
  if (initialization.kind === "blocks") {
    const { blocks } = initialization;
    if (layers % reductionFactor === 0 && blocks.length !== layers / reductionFactor) {
      problems.push(wrong(
        "sidenet.initialization.blocks",
        "must name one block for each SideNet layer",
        blocks,
        `lists of ${layers / reductionFactor} blocks`,
      ));
    }
    const outside = blocks.findIndex((block) => block >= layers);
    if (outside >= 0) {
      problems.push(wrong(
        `sidenet.initialization.blocks.${outside}`,
        `must be below ${field}`,
        blocks[outside],
        `integers from 0 to ${layers - 1}`,
      ));
    }
  }
  return problems;
}

/**
 * Remark on a new SideNet that can hardly learn to read its memory: the layer that reads it starts as a copy of another block than
 * the one that is cached. Its queries then do not match the cached keys, and in `experiments/ablations/initialization.ts` 400 steps
 * taught it nothing. Undefined where there is nothing to remark.
 */
export function startRemark(sidenet: SideNetConfig): string | undefined {
  if (sidenet.kind === "checkpoint" || sidenet.initialization.kind === "random") return undefined;
  const { reductionFactor, memoryBlock, initialization } = sidenet;
  const layer = memoryLayer(sidenet);
  const copied = initialization.kind === "paper"
    ? reductionFactor * layer + 1
    : initialization.blocks[layer];
  if (copied === memoryBlock) return undefined;
  return `SideNet layer ${layer} reads the memory of block ${memoryBlock} but starts as a copy of block ${copied}, and may not ` +
    `learn to read it: sidenet.initialization { kind: "blocks" } can name block ${memoryBlock} for that layer`;
}

/** All divisors of a number, in order. */
function divisorsOf(n: number): number[] {
  const small: number[] = [];
  for (let d = 1; d * d <= n; d++) if (n % d === 0) small.push(d);
  const large = small.map((d) => n / d).reverse();
  return [...small, ...large.filter((d) => !small.includes(d))];
}
