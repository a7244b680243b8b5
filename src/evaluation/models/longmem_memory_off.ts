import { inWindow } from "./in_window.ts";

/**
 * LongMem's weights, adapted with a memory, read without one. That is not a SideNet without memory: its weights expect
 * retrieved values, so that a gain over this model is an upper bound of the memory's contribution; `sidenet-without-memory` is the fair
 * comparison.
 */
export const longMemMemoryOff = inWindow("longmem-memory-off", {
  needs: ["sidenet", "memory", "trained SideNet"],
  hasSideNet: true,
  label: "LongMem with its memory off",
  // With an empty memory the joint attention is the local one (specification section 7).
  training: "longmem",
});
