import { folderTokenizer, writeFolderTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { byteCharacters } from "../../src/text/byte_level_bpe.ts";
import { tokenizeDocument } from "../../src/text/document_tokens.ts";
import { openTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const added = (content: string, id: number, special = true) => ({ id, content, special });

/** GPT-2's kind: bytes, no token but the one that separates documents. */
const byteLevel = (separator: string, first: boolean) => {
  const tokens = first ? [separator, ...byteCharacters] : [...byteCharacters, separator];
  const part = { type: "ByteLevel", "add_prefix_space": false, "trim_offsets": true };
  return {
    normalizer: null,
    "added_tokens": [added(separator, tokens.indexOf(separator))],
    "pre_tokenizer": part,
    decoder: part,
    "post_processor": null,
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
    },
  };
};

const space = "\u2581";
const metaspace = { type: "Metaspace", replacement: space, "prepend_scheme": "always" };

/** Llama's kind: pieces with bytes for what they lack, `<unk>` first, nothing for padding. */
const metaspaceBpe = () => {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, space, "a", "b", `${space}a`];
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: space },
        { type: "Replace", pattern: { String: " " }, content: space },
      ],
    },
    "added_tokens": ["<unk>", "<s>", "</s>"].map((token, id) => added(token, id)),
    "pre_tokenizer": null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: space }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    "post_processor": null,
    model: {
      type: "BPE",
      "unk_token": "<unk>",
      "byte_fallback": true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [[space, "a"]],
    },
  };
};

/** A Unigram whose special tokens have names of their own. */
const unigram = () => ({
  normalizer: null,
  "added_tokens": [added("[EMPTY]", 0), added("[END]", 1), added("[WHAT]", 2)],
  "pre_tokenizer": metaspace,
  decoder: metaspace,
  "post_processor": null,
  model: {
    type: "Unigram",
    "unk_id": 2,
    vocab: ["[EMPTY]", "[END]", "[WHAT]", `${space}a`, "b"].map((token, id) => [token, -id]),
  },
});

/** Folders as models of the Hub have them, what is to be found, and a text with its ids. */
const folders: Record<string, {
  readonly tokenizer: object;
  readonly files: Record<string, object>;
  readonly specialIds: object;
  readonly text: string;
  readonly ids: readonly number[];
}> = {
  "one token for all, by its text": {
    tokenizer: byteLevel("<|endoftext|>", false),
    files: {
      "tokenizer_config.json": {
        "add_bos_token": false,
        "bos_token": { "__type": "AddedToken", content: "<|endoftext|>", lstrip: false },
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": null,
      },
    },
    specialIds: { bos: 256, eos: 256 },
    text: "ab",
    ids: [byteCharacters.indexOf("a"), byteCharacters.indexOf("b")],
  },
  "one token for all, first of the vocabulary, also for padding": {
    tokenizer: byteLevel("<|endoftext|>", true),
    files: {
      "special_tokens_map.json": {
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
      },
    },
    specialIds: { bos: 0, eos: 0 },
    text: "a",
    ids: [1 + byteCharacters.indexOf("a")],
  },
  "by ids of the model alone, the first of several": {
    tokenizer: byteLevel("<end>", true),
    files: {
      "tokenizer_config.json": { "bos_token": null, "eos_token": null },
      "config.json": { "model_type": "qwen2", "bos_token_id": 0, "eos_token_id": [0, 5] },
      "generation_config.json": { "bos_token_id": 7, "eos_token_id": 7, "pad_token_id": 9 },
    },
    specialIds: { bos: 0, pad: 9, eos: 0 },
    text: "a",
    ids: [1 + byteCharacters.indexOf("a")],
  },
  "texts before ids": {
    tokenizer: metaspaceBpe(),
    files: {
      "tokenizer_config.json": { "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>" },
      "config.json": { architectures: ["LlamaForCausalLM"], "bos_token_id": 5, "eos_token_id": 6 },
    },
    specialIds: { bos: 1, eos: 2, unk: 0 },
    text: "ac",
    ids: [262, 3 + 0x63],
  },
  "names of its own": {
    tokenizer: unigram(),
    files: {
      "special_tokens_map.json": {
        "bos_token": "[END]",
        "eos_token": { content: "[END]" },
        "pad_token": "[EMPTY]",
      },
    },
    specialIds: { bos: 1, pad: 0, eos: 1, unk: 2 },
    text: "ab",
    ids: [3, 4],
  },
};

async function write(folder: string, tokenizer: object, files: Record<string, object>) {
  for (const [name, value] of Object.entries({ "tokenizer.json": tokenizer, ...files })) {
    await Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(value));
  }
  return `${folder}/tokenizer.json`;
}

for (const [name, { tokenizer, files, specialIds, text, ids }] of Object.entries(folders)) {
  test(`openTokenizer() finds special tokens in the files beside: ${name}`, () =>
    withFolder(async (folder) => {
      const path = await write(folder, tokenizer, files);
      const opened = await openTokenizer({ kind: "file", path });
      const sorted = (value: object) => JSON.stringify(value, Object.keys(value).sort());
      assert.equal(sorted(opened.specialIds), sorted(specialIds));
      assert.deepEqual(opened.encode(text), ids);
      const { bos, eos } = opened.specialIds;
      const { tokens } = tokenizeDocument({ name, text, sha256: "" }, opened, { lines: "plain" });
      assert.deepEqual([...tokens], [bos, ...ids, eos]);
      assert.equal(opened.decode(tokens).trim(), text, "special tokens decode to nothing");

      const copy = `${folder}/copy`;
      await Deno.mkdir(copy);
      const record = await writeFolderTokenizer(copy, { kind: "file", path });
      const copied = await openTokenizer(folderTokenizer(copy, record));
      assert.deepEqual(copied.specialIds, opened.specialIds, "copies keep them");
      assert.equal(copied.hash, opened.hash);
    }));
}

test("openTokenizer() tells tokenizers apart whose files beside differ, and no others", () =>
  withFolder(async (folder) => {
    const hash = async (files: Record<string, object>) => {
      for (const name of ["tokenizer_config.json", "special_tokens_map.json"]) {
        await Deno.remove(`${folder}/${name}`).catch(() => {});
      }
      const path = await write(folder, usual, files);
      return (await openTokenizer({ kind: "file", path })).hash;
    };
    const tokens = ["<s>", "<pad>", "</s>", "<unk>", "a"];
    const usual = {
      ...unigram(),
      "added_tokens": tokens.slice(0, 4).map((token, id) => added(token, id)),
      model: { ...unigram().model, "unk_id": 3, vocab: tokens.map((token, id) => [token, -id]) },
    };
    const names = { "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>" };
    const alone = await hash({});
    assert.equal(await hash({ "tokenizer_config.json": names }), alone);
    assert.notEqual(
      await hash({ "tokenizer_config.json": { ...names, "bos_token": "</s>" } }),
      alone,
    );
  }));

test("openTokenizer() names the special token that a folder lacks, and the file that is wrong", () =>
  withFolder(async (folder) => {
    const open = async (files: Record<string, object>) =>
      await openTokenizer({
        kind: "file",
        path: await write(folder, byteLevel("<e>", true), files),
      });
    const cases: [config: object, message: RegExp][] = [
      [{}, /special token bos is missing: current value is null, .* \["<e>"\]$/],
      [{ "bos_token": "<s>" }, /special token bos is missing: current value is "<s>"/],
      [{ "bos_token": "<e>" }, /special token eos is missing: current value is null/],
      [{ "bos_token": 5 }, /tokenizer_config\.json" as bos_token is wrong/],
      [{ "eos_token": { text: "<e>" } }, /tokenizer_config\.json" as eos_token is wrong/],
    ];
    for (const [config, message] of cases) {
      await assert.rejects(open({ "tokenizer_config.json": config }), {
        name: "TypeError",
        message,
      });
    }
    const ids = { "bos_token_id": 999, "eos_token_id": 0 };
    await assert.rejects(
      open({ "tokenizer_config.json": {}, "config.json": { "model_type": "llama", ...ids } }),
      /special token bos is missing: current value is 999/,
    );
  }));

test("openTokenizer() takes the only special token of a file that lies alone", () =>
  withFolder(async (folder) => {
    const path = await write(folder, byteLevel("<|endoftext|>", false), {
      "config.json": { format: "longmem-lab" }, // not of a model of Hugging Face's format
    });
    assert.deepEqual((await openTokenizer({ kind: "file", path })).specialIds, {
      bos: 256,
      eos: 256,
    });
  }));

test("A tokenizer that has no token for what is unknown refuses it by name", () =>
  withFolder(async (folder) => {
    const tokenizer = {
      ...unigram(),
      "added_tokens": [added("[END]", 0)],
      "pre_tokenizer": { type: "WhitespaceSplit" },
      decoder: null,
      model: { type: "WordLevel", vocab: { "[END]": 0, word: 1 } },
    };
    const path = await write(folder, tokenizer, {
      "tokenizer_config.json": { "bos_token": "[END]", "eos_token": "[END]" },
    });
    const opened = await openTokenizer({ kind: "file", path });
    assert.deepEqual(opened.encode("word word"), [1, 1]);
    assert.throws(() => opened.encode("word other"), {
      message: /^Cannot encode text with tokenizer ".*" as it has no token for a part of it/,
    });
  }));
