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

test("findChapters() refuses an expression that may take far too long", () => {
  const text = `${"a".repeat(900)}!\n`;
  for (const pattern of ["(a+)+", "(a|aa)*b", "(?:\\w|\\d)+x"]) {
    assert.throws(() => findChapters(text, pattern), {
      name: "RangeError",
      message:
        /^Cannot find headings as their expression may take far too long, since .*: current value is "/,
    });
  }
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

test("findChapters() takes Roman numerals, numbers in words and ordinals, and no words that look like them", () => {
  const isHeading = (line: string) => holdsHeading(`It ended.\n\n${line}\n\nIt began.`);
  const headings = [
    ...["I", "IV.", "XIX", "XL", "XLIV", "LXXXVIII", "XCIX", "C", "CXLIX"],
    ...[
      "Chapter ix.",
      "Chapter xi.",
      "Chapter Xviii",
      "chapter cxlix",
      "CHAPTER \u2163",
      "Chapter ll",
    ],
    ...["CHAPTER SEVENTY", "Chapter Sixty-One", "Chapter eighty-third", "CHAPTER NINETY NINE"],
    ...["Chapter One Hundred", "CHAPTER ONE HUNDRED AND FIVE", "Chapter a hundred and twentieth"],
    ...["Chapter the Eleventh", "CHAPTER THE TWENTY-FIRST", "Chapter the Last", "Stave Thirteenth"],
    ...["Chapter 7 - The End", "Chapter IV, in which nothing happens", "CHAPTER I in the hall"],
    ...["Chapter XII in which it rains", "Letter I", "chapter 3.", "CHAPTER IV HE WROTE"],
  ];
  const others = [
    ...[
      "ILL",
      "CIVIL",
      "VIVID",
      "LIVID",
      "CIVIC.",
      "VX",
      "IC",
      "IL",
      "IIII",
      "VIX",
      "XXL",
      "MIX",
      "DID",
    ],
    ...[
      "Chapter did",
      "Chapter mix up",
      "Letter mild as milk",
      "letter mild as milk",
      "Letter vivid",
    ],
    ...[
      "Letter I wrote to him yesterday",
      "Letter I\u2019ve written",
      "chapter I had been writing",
    ],
    ...["Chapter two was found, and she looked", "Letter one day came", "Canto first of all"],
    ...["letter ten pages long", "Chapter Seventyfold", "Chapter sixty-odd", "stave six Of them"],
  ];
  for (const heading of headings) assert.ok(isHeading(heading), heading);
  for (const other of others) assert.ok(!isHeading(other), other);
});

test("findChapters() finds the same chapters whatever ends the lines", () => {
  const lines = [
    ...[
      "It was before.",
      "",
      "CHAPTER I",
      "THE BEGINNING",
      "",
      "Once it began",
      "and went on.",
      "",
    ],
    ...["Chapter II", "The Next", "", "It ended.", "XI", "of them", ""],
  ];
  const expected = [["CHAPTER I\nTHE BEGINNING\n\n", "Once"], ["Chapter II\nThe Next\n\n", "It"]];
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = lines.join(end);
    assert.deepEqual(
      cutsOf(text, findChapters(text)).map(([cut, word]) => [cut!.replaceAll(end, "\n"), word]),
      expected,
      JSON.stringify(end),
    );
  }
});

test("chapteredBooks() refuses the index of another text, naming offset and heading", async () => {
  const listed = book.indexOf("CHAPTER I\n"), second = book.indexOf("CHAPTER II");
  const entry = (chapters: unknown) => [{ file: "test/listed.txt", chapters }];
  const cases: [name: string, text: string, chapters: unknown, message: RegExp][] = [
    [
      "CRLF",
      book.replaceAll("\n", "\r\n"),
      [[listed, "CHAPTER I"], [second, "CHAPTER II"]],
      /chapters of "listed" from ".*index\.json" as its text has no line "CHAPTER II" at offset 28: current line there is "It began."/,
    ],
    ["another heading", book, [[listed, "CHAPTER II"]], /no line "CHAPTER II" at offset 6/],
    ["within a line", book, [listed + 3], /no line at offset 9: current line there is "CHAPTER I"/],
    ["beyond", book, [listed, 5000], /no line at offset 5000: current length is \d+/],
    ["at the end", book, [[book.length, "CHAPTER I"]], /at offset \d+: current length is \d+/],
    // Python counts code points, JavaScript UTF-16 units.
    [
      "code points",
      `${"\u{1f600}".repeat(20)}${book}`,
      [[second + 20, "CHAPTER II"]],
      /no line "CHAPTER II"/,
    ],
  ];
  for (const [name, text, chapters, message] of cases) {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/index.json`, JSON.stringify(entry(chapters)));
      const documents = [{ name: "listed", text, sha256: "" }];
      await assert.rejects(
        chapteredBooks(folder, documents),
        { name: "RangeError", message },
        name,
      );
    });
  }
});

test("chapteredBooks() takes headings whose white space the index has shortened, and offsets alone", async () => {
  await withFolder(async (folder) => {
    const text = "Before.\n\n  CHAPTER  I\n    A TITLE\n\nIt began.\n\nCHAPTER II\n\nIt ended.\n";
    const first = text.indexOf("  CHAPTER"), second = text.indexOf("CHAPTER II");
    const chapters = [[first, "CHAPTER I A TITLE"], second];
    await Deno.writeTextFile(
      `${folder}/index.json`,
      JSON.stringify([{ file: "a.txt", chapters, gpt2_tokens: null }]),
    );
    const [{ chapters: found }] = await chapteredBooks(folder, [{ name: "a", text, sha256: "" }]);
    assert.deepEqual(found.map(({ start }) => start), [first, second]);
  });
});

test("chapteredBooks() says what is wrong with an index", async () => {
  const cases: [string, RegExp][] = [
    ["{", /SyntaxError: Cannot read ".*index.json" as it is not JSON: /],
    [
      "[null]",
      /TypeError: .*index.json" as entry 0 must have the name of a "file": current value is null$/,
    ],
    [
      '{"a": 1}',
      /TypeError: .*index.json" as it must be a list of documents: current value is {"a":1}$/,
    ],
    ['[{"chapters": []}]', /entry 0 must have the name of a "file"/],
    [
      '[{"file": "a.txt", "chapters": {}}]',
      /chapters of "a.txt" must be a list: current value is {}$/,
    ],
    ['[{"file": "a.txt", "gpt2_tokens": "9"}]', /gpt2_tokens of "a.txt" must be an integer from 0/],
    [
      '[{"file": "x/a.txt", "gpt2_tokens": 9}, {"file": "y/a.txt.gz", "gpt2_tokens": 8}]',
      /index.json" as two entries say different things of document "a": current value is \{"file":"y/,
    ],
    [
      '[{"file": "a.txt", "chapters": [[1, 2]]}]',
      /heading 0 of "a.txt" must be text: current value is 2$/,
    ],
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
      await assert.rejects(chapteredBooks(folder, []), message);
    });
  }
});
