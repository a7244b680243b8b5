import { z } from "zod";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Declared } from "../../declaration/part.ts";
import type { ModelKind, ModelSurroundings } from "../model_kind.ts";
import { openInWindow, type WindowedModel, windowProblems } from "./in_window.ts";

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
    check: ({ windowTokens }, path, { contextTokens }) =>
      windowProblems(windowTokens, path, { contextTokens }),
    nameOf: (config) => `${model}-${config.windowTokens}`,
    needs: [],
    windowTokens: (config) => config.windowTokens,
    label,
    open: ({ windowTokens }, trained, context) => openInWindow({}, trained, context, windowTokens),
  };
}
