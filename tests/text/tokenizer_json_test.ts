import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { isInputError } from "../../src/errors.ts";
import { trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { Random } from "../../src/random.ts";
import {
  formatTokenizerJson,
  parseTokenizerJson,
  parseTokenizerJsonWithLibrary,
} from "../../src/text/tokenizer_json.ts";
import { openTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { checkTokenIds, hashOf, type SpecialIds } from "../../src/text/tokenizer.ts";
import { assert, fixturePath, sharedPath, sharedTest, test } from "../testing.ts";

const prose =
  "The memory keeps what the reader has read; the reader's eye finds what the memory kept. It wasn't in 1823, " +
  "nor in 1824, that the old house's door was opened again -- they'd waited 1,000 days!\n\n  \u201cNa\u00efve?\u201d ";
const trained = formatTokenizerJson(trainByteLevelBpe([prose.repeat(3)], { vocabSize: 330 }));

const odd = [
  "",
  " ",
  "   leading and trailing   ",
  "\n\n\t \r\n x\u00a0y\u3000z",
  "we'll they'D CAN'T ' 's",
  "\0\x01\x7f\u0080\u00ad",
  "\u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u{1d4d0}\u{10ffff}",
  "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \u041f\u0440\u0438\u0432\u0435\u0442 e\u0301\u0300",
  "<s> </s><pad> <unk>",
  "\u0120 \u010a \ufffd",
  "1823\u00bd\u2167 x_y",
  prose,
];

test("A trained vocabulary encodes as the library does and loses nothing", () => {
  const ours = parseTokenizerJson(trained), library = parseTokenizerJsonWithLibrary(trained);
  assert.notEqual(ours.constructor, library.constructor);
  assert.equal(ours.vocabSize, 330);
  assert.deepEqual(ours.specialIds, { bos: 0, pad: 1, eos: 2, unk: 3 });
  assert.equal(ours.hash, library.hash);
  for (const text of odd) {
    const ids = ours.encode(text);
    assert.deepEqual(ids, library.encode(text), JSON.stringify(text));
    assert.equal(ours.decode(ids), text);
    assert.equal(library.decode(ids), text);
  }
  // Fewer tokens than bytes: the merges were read and used.
  assert.ok(ours.encode(prose).length < 0.6 * prose.length);
});

test("A trained vocabulary loses nothing of random text, white space of every kind included", () => {
  const tokenizer = parseTokenizerJson(trained), random = new Random("odd");
  for (let round = 0; round < 200; round++) {
    let text = "";
    for (let i = 0; i < 40; i++) {
      const bits = [5, 7, 8, 11, 16, 20][random.below(6)];
      const point = random.below(2 ** bits);
      text += point >= 0xd800 && point < 0xe000 ? "\ufeff\u0085" : String.fromCodePoint(point);
    }
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
});

test("Text never encodes to special tokens, and special tokens decode as in a fairseq vocabulary", () => {
  for (const parse of [parseTokenizerJson, parseTokenizerJsonWithLibrary]) {
    const tokenizer = parse(trained);
    assert.ok(tokenizer.encode("a</s><pad>").every((id) => id > 3));
    const [a, b] = tokenizer.encode("ab");
    assert.equal(tokenizer.decode([0, a, 3, b, 2]), "a<unk>b");
    assert.equal(tokenizer.decode([]), "");
    assert.throws(() => tokenizer.decode([a, 1]), {
      name: "RangeError",
      message:
        'Cannot decode tokens as "<pad>" does not stand for text: current token id at position 1 is 1',
    });
    assert.throws(() => tokenizer.decode([a, b, 330]), {
      name: "RangeError",
      message: /position 2 must be .* 0 \.\. 329: current value is 330/,
    });
  }
});

test("parseTokenizerJson() gives other kinds of vocabularies to the library", () => {
  const vocab = {
    "<s>": 0,
    "<pad>": 1,
    "</s>": 2,
    "<unk>": 3,
    read: 4,
    "##er": 5,
    "the": 6,
    "##s": 7,
    "[extra]": 8,
  };
  const wordPiece = JSON.stringify({
    added_tokens: [{ id: 8, content: "[extra]", special: false }, {
      id: 3,
      content: "<unk>",
      special: true,
    }],
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "Whitespace" },
    post_processor: null,
    decoder: { type: "WordPiece", prefix: "##", cleanup: false },
    model: {
      type: "WordPiece",
      unk_token: "<unk>",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  });
  const tokenizer = parseTokenizerJson(wordPiece);
  assert.deepEqual(tokenizer.encode("The readers [extra] Ox"), [6, 4, 5, 7, 8, 3]);
  assert.equal(tokenizer.decode([6, 4, 5, 7]), "the readers");
});

test("parseTokenizerJson() reads words that white space separates, special tokens in text being unknown words", () => {
  const words = (change: Record<string, unknown> = {}) =>
    JSON.stringify({
      added_tokens: ["<s>", "<pad>", "</s>", "<unk>"].map((content, id) => ({
        id,
        content,
        special: true,
      })),
      pre_tokenizer: { type: "WhitespaceSplit" },
      model: {
        type: "WordLevel",
        unk_token: "<unk>",
        vocab: { "<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "Review:": 4, ".": 5, "toString": 6 },
      },
      ...change,
    });
  const tokenizer = parseTokenizerJson(words());
  assert.equal(tokenizer.vocabSize, 7);
  assert.deepEqual(tokenizer.encode(" Review:\u2003.\n\n. toString"), [4, 5, 5, 6]);
  assert.deepEqual(tokenizer.encode(""), []);
  // Not split at punctuation; words that every JavaScript object knows are not words of the vocabulary.
  assert.deepEqual(tokenizer.encode("Review:. valueOf review: <s> <unk>"), [3, 3, 3, 3, 3]);
  assert.equal(tokenizer.decode([0, 4, 6, 3, 5, 2]), "Review: toString <unk> .");
  assert.throws(() => tokenizer.decode([4, 1]), /"<pad>" does not stand for text/);
  // What our reader would not follow is left to the library.
  for (const change of [{ normalizer: { type: "Lowercase" } }, { decoder: { type: "Fuse" } }]) {
    assert.notEqual(parseTokenizerJson(words(change)).constructor, tokenizer.constructor);
  }
});

test("parseTokenizerJson() does not take a vocabulary for GPT-2's that differs in one setting", () => {
  for (
    const change of [
      {
        pre_tokenizer: {
          type: "ByteLevel",
          add_prefix_space: true,
          trim_offsets: false,
          use_regex: true,
        },
      },
      { normalizer: { type: "Lowercase" } },
    ]
  ) {
    const definition = JSON.stringify({ ...JSON.parse(trained), ...change });
    const tokenizer = parseTokenizerJson(definition);
    assert.equal(tokenizer.constructor, parseTokenizerJsonWithLibrary(definition).constructor);
    assert.notDeepEqual(
      tokenizer.encode("The Memory"),
      parseTokenizerJson(trained).encode("The Memory"),
    );
  }
});

test("parseTokenizerJson() gives a vocabulary that lacks a byte to the library", () => {
  const definition = JSON.parse(trained);
  const kept = Object.entries(definition.model.vocab).filter(([token]) => token !== "~");
  definition.model.vocab = Object.fromEntries(kept);
  const text = JSON.stringify(definition);
  assert.equal(
    parseTokenizerJson(text).constructor,
    parseTokenizerJsonWithLibrary(text).constructor,
  );
});

test("parseTokenizerJson() needs every special token, and padding of its own", () => {
  const without = JSON.parse(trained);
  delete without.model.vocab["<pad>"];
  without.added_tokens.splice(1, 1);
  assert.throws(() => parseTokenizerJson(JSON.stringify(without), { name: "my.json" }), {
    name: "TypeError",
    message:
      'Cannot use tokenizer "my.json" as its special token pad is missing: current value is "<pad>", ' +
      'special tokens of the file are ["<s>","</s>","<unk>"]',
  });
  assert.throws(() => parseTokenizerJson(trained, { specialTokens: { pad: "</s>" } }), {
    name: "TypeError",
    message: /pad must differ from bos, eos and unk: current value is "<\/s>"/,
  });
  const renamed = parseTokenizerJson(trained, { specialTokens: { bos: "</s>", unk: "</s>" } });
  assert.deepEqual(renamed.specialIds, { bos: 2, pad: 1, eos: 2, unk: 2 });
});

test("parseTokenizerJson() names the file and the field that it cannot read", () => {
  assert.throws(() => parseTokenizerJson("{", { name: "my.json" }), {
    name: "SyntaxError",
    message: /^Cannot read tokenizer "my.json" as it is not JSON: /,
  });
  assert.throws(() => parseTokenizerJson('{"model": {"vocab": {"a": 0.5}}}', { name: "my.json" }), {
    name: "SyntaxError",
    message: /^Cannot read tokenizer "my.json" as model\.vocab/,
  });
});

/** A file of each kind of model: words, WordPiece, Unigram, BPE without pre-tokenisation, byte-level BPE. */
const special = ["<s>", "<pad>", "</s>", "<unk>"];
const addedTokens = special.map((content, id) => ({ id, content, special: true }));
const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];

/** JSON of a vocabulary; an object literal would take "__proto__" for its prototype. */
const idsOf = (tokens: readonly string[]) =>
  JSON.parse(`{${tokens.map((token, id) => `${JSON.stringify(token)}: ${id}`).join(",")}}`);

function fileOf(model: object, settings: object = {}): string {
  return JSON.stringify({ normalizer: null, "added_tokens": addedTokens, model, ...settings });
}

const words = { "pre_tokenizer": { type: "WhitespaceSplit" } };
const unigramModel = (tokens: readonly string[]) => ({
  type: "Unigram",
  "unk_id": 3,
  vocab: [...special, ...tokens].map((token, id) => [token, -id]),
});

test("parseTokenizerJson() knows tokens that are named as what JavaScript's objects have, in every model", () => {
  const tokens = [...special, "the", ...names];
  const files: Record<string, string> = {
    WordLevel: fileOf({ type: "WordLevel", "unk_token": "<unk>", vocab: idsOf(tokens) }, words),
    "WordLevel of the library": fileOf(
      { type: "WordLevel", "unk_token": "<unk>", vocab: idsOf(tokens) },
      { "pre_tokenizer": { type: "Whitespace" } },
    ),
    WordPiece: fileOf({
      type: "WordPiece",
      "unk_token": "<unk>",
      "continuing_subword_prefix": "##",
      vocab: idsOf(tokens),
    }, words),
    Unigram: fileOf(unigramModel(["the", ...names]), words),
    BPE: fileOf({
      type: "BPE",
      "unk_token": "<unk>",
      "ignore_merges": true,
      vocab: idsOf(tokens),
      merges: [],
    }, words),
  };
  for (const [kind, file] of Object.entries(files)) {
    const tokenizer = parseTokenizerJson(file);
    assert.equal(tokenizer.vocabSize, tokens.length, kind);
    assert.deepEqual(tokenizer.encode(["the", ...names].join(" ")), [4, 5, 6, 7, 8], kind);
    assert.ok(tokenizer.encode("valueOf").every((id) => id === 3), kind);
    assert.ok(tokenizer.decode([5, 6]).startsWith("__proto__"), kind);
  }
});

test("parseTokenizerJson() refuses ids and merges that a tokenizer would misread, naming file and token", () => {
  const wordLevel = (vocab: unknown, settings: object = {}) =>
    fileOf({ type: "WordLevel", "unk_token": "<unk>", vocab }, { ...words, ...settings });
  const bpe = (merges: unknown) =>
    fileOf({ type: "BPE", vocab: idsOf([...special, "a", "b", "ab"]), merges });
  const cases: [file: string, message: RegExp][] = [
    [
      wordLevel({ a: 4_000_000_000 }),
      /the id of "a" must be an integer in 0 \.\. 4194303: current value is 4000000000$/,
    ],
    [wordLevel({ a: 2 ** 31 }), /the id of "a" must be .* current value is 2147483648$/],
    [wordLevel({ a: 2 ** 22 }), /the id of "a" must be .* current value is 4194304$/],
    [wordLevel({ a: 1e308 }), /the id of "a" must be/],
    [wordLevel({ a: -1 }), /the id of "a" must be/],
    [wordLevel({ a: "4" }), /the id of "a" must be .* current value is "4"$/],
    [
      wordLevel({ a: 4 }, { "added_tokens": [...addedTokens, { id: 3e9, content: "b" }] }),
      /added_tokens is wrong: the id of "b" must be .* current value is 3000000000$/,
    ],
    [wordLevel({ a: 4, b: 4 }), /two tokens have the id 4: "a", "b"$/],
    [wordLevel({ a: 3 }), /two tokens have the id 3: "a", "<unk>"$/],
    [
      wordLevel({ a: 4 }, { "added_tokens": [...addedTokens, { id: 4, content: "b" }] }),
      /two tokens have the id 4: "a", "b"$/,
    ],
    [
      wordLevel(null),
      /model\.vocab must be ids by token, or tokens with scores: current value is null$/,
    ],
    [wordLevel(undefined), /model\.vocab is wrong: /],
    [
      wordLevel([["a", 1], ["b"]]),
      /model\.vocab\.1 must be a token and its score: current value is \["b"\]$/,
    ],
    [wordLevel([["a", "1"]]), /model\.vocab\.0 must be a token and its score/],
    [bpe("a b"), /model\.merges must be a list: current value is "a b"$/],
    [bpe(["a b", "a b c"]), /model\.merges\.1 must be two tokens: current value is "a b c"$/],
    [bpe(["ab"]), /model\.merges\.0 must be two tokens: current value is "ab"$/],
    [bpe(["a "]), /model\.merges\.0 must be two tokens/],
    [bpe([["a", "b", "c"]]), /model\.merges\.0 must be two tokens/],
    [bpe([["a", 1]]), /model\.merges\.0 must be two tokens/],
    [bpe([null]), /model\.merges\.0 must be two tokens: current value is null$/],
    [bpe(["a c"]), /model\.merges\.0 needs a token that model\.vocab lacks: current value is "c"$/],
    [
      bpe(["b a"]),
      /model\.merges\.0 needs a token that model\.vocab lacks: current value is "ba"$/,
    ],
  ];
  for (const [file, message] of cases) {
    assert.throws(() => parseTokenizerJson(file, { name: "my.json" }), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error.message.startsWith('Cannot read tokenizer "my.json" as '), error.message);
      return error instanceof SyntaxError && isInputError(error);
    });
  }
  // Merges may be pairs or texts.
  for (const merges of [["a b"], [["a", "b"]]]) {
    const tokenizer = parseTokenizerJson(
      bpe(merges).replace('"merges"', '"unk_token":"<unk>","merges"'),
    );
    assert.deepEqual(tokenizer.encode("abba"), [6, 5, 4]);
  }
});

test("parseTokenizerJson() names the file whose parts nobody knows, are nested too deeply or fail", () => {
  const model = { type: "WordLevel", "unk_token": "<unk>", vocab: idsOf(special) };
  const nested = (levels: number) => {
    let part: object = { type: "Whitespace" };
    for (let i = 0; i < levels; i++) part = { type: "Sequence", pretokenizers: [part] };
    return part;
  };
  const deep = JSON.stringify({ type: "Sequence", pretokenizers: ["*"] });
  const [before, after] = deep.split('"*"');
  const cases: [settings: object | string, message: RegExp][] = [
    [
      { "pre_tokenizer": { type: "Telepathy" } },
      /a part is wrong: Unknown PreTokenizer type: Telepathy$/,
    ],
    [{ normalizer: { type: "Telepathy" } }, /a part is wrong: Unknown Normalizer type: Telepathy$/],
    [{ decoder: { type: "Telepathy" } }, /a part is wrong: Unknown Decoder type: Telepathy$/],
    [{ "pre_tokenizer": "ByteLevel" }, /a part is wrong: /],
    [
      { "pre_tokenizer": { type: "Split", pattern: { Regex: "(" } } },
      /an expression of pre_tokenizer is wrong: .*regular expression/,
    ],
    [
      { normalizer: { type: "Replace", pattern: { Regex: "[z-a]" }, content: "" } },
      /an expression of normalizer is wrong: /,
    ],
    [{ "pre_tokenizer": nested(60) }, /pre_tokenizer must have 100 levels of parts at most$/],
    [
      `{"added_tokens":[],"model":{"vocab":{}},"pre_tokenizer":${before.repeat(20_000)}null${
        after.repeat(20_000)
      }}`,
      /pre_tokenizer must have 100 levels/,
    ],
  ];
  for (const [settings, message] of cases) {
    const file = typeof settings === "string" ? settings : fileOf(model, settings);
    assert.throws(() => parseTokenizerJson(file, { name: "my.json" }), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error.message.startsWith('Cannot read tokenizer "my.json" as '), error.message);
      return isInputError(error);
    });
  }
  assert.doesNotThrow(() => parseTokenizerJson(fileOf(model, { "pre_tokenizer": nested(20) })));
});

test("parseTokenizerJson() refuses expressions that may take far too long, wherever they are", () => {
  const model = { type: "WordLevel", "unk_token": "<unk>", vocab: idsOf(special) };
  const split = (source: string) => ({
    type: "Split",
    pattern: { Regex: source },
    behavior: "Isolated",
  });
  const replace = (source: string) => ({
    type: "Replace",
    pattern: { Regex: source },
    content: "",
  });
  for (
    const settings of [
      { "pre_tokenizer": split("(\\s+)+\\S") },
      {
        "pre_tokenizer": {
          type: "Sequence",
          pretokenizers: [{ type: "Digits" }, split("(a|aa)+$")],
        },
      },
      { normalizer: { type: "Sequence", normalizers: [replace("(\\w|\\d)*!")] } },
      { decoder: replace("(x+x+)+y") },
    ]
  ) {
    assert.throws(() => parseTokenizerJson(fileOf(model, settings), { name: "my.json" }), {
      name: "SyntaxError",
      message:
        /^Cannot read tokenizer "my.json" as an expression of \w+ may take far too long, since /,
    });
  }
});

test("Special tokens in text are characters like others, whatever the model", () => {
  const tokens = [
    ...special,
    "a",
    "<",
    "/",
    "s",
    ">",
    "##s",
    "##>",
    "##/",
    "p",
    "d",
    "k",
    "n",
    "u",
  ];
  const files: Record<string, string> = {
    Unigram: fileOf(unigramModel(tokens.slice(4)), words),
    WordPiece: fileOf({
      type: "WordPiece",
      "unk_token": "<unk>",
      "continuing_subword_prefix": "##",
      vocab: idsOf(tokens),
    }, words),
    BPE: fileOf({
      type: "BPE",
      "unk_token": "<unk>",
      "ignore_merges": true,
      vocab: idsOf(tokens),
      merges: [],
    }, words),
    WordLevel: fileOf({ type: "WordLevel", "unk_token": "<unk>", vocab: idsOf(tokens) }, {
      "pre_tokenizer": { type: "Whitespace" },
    }),
  };
  for (const [kind, file] of Object.entries(files)) {
    const tokenizer = parseTokenizerJson(file);
    const { bos, pad, eos } = tokenizer.specialIds as Required<SpecialIds>;
    for (const text of ["<s>", "</s>", "<pad>", "a <s> a", "<unk>"]) {
      const ids = tokenizer.encode(text);
      assert.ok(![bos, pad, eos].some((id) => ids.includes(id)), `${kind}: ${text}: ${ids}`);
      tokenizer.decode(ids);
    }
  }
});

test("Unigram and WordPiece encode as the library does, ties and unknown characters included", () => {
  const random = new Random("pieces");
  const tokens = new Set<string>();
  while (tokens.size < 60) {
    tokens.add(
      Array.from({ length: 1 + random.below(4) }, () => "ab\u2581\u{1f408}"[random.below(3)]).join(
        "",
      ),
    );
  }
  const unigram = {
    type: "Unigram",
    "unk_id": 3,
    vocab: [...special, ...tokens].map((token) => [token, -random.below(6)]),
  };
  const wordPiece = {
    type: "WordPiece",
    "unk_token": "<unk>",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 30,
    vocab: idsOf([...special, ...[...tokens].flatMap((token) => [token, `##${token}`])]),
  };
  for (const model of [unigram, wordPiece]) {
    const file = fileOf(model, words);
    const ours = parseTokenizerJson(file);
    const library = new LibraryTokenizer(
      { ...JSON.parse(file), "added_tokens": [], decoder: null, "post_processor": null },
      { "eos_token": "</s>" },
    );
    for (let round = 0; round < 300; round++) {
      const text = Array.from(
        { length: random.below(40) },
        () => [..."abbba  \u2581c\u{1f408}"][random.below(10)],
      ).join("");
      // The library joins unknown tokens of neighbouring words, too.
      const expected = text.split(" ").flatMap((word) => library.encode(word).ids);
      assert.deepEqual(ours.encode(text), expected, `${model.type}: ${text}`);
    }
  }
});

test("Every model encodes one long word without a stack or memory of its square", () => {
  const long = "ab".repeat(150_000);
  const characters = [...special, "a", "b", "##a", "##b"];
  const files = [
    fileOf(unigramModel(["a", "b"]), { "pre_tokenizer": { type: "Metaspace" } }),
    fileOf({
      type: "WordPiece",
      "unk_token": "<unk>",
      "continuing_subword_prefix": "##",
      "max_input_chars_per_word": 1e9,
      vocab: idsOf(characters),
    }, words),
    fileOf({ type: "BPE", "unk_token": "<unk>", vocab: idsOf(characters), merges: [] }),
    fileOf({ type: "WordLevel", "unk_token": "<unk>", vocab: idsOf(characters) }, words),
    trained,
  ];
  for (const file of files) {
    const ids = parseTokenizerJson(file).encode(long);
    assert.ok(ids.length >= 1 && !ids.includes(0));
  }
});

test("checkTokenIds() names position and id", () => {
  checkTokenIds(Int32Array.of(0, 96), 97, "read tokens");
  for (
    const [ids, message] of [
      [[5, 97], "position 1 must be an integer in 0 .. 96: current value is 97"],
      [[-1, 5], "position 0 must be an integer in 0 .. 96: current value is -1"],
      [[5, 1, 1.5], "position 2 must be an integer in 0 .. 96: current value is 1.5"],
      [[NaN], "position 0 must be an integer in 0 .. 96: current value is NaN"],
    ] as const
  ) {
    assert.throws(() => checkTokenIds(ids, 97, "read tokens"), {
      name: "RangeError",
      message: `Cannot read tokens as the token id at ${message}`,
    });
  }
});

test("hashOf() changes when a boundary between texts moves", () => {
  assert.notEqual(hashOf(["ab", "c"]), hashOf(["a", "bc"]));
});

test("openTokenizer() reads a tokenizer.json from disk", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, trained);
    const tokenizer = await openTokenizer({ kind: "file", path: file });
    assert.equal(tokenizer.hash, parseTokenizerJson(trained).hash);
  } finally {
    await Deno.remove(file);
  }
});

sharedTest("GPT-2's vocabulary as a tokenizer.json gives the official ids", async () => {
  const read = (name: string) => Deno.readTextFile(sharedPath(`data/gpt2_bpe/${name}`));
  const vocab = new Map<string, number>(Object.entries(JSON.parse(await read("encoder.json"))));
  vocab.set("<pad>", vocab.size);
  const merges = (await read("vocab.bpe")).trimEnd().split("\n").slice(1).map((line) =>
    line.split(" ") as [string, string]
  );
  const endOfText = "<|endoftext|>";
  const file = formatTokenizerJson({ vocab, merges }, [endOfText, "<pad>"]);
  const options = { specialTokens: { bos: endOfText, eos: endOfText, unk: endOfText } };
  const ours = parseTokenizerJson(file, options),
    library = parseTokenizerJsonWithLibrary(file, options);
  for (
    const { text, gpt2_ids: ids } of JSON.parse(await Deno.readTextFile(fixturePath("bpe.json")))
  ) {
    assert.deepEqual(ours.encode(text), ids, text);
    assert.deepEqual(library.encode(text), ids, text);
  }
});
