import { writeBook } from "../../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { writeDrill } from "../../../src/text/chronicle/drill.ts";
import {
  formatChronicleTokenizer,
  formatText,
  openChronicleTokenizer,
} from "../../../src/text/chronicle/tokenizer.ts";
import { vocabulary } from "../../../src/text/chronicle/vocabulary.ts";
import { tokenizeDocument } from "../../../src/text/document_tokens.ts";
import { openTokenizer } from "../../../src/text/tokenizers/tokenizers.ts";
import { assert, repositoryPath, test } from "../../testing.ts";

test("data/chronicle/tokenizer.json is what formatChronicleTokenizer() writes, and has its ids", async () => {
  const path = repositoryPath("data/chronicle/tokenizer.json");
  assert.equal(await Deno.readTextFile(path), formatChronicleTokenizer());
  const opened = await openTokenizer({ kind: "file", path }), tokenizer = openChronicleTokenizer();
  assert.equal(opened.hash, tokenizer.hash);
  assert.equal(opened.vocabSize, 322);
  assert.deepEqual(opened.specialIds, { bos: 0, pad: 1, eos: 2, unk: 3 });
  const words = vocabulary.slice(4);
  assert.deepEqual(opened.encode(words.join(" ")), words.map((_, i) => i + 4));
  assert.equal(opened.decode(words.map((_, i) => i + 4)), words.join(" "));
});

test("The text of books and drills encodes to their tokens, and their tokens decode to it", () => {
  const tokenizer = openChronicleTokenizer();
  for (const document of [writeBook(defaultChronicle, 1), writeDrill(defaultChronicle, 1)]) {
    const { tokens, words } = tokenizeDocument(
      { name: document.name, text: document.text(), sha256: "" },
      tokenizer,
      { lines: "plain" },
    );
    assert.deepEqual(tokens, document.tokens);
    assert.equal(words, document.words);
    assert.deepEqual(tokenizer.encode(tokenizer.decode(document.tokens)), [...tokens.slice(1, -1)]);
  }
});

test("formatText() puts a sentence on a line, and leaves a sentence without an end open", () => {
  const ids = openChronicleTokenizer().encode("so rested REBUL . now the ship HAISUN");
  assert.equal(formatText([0, ...ids]), "so rested REBUL .\nnow the ship HAISUN");
  assert.equal(formatText([...ids.slice(0, 4), 2]), "so rested REBUL .\n");
});
