import { classifyMentions, findNames, mentions } from "../../src/text/names.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { assert, test } from "../testing.ts";

/** Names in order, those of first mentions in capitals. */
function namesIn(text: string): string[] {
  return findNames(text).map(({ start, end, isFirst }) => {
    const word = text.slice(start, end);
    return isFirst ? word.toUpperCase() : word;
  });
}

test("findNames() takes capitalised words that begin no sentence", () => {
  const cases: [text: string, ...names: string[]][] = [
    ["Then Darcy met Bingley, and Darcy bowed.", "DARCY", "BINGLEY", "Darcy"],
    // The beginning of the text, of a sentence, of a paragraph.
    ["Darcy came. Bingley went! Jane? Lizzy: Kitty; Mary... Lydia\n\nWickham", ""],
    ["He came\nto Meryton\r\nwith Jane \n \n Collins", "MERYTON", "JANE"],
    // Quotation marks, dashes and brackets before a word.
    [
      'said, "Come, Jane" and “Never” — Lizzy -- Kitty went (Mary too) to Bath-Spa',
      "JANE",
      "MARY",
      "BATH",
      "SPA",
    ],
    // Abbreviations and initials end no sentence; the pronoun does.
    [
      "told Mr. Darcy, Mrs. Bennet and J. Smith that it was I. Then",
      "MR",
      "DARCY",
      "MRS",
      "BENNET",
      "SMITH",
    ],
    // One letter, capitals alone, a lower-case beginning.
    ["so I'm in VOLUME X of iOS with McDonald and Élise", "MCDONALD", "ÉLISE"],
    // What began a sentence has been mentioned.
    ["Darcy came. Then Darcy and Darcy's sister went to darcy", "Darcy", "Darcy"],
    ["", ""],
  ];
  for (const [text, ...names] of cases) {
    assert.deepEqual(namesIn(text), names.filter((name) => name !== ""), text);
  }
});

/** A tokenizer whose tokens are bytes of UTF-8, or pieces of two; 0 and 1 begin and end. */
function pieces(bytes: 1 | 2): Pick<Tokenizer, "decode" | "specialIds"> & {
  encode(text: string): number[];
} {
  return {
    specialIds: { bos: 0, eos: 1 },
    encode(text) {
      const all = [...new TextEncoder().encode(text)];
      return Array.from(
        { length: Math.ceil(all.length / bytes) },
        (_, i) =>
          2 + all.slice(i * bytes, (i + 1) * bytes).reduce((id, byte) => 256 * id + byte, 0),
      );
    },
    decode(ids) {
      const all = Array.from(ids).filter((id) => id > this.specialIds.eos)
        .flatMap((id) => id - 2 < 256 ? [id - 2] : [Math.floor((id - 2) / 256), (id - 2) % 256]);
      return new TextDecoder().decode(Uint8Array.from(all));
    },
  };
}

test("classifyMentions() marks the tokens of names, whatever the tokens are", () => {
  const text = "so Anne saw Émile, and Anne bowed";
  const marks = (bytes: 1 | 2) => {
    const tokenizer = pieces(bytes), ids = [0, ...tokenizer.encode(text), 1];
    const classes = classifyMentions(ids, tokenizer);
    assert.equal(classes.length, ids.length);
    return [...classes].map((i) => mentions[i][0]).join("");
  };
  // <s>, then bytes: the first byte of É completes no letter.
  assert.equal(
    marks(1),
    "o" + "ooo" + "ffff" + "ooooo" + "offfff" + "oooooo" + "llll" + "oooooo" + "o",
  );
  // Pieces "so| A|nn|e |sa|w |É|mi|le|, |an|d |An|ne| b|ow|ed".
  assert.equal(marks(2), "o" + "o" + "fff" + "oo" + "fff" + "ooo" + "ll" + "ooo" + "o");
  // A document's tokens may begin lines: what follows them may begin a sentence.
  const tokenizer = pieces(1);
  const lines = [0, ...tokenizer.encode("so"), 1, 0, ...tokenizer.encode("Anne saw Émile"), 1];
  assert.equal(
    [...classifyMentions(lines, tokenizer)].map((i) => mentions[i][0]).join(""),
    "ooo" + "oo" + "ooooooooo" + "offfff" + "o",
  );
});
