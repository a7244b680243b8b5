import { TokenTexts } from "../../src/text/token_texts.ts";
import { wordTokenizer } from "../evaluation/word_tokenizer.ts";
import { assert, test } from "../testing.ts";

test("TokenTexts decodes each token once, and leaves out those that stand for no text", () => {
  const { tokenizer, idOf } = wordTokenizer("<s> <pad> </s> red blue");
  const decoded: number[][] = [];
  const texts = new TokenTexts({
    ...tokenizer,
    decode(ids) {
      decoded.push(Array.from(ids));
      if (Array.from(ids).includes(idOf("<pad>"))) throw new RangeError("<pad> is no text");
      return tokenizer.decode(ids);
    },
  });
  const [red, blue, pad] = ["red", "blue", "<pad>"].map(idOf);
  assert.deepEqual([texts.of(red), texts.of(pad), texts.of(red), texts.of(pad)], [
    ...[tokenizer.decode([red]), undefined],
    ...[tokenizer.decode([red]), undefined],
  ]);
  assert.deepEqual(decoded, [[red], [pad]]);
  assert.deepEqual(texts.readable(Int32Array.of(pad, blue, pad, red, blue)), [blue, red, blue]);
  assert.equal(texts.decode([red, pad, blue]), tokenizer.decode([red, blue]));
  assert.deepEqual(decoded, [[red], [pad], [blue], [red, blue]]);
});
