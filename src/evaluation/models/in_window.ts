import { z } from "zod";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Declared } from "../../declaration/part.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import { type LongMemParts, wholeNetwork } from "../../longmem/parts.ts";
import type { MemoryConfig } from "../../memory/config.ts";
import {
  type ModelKind,
  type OpenedModel,
  type OpeningContext,
  openLongMem,
  type TrainedModels,
  trainedParts,
} from "../model_kind.ts";
import { languageModel, type PromptedModel, type ScoredLongMem } from "../shared/language_model.ts";
import type { WindowOptions } from "../shared/row_windows.ts";
import { slidingWindowModel } from "../sliding_window.ts";

/**
 * A model with a window that is longer than the segments: it slides by `contextTokens`. Every segment is read together with those
 * before it, as far as the window reaches, and again each time. A memory holds the tokens that have left the window.
 */
export interface WindowedModel<Name extends string = string> {
  /** Which model. */
  readonly model: Name;
  /**
   * Tokens W of the window, the segment's own `contextTokens` included (default: `2 contextTokens` of the backbone's sliding window,
   * `contextTokens + memory.capacityTokens` of its full context; others read disjoint segments).
   */
  readonly windowTokens: number;
}

/** Version of how models with a sliding window and a memory answer: it changes whenever the same model would get another number. */
export const windowVersion = 1;

/** The form of the window of a model that may have one. */
export const windowTokensField = positiveInteger.exactOptional();

/** Tokens of a model's window; undefined where it reads disjoint segments. */
export function windowTokensOf(
  config: string | { readonly windowTokens?: number },
): number | undefined {
  return typeof config === "string" ? undefined : config.windowTokens;
}

/** Suffix of a model's name for its window. */
export function windowSuffix(windowTokens: number | undefined): string {
  return windowTokens === undefined ? "" : `-window-${windowTokens}`;
}

/**
 * Reports a window that does not fit the segments, which are its stride, or the chunks of a memory: it must move by whole chunks, so
 * that each token is in the window or in the memory.
 */
export function windowProblems(
  windowTokens: number | undefined,
  path: string,
  { contextTokens, chunkTokens }: {
    readonly contextTokens: number;
    /** Tokens of a chunk of the memory; absent without one. */
    readonly chunkTokens?: number | undefined;
  },
): Problem[] {
  if (windowTokens === undefined) return [];
  if (windowTokens < contextTokens) {
    return [wrong(
      `${path}.windowTokens`,
      "must hold the evaluation's contextTokens",
      windowTokens,
      `integers from ${contextTokens}`,
    )];
  }
  if (chunkTokens === undefined) return [];
  if (contextTokens % chunkTokens !== 0) {
    return [{
      path: `${path}.windowTokens`,
      message:
        "must slide by whole chunks, which the evaluation's contextTokens, its stride, must be a multiple of: " +
        `current values are ${contextTokens} and ${chunkTokens}`,
    }];
  }
  return windowTokens % chunkTokens === 0 ? [] : [wrong(
    `${path}.windowTokens`,
    `must be a multiple of the memory's chunkTokens`,
    windowTokens,
    `multiples of ${chunkTokens}`,
  )];
}

/** How a window slides in an evaluation. */
export function windowOptions(
  windowTokens: number,
  { contextTokens, memories, memory }: Pick<
    OpeningContext,
    "contextTokens" | "memories" | "memory"
  >,
): WindowOptions {
  const shared = memories !== undefined || memory?.bank === "shared";
  return { contextTokens, windowTokens, shared };
}

/**
 * Opens the network of some parts, which reads segments, or text in a window.
 *
 * @param wrap Makes it a model under test (default: as it is).
 */
export function openInWindow(
  parts: Omit<LongMemParts, "backbone" | "heldTokens">,
  trained: Pick<TrainedModels, "backbone">,
  context: OpeningContext,
  windowTokens?: number,
  wrap?: (model: ScoredLongMem, window: WindowOptions | undefined) => PromptedModel,
): Promise<OpenedModel> {
  const { name, contextTokens } = context, network = wholeNetwork(parts);
  const window = windowTokens === undefined ? undefined : windowOptions(windowTokens, context);
  wrap ??= (model, window) =>
    window
      ? slidingWindowModel(name, model, { ...window, network })
      : languageModel(name, model, network);
  return openLongMem(
    window && parts.memory ? { ...parts, heldTokens: window.windowTokens - contextTokens } : parts,
    trained,
    { ...context, wrap: (model) => wrap(model, window) },
  );
}

/** A model that reads disjoint segments where it is declared by its name, or text in a window that slides. */
export type MaybeWindowed<Name extends string> = ModelKind<
  Declared<WindowedModel<Name>, "model">,
  Name | WindowedModel<Name>
>;

/** A trained network; without a window it reads disjoint segments, as the paper has it. */
export function inWindow<const Name extends string>(
  name: Name,
  { training, memoryOf = (memory) => memory, ...kind }:
    & Omit<
      MaybeWindowed<Name>,
      "schema" | "fill" | "nameOf" | "check" | "version" | "windowTokens" | "open"
    >
    & {
      /** Name of the training whose weights it has (default: that of its adaptation). */
      readonly training?: string;
      /** Its memory, if it reads one (default: the evaluation's). */
      readonly memoryOf?: (memory: MemoryConfig, contextTokens: number) => MemoryConfig;
    },
): MaybeWindowed<Name> {
  return {
    schema: z.strictObject({
      model: z.literal(name),
      windowTokens: windowTokensField,
    }) as unknown as z.ZodType<Declared<WindowedModel<Name>, "model">>,
    fill: ({ model, windowTokens }) => windowTokens === undefined ? model : { model, windowTokens },
    nameOf: (config) => name + windowSuffix(windowTokensOf(config)),
    check: (config, path, { contextTokens, memory }) =>
      windowProblems(windowTokensOf(config), path, {
        contextTokens,
        chunkTokens: kind.readsMemory && memory?.chunkTokens,
      }),
    version: (config) => windowTokensOf(config) === undefined ? undefined : windowVersion,
    windowTokens: windowTokensOf,
    open(config, trained, context) {
      const { name, contextTokens } = context;
      const memory = kind.readsMemory && context.memory && memoryOf(context.memory, contextTokens);
      const parts = trainedParts(trained, training ?? kind.adaptation!.name, { name, memory });
      return openInWindow(parts, trained, context, windowTokensOf(config));
    },
    ...kind,
  };
}
