import { checkTrained, memoryOf } from "../model_kind.ts";
import { inWindow } from "./in_window.ts";

/** Backbone, SideNet and memory, as adapted. */
export const longMem = inWindow("longmem", {
  needs: ["sidenet", "memory", "trained SideNet"],
  isMain: true,
  hasSideNet: true,
  readsMemory: true,
  fillsMemory: true,
  efficiency: { hasMemory: true, sideNet: "longmem" },
  label: "LongMem",
  network: "longmem",
  partsOf: ({ sideNets }, context) => ({
    sideNet: checkTrained(sideNets?.longmem, context.name),
    ...memoryOf(context),
  }),
});
