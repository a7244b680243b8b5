/**
 * The fields of a SideNet whose first weights are made here.
 */
import { z } from "zod";
import { missingSizes, type NamedSize, size } from "../backbone/config.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import type { ByProtocol } from "../declaration/protocol.ts";
import { composed } from "../declaration/registry.ts";
import { type SideNetKind, sidenetSizes, wiringFields } from "./config.ts";
import { initializeSideNet } from "./initialization.ts";
import {
  divisorsOf,
  type LastResidual,
  memoryLayer,
  type SideNetShape,
  usualLastResidual,
} from "./sidenet_shape.ts";
import { type SideNetInitialization, starts } from "./starts.ts";

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

/** Such a SideNet as declared; `memoryBlock` may be left out where a `size` is named. */
export type InitializedSideNetDeclaration =
  & Partial<Omit<InitializedSideNetConfig, "kind">>
  & NamedSize
  & { readonly kind?: "initialized" | undefined };

const schema = composed(() =>
  z.strictObject({
    // Not exactOptional(), with which a declaration without it would match no form.
    kind: z.literal("initialized").optional(),
    size: size.exactOptional(),
    ...wiringFields,
    initialization: starts.schema.exactOptional(),
  })
);
type _SchemaAcceptsTheType = Assert<
  Accepts<ReturnType<typeof schema>, InitializedSideNetDeclaration>
>;

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

/** A SideNet whose first weights are made here, as a part of declarations. */
export const initializedSideNet: SideNetKind<
  InitializedSideNetDeclaration,
  InitializedSideNetConfig
> = {
  get schema() {
    return schema();
  },

  missing: (sidenet, path) =>
    sidenet.size === undefined
      ? missingSizes(sidenet, path, { memoryBlock: "integers from 0" })
      : [],

  /** Fields that equal their defaults are left out, so that equal declarations are one run. */
  fill(sidenet, { protocol, architecture }) {
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

  check({ reductionFactor, memoryBlock, initialization }, path, { layers, field }) {
    const problems: Problem[] = [];
    if (layers !== undefined && layers % reductionFactor !== 0) {
      problems.push(wrong(
        `${path}.reductionFactor`,
        `must divide ${field}`,
        reductionFactor,
        `${divisorsOf(layers).join(", ")} for ${layers} layers`,
      ));
    }
    if (layers !== undefined && memoryBlock >= layers) {
      problems.push(wrong(
        `${path}.memoryBlock`,
        `must be below ${field}`,
        memoryBlock,
        `integers from 0 to ${layers - 1}`,
      ));
    }
    const beside = { layers, field, reductionFactor };
    const { check } = starts.get(initialization.kind);
    return [...problems, ...check?.(initialization, path, beside) ?? []];
  },

  shapeOf: wiringOf,

  /**
   * The layer that reads the memory starts as a copy of another block than the one that is cached: its queries then do not match
   * the cached keys, and in `experiments/ablations/initialization.ts` 400 steps taught it nothing.
   */
  remark({ initialization, reductionFactor, memoryBlock }) {
    const layer = memoryLayer({ reductionFactor, memoryBlock });
    const copied = starts.get(initialization.kind)
      .copiedBlock?.(initialization, layer, reductionFactor);
    if (copied === undefined || copied === memoryBlock) return undefined;
    return `SideNet layer ${layer} reads the memory of block ${memoryBlock} but starts as a copy of block ${copied}, and may not ` +
      `learn to read it: sidenet.initialization { kind: "blocks" } can name block ${memoryBlock} for that layer`;
  },

  start(sidenet, backbone, seed) {
    const { reductionFactor, initialization } = sidenet;
    const shape = { layers: backbone.shape.layers / reductionFactor, ...wiringOf(sidenet) };
    const weights = initializeSideNet(shape, backbone, initialization, seed);
    return Promise.resolve({ shape, weights });
  },
};

/** Wiring of a SideNet that is initialised here: its shape without the number of layers. */
function wiringOf(
  { initialization: _, kind: _initialized, ...wiring }: InitializedSideNetConfig,
): Omit<SideNetShape, "layers"> {
  return wiring;
}
