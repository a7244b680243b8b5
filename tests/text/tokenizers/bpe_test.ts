import { Random } from "../../../src/random.ts";
import { bpeTokenizer } from "../../../src/text/tokenizers/bpe.ts";
import { parseTokenizerJson } from "../../../src/text/tokenizer_json.ts";
import { assert, test } from "../../testing.ts";

test("a vocabulary is trained on the first maxTrainingBytes bytes, not characters, of the train split", async () => {
  const random = new Random("three bytes a character");
  const line = () =>
    String.fromCodePoint(...Array.from({ length: 20 }, () => 0x4e00 + random.below(40)));
  const documents = Array.from({ length: 3 }, () => Array.from({ length: 60 }, line).join("\n"));
  let readToTheEnd = 0;
  async function* texts() {
    yield* documents;
    readToTheEnd++;
  }
  const train = async (maxTrainingBytes: number) => {
    const config = { kind: "bpe", vocabSize: 420, maxTrainingBytes } as const;
    return parseTokenizerJson(await bpeTokenizer.trained.train(config, texts()));
  };
  // Of 200 characters few pairs occur twice; 600 characters suffice for 348.
  await assert.rejects(train(600), /they suffice for 30\d tokens/);
  assert.equal((await train(7000)).vocabSize, 420);
  assert.equal(readToTheEnd, 2, "the hash of all texts is recorded");
});
