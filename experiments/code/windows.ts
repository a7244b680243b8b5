/**
 * Does a longer window do what the memory does? The backbone was trained on 256 tokens, beyond which its rotary positions are
 * extrapolated. LongMem's weights without their memory show what these weights owe to it.
 */
import { defineExperiment } from "@longmem/lab";
import base, { overWindow, windows } from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "code_windows",
  question: "Does the frozen backbone gain on code with a window of 512 or 1,024 tokens?",
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: [
      ...windows(256, 512, 1024),
      { model: "longmem-memory-off", windowTokens: 256 },
      { model: "longmem", windowTokens: 256 },
    ],
  }],
});
