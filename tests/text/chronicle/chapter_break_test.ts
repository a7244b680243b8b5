import { openingTokens, writeBooks } from "../../../src/text/chronicle/book.ts";
import { writeChapterBreak } from "../../../src/text/chronicle/chapter_break.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { openChronicleTokenizer } from "../../../src/text/chronicle/tokenizer.ts";
import { assert, test } from "../../testing.ts";
import { mentionsOf } from "./replay.ts";

const books = writeBooks(defaultChronicle, { seed: "chapter break test", count: 12 });
const file = writeChapterBreak(books, { seed: 1, firstChapter: 4 });
const tokenizer = openChronicleTokenizer();

test("Instances are the official format's: chapters 4 to 15 of each book, six different candidates", () => {
  assert.deepEqual(Object.keys(file), ["chronicle"]);
  assert.deepEqual(Object.keys(file.chronicle), books.map((book) => book.name));
  for (const book of books) {
    const instances = file.chronicle[book.name];
    assert.equal(instances.length, 12);
    instances.forEach(({ ctx, pos, negs, ...rest }, i) => {
      assert.deepEqual(rest, {});
      const start = book.chapters[4 + i];
      assert.deepEqual([0, ...tokenizer.encode(ctx)], [...book.tokens.subarray(0, start)]);
      assert.deepEqual(
        tokenizer.encode(pos),
        [...book.tokens.subarray(start, start + openingTokens)],
      );
      assert.equal(negs.length, 5);
      assert.equal(new Set([pos, ...negs]).size, 6);
    });
  }
  assert.deepEqual(JSON.parse(JSON.stringify(file)), file);
});

test("The right opening tells the facts of the ship that rested, the wrong ones are other chapters' of the book", () => {
  for (const book of books) {
    const openings = new Set(
      book.chapters.slice(1).map((start) =>
        book.tokens.subarray(start, start + openingTokens).join()
      ),
    );
    for (const { ctx, pos, negs } of file.chronicle[book.name]) {
      const ship = ctx.trimEnd().split("\n").at(-1)!.split(" ")[2];
      const told = mentionsOf(Int32Array.from(tokenizer.encode(ctx)));
      const fact = (relation: string) =>
        told.find((mention) => mention.entity === ship && mention.relation === relation)!.value;
      const [cargo, captain, goal] = ["cargo", "captain", "goal"].map(fact);
      assert.equal(pos, `chapter bearing ${cargo} , obeying ${captain} , seeking ${goal} .\n`);
      // The local context, 118 tokens and the opening, tells none of it.
      const local = ctx.split(/\s+/).slice(-119).join(" ");
      assert.ok(!local.includes(`${ship} ${cargo}`) && !local.includes(`${ship} ${goal}`));
      for (const negative of negs) assert.ok(openings.has(tokenizer.encode(negative).join()));
    }
  }
});

test("Wrong openings are as likely an earlier chapter's as a later one's", () => {
  let earlier = 0, expected = 0, all = 0;
  for (const book of books) {
    const order = book.chapters.map((start) =>
      book.tokens.subarray(start, start + openingTokens).join()
    );
    file.chronicle[book.name].forEach(({ negs }, i) => {
      expected += negs.length * (i + 3) / 14;
      for (const negative of negs) {
        all++;
        if (order.indexOf(tokenizer.encode(negative).join()) < i + 4) earlier++;
      }
    });
  }
  assert.ok(Math.abs(earlier - expected) < 0.06 * all, `${earlier} of ${all}, not ${expected}`);
});

test("The seed decides the wrong openings, and an option the chapters", () => {
  assert.deepEqual(writeChapterBreak(books, { seed: 1, firstChapter: 4 }), file);
  assert.notDeepEqual(writeChapterBreak(books, { seed: 2, firstChapter: 4 }), file);
  const [book] = books;
  const last = writeChapterBreak([book], { seed: 1, firstChapter: 15 });
  const [instance, ...others] = last.chronicle[book.name];
  assert.deepEqual(others, []);
  assert.deepEqual(
    tokenizer.encode(instance.ctx),
    [...book.tokens.subarray(1, book.chapters[15])],
  );
});
