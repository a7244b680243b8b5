/**
 * Where should retrieved tokens stand for the queries of a backbone with rotary positions: nowhere (not rotated, as ALiBi's are in
 * the released code), or all at one distance, a near one or a far one?
 *
 * 200 steps from the start that `start.ts` found best. Heads were trained at distances below 256.
 */
import { defineExperiment } from "@longmem/lab";
import start, { fastestStart } from "./start.ts";

export default defineExperiment({
  ...start,
  name: "code_positions",
  question: "At which distance should retrieved tokens stand for rotary queries?",
  sidenet: fastestStart,
  sweep: {
    "memory.positions": [
      { kind: "none" },
      { kind: "distance", tokens: 1 },
      { kind: "distance", tokens: 16 },
      { kind: "distance", tokens: 64 },
      { kind: "distance", tokens: 256 },
    ],
  },
});
