/**
 * Is a memory still worth something beyond a context of 1,024 tokens? The frozen backbone is that of `longer_context.ts` which was
 * trained further with 1,024 tokens, and all rows read a window as long.
 *
 * Primary metric and test are those of `language_modeling.ts`; the SideNet is adapted on as many tokens as in `longer.ts`.
 */
import { defineExperiment } from "@longmem/lab";
import base, { overWindow, withControls } from "./language_modeling.ts";
import { fastestStart } from "./start.ts";

export default defineExperiment({
  ...base,
  name: "code_memory_beyond_context",
  question:
    "Does a memory gain nats on unseen packages over a window of 1,024 tokens, by a backbone that was trained with as many?",
  tokenizer: { kind: "file", path: "data/code/long_context/tokenizer.json" },
  backbone: { kind: "checkpoint", path: "data/code/long_context" },
  sidenet: fastestStart,
  adaptation: { ...base.adaptation!, contextTokens: 1024, steps: 1600, diagnoseEverySteps: 400 },
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: withControls(1024),
  }],
});
