import { z } from "zod";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Declared } from "../../declaration/part.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import { type ModelKind, type ModelSurroundings, openLongMem } from "../model_kind.ts";
import { slidingWindowModel } from "../sliding_window.ts";

/**
 * The frozen language model alone, with a window that is longer than the segments it was trained on: ALiBi extrapolates.
 * Every segment is read together with those before it, as far as the window reaches, and again each time.
 */
export interface WindowedModel<Name extends string = string> {
  /** Which model. */
  readonly model: Name;
  /**
   * Tokens W of the window, the segment's own `contextTokens` included (default: `2 contextTokens` of a sliding window,
   * `contextTokens + memory.capacityTokens` of the full context).
   */
  readonly windowTokens: number;
}

/** A kind of window. */
export type WideWindow<Name extends string> = ModelKind<
  Declared<WindowedModel<Name>, "model">,
  WindowedModel<Name>
>;

/** A window of some default size. */
export function wideWindow<const Name extends string>(
  model: Name,
  { label, windowTokens, missing }:
    & Pick<WideWindow<Name>, "label" | "missing">
    & { readonly windowTokens: (evaluation: ModelSurroundings) => number },
): WideWindow<Name> {
  const schema = z.strictObject({
    model: z.literal(model),
    windowTokens: positiveInteger.exactOptional(),
  });
  return {
    schema: schema as unknown as z.ZodType<Declared<WindowedModel<Name>, "model">>,
    fill: (declared, evaluation) => ({
      windowTokens: declared.windowTokens ?? windowTokens(evaluation),
      ...declared,
    }),
    ...(missing && { missing }),
    check: (config, path, { contextTokens }): Problem[] =>
      config.windowTokens >= contextTokens ? [] : [wrong(
        `${path}.windowTokens`,
        "must hold the evaluation's contextTokens",
        config.windowTokens,
        `integers from ${contextTokens}`,
      )],
    nameOf: (config) => `${model}-${config.windowTokens}`,
    needs: [],
    windowTokens: (config) => config.windowTokens,
    label,
    open(config, trained, context) {
      const { contextTokens, memories, memory } = context;
      const shared = memories !== undefined || memory?.bank === "shared";
      const window = { contextTokens, windowTokens: config.windowTokens, shared };
      return openLongMem({}, trained, {
        ...context,
        wrap: (model) => slidingWindowModel(context.name, model, window),
      });
    },
  };
}
