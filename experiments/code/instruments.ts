/**
 * Where does the memory gain on source code, and is reading or retrieval its limit?
 *
 * `token-loss` tells the gains by the distance of the last occurrence, with the window of the main comparison; `retrieval` asks, in
 * segments, how often the token from which the next could be copied is retrieved.
 */
import { defineExperiment } from "@longmem/lab";
import base, { overWindow } from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "code_instruments",
  question: "Where does a memory gain on code, and how often does it retrieve the right token?",
  evaluations: [{
    kind: "token-loss",
    ...overWindow,
    name: "token-loss-window",
    names: false,
    models: [
      { model: "backbone-sliding-window", windowTokens: 256 },
      { model: "sidenet-without-memory", windowTokens: 256 },
      { model: "longmem", windowTokens: 256 },
      { model: "longmem-recent-memory", windowTokens: 256 },
    ],
  }, {
    kind: "retrieval",
    split: "test",
    batchSize: 4,
    firstTokens: 6144,
    models: ["longmem", "longmem-recent-memory"],
  }],
});
