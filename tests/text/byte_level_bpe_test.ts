import {
  type BpeDefinition,
  byteCharacters,
  ByteLevelBpe,
  preTokens,
  tokenBytes,
} from "../../src/text/byte_level_bpe.ts";
import { Random } from "../../src/random.ts";
import { assert, test } from "../testing.ts";

/** A definition of all bytes and the given merges; ids in that order. */
function definitionOf(merges: [string, string][]): BpeDefinition {
  const tokens = [...new Set([...byteCharacters, ...merges.map((pair) => pair.join(""))])];
  return { vocab: new Map(tokens.map((token, id) => [token, id])), merges };
}

/** BPE as GPT-2 defines it: join all occurrences of the pair of lowest rank, until no pair has a rank. */
function encodeSlowly(text: string, { vocab, merges }: BpeDefinition): number[] {
  const ids: number[] = [];
  for (const preToken of preTokens(text)) {
    let word = Array.from(new TextEncoder().encode(preToken), (byte) => byteCharacters[byte]);
    while (true) {
      const rank = merges.findIndex(([left, right]) =>
        word.some((token, i) => token === left && word[i + 1] === right)
      );
      if (rank < 0) break;
      const [left, right] = merges[rank];
      const joined: string[] = [];
      for (let i = 0; i < word.length; i++) {
        const joins = word[i] === left && word[i + 1] === right;
        joined.push(joins ? left + right : word[i]);
        if (joins) i++;
      }
      word = joined;
    }
    for (const token of word) ids.push(vocab.get(token)!);
  }
  return ids;
}

test("byteCharacters are the 256 characters of GPT-2's vocabulary files", () => {
  assert.equal(new Set(byteCharacters).size, 256);
  const of = (text: string) =>
    Array.from(new TextEncoder().encode(text), (b) => byteCharacters[b]).join("");
  assert.equal(of(" a~\n\t\0\x7f"), "\u0120a~\u010a\u0109\u0100\u0121");
  assert.equal(byteCharacters[0xa0], "\u0142");
  assert.equal(byteCharacters[0xad], "\u0143");
  assert.equal(byteCharacters[0xff], "\u00ff");
  assert.deepEqual(tokenBytes("\u0120\u00c3\u00a9"), Uint8Array.of(0x20, 0xc3, 0xa9));
  assert.equal(tokenBytes("a b"), undefined);
});

test("preTokens() cuts text as GPT-2's pattern does", () => {
  assert.deepEqual([...preTokens("It's  WE'LL\n\n x1\u00bd!? e\u0301\u3000\u3042")], [
    ..."It|'s| | WE|'|LL|\n\n| x|1\u00bd|!?| e|\u0301|\u3000|\u3042".split("|"),
  ]);
  assert.deepEqual([...preTokens("a   ")], ["a", "   "]);
  assert.deepEqual([...preTokens("")], []);
});

test("preTokens() takes Unicode's white space, not JavaScript's", () => {
  assert.deepEqual([...preTokens("!\u0085!")], ["!", "\u0085", "!"]);
  assert.deepEqual([...preTokens("!\ufeff!")], ["!\ufeff!"]);
});

test("ByteLevelBpe.encode() equals joining the pair of lowest rank again and again", () => {
  const random = new Random("bpe");
  for (let round = 0; round < 30; round++) {
    // Merges that build on each other, over an alphabet small enough for long runs and overlaps.
    const tokens = ["a", "b", "c", "\u0120"];
    const merges: [string, string][] = [];
    while (merges.length < 25) {
      const pair = [
        tokens[random.below(tokens.length)],
        tokens[random.below(tokens.length)],
      ] as const;
      const joined = pair.join("");
      if (tokens.includes(joined) || joined.length > 8) continue;
      merges.push([...pair]);
      tokens.push(joined);
    }
    const definition = definitionOf(merges);
    const bpe = new ByteLevelBpe(definition);
    const text = Array.from({ length: 300 }, () => "aaabbc "[random.below(7)]).join("");
    assert.deepEqual(bpe.encode(text), encodeSlowly(text, definition));
    // Again, now that the pre-tokens are cached.
    assert.deepEqual(bpe.encode(text), encodeSlowly(text, definition));
  }
});

test("ByteLevelBpe.encode() joins the leftmost of overlapping pairs, and takes a long pre-token in its stride", () => {
  const definition = definitionOf([["a", "a"], ["aa", "aa"]]);
  const bpe = new ByteLevelBpe(definition);
  const [a, aa, aaaa] = ["a", "aa", "aaaa"].map((token) => definition.vocab.get(token)!);
  assert.deepEqual(bpe.encode("aaa"), [aa, a]);
  assert.deepEqual(bpe.encode("aaaaaaa"), [aaaa, aa, a]);
  const long = bpe.encode("a".repeat(200_003));
  assert.deepEqual([long.length, ...long.slice(-3)], [50_002, aaaa, aa, a]);
});

test("ByteLevelBpe.encode() takes a lone surrogate for U+FFFD", () => {
  const bpe = new ByteLevelBpe(definitionOf([]));
  assert.deepEqual(bpe.encode("x\ud800y"), bpe.encode("x\ufffdy"));
});

test("ByteLevelBpe rejects a vocabulary with gaps", () => {
  const { vocab } = definitionOf([]);
  const withoutSpace = new Map(vocab);
  withoutSpace.delete("\u0120");
  assert.throws(() => new ByteLevelBpe({ vocab: withoutSpace, merges: [] }), {
    name: "TypeError",
    message: /as byte 32 is missing in the vocabulary: missing token is "\u0120"/,
  });
  assert.throws(() => new ByteLevelBpe({ vocab, merges: [["a", "b"]] }), {
    message: /the result of merge 0 is missing .* "ab"/,
  });
  assert.throws(() => new ByteLevelBpe({ vocab, merges: [["xy", "b"]] }), {
    message: /the left side of merge 0 is missing .* "xy"/,
  });
});
