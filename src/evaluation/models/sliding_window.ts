import { wideWindow } from "./wide_window.ts";

/** The backbone with a window a little longer than a segment. */
export const slidingWindow = wideWindow("backbone-sliding-window", {
  label: "the backbone with a sliding window",
  windowTokens: ({ contextTokens }) => 2 * contextTokens,
});
