/**
 * The fields of a SideNet's wiring, and a kind of SideNet.
 */
import type { ModelSize } from "../backbone/config.ts";
import type { BackboneCheckpoint, BackboneShape } from "../backbone/shape.ts";
import { nonNegativeInteger, oneOf, positiveInteger, trueOrFalse } from "../declaration/fields.ts";
import type { NamedPath, Part } from "../declaration/part.ts";
import type { Protocol } from "../declaration/protocol.ts";
import { lastResiduals, type SideNetCheckpoint, type SideNetShape } from "./sidenet_shape.ts";

/** Inputs from which the defaults of a SideNet are derived. */
export interface SideNetDefaults {
  readonly protocol: Protocol;
  /** The backbone's architecture, as far as it is declared: absent for weights that say it themselves. */
  readonly architecture?: string | undefined;
}

/** The blocks of the backbone. */
export interface DeclaredBlocks {
  /** How many they are; absent where a file that has not been read says it. */
  readonly layers?: number | undefined;
  /** The field that says it. */
  readonly field: string;
}

/** How a SideNet comes to its weights: a kind of SideNet that declarations may name. */
export interface SideNetKind<Declaration, Config>
  extends Part<Declaration, Config, SideNetDefaults, DeclaredBlocks> {
  /** Whether it was trained before, with a memory; absent: only an adaptation trains it. */
  readonly isTrained?: true;
  /** Its shape, as far as the declaration says it. */
  shapeOf(config: Config): Partial<SideNetShape>;
  /** The same, read from its file; absent: the declaration says all that trained weights do not. */
  readShape?(config: Config, backbone: BackboneShape): Promise<Partial<SideNetShape>>;
  /** A remark on one that can hardly learn to read its memory; undefined where there is nothing to remark. */
  remark?(config: Config): string | undefined;
  /** Files that it is read from. */
  files?(config: Config, path: string): NamedPath[];
  /**
   * The SideNet before any adaptation.
   *
   * @param seed Of random weights.
   * @throws {RangeError} Where it was trained on another backbone.
   */
  start(config: Config, backbone: BackboneCheckpoint, seed: number): Promise<SideNetCheckpoint>;
}

/** Forms of the wiring, each of which may be left to a named size. */
export const wiringFields = {
  reductionFactor: positiveInteger.exactOptional(),
  memoryBlock: nonNegativeInteger.exactOptional(),
  crossNetworkResidual: trueOrFalse.exactOptional(),
  lastResidual: oneOf(...lastResiduals).exactOptional(),
};

/**
 * SideNets beside the backbones of named sizes. The cached block is the paper's in proportion, and odd, as those are that
 * `paper` initialisation copies.
 */
export const sidenetSizes: Readonly<
  Record<ModelSize, Pick<SideNetShape, "reductionFactor" | "memoryBlock">>
> = {
  tiny: { reductionFactor: 2, memoryBlock: 3 },
  mini: { reductionFactor: 2, memoryBlock: 3 },
  small: { reductionFactor: 2, memoryBlock: 3 },
  "gpt2-medium": { reductionFactor: 2, memoryBlock: 17 }, // specification section 1
};
