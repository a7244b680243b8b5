import { trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { isInputError } from "../../src/errors.ts";
import { Random } from "../../src/random.ts";
import { formatTokenizerJson, parseTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { assert, test } from "../testing.ts";

const special = ["<s>", "<pad>", "</s>", "<unk>"];
const added = special.map((content, id) => ({ id, content, special: true }));
const ids = (tokens: readonly string[]) =>
  Object.fromEntries([...special, ...tokens].map((token, id) => [token, id]));
const split = {
  type: "Split",
  pattern: { Regex: "\\s+(?!\\S)|\\s+|\\w+" },
  behavior: "Isolated",
  invert: false,
};
const metaspace = { type: "Metaspace", replacement: "\u2581", "prepend_scheme": "always" };

/** A small file of each kind of model. */
const files: Readonly<Record<string, unknown>> = {
  WordLevel: {
    "added_tokens": added,
    normalizer: null,
    "pre_tokenizer": { type: "WhitespaceSplit" },
    decoder: null,
    model: { type: "WordLevel", "unk_token": "<unk>", vocab: ids(["a", "b", "ab"]) },
  },
  WordPiece: {
    "added_tokens": [...added, { id: 9, content: "[x]", special: false }],
    normalizer: { type: "BertNormalizer", lowercase: true, "handle_chinese_chars": true },
    "pre_tokenizer": { type: "Sequence", pretokenizers: [split, { type: "Digits" }] },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      "unk_token": "<unk>",
      "continuing_subword_prefix": "##",
      "max_input_chars_per_word": 100,
      vocab: ids(["a", "##a", "b", "##b", "ab"]),
    },
  },
  Unigram: {
    "added_tokens": added,
    normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }, { type: "Strip" }] },
    "pre_tokenizer": metaspace,
    decoder: metaspace,
    model: {
      type: "Unigram",
      "unk_id": 3,
      vocab: [...special, "\u2581", "a", "b", "\u2581ab"].map((token, id) => [token, -id]),
    },
  },
  Llama: {
    "added_tokens": added,
    normalizer: { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    "pre_tokenizer": null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      "unk_token": "<unk>",
      "byte_fallback": true,
      "fuse_unk": true,
      vocab: ids(["a", "b", "ab", "\u2581", "<0xC3>", "<0xA9>"]),
      merges: ["a b"],
    },
  },
  "byte-level": JSON.parse(
    formatTokenizerJson(trainByteLevelBpe(["ab ab abab "], { vocabSize: 262 })),
  ),
};

const odd: readonly unknown[] = [
  ...[
    null,
    true,
    0,
    -1,
    3,
    1.5,
    1e9,
    4e9,
    1e308,
    "",
    "a",
    "ab",
    "a b c",
    "\u2581",
    "<unk>",
    "\ud800",
  ],
  ...[[], {}, ["a"], [["a", "b", "c"]], [[]], { a: 1 }, { type: "ByteLevel" }, { type: "Nothing" }],
  ...[{ Regex: "(a+)+$" }, { Regex: "(" }, { Regex: "\\s+" }, { String: "" }, { Regex: "" }],
  ...["WordPiece", "Unigram", "BPE", "WordLevel", "Sequence", "Metaspace", "Split", "Replace"],
];

/** Changes one to three values somewhere in a JSON value. */
function mutate(value: unknown, random: Random): unknown {
  const copy = structuredClone(value);
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const places: [parent: Record<string, unknown>, key: string][] = [];
    const visit = (parent: unknown) => {
      if (typeof parent !== "object" || parent === null) return;
      const keys = Object.keys(parent);
      // Of many tokens a few.
      for (const key of keys.length > 40 ? random.shuffle(keys).slice(0, 5) : keys) {
        places.push([parent as Record<string, unknown>, key]);
        visit((parent as Record<string, unknown>)[key]);
      }
    };
    visit(copy);
    if (places.length === 0) return copy;
    const [parent, key] = places[random.below(places.length)];
    const [other, otherKey] = places[random.below(places.length)];
    switch (random.below(5)) {
      case 0:
        delete parent[key];
        break;
      case 1:
        parent[key] = structuredClone(other[otherKey]);
        break;
      case 2:
        parent[key] = [structuredClone(parent[key]), structuredClone(parent[key])];
        break;
      default:
        parent[key] = structuredClone(odd[random.below(odd.length)]);
    }
  }
  return copy;
}

/** Cuts a text, or changes a few of its characters. */
function damage(text: string, random: Random): string {
  const at = random.below(text.length);
  if (random.below(3) === 0) return text.slice(0, at);
  const characters = '{}[]",:0-9e\\ \ufeff\0';
  let damaged = text;
  for (let i = 1 + random.below(3); i > 0; i--) {
    const place = random.below(damaged.length + 1);
    const character = characters[random.below(characters.length)];
    damaged = damaged.slice(0, place) + character + damaged.slice(place + random.below(3));
  }
  return damaged;
}

const texts = [
  "",
  "ab a  abba\n",
  "\u00e9\u{1f408} [x] <pad> 12",
  `${"ab".repeat(300)}${" ".repeat(300)}`,
];

/** Reads a file and uses it: what it comes to, or the error about it. */
function use(file: string): "used" | "refused" {
  try {
    const tokenizer = parseTokenizerJson(file, { name: "fuzz.json" });
    for (const text of texts) tokenizer.decode(tokenizer.encode(text));
    return "used";
  } catch (error) {
    assert.ok(
      isInputError(error) && (error as Error).message.includes('"fuzz.json"'),
      `${(error as Error).stack}\n${file.slice(0, 2000)}`,
    );
    return "refused";
  }
}

for (const [kind, file] of Object.entries(files)) {
  test(`A damaged tokenizer.json (${kind}) is used or refused by name`, () => {
    assert.equal(use(JSON.stringify(file)), "used");
    const random = new Random(`fuzz ${kind}`);
    const outcomes = { used: 0, refused: 0 };
    for (let round = 0; round < 400; round++) {
      const mutated = JSON.stringify(round % 4 === 0 ? file : mutate(file, random)) ?? "";
      outcomes[use(round % 4 === 0 ? damage(mutated, random) : mutated)]++;
    }
    // Neither outcome is rare: the changes are neither harmless nor all fatal.
    assert.ok(outcomes.used > 20 && outcomes.refused > 20, JSON.stringify(outcomes));
  });
}
