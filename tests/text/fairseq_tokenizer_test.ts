import { FairseqTokenizer } from "../../src/text/fairseq_tokenizer.ts";
import { byteCharacters } from "../../src/text/byte_level_bpe.ts";
import { parseDictionary } from "../../src/text/fairseq_dictionary.ts";
import { type SpecialIds, textOf } from "../../src/text/tokenizer.ts";
import { openTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { assert, fixturePath, sharedPath, sharedTest, test } from "../testing.ts";

interface BpeCase {
  readonly text: string;
  // deno-lint-ignore camelcase
  readonly gpt2_ids: number[];
  // deno-lint-ignore camelcase
  readonly fairseq_ids_with_eos: number[];
  readonly decoded: string;
}

async function official(): Promise<FairseqTokenizer> {
  const folder = sharedPath("data/gpt2_bpe");
  return await openTokenizer({ kind: "gpt2", folder }) as FairseqTokenizer;
}

/** Two words and a filler over all bytes; the symbol 2 of the encoder is not in the dictionary. */
function tiny(): FairseqTokenizer {
  const encoder = Object.fromEntries([...byteCharacters.map((c, i) => [c, i + 3]), ["ab", 0], [
    "abc",
    1,
  ], ["ca", 2]]);
  return new FairseqTokenizer({
    encoder: JSON.stringify(encoder),
    merges: "#version: 0.2\na b\nab c\nc a\n",
    dictionary: "1 9\n0 8\nmadeupword0000 0\n" +
      byteCharacters.map((_, i) => `${i + 3} 1\n`).join(""),
  });
}

sharedTest("FairseqTokenizer reproduces the official ids and texts", async () => {
  const tokenizer = await official();
  const cases: BpeCase[] = JSON.parse(await Deno.readTextFile(fixturePath("bpe.json")));
  assert.equal(cases.length, 33);
  for (const { text, ...expected } of cases) {
    assert.deepEqual(tokenizer.encodeGpt2(text), expected.gpt2_ids, text);
    const ids = [...tokenizer.encode(text), tokenizer.specialIds.eos];
    assert.deepEqual(ids, expected.fairseq_ids_with_eos, text);
    assert.equal(tokenizer.decode(ids), expected.decoded);
  }
});

sharedTest(
  "FairseqTokenizer numbers the official vocabulary as the specification says",
  async () => {
    const tokenizer = await official();
    assert.equal(tokenizer.vocabSize, 51_200);
    assert.deepEqual(tokenizer.encode("."), [4]);
    assert.deepEqual(tokenizer.encode(" the"), [5]);
    assert.equal(tokenizer.decode([50_260]), "<|endoftext|>");
    assert.throws(() => tokenizer.decode([5, 51_199]), {
      name: "RangeError",
      message:
        'Cannot decode tokens as "madeupword0938" does not stand for text: current token id at position 1 is 51199',
    });
  },
);

test("FairseqTokenizer.encode() gives <unk> for a token that the dictionary lacks", () => {
  const tokenizer = tiny();
  assert.deepEqual(tokenizer.encode("abcab"), [4, 5]);
  assert.deepEqual(tokenizer.encode("ca"), [3]);
  assert.equal(tokenizer.decode([4, 3, 5]), "abc<unk>ab");
});

test("FairseqTokenizer.decode() leaves <s> and </s> out and joins bytes across tokens", () => {
  const tokenizer = tiny();
  const text = "\ufeffab \u00e9\ufeff\u{1f600}";
  assert.equal(tokenizer.decode([0, ...tokenizer.encode(text), 2, 2]), text);
  const half = tokenizer.encode("\u00e9").slice(0, 1);
  assert.equal(tokenizer.decode([...half, 4]), "\ufffdabc");
  assert.equal(tokenizer.decode(new Int32Array()), "");
});

test("FairseqTokenizer.decode() rejects padding, fillers and ids out of range", () => {
  const tokenizer = tiny();
  assert.throws(() => tokenizer.decode([4, 1]), {
    name: "RangeError",
    message: /"<pad>" .* position 1 is 1/,
  });
  assert.throws(() => tokenizer.decode([6]), {
    message: /"madeupword0000" does not stand for text/,
  });
  assert.throws(() => tokenizer.decode([4, 263]), {
    name: "RangeError",
    message:
      "Cannot decode tokens as the token id at position 1 must be an integer in 0 .. 262: current value is 263",
  });
});

test("FairseqTokenizer.hash depends on every file", () => {
  const files = {
    encoder: JSON.stringify(Object.fromEntries(byteCharacters.map((c, i) => [c, i]))),
    merges: "#\n",
    dictionary: "0 1\n",
  };
  const hash = (changed: Partial<typeof files>) =>
    new FairseqTokenizer({ ...files, ...changed }).hash;
  assert.match(hash({}), /^[0-9a-f]{64}$/);
  assert.equal(
    new Set([
      hash({}),
      hash({ dictionary: "1 1\n" }),
      hash({ merges: "#2\n" }),
      hash({ encoder: files.encoder + " " }),
    ]).size,
    4,
  );
});

test("FairseqTokenizer rejects files in another format", () => {
  const files = {
    encoder: JSON.stringify(Object.fromEntries(byteCharacters.map((c, i) => [c, i]))),
    merges: "#\n",
    dictionary: "0 1\n",
  };
  assert.throws(() => new FairseqTokenizer({ ...files, merges: "#\na b c\n" }), {
    name: "SyntaxError",
    message:
      'Cannot read "vocab.bpe" as line 2 must be two tokens with a space between: current value is "a b c"',
  });
  assert.throws(() => new FairseqTokenizer({ ...files, encoder: '{"a": -1}' }), {
    name: "SyntaxError",
    message: /"a" is -1/,
  });
});

test("FairseqTokenizer reads merges with and without their version line, and any line ends", () => {
  const encoder = JSON.stringify(
    Object.fromEntries([...byteCharacters, "ab", "abc", "##"].map((token, id) => [token, id])),
  );
  const dictionary = byteCharacters.map((_, id) => `${id} 1\n`).join("") + "256 1\n257 1\n258 1\n";
  const lines = ["# #", "a b", "ab c"];
  for (const first of [["#version: 0.2"], ["#version"], []]) {
    for (const end of ["\n", "\r\n"]) {
      for (const last of ["", end, end + end]) {
        const tokenizer = new FairseqTokenizer({
          encoder,
          merges: [...first, ...lines].join(end) + last,
          dictionary: dictionary.replaceAll("\n", end),
        });
        assert.deepEqual(tokenizer.encodeGpt2("abc##"), [257, 258], JSON.stringify([first, end]));
      }
    }
  }
});

test("FairseqTokenizer refuses merges that do not yield all tokens, and tokens that no file can have", () => {
  const tokens = [...byteCharacters, "ab", "abc", "abcd", "<|endoftext|>", "[MASK]"];
  const files = {
    encoder: JSON.stringify(Object.fromEntries(tokens.map((token, id) => [token, id]))),
    merges: "#version: 0.2\na b\nab c\nabc d\n",
    dictionary: "0 1\n",
    folder: "gpt2",
  };
  assert.deepEqual(new FairseqTokenizer(files).encodeGpt2("abcd"), [258]);
  const cases: [change: Partial<typeof files>, message: RegExp][] = [
    [
      { merges: "#version: 0.2\na b\n" },
      /^SyntaxError: Cannot read "gpt2\/vocab.bpe" as no merge yields 2 of the tokens of "gpt2\/encoder.json", such as "abc": current number of merges is 1; /,
    ],
    [{ merges: "" }, /no merge yields 3 of the tokens/],
    [{ merges: "#version: 0.2\n" }, /no merge yields 3 of the tokens/],
    [
      { merges: "a b\nab c\nabc d\na e" },
      /Cannot use "gpt2\/vocab.bpe" as the result of merge 3 is missing .* "ae"$/,
    ],
    [{ merges: "a b\nab c\nabc" }, /"gpt2\/vocab.bpe" as line 3 must be two tokens/],
    [{ merges: "a b\n\nab c" }, /"gpt2\/vocab.bpe" as line 2 must be two tokens/],
    [{ encoder: "{" }, /^SyntaxError: Cannot read "gpt2\/encoder.json" as it is not JSON: /],
    [{ encoder: "[1]" }, /"gpt2\/encoder.json" as it must be an object of ids by token$/],
    [{ encoder: "null" }, /"gpt2\/encoder.json" as it must be an object/],
    [
      { encoder: '{"zzz": 4000000000}' },
      /in 0 \.\. 4194303: current value of "zzz" is 4000000000$/,
    ],
    [{ encoder: '{"zzz": "1"}' }, /current value of "zzz" is "1"$/],
    [{ encoder: '{"a": 1, "b": 1}' }, /two tokens have the id 1: "a", "b"$/],
    [{ dictionary: "0 x\n" }, /Cannot read dictionary "gpt2\/dict.txt" as line 1 /],
  ];
  for (const [change, message] of cases) {
    assert.throws(() => new FairseqTokenizer({ ...files, ...change }), message);
  }
});

test("FairseqTokenizer knows tokens that are named as what JavaScript's objects have", () => {
  const names = ["constructor", "toString", "__proto__"];
  const merges: [string, string][] = names.flatMap((name) =>
    Array.from(name.slice(1), (c, i): [string, string] => [name.slice(0, i + 1), c])
  );
  const tokens = new Set([...byteCharacters, ...merges.map((pair) => pair.join(""))]);
  const entries = [...tokens].map((token, id) => `${JSON.stringify(token)}: ${id}`);
  const tokenizer = new FairseqTokenizer({
    encoder: `{${entries.join(",")}}`,
    merges: merges.map((pair) => pair.join(" ")).join("\n"),
    dictionary: entries.map((_, id) => `${id} 1\n`).join(""),
  });
  for (const name of names) {
    // GPT-2's pre-tokenisation takes underscores for words of their own.
    if (name !== "__proto__") {
      assert.deepEqual(tokenizer.encodeGpt2(name), [[...tokens].indexOf(name)]);
    }
    assert.equal(tokenizer.decode([4 + [...tokens].indexOf(name)]), name);
  }
});

test("parseDictionary() numbers the symbols after the four special ones", () => {
  const dictionary = parseDictionary("x 10\ny 9\n", "dict.txt");
  assert.deepEqual(dictionary.symbols, ["<s>", "<pad>", "</s>", "<unk>", "x", "y"]);
  assert.equal(dictionary.ids.get("y"), 5);
});

test("parseDictionary() names the file and line that it cannot read", () => {
  assert.throws(() => parseDictionary("x 10\ny\n", "d.txt"), {
    name: "SyntaxError",
    message:
      'Cannot read dictionary "d.txt" as line 2 must be a symbol, a space and a count: current value is "y"',
  });
  assert.throws(() => parseDictionary("x 10\nx 9\n", "d.txt"), {
    message: /line 2 repeats a symbol: current value is "x"/,
  });
  assert.throws(() => parseDictionary("<pad> 1\n", "d.txt"), { message: /line 1 repeats/ });
});

test("openTokenizer() names the file that is missing", async () => {
  await assert.rejects(openTokenizer({ kind: "gpt2", folder: "no-such-folder" }), {
    name: "NotFound",
    message: /^Cannot open tokenizer as file "no-such-folder\/[a-z.]+" is missing$/,
  });
});

test("textOf() gives a token's text, and undefined where it stands for none", () => {
  const tokenizer = tiny();
  const { bos, pad, unk } = tokenizer.specialIds as Required<SpecialIds>;
  assert.equal(textOf(tokenizer, tokenizer.encode("abc")[0]), "abc");
  assert.equal(textOf(tokenizer, bos), "");
  assert.equal(textOf(tokenizer, unk), "<unk>");
  assert.equal(textOf(tokenizer, pad), undefined);
  assert.equal(textOf(tokenizer, tokenizer.vocabSize), undefined);
  const broken = () => {
    throw new TypeError("broken");
  };
  assert.throws(() => textOf({ decode: broken }, 4), /^TypeError: broken$/);
});
