import { sideNetTensorShapes } from "../../longmem/sidenet_shape.ts";
import { sideNetTraining } from "../../training/adaptation.ts";
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
  partsOf: ({ models }, context) => ({
    sideNet: checkTrained(models.longmem?.sideNet, context.name),
    ...memoryOf(context),
  }),
  adaptation: {
    name: sideNetTraining,
    hashName: "SideNet longmem",
    isAlwaysDone: ({ memory }) => memory !== undefined,
    start: ({ backbone, sideNet, memory }) => ({ backbone, sideNet, memory: memory! }),
    tensors: sideNetTensorShapes,
    operationsPerParameter: 6, // 2 forward, 4 backward
    fields: ["sidenet", "adaptation", "memory"],
  },
});
