import { trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { decodeContinuation, DecodeStream } from "../../src/text/decode_stream.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import {
  formatTokenizerJson,
  parseTokenizerJson,
  parseTokenizerJsonWithLibrary,
} from "../../src/text/tokenizer_json.ts";
import { Random } from "../../src/random.ts";
import { assert, test } from "../testing.ts";

const special = ["<s>", "<pad>", "</s>", "<unk>"];
const metaspace = { type: "Metaspace", replacement: "\u2581", "prepend_scheme": "always" };
const wordPieceDecoder = { type: "WordPiece", prefix: "##", cleanup: false };

function definitionOf(model: object, settings: object): string {
  return JSON.stringify({
    normalizer: null,
    post_processor: null,
    added_tokens: special.map((content, id) => ({ id, content, special: true })),
    model,
    ...settings,
  });
}

function idsOf(tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

const wordPiece = (decoder: object) =>
  parseTokenizerJson(definitionOf(
    {
      type: "WordPiece",
      unk_token: "<unk>",
      continuing_subword_prefix: "##",
      vocab: idsOf([...special, "the", "cat", "sat", "##s", ".", "n't", "do"]),
    },
    { pre_tokenizer: { type: "Whitespace" }, decoder },
  ));

const unigram = parseTokenizerJson(definitionOf(
  {
    type: "Unigram",
    unk_id: 3,
    vocab: [...special, "\u2581the", "\u2581cat", "\u2581sat", "s", "\u2581", "."].map((
      token,
      id,
    ) => [token, -id]),
  },
  { pre_tokenizer: metaspace, decoder: metaspace },
));

const bytes = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);
const llama = parseTokenizerJson(definitionOf(
  {
    type: "BPE",
    unk_token: "<unk>",
    fuse_unk: true,
    byte_fallback: true,
    vocab: idsOf([
      ...special,
      ...bytes,
      "\u2581",
      "c",
      "a",
      "t",
      "s",
      "\u2581c",
      "at",
      "\u2581cat",
    ]),
    merges: ["\u2581 c", "a t", "\u2581c at"],
  },
  {
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "\u2581" },
        { type: "Replace", pattern: { String: " " }, content: "\u2581" },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  },
));

const trained = formatTokenizerJson(
  trainByteLevelBpe(["the cat sat. the cats sat ".repeat(9)], { vocabSize: 268 }),
);

const words = parseTokenizerJson(definitionOf(
  { type: "WordLevel", unk_token: "<unk>", vocab: idsOf([...special, "the", "cat", "sat", "."]) },
  { pre_tokenizer: { type: "WhitespaceSplit" }, decoder: null },
));

/** A tokenizer of each decoder, and texts that it decodes to themselves. */
const tokenizers: Readonly<Record<string, { tokenizer: Tokenizer; texts: readonly string[] }>> = {
  WordPiece: { tokenizer: wordPiece(wordPieceDecoder), texts: ["the cats sat the cat ."] },
  Metaspace: { tokenizer: unigram, texts: ["the cats sat", "the cat.  the  cat"] },
  Llama: {
    tokenizer: llama,
    texts: ["cat cats", "a \u20ac\u{1f408}\u00e9 cat \u{1f408}", "  cat"],
  },
  "byte-level": {
    tokenizer: parseTokenizerJson(trained),
    texts: ["the cat sat\n\n the \u20accat \u{1f408}\u{1f408}", " cat"],
  },
  "byte-level of the library": {
    tokenizer: parseTokenizerJsonWithLibrary(trained),
    texts: ["the cat sat\n\n the \u20accat \u{1f408}\u{1f408}", " cat"],
  },
  words: { tokenizer: words, texts: ["the cat sat . the cat"] },
};

test("A continuation keeps the space before it, whatever the decoder and wherever the prompt ends", () => {
  for (const [name, { tokenizer, texts }] of Object.entries(tokenizers)) {
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      assert.equal(tokenizer.decode(ids), text, name);
      for (let end = 0; end <= ids.length; end++) {
        const prompt = ids.slice(0, end), rest = ids.slice(end);
        const before = tokenizer.decode(prompt).replace(/\ufffd+$/, "");
        assert.equal(
          before + decodeContinuation(tokenizer, prompt, rest),
          text,
          `${name}: ${JSON.stringify(text)} after ${end} of ${ids}`,
        );
      }
    }
  }
});

test("A stream of tokens yields whole characters and joins to the continuation", () => {
  for (const [name, { tokenizer, texts }] of Object.entries(tokenizers)) {
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      for (let end = 0; end <= ids.length; end++) {
        const stream = new DecodeStream(tokenizer, ids.slice(0, end));
        const parts = ids.slice(end).map((id) => stream.add(id));
        const rest = stream.end();
        assert.ok(!parts.join("").includes("\ufffd"), `${name}: ${parts}`);
        assert.equal(rest, "");
        assert.equal(
          tokenizer.decode(ids.slice(0, end)).replace(/\ufffd+$/, "") + parts.join(""),
          text,
          `${name}: ${JSON.stringify(text)} after ${end}`,
        );
      }
    }
  }
});

test("A stream of random tokens, special ones and incomplete characters among them, joins to the continuation", () => {
  for (const [name, { tokenizer }] of Object.entries(tokenizers)) {
    const random = new Random(name);
    for (let round = 0; round < 50; round++) {
      const ids = Array.from({ length: 14 }, () => {
        const id = random.below(tokenizer.vocabSize);
        return id === tokenizer.specialIds.pad ? tokenizer.specialIds.unk! : id;
      });
      const stream = new DecodeStream(tokenizer, ids.slice(0, 4));
      const text = ids.slice(4).map((id) => stream.add(id)).join("") + stream.end();
      // How many U+FFFD broken bytes become depends on those around them.
      const shape = (part: string) => part.replace(/\ufffd+/g, "\ufffd");
      const whole = decodeContinuation(tokenizer, ids.slice(0, 4), ids.slice(4));
      assert.equal(shape(text), shape(whole), `${name}: ${ids}`);
    }
  }
});

test("An incomplete character at the end of a stream is U+FFFD", () => {
  const { tokenizer } = tokenizers["byte-level"];
  const euro = tokenizer.encode("\u20ac");
  assert.equal(euro.length, 3);
  const stream = new DecodeStream(tokenizer, tokenizer.encode("cat"));
  assert.deepEqual([stream.add(euro[0]), stream.add(euro[1]), stream.end()], ["", "", "\ufffd"]);
});

test("Special ids keep the spaces around them, as decoding all tokens together does", () => {
  const { bos, eos } = tokenizers.words.tokenizer.specialIds;
  const unk = tokenizers.words.tokenizer.specialIds.unk!;
  const expected: Record<string, string> = {
    WordPiece: "the cat <unk> sat",
    Metaspace: "the cat<unk> sat",
    words: "the cat <unk> sat",
  };
  for (const [name, text] of Object.entries(expected)) {
    const { tokenizer } = tokenizers[name];
    const [the, cat, sat] = tokenizer.encode("the cat sat");
    assert.equal(tokenizer.decode([bos, the, cat, unk, sat, eos]), text, name);
    assert.equal(tokenizer.decode([the, bos, cat, eos, sat]), "the cat sat", name);
    assert.equal(tokenizer.decode([unk]), "<unk>");
    assert.equal(tokenizer.decode([bos, eos]), "");
  }
  const [cat] = llama.encode("cat");
  assert.equal(llama.decode([cat, unk, cat]), "cat<unk> cat");
});

test("A special token with characters of other scripts decodes to itself in byte-level vocabularies", () => {
  const definition = JSON.parse(trained);
  const content = "<\uff5cend\u2581of text\uff5c>", id = 268;
  definition.added_tokens.push({ id, content, special: true });
  for (const parse of [parseTokenizerJson, parseTokenizerJsonWithLibrary]) {
    const tokenizer = parse(JSON.stringify(definition));
    const ids = tokenizer.encode("cat");
    assert.equal(tokenizer.decode([...ids, id, ...ids]), `cat${content}cat`);
  }
});

test("A decoder that mends punctuation continues a prompt that it would change", () => {
  const tokenizer = wordPiece({ ...wordPieceDecoder, cleanup: true });
  const doId = 10, notId = 9, stopId = 8;
  assert.equal(decodeContinuation(tokenizer, [doId], [notId, stopId]), "n't.");
  // The text of the prompt changes with what follows it.
  const changing = {
    decode: (ids: ArrayLike<number>) => Array.from(ids).join(" ").replace("1 2 3", "1 23"),
  };
  assert.equal(decodeContinuation(changing, [1, 2], [3, 4]), "3 4");
});

/** A prompt as it was written, with the text that continues it. */
function continuePrompt(
  tokenizer: Pick<Tokenizer, "encode" | "decode">,
  prompt: string,
  ids: readonly number[],
): string {
  const stream = DecodeStream.after(tokenizer, prompt);
  return [prompt, ...ids.map((id) => stream.add(id)), stream.end()].join("");
}

test("DecodeStream.after() continues the prompt as it was written, without a second space", () => {
  const sat = tokenizers.words.tokenizer.encode("sat .");
  for (const prompt of ["the  cat", "the cat ", "the\ncat\n"]) {
    assert.equal(
      continuePrompt(words, prompt, sat),
      `${prompt}${/\s$/.test(prompt) ? "" : " "}sat .`,
    );
  }
  assert.equal(continuePrompt(words, "", sat), "sat .");
  // Byte-level tokens keep the space: nothing is added or removed.
  const { tokenizer } = tokenizers["byte-level"];
  assert.equal(continuePrompt(tokenizer, "the ca", tokenizer.encode("t sat")), "the cat sat");
  assert.equal(continuePrompt(tokenizer, "the ", tokenizer.encode(" cat")), "the  cat");
  assert.equal(continuePrompt(unigram, "the cat", [7]), "the cats");
});

test("DecodeStream.after() joins to what decodeContinuation() gives, whatever ends the prompt", () => {
  for (const tokenizer of [unigram, wordPiece(wordPieceDecoder), llama]) {
    for (const prompt of ["", " ", "the", "the ", "cat\n", "s"]) {
      const ids = tokenizer.encode("cat cat"), tokens = tokenizer.encode(prompt);
      const whole = decodeContinuation(tokenizer, tokens, ids);
      const isSpaceLost = /\s$/.test(prompt) && !/\s$/.test(tokenizer.decode(tokens));
      assert.equal(
        continuePrompt(tokenizer, prompt, ids),
        prompt + (isSpaceLost ? whole.trimStart() : whole),
        JSON.stringify(prompt),
      );
    }
  }
});
