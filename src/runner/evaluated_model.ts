import type { EncodedMemories } from "../evaluation/shared/memory_cache.ts";
import {
  languageModel,
  otherDocumentModel,
  type PromptedModel,
  type ReadableDocument,
  type ScoredLongMem,
} from "../evaluation/shared/language_model.ts";
import { slidingWindowModel } from "../evaluation/sliding_window.ts";
import type { EvaluatedModel, ModelEvaluation } from "../experiment/declaration.ts";
import { modelName } from "../experiment/model_name.ts";
import { LongMem } from "../longmem/longmem.ts";
import { memoryOfSizes, recentMemory } from "../memory/config.ts";
import type { MemorizingCheckpoint } from "../longmem/memorizing_transformer.ts";
import type { Device } from "../runtime/device.ts";
import type { SideNets } from "./train_models.ts";
import { InputTypeError } from "../errors.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import type { LongMemParts } from "../longmem/network.ts";

/** What is evaluated. */
export interface Evaluated {
  readonly backbone: BackboneCheckpoint;
  readonly sideNets: SideNets | undefined;
  /** The trained part of a Memorizing Transformer, where an evaluation asks for it. */
  readonly memorizing?: MemorizingCheckpoint;
}

/**
 * Opens a model of the declaration; to be disposed of after its evaluation.
 *
 * @param options `others`: what the control reads in the place of each item; `memories`: given where row 0 alone reads
 * texts, about which all rows are asked, and what it reads is encoded once.
 */
export async function openModel(
  declared: EvaluatedModel,
  evaluation: Pick<ModelEvaluation, "memory" | "contextTokens">,
  { backbone, sideNets, memorizing }: Evaluated,
  { device, others, memories }: {
    readonly device: Device;
    readonly others: () => readonly ReadableDocument[];
    readonly memories?: EncodedMemories | undefined;
  },
): Promise<{ model: PromptedModel } & AsyncDisposable> {
  const memory = evaluation.memory ? { memory: evaluation.memory } : {};
  const open = (
    parts: Omit<LongMemParts, "backbone">,
    wrap: (model: ScoredLongMem) => PromptedModel,
  ) => {
    const model = new LongMem(device, { backbone, ...parts });
    return Promise.resolve({
      model: wrap(memories ? memories.keep(model) : model),
      [Symbol.asyncDispose]: () => model.close(),
    });
  };
  const name = modelName(declared);
  if (typeof declared !== "string") {
    switch (declared.model) {
      case "backbone-sliding-window":
      case "backbone-full-context": {
        const shared = memories !== undefined || evaluation.memory?.bank === "shared";
        const { contextTokens } = evaluation, { windowTokens } = declared;
        const window = { contextTokens, windowTokens, shared };
        return await open({}, (model) => slidingWindowModel(name, model, window));
      }
      case "infllm": {
        const bank = memories ? "shared" : evaluation.memory?.bank ?? "per-row";
        const memory = memoryOfSizes(declared, bank);
        const { distanceTokens } = declared;
        return await open(
          { memory, blockMemory: { distanceTokens } },
          (model) => languageModel(name, model, "infllm"),
        );
      }
      default:
        return declared satisfies never;
    }
  }
  switch (declared) {
    case "backbone":
      return await open({}, (model) => languageModel(name, model, "backbone"));
    case "sidenet-without-memory":
      return await open(
        { sideNet: needed(sideNets?.withoutMemory, name) },
        (model) => languageModel(name, model, "sidenet"),
      );
    case "longmem":
      return await open(
        { sideNet: needed(sideNets?.longmem, name), ...memory },
        (model) => languageModel(name, model, "longmem"),
      );
    case "longmem-memory-off":
      // With an empty memory the joint attention is the local one (specification section 7).
      return await open(
        { sideNet: needed(sideNets?.longmem, name) },
        (model) => languageModel(name, model, "sidenet"),
      );
    case "longmem-recent-memory":
      return await open(
        {
          sideNet: needed(sideNets?.longmem, name),
          ...(evaluation.memory
            ? { memory: recentMemory(evaluation.memory, evaluation.contextTokens) }
            : {}),
        },
        (model) => languageModel(name, model, "longmem"),
      );
    case "longmem-other-document":
      return await open(
        { sideNet: needed(sideNets?.longmem, name), ...memory },
        (model) => otherDocumentModel(name, model, others()),
      );
    case "untrained-with-memory":
      return await open(
        { sideNet: needed(sideNets?.untrained, name), ...memory },
        (model) => languageModel(name, model, "longmem"),
      );
    case "memorizing-transformer":
      return await open(
        { memorizing: needed(memorizing, name), ...memory },
        (model) => languageModel(name, model, declared),
      );
    default:
      return declared satisfies never;
  }
}

function needed<T>(trained: T | undefined, model: string): T {
  if (!trained) {
    throw new InputTypeError(
      `Cannot evaluate model "${model}" as the experiment trains no such network`,
    );
  }
  return trained;
}
