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
    // Matches of nothing part their neighbours, but no character.
    [{ ...dashes, pattern: { Regex: "\\b" }, behavior: "Contiguous" }, "a-b-", "a - b -"],
    [
      { ...dashes, pattern: { Regex: "$" }, behavior: "Isolated" },
      "\u{1f600}\nb",
      "\u{1f600} \nb",
    ],
    [
      { ...dashes, pattern: { Regex: "'(?i:[sdmt]|ll)|\\p{L}+|'" }, behavior: "Isolated" },
      "a'\u017fd'Sd",
      "a '\u017f d 'S d",
    ],
    [
      { ...dashes, pattern: { Regex: "(?i:k)x|\\p{L}" }, behavior: "Isolated" },
      "\u212axkx",
      "\u212ax kx",
    ],
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
  assert.equal(encode({ "single_word": true }, "\u{1d400}<t>"), "<unk>");
});

test("Added tokens are found in text alone, not by the model, and one after the other", () => {
  const tokens = ["a", "##a", "b", "##b", "[", "##[", "]", "##]", "##x", "x", "a[x]b"];
  const encode = (model: Part, added: Part, text: string, parts: Part = {}) => {
    const usual = special.map((content, id) => addedToken(id, content, { special: true }));
    const tokenizer = tokenizerOf(tokens, { "added_tokens": [...usual, added], model, ...parts });
    const all = [...special, ...tokens, added.content];
    return tokenizer.encode(text).map((id) => all[id]).join("|");
  };
  const whole = addedToken(15, "[x]", { "single_word": true });
  assert.equal(encode({ type: "BPE", merges: [] }, whole, "a[x]b"), "a|[|x|]|b");
  assert.equal(encode({ type: "BPE", merges: [] }, whole, "a [x]"), "a|<unk>|[x]");
  const wordPiece = {
    type: "WordPiece",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
  };
  assert.equal(encode(wordPiece, whole, "b[x]b"), "b|##[|##x|##]|##b");
  assert.equal(encode(wordPiece, whole, "[x]b"), "[|##x|##]|##b");
  const each = { type: "Split", pattern: { Regex: "." }, behavior: "Isolated", invert: false };
  const cut = { "pre_tokenizer": each };
  const spaced = addedToken(15, " a", { rstrip: true });
  assert.equal(encode({}, spaced, " a a a", cut), " a| a| a");
  assert.equal(encode({}, { ...spaced, "single_word": true }, " a a a", cut), " a|a|<unk>|a");
  // What follows a token does not begin the text.
  const first = {
    normalizer: { type: "Lowercase" },
    "pre_tokenizer": { ...marks, replacement: "#", "prepend_scheme": "first" },
  };
  const normalised = addedToken(15, "X", { normalized: true });
  assert.equal(encode({}, normalised, "aXa", first), "<unk>|X|a");
});

test("Normalizers change text as the reference does", () => {
  const bert = {
    type: "BertNormalizer",
    "clean_text": true,
    "handle_chinese_chars": true,
    "strip_accents": null,
    lowercase: true,
  };
  const none = { ...bert, "clean_text": false, "handle_chinese_chars": false, lowercase: false };
  const cases: [part: Part, text: string, expected: string][] = [
    [{ type: "Lowercase" }, "\u0391\u03a3", "\u03b1\u03c3"],
    [{ type: "Replace", pattern: { Regex: "b+" }, content: "$&" }, "abb", "a$&"],
    [{ type: "Replace", pattern: { String: "b" }, content: "$&" }, "ab", "a$&"],
    [bert, "\u03a3\0a\u200b\u{20000}\u00e1\tb", "\u03c3a \u{20000} a b"],
    [none, "A\u00e1\t", "A\u00e1\t"],
  ];
  for (const [normalizer, text, expected] of cases) {
    assert.deepEqual(tokenizerOf([expected], { normalizer }).encode(text), [4], text);
  }
  const prepend = { type: "Prepend", prepend: "x" };
  assert.deepEqual(tokenizerOf(["xa"], { normalizer: prepend }).encode("a"), [4]);
  const strip = { type: "Strip", "strip_left": true, "strip_right": true };
  const both = { type: "Sequence", normalizers: [strip, prepend] };
  assert.deepEqual(tokenizerOf([], { normalizer: both }).encode(" "), []);
});

test("A BPE joins characters as the reference does", () => {
  const encode = (tokens: readonly string[], model: Part, text: string) =>
    tokenizerOf(tokens, { model: { type: "BPE", ...model } }).encode(text)
      .map((id) => [...special, ...tokens][id]).join("|");
  const prefixed = ["a", "##b", "ab", "##c", "abc", "##bc"];
  const prefix = { merges: ["a ##b", "ab ##c"], "continuing_subword_prefix": "##" };
  assert.equal(encode(prefixed, prefix, "abcb"), "abc|##b");
  const suffix = { merges: ["a b</w>"], "end_of_word_suffix": "</w>" };
  assert.equal(encode(["a", "b", "b</w>", "ab</w>"], suffix, "abab"), "a|b|ab</w>");
  const merges = ["a b"];
  assert.equal(encode(["a", "b", "ab"], { merges, "unk_token": null }, "a?b"), "ab");
  assert.equal(encode(["a", "b", "ab"], { merges }, "a??b"), "a|<unk>|<unk>|b");
  assert.equal(encode(["a", "b", "ab"], { merges, "fuse_unk": true }, "a??b"), "a|<unk>|b");
  assert.equal(encode(["a", "b", "ab", "aba"], { merges }, "aba"), "ab|a");
  assert.equal(encode(["a", "b", "ab", "aba"], { merges, "ignore_merges": true }, "aba"), "aba");
  const spaces = [" ", "  ", "    "];
  assert.equal(
    encode(spaces, { merges: [[" ", " "], ["  ", "  "]] }, " ".repeat(7)),
    spaces.toReversed().join("|"),
  );
  assert.throws(
    () => encode(["a"], { merges: [], "unk_token": "[UNK]" }, "b"),
    /a part of it fails: unk_token "\[UNK\]" is not in the vocabulary/,
  );
  assert.throws(
    () => encode(["a"], { merges: [], dropout: 0.1 }, "a"),
    /model.dropout must be null or 0, as encodings would be random: current value is 0.1/,
  );
  assert.equal(encode(["a"], { merges: [], dropout: 0 }, "a"), "a");
});

test("Decoders join tokens as the reference does", () => {
  const decode = (decoder: Part, ...tokens: string[]) =>
    tokenizerOf(tokens, { decoder }).decode(tokens.map((_, i) => 4 + i));
  assert.equal(
    decode({ type: "ByteLevel" }, "\u0120a", "\u65e5", "\u00c3\u00a9"),
    " a\u65e5\u00e9",
  );
  const wordPiece = { type: "WordPiece", prefix: "##", cleanup: true };
  assert.equal(
    decode(wordPiece, "I", "do not", "know", "##s", ".", "'", "x"),
    "I don't knows. ' x",
  );
  assert.equal(decode({ ...wordPiece, cleanup: false }, "I", "know", "##s", "."), "I knows .");
  const ctc = { type: "CTC", "pad_token": "-", "word_delimiter_token": "|", cleanup: true };
  assert.equal(decode(ctc, "a", "-", "b", "b2", "|", "c", "|-."), "abb2 c .");
  assert.equal(
    decode({ type: "Replace", pattern: { String: "_" }, content: "$&" }, "a_", "b"),
    "a$&b",
  );
  const suffixed = tokenizerOf(["a</w>", "b"], {
    model: { type: "BPE", merges: [], "end_of_word_suffix": "</w>" },
    decoder: { type: "Fuse" },
  });
  assert.equal(suffixed.decode([4, 5, 4]), "a</w>ba</w>");
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
