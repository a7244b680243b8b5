import { wikitext } from "../../src/data/sets/wikitext.ts";
import { assert, test } from "../testing.ts";

test("the raw test text of WikiText is made of a copy whose line ends were doubled", () => {
  // A line end came out as two, and after those of a line or of a row of blank ones a third.
  const copy = [
    "",
    "",
    " = A = ",
    "",
    "",
    "",
    "",
    " b .",
    "",
    "",
    " c .",
    "",
    "",
    "",
    "",
    "",
    "",
    " = D = ",
    "",
    "",
    "",
  ]
    .join("\r\n");
  const bytes = wikitext.transform!(new TextEncoder().encode(copy), { path: "raw/test.txt" });
  assert.equal(
    new TextDecoder().decode(bytes),
    " \n = A = \n \n b .\n c .\n \n \n = D = \n \n",
  );
});
