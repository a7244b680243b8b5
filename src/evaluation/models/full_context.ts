import { wideWindow } from "./wide_window.ts";

/** The backbone with a window of all that LongMem can see. */
export const fullContext = wideWindow("backbone-full-context", {
  label: "the backbone with the full context",
  missing: ({ windowTokens }, path, { hasMemory }) =>
    windowTokens !== undefined || hasMemory ? [] : [{
      path: `${path}.windowTokens`,
      message: "is missing, as there is no memory to match: allowed are positive integers",
    }],
  windowTokens: ({ contextTokens, memory }) => contextTokens + memory!.capacityTokens,
});
