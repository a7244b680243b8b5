import { firstBytes, trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { byteCharacters, preTokens } from "../../src/text/byte_level_bpe.ts";
import { Random } from "../../src/random.ts";
import { assert, test } from "../testing.ts";

/** The definition of the algorithm: counts every pair anew before each merge. */
function trainSlowly(texts: string[], merges: number): [string, string][] {
  const ids = new Map(byteCharacters.map((token, id) => [token, id]));
  const words = texts.flatMap((text) =>
    Array.from(
      preTokens(text),
      (word) => Array.from(new TextEncoder().encode(word), (b) => byteCharacters[b]),
    )
  );
  const learnt: [string, string][] = [];
  while (learnt.length < merges) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = `${word[i]} ${word[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const idsOf = (pair: string) => pair.split(" ").map((token) => ids.get(token)!);
    const [[best]] = [...counts].sort(([a, countOfA], [b, countOfB]) => {
      const [left, right] = idsOf(a), [otherLeft, otherRight] = idsOf(b);
      return countOfB - countOfA || left - otherLeft || right - otherRight;
    });
    const [left, right] = best.split(" ");
    learnt.push([left, right]);
    ids.set(left + right, ids.size);
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
      }
    }
  }
  return learnt;
}

test("trainByteLevelBpe() learns the most frequent pair again and again, the smaller ids among equals", () => {
  const random = new Random("trainer");
  for (let round = 0; round < 5; round++) {
    // Few letters and short words: many ties and overlapping pairs.
    const texts = Array.from(
      { length: 3 },
      () => Array.from({ length: 400 }, () => "aaabbc\u00e9  "[random.below(9)]).join(""),
    );
    const { vocab, merges } = trainByteLevelBpe(texts, { vocabSize: 300 });
    assert.deepEqual(merges, trainSlowly(texts, merges.length));
    assert.equal(vocab.size, 300);
    assert.equal(merges.length, 40);
  }
});

test("trainByteLevelBpe() begins with the special tokens and the bytes", () => {
  const { vocab } = trainByteLevelBpe(["aaaa"], { vocabSize: 261 });
  assert.deepEqual([...vocab.keys()].slice(0, 5), ["<s>", "<pad>", "</s>", "<unk>", "\u0100"]);
  assert.deepEqual([vocab.get("a"), vocab.get("aa")], [4 + 0x61, 260]);
});

test("trainByteLevelBpe() says when the texts are too few", () => {
  assert.throws(() => trainByteLevelBpe(["abcabc"], { vocabSize: 500 }), {
    name: "RangeError",
    message:
      "Cannot train a vocabulary of 500 tokens as too few pairs occur 2 times or more in the texts: they suffice for 262 tokens; a smaller tokenizer.vocabSize or more text would help",
  });
});

test("firstBytes() cuts by bytes of UTF-8, before a character that does not fit", () => {
  const text = "a\u00e9\u4e00\u{1f600}b", sizes = [1, 2, 3, 4, 1];
  for (let maxBytes = 0; maxBytes <= 12; maxBytes++) {
    let sizeBytes = 0, part = "";
    for (const [i, character] of [...text].entries()) {
      if (sizeBytes + sizes[i] > maxBytes) break;
      part += character;
      sizeBytes += sizes[i];
    }
    assert.deepEqual(firstBytes(text, maxBytes), { part, sizeBytes });
  }
  assert.equal(firstBytes(text, Infinity).part, text);
});

test("trainByteLevelBpe() takes one word of a million letters", () => {
  const random = new Random("long word");
  const letters = (count: number) =>
    Array.from({ length: count }, () => "acgt"[random.below(4)]).join("");
  const short = letters(2000);
  const learnt = trainByteLevelBpe([short], { vocabSize: 300 }).merges;
  assert.deepEqual(learnt, trainSlowly([short], learnt.length));
  // Recounting the word at each merge would take 740 million steps.
  assert.equal(trainByteLevelBpe([letters(1_000_000)], { vocabSize: 1000 }).merges.length, 740);
});
