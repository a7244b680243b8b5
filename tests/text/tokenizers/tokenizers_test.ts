import { tokenizerAt } from "../../../src/text/tokenizers/tokenizers.ts";
import { withFolder } from "../../temporary_folder.ts";
import { assert, test } from "../../testing.ts";

test("tokenizerAt() tells a tokenizer.json, its folder and that of the official vocabulary apart", () =>
  withFolder(async (folder) => {
    await assert.rejects(tokenizerAt(folder), {
      name: "TypeError",
      message:
        /^Cannot find a tokenizer in folder ".*": allowed are folders of tokenizer.json, or of encoder.json, vocab.bpe and dict.txt$/,
    });
    const path = `${folder}/tokenizer.json`, file = { kind: "file", path };
    await Deno.writeTextFile(path, "{}");
    assert.deepEqual(await tokenizerAt(path), file);
    assert.deepEqual(await tokenizerAt(folder), file);
    await Deno.writeTextFile(`${folder}/encoder.json`, "{}");
    assert.deepEqual(await tokenizerAt(folder), { kind: "gpt2", folder });
    await assert.rejects(tokenizerAt(`${folder}/nowhere`), Deno.errors.NotFound);
  }));
