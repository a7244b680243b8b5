import { countWords, tokenizeDocument, unwrapLines } from "../../src/text/document_tokens.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { openCorpus } from "../../src/text/corpus.ts";
import { concatenate } from "../../src/text/segments.ts";
import { assert, fixturePath, sharedPath, sharedTest, test } from "../testing.ts";

/** A token a character, its code point plus 4. */
const characters: Tokenizer = {
  vocabSize: 0x110004,
  specialIds: { bos: 0, pad: 1, eos: 2, unk: 3 },
  hash: "",
  encode: (text) => Array.from(text, (character) => character.codePointAt(0)! + 4),
  decode: (ids) =>
    Array.from(ids, (id) => id < 4 ? "|_.?"[id] : String.fromCodePoint(id - 4)).join(""),
};

function tokenize(text: string, treatment: Parameters<typeof tokenizeDocument>[2]): string {
  const { tokens } = tokenizeDocument({ name: "x", text, sha256: "" }, characters, treatment);
  return characters.decode(tokens);
}

test("tokenizeDocument() keeps a plain text as it is", () => {
  const text = "  one\n\n two \n";
  assert.equal(tokenize(text, { lines: "plain" }), `|${text}.`);
  const { name, words, tokens } = tokenizeDocument({ name: "x", text, sha256: "" }, characters, {
    lines: "plain",
  });
  assert.deepEqual([name, words, tokens.length], ["x", 2, 15]);
});

test("tokenizeDocument() wraps each stripped line as the released code does", () => {
  const text = "\u3000 one two\x1f\r\n\n \t \n\ufeffthree\u0085\n";
  assert.equal(tokenize(text, { lines: "released-code" }), "|one two.|\ufeffthree.|.");
});

test("tokenizeDocument() joins wrapped lines first", () => {
  const text = "one\ntwo\n\nthree\n";
  assert.equal(tokenize(text, { lines: "plain", unwrap: true }), "|one two\n\nthree\n.");
  assert.equal(tokenize(text, { lines: "released-code", unwrap: true }), "|one two.|three.|.");
  assert.equal(tokenize(text, { lines: "released-code" }), "|one.|two.|three.|.");
});

test("unwrapLines() joins lines within paragraphs only", () => {
  assert.equal(unwrapLines("\na \n  b\r\nc\n\n \t\n  d\ne\n"), "\na b c\n\n \t\n  d e\n");
  assert.equal(unwrapLines("a\nb"), "a b");
  assert.equal(unwrapLines(""), "");
});

test("unwrapLines() leaves a text alone whose paragraphs no blank lines separate", () => {
  const lines = "a line of a paragraph\n".repeat(400);
  assert.equal(unwrapLines(lines), lines);
  const paragraph = "a line of a paragraph\n".repeat(100);
  assert.equal(
    unwrapLines(`${paragraph}\n${paragraph}`),
    `${paragraph}\n${paragraph}`.replaceAll("h\na", "h a"),
  );
});

test("Lines end alike whether LF, CR LF or CR alone ends them, as Python reads them", () => {
  const lines = ["one two", "three", "", " \t", "four ", "five", ""];
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = lines.join(end);
    assert.equal(tokenize(text, { lines: "released-code" }), "|one two.|three.|four.|five.|.");
    assert.equal(unwrapLines(text), `one two three${end}${end} \t${end}four five${end}`);
    const unwrapped = { lines: "released-code", unwrap: true } as const;
    assert.equal(tokenize(text, unwrapped), "|one two three.|four five.|.");
    // Paragraphs of a long text are told apart alike.
    const paragraph = `a line of a paragraph${end}`.repeat(130);
    const text2 = Array.from({ length: 3 }, () => paragraph).join(end);
    assert.notEqual(unwrapLines(text2), text2);
    assert.equal(unwrapLines(paragraph.repeat(3)), paragraph.repeat(3));
  }
  assert.equal(unwrapLines("a\r\r\nb\n\rc\rd"), "a\r\r\nb\n\rc d");
});

test("unwrapLines() takes no longer for a long run of blanks", () => {
  const text = `a${" ".repeat(2_000_000)}b\nc`;
  assert.equal(unwrapLines(text).length, text.length);
});

test("countWords() counts what white space separates", () => {
  assert.equal(countWords(" It's  one-\n\ttwo\u00a0three , "), 5);
  assert.equal(countWords(" \n"), 0);
});

sharedTest("tokenizeDocument() reproduces the released stream from its lines", async () => {
  const { integers } = await readSafetensors(fixturePath("data.safetensors"));
  const expected = integers.get("stream")!.data;
  // A word for each token; a document ends with the pair <s> </s> (0 2), the last one is cut off.
  const words: Tokenizer = {
    ...characters,
    encode: (text) => text === "" ? [] : text.split(" ").map(Number),
  };
  const documents = Array.from(expected).join(" ").split(/(?<=^| )0 2(?: |$)/).map((part) =>
    part.replaceAll(/\b2 0\b/g, "\n").replace(/^0\b/, "").replace(/\b2 $/, "\n\n")
  );
  assert.equal(documents.length, 12);
  const stream = concatenate(
    documents.map((text) =>
      tokenizeDocument({ name: "", text, sha256: "" }, words, { lines: "released-code" }).tokens
    ),
  );
  assert.deepEqual(stream.subarray(0, expected.length), expected);
});

sharedTest("countWords() agrees with the index of the novels", async () => {
  const index: { id: string; words: number }[] = JSON.parse(
    await Deno.readTextFile(sharedPath("data/novels/index.json")),
  );
  for (const { name, text } of await openCorpus(sharedPath("data/novels/test/Chesterton*"))) {
    assert.equal(countWords(text), index.find(({ id }) => id === name)!.words, name);
  }
});
