import { chapteredBooks, chaptersAt, findChapters, holdsHeading } from "../../src/text/chapters.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

/** What stands before and after each chapter's text begins. */
const cutsOf = (text: string, chapters: readonly { start: number; textStart: number }[]) =>
  chapters.map(({ start, textStart }) => [
    text.slice(start, textStart),
    /^\S+/.exec(text.slice(textStart))?.[0],
  ]);

test("findChapters() finds headings of many kinds, and no sentences that begin like them", () => {
  const headings = [
    "CHAPTER IV",
    "Chapter 12.",
    "chapter iii",
    "Chapter Two HOW IT ENDED",
    "CHAPTER THE FIRST",
    "CHAPTER TWENTY-ONE",
    "Chapter VI: The Reverend Arthur Beebe",
    "CHAPTER II--FIRST LESSONS",
    "LETTER CIII",
    "Stave One",
    "XIV",
    "IV.",
    "  CHAPTER I",
  ];
  const others = [
    "Chapter and verse were read to him.",
    "Chapter one's end was long ago.",
    "Chapter 3 of the book, which he had read as a boy and had never since forgotten, was the worst of all",
    "I said so.",
    "ill",
    "Letter after letter came.",
    "1",
  ];
  for (const heading of headings) {
    assert.ok(holdsHeading(`It ended.\n\n${heading}\n\nIt began.`), heading);
  }
  for (const other of others) {
    assert.ok(!holdsHeading(`It ended.\n\n${other}\n\nIt began.`), other);
  }
  // A line that the next one continues is a part of a sentence.
  assert.ok(!holdsHeading("of which he had read only\nChapter IV\nand no more."));
});

test("findChapters() takes other headings where it is told what they look like", () => {
  const text = "Part 1.\nA beginning.\n* * *\nMore of it.\n* * *\nThe end.";
  const chapters = findChapters(text, "(?:\\* ){2}\\*");
  assert.deepEqual(cutsOf(text, chapters), [["* * *\n", "More"], ["* * *\n", "The"]]);
  assert.deepEqual(findChapters(text), []);
});

test("chaptersAt() begins a chapter's text after heading and titles", () => {
  const width = "He was as wide as the lines of this text are, which are wrapped.\n".repeat(30);
  const cases: [string, string][] = [
    // Heading with titles, and how the text begins.
    ["I\n\n\n", "It was late.\n"],
    ["CHAPTER 1\nI AM BORN\n", "Whether I shall turn out,\n"],
    ["CHAPTER II\n\n THE SECOND.\n\n\n", "It was late.\n"],
    ["CHAPTER II\nTREATS OF OLIVER, AND OF HIS\nEDUCATION, AND BOARD\n", "For the next months.\n"],
    ["Chapter V\n\nThe Warden's Tea Party\n\n", "After much doubting, he went.\n"],
    ["Chapter V\nThe Preaching\n", '"What I want," said he.\n'],
    ["CHAPTER VI\n", "Paris is a town.\n"],
    ["CHAPTER VI\n", "HAMLIN\ndid not succeed in it.\n"],
    // The next word would not have fitted: a wrapped line, not a title.
    [
      "CHAPTER VI\n",
      "On the way to the house of his old friend they met a Mr. James\nHarrowgate, who\n",
    ],
    ["CHAPTER VI\n", `A line ${"of many words ".repeat(8)}\n\nMore.\n`],
  ];
  for (const [heading, begin] of cases) {
    const text = `${width}\n\n${heading}${begin}${width}`;
    const start = text.indexOf(heading);
    const [{ textStart }] = chaptersAt(text, [start]);
    assert.equal(text.slice(start, textStart), heading);
  }
});

const book = "One.\n\nCHAPTER I\n\nIt began.\n\nCHAPTER II\n\nIt ended.\n";

test("chapteredBooks() believes the index, and finds what it does not list", async () => {
  await withFolder(async (folder) => {
    const documents = ["listed", "other"].map((name) => ({ name, text: book, sha256: "" }));
    const startsOf = async () =>
      (await chapteredBooks(folder, documents)).map(({ chapters }) =>
        chapters.map(({ start }) => start)
      );
    const [first, second] = [book.indexOf("CHAPTER I\n"), book.indexOf("CHAPTER II")];
    assert.deepEqual(await startsOf(), [[first, second], [first, second]]);
    const index = [
      { file: "test/listed.txt.gz", chapters: [[second, "CHAPTER II"]] },
      { file: "test/other.txt", chapters: [] },
      { file: "test/another.txt" },
    ];
    await Deno.writeTextFile(`${folder}/index.json`, JSON.stringify(index));
    assert.deepEqual(await startsOf(), [[second], [first, second]]);
  });
});

test("chapteredBooks() says what is wrong with an index", async () => {
  const cases: [string, RegExp][] = [
    ["{", /index.json" as it is no JSON: /],
    [
      JSON.stringify([{ file: "a.txt", chapters: [[5, "I"], [5, "II"]] }]),
      /as offset 1 of "a.txt" must be an integer above those before it: current value is 5$/,
    ],
    [
      JSON.stringify([{ file: "a.txt", chapters: [["I", 5]] }]),
      /as offset 0 of "a.txt" must be an integer above those before it: current value is "I"$/,
    ],
  ];
  for (const [json, message] of cases) {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/index.json`, json);
      await assert.rejects(chapteredBooks(folder, []), { name: "TypeError", message });
    });
  }
});
