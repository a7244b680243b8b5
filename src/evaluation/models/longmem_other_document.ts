import { z } from "zod";
import { defined } from "../../defined.ts";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { type ModelKind, trainedParts } from "../model_kind.ts";
import { otherDocumentModel } from "../shared/other_document.ts";
import { severalTextsVersion } from "../shared/other_texts.ts";
import {
  openInWindow,
  windowProblems,
  windowSuffix,
  windowTokensField,
  windowTokensOf,
  windowVersion,
} from "./in_window.ts";

/** LongMem's weights, the memory filled from several other texts, one after the other: an item's score is their mean. */
export interface OtherDocumentModel {
  /** Which model. */
  readonly model: "longmem-other-document";
  /** Texts, each of another work, that are read in the place of each document (default 1: the name alone). */
  readonly texts: number;
  /** Tokens W of a sliding window, the segment's own `contextTokens` included (default: none, segments are disjoint). */
  readonly windowTokens?: number;
}

const schema = z.strictObject({
  model: z.literal("longmem-other-document"),
  texts: positiveInteger.exactOptional(),
  windowTokens: windowTokensField,
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<OtherDocumentModel, "model">>>;

/** How a control of one text or of several is declared. */
type Config = "longmem-other-document" | OtherDocumentModel;

function textsOf(config: Config): number {
  return typeof config === "string" ? 1 : config.texts;
}

/** LongMem's weights, the memory filled from another document: of another work, where the corpus declares clusters. */
export const longMemOtherDocument: ModelKind<Declared<OtherDocumentModel, "model">, Config> = {
  schema,
  fill: ({ model, texts = 1, windowTokens }) =>
    texts === 1 && windowTokens === undefined ? model : defined({ model, texts, windowTokens }),
  nameOf(config) {
    const texts = textsOf(config);
    const name = typeof config === "string" ? config : config.model;
    return name + (texts === 1 ? "" : `-${texts}`) + windowSuffix(windowTokensOf(config));
  },
  check: (config, path, { contextTokens, memory }) =>
    windowProblems(windowTokensOf(config), path, { ...memory, contextTokens }),
  windowTokens: windowTokensOf,
  needs: ["sidenet", "memory", "trained SideNet"],
  hasSideNet: true,
  readsMemory: true,
  fillsMemory: true,
  readsOthers: true,
  otherTexts: textsOf,
  version: (config) =>
    textsOf(config) > 1
      ? severalTextsVersion
      : windowTokensOf(config) === undefined
      ? undefined
      : windowVersion,
  label: "another document's memory",
  open: (config, trained, context) =>
    openInWindow(
      trainedParts(trained, "longmem", context),
      trained,
      context,
      windowTokensOf(config),
      (model, window) => otherDocumentModel(context.name, model, context.others(), window),
    ),
};
