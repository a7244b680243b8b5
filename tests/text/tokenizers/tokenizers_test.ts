import { tokenizerAt } from "../../../src/text/tokenizers/tokenizers.ts";
import { withFolder } from "../../temporary_folder.ts";
import { assert, test } from "../../testing.ts";

test("tokenizerAt() tells a tokenizer.json, its folder and that of the official vocabulary apart", () =>
  withFolder(async (folder) => {
    await assert.rejects(tokenizerAt(folder), {
      name: "TypeError",
      message:
        /^Cannot find a tokenizer in folder ".*": allowed are folders of tokenizer.json, of vocab.json and merges.txt, or of encoder.json, vocab.bpe and dict.txt$/,
    });
    await Deno.writeTextFile(`${folder}/vocab.json`, "{}");
    await assert.rejects(tokenizerAt(folder), /Cannot find a tokenizer/, "merges are missing");
    await Deno.writeTextFile(`${folder}/merges.txt`, "");
    const ids = { kind: "file", path: `${folder}/vocab.json` };
    assert.deepEqual(await tokenizerAt(folder), ids);
    assert.deepEqual(await tokenizerAt(ids.path), ids);
    const path = `${folder}/tokenizer.json`, file = { kind: "file", path };
    await Deno.writeTextFile(path, "{}");
    assert.deepEqual(await tokenizerAt(path), file);
    assert.deepEqual(await tokenizerAt(folder), file);
    await Deno.writeTextFile(`${folder}/encoder.json`, "{}");
    assert.deepEqual(await tokenizerAt(folder), { kind: "gpt2", folder });
    await assert.rejects(tokenizerAt(`${folder}/nowhere`), Deno.errors.NotFound);
  }));
