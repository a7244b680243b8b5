import { sideNetTraining } from "../../training/adaptation.ts";
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
  adaptation: {
    name: sideNetTraining,
    hashName: "SideNet longmem",
    isAlwaysDone: ({ memory }) => memory !== undefined,
    start: (parts) => parts,
    network: "longmem",
    operationsPerParameter: 6, // 2 forward, 4 backward
    fields: ["sidenet", "adaptation", "memory"],
  },
});
