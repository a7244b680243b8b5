import { z } from "zod";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { checkTrained, memoryOf, type ModelKind, openLongMem } from "../model_kind.ts";
import { otherDocumentModel } from "../shared/language_model.ts";
import { severalTextsVersion } from "../shared/other_texts.ts";

/** LongMem's weights, the memory filled from several other texts, one after the other: an item's score is their mean. */
export interface OtherDocumentModel {
  /** Which model. */
  readonly model: "longmem-other-document";
  /** Texts, each of another work, that are read in the place of each document (default 1: the name alone). */
  readonly texts: number;
}

const schema = z.strictObject({
  model: z.literal("longmem-other-document"),
  texts: positiveInteger.exactOptional(),
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
  fill: ({ model, texts = 1 }) => texts === 1 ? model : { model, texts },
  nameOf: (config) => typeof config === "string" ? config : `${config.model}-${config.texts}`,
  needs: ["sidenet", "memory", "trained SideNet"],
  hasSideNet: true,
  readsMemory: true,
  fillsMemory: true,
  readsOthers: true,
  otherTexts: textsOf,
  version: (config) => textsOf(config) === 1 ? undefined : severalTextsVersion,
  label: "another document's memory",
  open: (_config, trained, context) =>
    openLongMem(
      { sideNet: checkTrained(trained.sideNets?.longmem, context.name), ...memoryOf(context) },
      trained,
      { ...context, wrap: (model) => otherDocumentModel(context.name, model, context.others()) },
    ),
};
