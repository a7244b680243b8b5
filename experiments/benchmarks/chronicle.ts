/**
 * Long-context benchmarks that need no data, in the words of the chronicle: RULER's generated tasks, and BABILong's among its books. No
 * training: the SideNet as initialised reads as its backbone looks up. `--limit 2` takes a minute or two.
 *
 * A backbone of 0.87 million parameters that never saw a question, an assignment or a list finds a value that was told once, in a
 * memory and nowhere else. Tasks of several steps, values and counts are beyond it: there it answers as chance would.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

const shared = {
  contextTokens: 128,
  lengths: [512, 2048],
  instances: 8,
  models: ["backbone", "untrained-with-memory", "infllm", "copy"],
} as const;

export default defineExperiment({
  ...quickstart,
  name: "benchmarks_chronicle",
  question: "Which tasks of long-context benchmarks does a memory help with?",
  adaptation: undefined,
  evaluations: [
    { kind: "ruler", ...shared },
    { kind: "babilong", ...shared },
  ],
});
