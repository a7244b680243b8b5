/**
 * A model under test: its settings, its needs of an experiment, and how it is opened.
 */
import type { z } from "zod";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import type { Problem } from "../declaration/problem.ts";
import { InputTypeError } from "../errors.ts";
import { LongMem } from "../longmem/longmem.ts";
import type { LongMemParts } from "../longmem/parts.ts";
import type { MemoryConfig } from "../memory/config.ts";
import type { Device } from "../runtime/device.ts";
import type { Adaptation } from "../training/adaptation.ts";
import type { PromptedModel, ReadableDocument, ScoredLongMem } from "./shared/language_model.ts";
import type { EncodedMemories } from "./shared/memory_cache.ts";

/** An evaluation's settings for all its models. */
export interface ModelSurroundings {
  /** Tokens T of a segment, and of a model's context without memory. */
  readonly contextTokens: number;
  /** The memory of the evaluation; absent without one. */
  readonly memory?: MemoryConfig | undefined;
}

/** A part of the declaration that a model may need. */
export type ModelNeed =
  | "sidenet"
  | "initialized SideNet"
  | "memory"
  | "adaptation"
  | "trained SideNet";

/** Models that a run has trained or loaded. */
export interface TrainedModels {
  readonly backbone: BackboneCheckpoint;
  /**
   * Models of trained parts, by the names of their adaptations, as far as evaluations ask for them; `untrained`: with the SideNet as
   * initialised, absent where it is read from a checkpoint.
   */
  readonly models: Readonly<Record<string, LongMemParts | undefined>>;
}

/** How a model is opened for an evaluation. */
export interface OpeningContext extends ModelSurroundings {
  readonly name: string;
  readonly device: Device;
  /** Texts that a control reads in place of each item's. */
  readonly others: () => readonly ReadableDocument[];
  /** Given where row 0 alone reads texts, about which all rows are asked: the texts are encoded once. */
  readonly memories?: EncodedMemories | undefined;
}

/** A model that is open; to be disposed of after its evaluation. */
export type OpenedModel = { readonly model: PromptedModel } & AsyncDisposable;

/** A model under test as declarations hold it: the name alone, or an object with settings. */
export type ModelConfig = string | { readonly model: string };

/** A kind of model under test. */
export interface ModelKind<
  Declaration extends { readonly model: string },
  Config extends ModelConfig,
> {
  /** Form of the object that declares it. */
  readonly schema: z.ZodType<Declaration>;
  /** Fills in the defaults; a model without settings is its name. */
  fill(declaration: Declaration, evaluation: ModelSurroundings): Config;
  /** Fields without which the defaults cannot be filled in. */
  missing?(
    declaration: Declaration,
    path: string,
    evaluation: { readonly hasMemory: boolean },
  ): Problem[];
  /** Settings that do not fit the evaluation. */
  check?(config: Config, path: string, evaluation: ModelSurroundings): Problem[];
  /** Its name in results: the kind, and the settings that distinguish it from others of the kind. */
  nameOf(config: Config): string;
  /** Parts of the declaration that it needs. */
  readonly needs: readonly ModelNeed[];
  /** The training of its network, where it has one of its own. */
  readonly adaptation?: Adaptation;
  /** Whether sweeps and findings are about it, wherever it is measured; of others about the last one. */
  readonly isMain?: true;
  /** Whether it passes through the SideNet. */
  readonly hasSideNet?: true;
  /** Whether it reads text into a memory. */
  readonly readsMemory?: true;
  /** Whether the evaluation's memory is filled with the text that the model reads. */
  readonly fillsMemory?: true;
  /** Whether it reads other texts than the items': a control. */
  readonly readsOthers?: true;
  /** Other texts that it reads in the place of each item, one after the other; an item's score is their mean (default 1). */
  otherTexts?(config: Config): number;
  /** Version of how it answers, where it has one: it changes whenever the same weights would get another number. */
  version?(config: Config): number | undefined;
  /** How efficiency sees it: all tokens in its segment, or those beyond it in the memory of a SideNet. */
  readonly efficiency?: {
    readonly hasMemory: boolean;
    /** The model of {@linkcode TrainedModels} whose SideNet it is. */
    readonly sideNet?: string;
  };
  /** Tokens that pass for each segment; undefined: the evaluation's `contextTokens`. */
  windowTokens?(config: Config): number | undefined;
  /** Tokens that it remembers, where they are its own setting and not the evaluation's. */
  rememberedTokens?(config: Config): number;
  /** Memory and part of a network whose memory is the model's own setting and not the evaluation's. */
  ownMemory?(config: Config): Required<Pick<LongMemParts, "memory" | "other">>;
  /** The model in a sentence: `the backbone alone`. */
  readonly label: string;
  /** Opens it; results call it `context.name`. */
  open(config: Config, trained: TrainedModels, context: OpeningContext): Promise<OpenedModel>;
}

/** Opens a LongMem of some parts as a model under test. */
export function openLongMem(
  parts: Omit<LongMemParts, "backbone">,
  { backbone }: Pick<TrainedModels, "backbone">,
  { device, memories, wrap }: Pick<OpeningContext, "device" | "memories"> & {
    readonly wrap: (model: ScoredLongMem) => PromptedModel;
  },
): Promise<OpenedModel> {
  const model = new LongMem(device, { backbone, ...parts });
  return Promise.resolve({
    model: wrap(memories ? memories.keep(model) : model),
    [Symbol.asyncDispose]: () => model.close(),
  });
}

/**
 * Parts with the weights of a training, and a memory.
 *
 * @param training Name of its adaptation, or `untrained`.
 * @throws {TypeError} If the experiment trains no such network.
 */
export function trainedParts(
  { models }: Pick<TrainedModels, "models">,
  training: string,
  { name, memory }: { readonly name: string; readonly memory?: MemoryConfig | undefined },
): Omit<LongMemParts, "backbone"> {
  const trained = models[training];
  if (!trained) {
    throw new InputTypeError(
      `Cannot evaluate model "${name}" as the experiment trains no such network`,
    );
  }
  const { backbone: _frozen, memory: _ofTraining, ...parts } = trained;
  return { ...parts, ...(memory && { memory }) };
}
