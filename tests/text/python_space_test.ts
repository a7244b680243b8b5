import { splitPython, stripPython } from "../../src/text/python_space.ts";
import { assert, test } from "../testing.ts";

/** What Python 3 takes for white space, from its `str.isspace` of all characters. */
const spaces = [
  ...[9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 133, 160, 5760],
  ...[8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202],
  ...[8232, 8233, 8239, 8287, 12288],
];

test("White space is Python's, among all characters of the first plane", () => {
  for (let point = 0; point < 0xd800; point++) {
    const text = `${String.fromCharCode(point)}a`;
    assert.equal(stripPython(text) === "a", spaces.includes(point), `U+${point.toString(16)}`);
  }
  assert.deepEqual(splitPython("\ufeffa\x1c\x85 b\u200bc\n"), ["\ufeffa", "b\u200bc"]);
  assert.deepEqual([splitPython(" \t"), stripPython(" \x1f\n"), stripPython("")], [[], "", ""]);
});
