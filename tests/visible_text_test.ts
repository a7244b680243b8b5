import { visibleText } from "../src/visible_text.ts";
import { assert, test } from "./testing.ts";

test("visibleText() shows what controls a terminal or the direction of writing, and nothing else", () => {
  assert.equal(
    visibleText("a\x1b[31mb\0\r\n\tc\x7f\x9b"),
    "a\u241b[31mb\u2400\u240d\n\tc[U+007F][U+009B]",
  );
  assert.equal(visibleText("\u202eabc\u2069\u200f"), "[U+202E]abc[U+2069][U+200F]");
  const others = "é \u200d \u00a0 \u2028 😀 مرحبا ␍ \ufffd";
  assert.equal(visibleText(others), others);
});
