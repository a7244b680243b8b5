import { checkTrained, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/** A SideNet trained like LongMem's, but never with a memory. */
export const sideNetWithoutMemory = withoutSettings("sidenet-without-memory", {
  needs: ["sidenet", "initialized SideNet", "adaptation"],
  training: "sidenet-without-memory",
  hasSideNet: true,
  label: "a SideNet that never had a memory",
  open: (_config, trained, context) =>
    openLongMem({ sideNet: checkTrained(trained.sideNets?.withoutMemory, context.name) }, trained, {
      ...context,
      wrap: (model) => languageModel(context.name, model, "sidenet"),
    }),
});
