import { createHash } from "node:crypto";
import { readTextBytes } from "../../src/files.ts";
import { cleanNovel, novels } from "../../src/data/sets/novels.ts";
import { assert, repositoryPath, sharedPath, sharedTest, test } from "../testing.ts";
import { readCorpusIndex } from "../../src/text/corpus_index.ts";
import { readDataSets } from "../../src/data/data_set.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("cleanNovel() removes what transcribers left, and nothing else", () => {
  const dirty =
    "\ufeff\r\n\r\nA\u00a0Tale \t\r\n\r\n\r\n\r\n\r\n  one  two\rthree\ufeff \n\u00a0\nend \r\n\r\n";
  assert.equal(cleanNovel(dirty), "A Tale\n\n\n  one  two\nthree\n\nend\n");
  assert.equal(cleanNovel("a\n\n\nb\n"), "a\n\n\nb\n", "two blank lines stay");
  // A last line without a line end keeps its blanks, as in the files whose hashes are recorded.
  assert.equal(cleanNovel("The end. "), "The end. \n");
  assert.equal(cleanNovel(`${" ".repeat(200_000)}x\n`).length, 200_002, "in linear time");
});

/** Undoes a cleaning as far as that can be: whatever it removes is put back somewhere. */
function soil(text: string): string {
  let i = 0;
  const lines = text.split("\n").map((line) =>
    `${line.replace(/ /g, (blank) => ++i % 7 === 0 ? "\u00a0" : blank)}${
      ["", " ", "\t ", "\u00a0"][i % 4]
    }`
  );
  const soiled = lines.join("\r\n").replace(/(?:[ \t\u00a0]*\r\n){3}(?=\S)/, "\r\n".repeat(6));
  return `\ufeff\r\n${soiled}\r\n\r\n`;
}

sharedTest("cleanNovel() leaves cleaned novels alone, and restores soiled ones", async () => {
  const [{ files }] = (await readDataSets(repositoryPath("data/datasets.json")))
    .filter(({ name }) => name === "novels");
  const checked = files.filter(({ path }) =>
    /^(valid|test)\/|^train\/(Trollope|Blackmore)/.test(path)
  );
  assert.ok(checked.length >= 20);
  let unclean = 0;
  for (const { path, sha256 } of checked) {
    const bytes = await readTextBytes(sharedPath(`data/novels/${path}.gz`));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256, path);
    const text = textOf(bytes);
    // Blanks that a last line without a line end has kept.
    const isClean = !/[ \t]\n$/.test(text);
    if (!isClean) unclean++;
    else {
      assert.equal(cleanNovel(text), text, path);
      const soiled = soil(text);
      assert.notEqual(soiled, text);
      assert.equal(cleanNovel(soiled), text, path);
    }
  }
  assert.equal(unclean, 2);
});

test("a story is cut out of its book, from its title to the next", () => {
  const path = "test/Chesterton_FatherBrown02_TheSecretGarden_1911.txt";
  const book =
    "\ufeff THE BOOK\r\n\r\n\r\n The Blue Cross\r\n\r\nIn The Secret Garden\r\n\r\n\r\n\r\n" +
    " The Secret Garden\r\n\r\nA wall. \r\n\r\n\r\n The Queer Feet\r\n\r\nSteps.\r\n";
  const cut = (text: string) => textOf(novels.transform!(bytesOf(text), { path }));
  assert.equal(cut(book), "The Secret Garden\n\nA wall.\n");
  for (const text of [book.replace(" The Queer Feet", ""), book.replaceAll("Secret", "Open")]) {
    assert.throws(
      () => cut(text),
      new RegExp(
        `^RangeError: Cannot make "${path}" as its source has no story "The Secret Garden"`,
      ),
    );
  }
  assert.equal(
    textOf(novels.transform!(bytesOf("x\r\n"), { path: "train/Other_1800.txt" })),
    "x\n",
  );
});

sharedTest(
  "the index of the novels has the recorded lengths and chapters, which are lines of the texts",
  async () => {
    const index = await readCorpusIndex(repositoryPath("data"), "novels_index.json");
    const recorded = await readCorpusIndex(sharedPath("data/novels"));
    assert.equal(index.documents.size, 112);
    for (const [name, { chapters, gpt2Tokens }] of recorded.documents) {
      const found = index.documents.get(name)!;
      assert.equal(found.gpt2Tokens, gpt2Tokens);
      assert.deepEqual(found.chapters, chapters.map(({ offset }) => ({ offset })));
    }
  },
);
