import { fieldNoun } from "../../src/results/field_nouns.ts";
import { assert, test } from "../testing.ts";

test("fieldNoun() calls swept fields by words where there are any", () => {
  assert.deepEqual(fieldNoun("evaluations.0.memory.chunkTokens"), {
    label: "chunk length",
    unit: "tokens",
  });
  assert.deepEqual(fieldNoun("sidenet.memoryBlock"), { label: "memoryBlock" });
});
