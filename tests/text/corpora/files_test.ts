import { corpora } from "../../../src/text/corpora/corpora.ts";
import { Random } from "../../../src/random.ts";
import { withFolder } from "../../temporary_folder.ts";
import { assert, test } from "../../testing.ts";

test("a vocabulary is trained on the first maxTrainingBytes bytes, not characters, of the train split", async () => {
  await withFolder(async (folder) => {
    const random = new Random("three bytes a character");
    const line = () =>
      String.fromCodePoint(...Array.from({ length: 20 }, () => 0x4e00 + random.below(40)));
    for (const split of ["train", "valid", "test"]) {
      await Deno.mkdir(`${folder}/${split}`);
      const text = Array.from({ length: 120 }, line).join("\n");
      await Deno.writeTextFile(`${folder}/${split}/${split}.txt`, text);
    }
    const kind = corpora.get("files");
    const corpus = kind.fill(
      { kind: "files", folder, train: "train", valid: "valid", test: "test" },
      { protocol: "strict", seed: 1 },
    );
    const open = (maxTrainingBytes: number) =>
      kind.open(corpus, {
        name: "bytes",
        tokenizer: { kind: "bpe", vocabSize: 420, maxTrainingBytes },
        splits: [],
        folder,
        recordHash: () => Promise.resolve(),
        doing: () => {},
        note: () => {},
      });
    // Of 200 characters few pairs occur twice; 600 characters suffice for 348.
    await assert.rejects(open(600), /they suffice for 30\d tokens/);
    assert.equal((await open(7000)).tokenizer.vocabSize, 420);
  });
});

test("a vocabulary is kept beside the hash of the text that it was trained on, whatever is written then", async () => {
  await withFolder(async (folder) => {
    for (const split of ["train", "valid", "test"]) {
      await Deno.mkdir(`${folder}/${split}`);
      await Deno.writeTextFile(
        `${folder}/${split}/${split}.txt`,
        `the old king ${split} `.repeat(9),
      );
    }
    const kind = corpora.get("files");
    const corpus = kind.fill(
      { kind: "files", folder, train: "train", valid: "valid", test: "test" },
      { protocol: "strict", seed: 1 },
    );
    const before = await kind.hash!(corpus, "train"), recorded: string[] = [];
    const vocabulary = `${folder}/tokenizer.json`;
    const { documents } = await kind.open(corpus, {
      name: "words",
      tokenizer: { kind: "bpe", vocabSize: 270 },
      splits: [],
      folder,
      async recordHash(name, sha256) {
        if (name !== "corpus train") return;
        const isKept = await Deno.stat(vocabulary).then(() => true, () => false);
        recorded.push(`${sha256} ${isKept}`);
        // Somebody writes the document while the vocabulary is trained.
        await Deno.writeTextFile(`${folder}/train/train.txt`, "zebras and quaggas");
      },
      doing: () => {},
      note: () => {},
    });
    await documents("train");
    const after = await kind.hash!(corpus, "train");
    assert.notEqual(after, before);
    // A run refuses the second, as it has recorded another.
    assert.deepEqual(recorded, [`${before} false`, `${after} true`]);
    assert.doesNotMatch(await Deno.readTextFile(vocabulary), /zeb|qua/);
  });
});
