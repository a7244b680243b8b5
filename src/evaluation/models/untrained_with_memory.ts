import { inWindow } from "./in_window.ts";

/** The SideNet as initialised, with memory. */
export const untrainedWithMemory = inWindow("untrained-with-memory", {
  needs: ["sidenet", "initialized SideNet", "memory"],
  hasSideNet: true,
  readsMemory: true,
  fillsMemory: true,
  efficiency: { hasMemory: true, sideNet: "untrained" },
  label: "LongMem before its training",
  training: "untrained",
});
