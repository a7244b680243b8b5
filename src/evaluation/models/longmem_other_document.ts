import { checkTrained, memoryOf, openLongMem } from "../model_kind.ts";
import { otherDocumentModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/** LongMem's weights, the memory filled from another document: of another work, where the corpus declares clusters. */
export const longMemOtherDocument = withoutSettings("longmem-other-document", {
  needs: ["sidenet", "memory", "trained SideNet"],
  hasSideNet: true,
  readsMemory: true,
  fillsMemory: true,
  readsOthers: true,
  label: "another document's memory",
  open: (_config, trained, context) =>
    openLongMem(
      { sideNet: checkTrained(trained.sideNets?.longmem, context.name), ...memoryOf(context) },
      trained,
      { ...context, wrap: (model) => otherDocumentModel(context.name, model, context.others()) },
    ),
});
