import { recentMemory } from "../../memory/config.ts";
import { inWindow } from "./in_window.ts";

/**
 * LongMem's weights, but the memory is the smallest allowed and holds only the tokens read last: the segment before, or
 * `memory.retrievedTokens` tokens where those are more (the last one or two segments where `memory.eviction` is `coarse`). With
 * a sliding window these are the tokens before the window. Any advantage of `longmem` comes from retrieving older text.
 */
export const longMemRecentMemory = inWindow("longmem-recent-memory", {
  needs: ["sidenet", "memory", "trained SideNet"],
  hasSideNet: true,
  readsMemory: true,
  label: "a memory of the latest text only",
  training: "longmem",
  memoryOf: recentMemory,
});
