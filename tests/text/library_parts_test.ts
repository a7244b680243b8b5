/** Expected values are those of `tokenizers` 0.23.2, the reference in Rust. */
import { parseTokenizerJson } from "../../src/text/tokenizer_json.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { assert, test } from "../testing.ts";

type Part = Readonly<Record<string, unknown>>;

const special = ["<s>", "<pad>", "</s>", "<unk>"];

function addedToken(id: number, content: string, fields: Part = {}): Part {
  return { id, content, special: false, normalized: false, ...fields };
}

/** A tokenizer with the usual special tokens and some others. */
function tokenizerOf(tokens: readonly string[], parts: Part): Tokenizer {
  const { model, ...others } = parts as { model?: Part };
  const vocab = [...special, ...tokens];
  return parseTokenizerJson(JSON.stringify({
    "added_tokens": special.map((content, id) => addedToken(id, content, { special: true })),
    normalizer: null,
    "pre_tokenizer": null,
    "post_processor": null,
    decoder: null,
    model: {
      type: "WordLevel",
      "unk_token": "<unk>",
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      ...model,
    },
    ...others,
  }));
}

const marks = { type: "Metaspace", replacement: "\u2581" };

test("Pre-tokenizers cut text as the reference does", () => {
  const dashes = { type: "Split", pattern: { String: "-" } };
  const first = {
    type: "Sequence",
    pretokenizers: [{ type: "WhitespaceSplit" }, { ...marks, "prepend_scheme": "first" }],
  };
  const cases: [part: Part, text: string, pieces: string][] = [
    [{ ...dashes, behavior: "Removed" }, "a--b-c-", "a b c"],
    [{ ...dashes, behavior: "Removed", invert: true }, "a--b-c-", "- - - -"],
    [{ ...dashes, behavior: "Isolated" }, "a--b-c-", "a - - b - c -"],
    [{ ...dashes, behavior: "Isolated", invert: true }, "a--b-c-", "a - - b - c -"],
    [{ ...dashes, behavior: "MergedWithPrevious" }, "a--b-c-", "a- - b- c-"],
    [{ ...dashes, behavior: "MergedWithPrevious", invert: true }, "a--b-c-", "a - -b -c -"],
    [{ ...dashes, behavior: "MergedWithNext" }, "a--b-c-", "a - -b -c -"],
    [{ ...dashes, behavior: "MergedWithNext", invert: true }, "a--b-c-", "a- - b- c-"],
    [{ ...dashes, behavior: "Contiguous" }, "a--b-c-", "a -- b - c -"],
    [{ type: "Punctuation" }, "a,(b)!!c", "a , ( b ) ! ! c"],
    [{ type: "Punctuation", behavior: "Removed" }, "a,(b)!!c", "a b c"],
    [{ type: "Punctuation", behavior: "MergedWithPrevious" }, "a,(b)!!c", "a, ( b) ! ! c"],
    [{ type: "Punctuation", behavior: "MergedWithNext" }, "a,(b)!!c", "a , (b ) ! !c"],
    [{ type: "Punctuation", behavior: "Contiguous" }, "a,(b)!!c", "a ,( b )!! c"],
    [{ type: "Digits", "individual_digits": true }, "a12\u00bd\u00b2b", "a 1 2 \u00bd \u00b2 b"],
    [{ type: "Digits", "individual_digits": false }, "a12\u00bd\u00b2b", "a 12\u00bd\u00b2 b"],
    [
      { type: "Whitespace" },
      "h\u00e9llo w\u00f6rld\u0085x\ufeffy \u0915\u094d\u0937\u093f!?",
      "h\u00e9llo w\u00f6rld x \ufeff y \u0915\u094d\u0937\u093f !?",
    ],
    [{ type: "WhitespaceSplit" }, "a\u0085b\ufeffc d", "a b\ufeffc d"],
    [{ type: "BertPreTokenizer" }, "a\ufeffb, \u00a1c!\u0085d", "a\ufeffb , \u00a1 c ! d"],
    [{ type: "FixedLength", length: 2 }, "a\u{1f600}b\u{1f600}c", "a\u{1f600} b\u{1f600} c"],
    [marks, "a  b \u2581c", "\u2581a \u2581 \u2581b \u2581 \u2581c"],
    [{ ...marks, split: false }, "a  b", "\u2581a\u2581\u2581b"],
    [{ ...marks, "prepend_scheme": "never" }, " a  b", "\u2581a \u2581 \u2581b"],
    [{ ...marks, "add_prefix_space": false }, "a b", "a \u2581b"],
    [first, "a b", "\u2581a b"],
    [first, " a b", "a b"],
  ];
  for (const [part, text, expected] of cases) {
    const pieces = expected.split(" "), tokens = [...new Set(pieces)];
    const tokenizer = tokenizerOf(tokens, { "pre_tokenizer": part });
    const found = tokenizer.encode(text).map((id) => [...special, ...tokens][id]);
    assert.deepEqual(found, pieces, `${JSON.stringify(part)}: ${text}`);
  }
  const wrong = tokenizerOf(["a"], { "pre_tokenizer": { ...dashes, behavior: "removed" } });
  assert.throws(
    () => wrong.encode("a-a"),
    /behavior must be Removed, .*: current value is "removed"/,
  );
});

test("White space at the ends of a text is Unicode's", () => {
  const tokenizer = tokenizerOf(["\ufeffa"], {
    normalizer: { type: "Strip", "strip_left": true, "strip_right": true },
    "pre_tokenizer": { type: "Split", pattern: { String: " " }, behavior: "Isolated" },
  });
  assert.deepEqual(tokenizer.encode("\u0085\u3000\ufeffa\u00a0\n"), [4]);
});

test("Added tokens are found whole, with the white space that they take", () => {
  const cut = { type: "Split", pattern: { String: "-" }, behavior: "Isolated" };
  const tokens = ["x", "xa", " ", "a", "<t>", "x<t>", "\ufeffa"];
  const encode = (fields: Part, text: string) => {
    const added = special.map((content, id) => addedToken(id, content, { special: true }));
    const tokenizer = tokenizerOf(tokens, {
      "added_tokens": [...added, addedToken(8, "<t>", fields)],
      "pre_tokenizer": cut,
    });
    return tokenizer.encode(text).map((id) => [...special, ...tokens][id]).join("|");
  };
  assert.equal(encode({}, "x<t>"), "x|<t>");
  assert.equal(encode({ "single_word": true }, "x<t>"), "x<t>");
  assert.equal(encode({ "single_word": true }, "<t>-x"), "<t>|<unk>|x");
  assert.equal(encode({ "single_word": true }, " <t> "), " |<t>| ");
  assert.equal(encode({ lstrip: true }, "x \u0085<t> "), "x|<t>| ");
  assert.equal(encode({ rstrip: true }, " <t>\u3000 a"), " |<t>|a");
  assert.equal(encode({ rstrip: true }, "<t>\ufeffa"), "<t>|\ufeffa");
});

test("What a Unigram does not know becomes bytes, or one token a piece", () => {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const model = (byteFallback: boolean): Part => ({
    type: "Unigram",
    "unk_id": 3,
    "byte_fallback": byteFallback,
    vocab: [...special, "a", ...bytes].map((token) => [token, token === "a" ? -1 : -20]),
  });
  const parts = {
    "pre_tokenizer": { type: "Punctuation" },
    decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
  };
  const withBytes = tokenizerOf([], { ...parts, model: model(true) });
  assert.deepEqual(withBytes.encode("a\u00e9\ufeff"), [
    4,
    5 + 0xc3,
    5 + 0xa9,
    5 + 0xef,
    5 + 0xbb,
    5 + 0xbf,
  ]);
  assert.equal(withBytes.decode(withBytes.encode("\ufeffa\u00e9")), "\ufeffa\u00e9");
  const without = tokenizerOf([], { ...parts, model: model(false) });
  assert.deepEqual(without.encode("a\u00e9\u00e8"), [4, 3]);
  assert.deepEqual(without.encode("!?a"), [3, 3, 4]);
});

test("The decoder of a vocabulary that writes no mark before a text keeps its space", () => {
  const tokens = ["\u2581", "\u2581a", "\u2581\u2581a"];
  const decode = (decoder: Part, ...ids: number[]) =>
    tokenizerOf(tokens, { "pre_tokenizer": marks, decoder }).decode(ids);
  assert.equal(decode({ ...marks, "prepend_scheme": "never" }, 5, 5), " a a");
  assert.equal(decode({ ...marks, "add_prefix_space": false }, 5, 5), " a a");
  assert.equal(decode(marks, 5, 5), "a a");
  assert.equal(decode(marks, 6, 4, 5), "a  a"); // all marks of the first token
});

test("A token with two ids is refused, as the reference takes another of them than the file says", () => {
  const added = [
    ...special.map((content, id) => addedToken(id, content, { special: true })),
    addedToken(9, "a"),
  ];
  assert.throws(
    () => tokenizerOf(["a"], { "added_tokens": added }),
    /"a" has the id 9 in added_tokens and 4 in model.vocab/,
  );
});
