import { tokenizerBeside } from "../../../src/checkpoint/folder.ts";
import { byteCharacters } from "../../../src/text/byte_level_bpe.ts";
import { formatTokenizerJson } from "../../../src/text/tokenizer_json.ts";
import { fileTokenizer } from "../../../src/text/tokenizers/file.ts";
import {
  folderTokenizer,
  openTokenizer,
  type TokenizerSource,
  writeFolderTokenizer,
} from "../../../src/text/tokenizers/tokenizers.ts";
import { withFolder } from "../../temporary_folder.ts";
import { assert, fixturePath, sharedPath, sharedTest, test } from "../../testing.ts";

/** OPT's order: special tokens, bytes, merges, fillers. */
const tokens = ["<s>", "<pad>", "</s>", "<unk>", ...byteCharacters, "ab", "abc", "madeupword0000"];
const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
const specials = { "bos_token": "</s>", "eos_token": "</s>", "pad_token": { content: "<pad>" } };

async function write(folder: string, changes: Record<string, string> = {}): Promise<string> {
  const files = {
    "vocab.json": JSON.stringify(vocab),
    "merges.txt": "#version: 0.2\na b\nab c\n",
    "special_tokens_map.json": JSON.stringify(specials),
    ...changes,
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  return `${folder}/vocab.json`;
}

test("vocab.json and merges.txt are read as the tokenizer.json that they would be", () =>
  withFolder(async (folder) => {
    const path = await write(folder);
    const tokenizer = await openTokenizer({ kind: "file", path });
    assert.deepEqual(tokenizer.encode("abcab!"), [vocab.abc, vocab.ab, vocab["!"]]);
    const text = "abc äöü\n\t ab";
    assert.equal(tokenizer.decode(Int32Array.from(tokenizer.encode(text))), text);
    assert.deepEqual(tokenizer.specialIds, { bos: 2, pad: 1, eos: 2 });
    assert.equal(tokenizer.vocabSize, tokens.length);
    assert.deepEqual(
      fileTokenizer.files!({ kind: "file", path }, "tokenizer").filter(({ optional }) => !optional),
      [path, `${folder}/merges.txt`].map((path) => ({ field: "tokenizer.path", path })),
    );

    const copy = `${folder}/copy`;
    await Deno.mkdir(copy);
    const record = await writeFolderTokenizer(copy, { kind: "file", path });
    const copied = await openTokenizer(folderTokenizer(copy, record));
    assert.equal(copied.hash, tokenizer.hash);
    const merges: [string, string][] = [["a", "b"], ["ab", "c"]];
    const definition = { vocab: new Map(Object.entries(vocab)), merges };
    assert.equal(
      await Deno.readTextFile(`${copy}/tokenizer.json`),
      formatTokenizerJson(definition, []),
    );
  }));

test("a model's folder has its tokenizer in vocab.json and merges.txt, where tokenizer.json is missing", () =>
  withFolder(async (folder) => {
    const config = { "model_type": "gpt2", "n_embd": 4, "n_layer": 1, "n_head": 1 };
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    await assert.rejects(
      tokenizerBeside(folder),
      /has no "tokenizer.json", and no "vocab.json" with "merges.txt"/,
    );
    const path = await write(folder);
    assert.deepEqual(await tokenizerBeside(folder), { kind: "file", path });
    await Deno.writeTextFile(`${folder}/tokenizer.json`, "{}");
    assert.deepEqual(await tokenizerBeside(folder), {
      kind: "file",
      path: `${folder}/tokenizer.json`,
    });
  }));

test("files that would encode text otherwise are refused by name", () =>
  withFolder(async (folder) => {
    const refused = async (changes: Record<string, string>, message: RegExp) => {
      const path = await write(folder, changes);
      await assert.rejects(openTokenizer({ kind: "file", path }), message);
    };
    await refused({ "merges.txt": "a b\n" }, /merges.txt" as no merge yields 1 of the tokens/);
    await refused({ "merges.txt": "a b c\n" }, /merges.txt" as line 1 must be two tokens/);
    const { "!": _, ...others } = vocab;
    await refused(
      { "vocab.json": JSON.stringify(others) },
      /vocab.json" as it must have a token for each byte, as GPT-2's: "!" is missing/,
    );
    await refused({ "vocab.json": "[]" }, /vocab.json" as it must be an object of ids by token/);
    await refused(
      { "tokenizer_config.json": '{"add_prefix_space": true}' },
      /tokenizer_config.json" as add_prefix_space must be false/,
    );
    await Deno.remove(`${folder}/merges.txt`);
    await assert.rejects(
      openTokenizer({ kind: "file", path: `${folder}/vocab.json` }),
      /file ".*merges.txt" is missing/,
    );
  }));

sharedTest(
  "GPT-2's own vocab.json and merges.txt encode as GPT-2 does",
  () =>
    withFolder(async (folder) => {
      const official = sharedPath("data/gpt2_bpe");
      await Deno.copyFile(`${official}/encoder.json`, `${folder}/vocab.json`);
      await Deno.copyFile(`${official}/vocab.bpe`, `${folder}/merges.txt`);
      await Deno.writeTextFile(
        `${folder}/special_tokens_map.json`,
        JSON.stringify({ "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>" }),
      );
      const tokenizer = await openTokenizer({ kind: "file", path: `${folder}/vocab.json` });
      const cases = JSON.parse(await Deno.readTextFile(fixturePath("bpe.json")));
      assert.ok(cases.length > 0);
      for (const { text, "gpt2_ids": ids } of cases) assert.deepEqual(tokenizer.encode(text), ids);
    }),
);

test("openTokenizer() names the field of a file's declaration that is wrong", async () => {
  const path = "data/chronicle/tokenizer.json";
  const cases: [object, RegExp][] = [
    [{}, /^TypeError: Cannot open a tokenizer as path is missing: allowed are text/],
    [{ path: 5 }, /path has a wrong value: current value is 5/],
    [{ path, specialTokens: { begin: "<s>" } }, /specialTokens\.begin is unknown: allowed are bos/],
  ];
  for (const [fields, message] of cases) {
    await assert.rejects(openTokenizer({ kind: "file", ...fields } as TokenizerSource), message);
  }
});
