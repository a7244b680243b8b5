import { checkVocabulary } from "../../src/checkpoint/vocabulary.ts";
import { assert, test } from "../testing.ts";

const sizes = { layers: 1, hiddenDim: 8, heads: 2, feedForwardDim: 16, vocabSize: 300 };
const special = { bos: 0, eos: 2, unk: 3 };

test("checkVocabulary() refuses a tokenizer whose text may have the id that an architecture takes for padding", () => {
  const check = (pad: number | undefined, architecture?: string) =>
    checkVocabulary(
      { vocabSize: 300, specialIds: { ...special, ...(pad !== undefined && { pad }) } },
      { ...sizes, ...(architecture !== undefined && { architecture }) },
      { of: "it" },
    );
  check(1);
  check(undefined, "gpt2");
  check(4, "gpt2");
  for (const [pad, current] of [[4, "4"], [undefined, "none"]] as const) {
    assert.throws(() => check(pad), {
      name: "RangeError",
      message:
        'Cannot use it as architecture "longmem_gpt2" takes id 1 for padding wherever it stands: ' +
        `current padding of the tokenizer is ${current}, allowed are 1 and other architectures`,
    });
  }
});
