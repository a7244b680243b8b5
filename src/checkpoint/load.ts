import { z } from "zod";
import { loadBackboneWeights, type LoadedSideNet, loadSideNetWeights } from "./checkpoint.ts";
import { checkBackboneShape, checkGiven, checkSideNetShape, checkWeights } from "./content.ts";
import { hashTensors } from "../formats/tensor_hash.ts";
import type { BackboneCheckpoint, BackboneShape, FrozenType } from "../backbone/shape.ts";
import { backboneShapeForm } from "../backbone/shape_form.ts";
import { oneOf, positiveInteger } from "../declaration/fields.ts";
import { parseForm } from "../declaration/form_problems.ts";
import { problemsIn } from "../declaration/problem.ts";
import {
  checkMemoryConfig,
  type MemoryConfig,
  type MemoryDeclaration,
  memoryPart,
} from "../memory/config.ts";
import { type Protocol, protocols } from "../declaration/protocol.ts";
import { composed } from "../declaration/registry.ts";
import { deviceKinds, mostThreads } from "../runtime/device.ts";
import { openDevice } from "../runtime/open_device.ts";
import { sideNetProtocols } from "../longmem/initialized_sidenet.ts";
import { initializeSideNet } from "../longmem/initialization.ts";
import { wiringFields } from "../longmem/config.ts";
import { type SideNetInitialization, starts } from "../longmem/starts.ts";
import { LongMem } from "../longmem/longmem.ts";
import {
  divisorsOf,
  type SideNetCheckpoint,
  type SideNetShape,
  sideNetTensorShapes,
} from "../longmem/sidenet_shape.ts";
import { InputTypeError } from "../errors.ts";
import { LongMemModel } from "../longmem/longmem_model.ts";
import { backboneTensorShapes } from "../backbone/architectures.ts";

/** What {@linkcode loadLongMem} puts together. */
export interface LoadLongMemOptions {
  /**
   * The frozen language model: an official fairseq file, a folder or safetensors file of this project, the folder of a Hugging
   * Face repository of a supported architecture, such a one that `deno task data` has fetched (`hf:OWNER/NAME`), or a read one.
   */
  readonly backbone: string | BackboneCheckpoint;
  /** Sizes that the backbone must have; a bare safetensors file does not say its `heads`. */
  readonly backboneShape?: Partial<BackboneShape>;
  /** The trained SideNet: an official LongMem file, a folder, a safetensors file, or a read one. By default it is initialised. */
  readonly sidenet?: string | SideNetCheckpoint;
  /**
   * Sizes of the SideNet. One that is read must have them, and a bare safetensors file does not say its `memoryBlock`;
   * for one that is initialised the defaults are {@linkcode defaultSideNetShape}'s.
   */
  readonly sideNetShape?: Partial<SideNetShape>;
  /** Weights of a SideNet that is not read (default `paper`; copies of all blocks where it has as many layers). */
  readonly initialization?: SideNetInitialization;
  /** Seed of a random SideNet (default 1). */
  readonly seed?: number | string;
  /** Fields of the memory, over the sizes that the SideNet was trained with, or else the paper's. */
  readonly memory?: MemoryDeclaration;
  /** Sets the defaults of the memory's other fields, and of a SideNet that is initialised (default `strict`). */
  readonly protocol?: Protocol;
  /**
   * Engine (default `auto`: a GPU where there is one). Once `cpu` is in use, arithmetic of the whole thread takes
   * denormal numbers (below 2.2e-308, in a Float32Array below 1.2e-38) for 0.
   */
  readonly device?: "auto" | "webgpu" | "cpu" | "wasm";
  /** Threads of the `cpu` engine (default one per core). */
  readonly threads?: number;
  /**
   * Type in which the device holds the backbone's matrices (default: the backbone's own, or `float32`). `float16` halves them and rounds them, where they are
   * not float16 in their file; arithmetic is float32 in any case. A GPU needs the feature `shader-f16`.
   */
  readonly frozenWeights?: FrozenType;
}

/** An option that is checked where it is used. */
const any = z.unknown().optional();

/** The form of all options. */
const optionsForm = composed(() =>
  z.strictObject(
    {
      backbone: any,
      backboneShape: backboneShapeForm.partial().optional(),
      sidenet: any,
      sideNetShape: z.strictObject({ layers: positiveInteger, ...wiringFields }).partial()
        .optional(),
      initialization: starts.schema.optional(),
      seed: z.union([z.number(), z.string()]).describe("numbers and texts").optional(),
      memory: memoryPart.schema.optional(),
      protocol: oneOf(...protocols).optional(),
      device: oneOf(...deviceKinds).optional(),
      threads: z.int().min(1).max(mostThreads).describe(`integers from 1 to ${mostThreads}`)
        .optional(),
      frozenWeights: oneOf("float32", "float16").optional(),
    } satisfies Record<keyof LoadLongMemOptions, z.ZodType>,
  )
);

/**
 * Loads a LongMem: a frozen backbone, the SideNet beside it and an empty memory, on a device.
 *
 * @returns A model whose passes read the memory and write to it.
 * @throws TypeError or RangeError naming the option or the file, its value and the allowed ones.
 *
 * @example A random model remembers what it has read
 * ```ts
 * import assert from "node:assert/strict";
 * import { initializeBackbone, loadLongMem } from "@longmem/lab";
 *
 * const shape = { layers: 4, hiddenDim: 16, heads: 2, feedForwardDim: 64, vocabSize: 50 };
 * const model = await loadLongMem({
 *   backbone: { shape, weights: initializeBackbone(shape, 1) }, // or the path of a checkpoint
 *   memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
 *   device: "cpu",
 * });
 * const tokens = Int32Array.from({ length: 16 }, (_, t) => 4 + t);
 * const { logits } = await model.forward(tokens); // [1, 16, 50]
 * assert.equal(logits.length, 16 * 50);
 * assert.deepEqual(model.memoryFillChunks, [4]);
 *
 * await model.forward(tokens, { readOnly: true });
 * assert.deepEqual(model.memoryFillChunks, [4]);
 * await model.resetMemory();
 * assert.deepEqual(model.memoryFillChunks, [0]);
 * await model.close();
 * ```
 */
export async function loadLongMem(options: LoadLongMemOptions): Promise<LongMemModel> {
  const { problems } = parseForm<unknown>(optionsForm(), options);
  if (problems.length > 0) throw new InputTypeError(problemsIn("load a LongMem", problems));
  const { protocol = "strict", device = "auto", threads, frozenWeights } = options;

  const backbone = await readBackbone(options);
  const sideNet = await readSideNet(options, backbone);
  const memory = memoryPart.fill({ ...sideNet.memory, ...options.memory }, { protocol });
  // Batches are not known yet: the smallest that is ever written is one chunk.
  checkMemoryConfig(memory, { rows: 1, contextTokens: memory.chunkTokens });
  const opened = await openDevice(device, { threads });
  try {
    const parts = {
      backbone: { ...backbone, ...(frozenWeights && { frozenType: frozenWeights }) },
      sideNet: { shape: sideNet.shape, weights: sideNet.weights },
      memory,
    };
    return modelOf(new LongMem(opened, parts, { ownsDevice: true }), memory);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** A model with a memory, as programs use it. */
export function modelOf<Model extends LongMem>(
  longMem: Model,
  memory: MemoryConfig,
): Omit<Model, "withOwnMemory"> & LongMemModel {
  const withOwnMemory = longMem.withOwnMemory.bind(longMem);
  return Object.assign(longMem, {
    backboneShape: longMem.parts.backbone.shape,
    memory,
    withOwnMemory: async (options?: { copied?: boolean }) =>
      modelOf(await withOwnMemory(options), memory),
  });
}

/**
 * The SideNet's sizes in the paper's proportions: one layer for two blocks (for more, where their number is odd), memory read by the layer at 17/24 of its
 * depth (rounded down: layer 8 of 12), and the block cached from which that layer is initialised (17 of 24), so that its
 * queries meet keys of their own space.
 *
 * @param given Sizes that are to be others.
 */
export function defaultSideNetShape(
  backbone: BackboneShape,
  given: Partial<SideNetShape> = {},
): SideNetShape {
  const [, smallestFactor = 1] = divisorsOf(backbone.layers);
  const reductionFactor = given.reductionFactor ?? smallestFactor;
  const layers = given.layers ?? Math.trunc(backbone.layers / reductionFactor);
  const reader = Math.trunc(17 * layers / 24);
  const memoryBlock = given.memoryBlock ??
    reductionFactor * reader + Math.min(1, reductionFactor - 1);
  return { ...given, layers, reductionFactor, memoryBlock };
}

async function readBackbone(options: LoadLongMemOptions): Promise<BackboneCheckpoint> {
  const { backbone, backboneShape } = options;
  if (typeof backbone === "string") {
    return await loadBackboneWeights(backbone, backboneShape ? { shape: backboneShape } : {});
  }
  if (!(backbone?.weights instanceof Map)) {
    throw new InputTypeError(
      `Cannot load a LongMem as backbone must be a path or { shape, weights }: ` +
        `current value is ${JSON.stringify(backbone)}`,
    );
  }
  checkBackboneShape(backbone.shape, "backbone");
  checkGiven(backboneShape, backbone.shape, "backbone");
  checkWeights(backbone.weights, backboneTensorShapes(backbone.shape), "backbone");
  return backbone;
}

async function readSideNet(
  options: LoadLongMemOptions,
  backbone: BackboneCheckpoint,
): Promise<LoadedSideNet> {
  const { sidenet, sideNetShape = {}, initialization, seed = 1 } = options;
  if (sidenet === undefined) {
    const given = { ...sideNetProtocols[options.protocol ?? "strict"], ...sideNetShape };
    const shape = defaultSideNetShape(backbone.shape, given);
    checkSideNetShape(shape, backbone.shape, "sideNetShape");
    // The paper's has no block for each layer where a layer stands beside each block.
    const usual: SideNetInitialization = shape.reductionFactor === 1
      ? { kind: "blocks", blocks: Array.from({ length: shape.layers }, (_, i) => i) }
      : { kind: "paper" };
    return {
      shape,
      weights: initializeSideNet(shape, backbone, initialization ?? usual, seed),
    };
  }
  if (initialization !== undefined) {
    throw new InputTypeError(
      `Cannot load a LongMem as initialization must be left out where sidenet is given: ` +
        `current value is ${JSON.stringify(initialization)}`,
    );
  }
  if (typeof sidenet === "string") {
    return await loadSideNetWeights(sidenet, backbone.shape, {
      shape: sideNetShape,
      backboneHash: hashTensors(backbone.weights),
    });
  }
  if (!(sidenet?.weights instanceof Map)) {
    throw new InputTypeError(
      `Cannot load a LongMem as sidenet must be a path or { shape, weights }: ` +
        `current value is ${JSON.stringify(sidenet)}`,
    );
  }
  checkSideNetShape(sidenet.shape, backbone.shape, "sidenet");
  checkGiven(sideNetShape, sidenet.shape, "sidenet");
  const shapes = sideNetTensorShapes(sidenet.shape, backbone.shape);
  checkWeights(sidenet.weights, shapes, "sidenet");
  return sidenet;
}
