/** Expected values are those of `tokenizers` 0.23.2, the reference in Rust, with the same tables. */
import { precompiledNormalizer } from "../../src/text/precompiled_normalizer.ts";
import { parseTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { assert, test } from "../testing.ts";

/** A node of a trie over bytes. */
interface Node {
  readonly children: Map<number, Node>;
  value?: number;
}

/** A table, in base64, of what texts become: each node of its trie has 256 places for its children. */
function tableOf(entries: Readonly<Record<string, string>>): string {
  const utf8 = new TextEncoder(), root: Node = { children: new Map() };
  const texts: number[] = [];
  for (const [key, text] of Object.entries(entries)) {
    let node = root;
    for (const byte of utf8.encode(key)) {
      const child = node.children.get(byte) ?? { children: new Map() };
      node.children.set(byte, child);
      node = child;
    }
    node.value = texts.length;
    texts.push(...utf8.encode(text), 0);
  }
  const units = new Map<number, number>();
  let blocks = 1;
  const place = ({ children, value }: Node, index: number, label: number) => {
    const base = 256 * blocks++, hasValue = value === undefined ? 0 : 1 << 8;
    units.set(index, ((index ^ base) << 10) | hasValue | label);
    if (value !== undefined) units.set(base, value | 0x8000_0000);
    for (const [byte, child] of children) place(child, base ^ byte, byte);
  };
  place(root, 0, 0);
  const size = 4 * 256 * blocks;
  const bytes = new Uint8Array(4 + size + texts.length), view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  for (const [index, unit] of units) view.setUint32(4 + 4 * index, unit, true);
  bytes.set(texts, 4 + size);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

test("A table replaces groups of characters, or each of them, by its shortest match", () => {
  const normalize = precompiledNormalizer(
    tableOf({ A: "a", "e\u0301": "\u00e9", "\ufb00": "ff", "\u0007": "", "\u3000": " " }),
  );
  const cases: [text: string, expected: string][] = [
    ["Ae\u0301\ufb00\u0007\u3000\u200d", "a\u00e9ff \u200d"],
    ["A\u0301", "a"],
    ["e\u0302 e", "e\u0302 e"],
    ["Ae\u0301\u0302\u0302", "ae\u0301\u0302\u0302"], // a group of seven bytes
    ["\u{1f469}\u200d\u{1f469}A", "\u{1f469}\u200d\u{1f469}a"],
    ["", ""],
  ];
  for (const [text, expected] of cases) assert.equal(normalize(text), expected);
});

test("A tokenizer.json with a table normalises by it", () => {
  const special = ["<s>", "<pad>", "</s>", "<unk>"];
  const tokenizer = parseTokenizerJson(JSON.stringify({
    "added_tokens": special.map((content, id) => ({ id, content, special: true })),
    normalizer: { type: "Precompiled", "precompiled_charsmap": tableOf({ A: "a" }) },
    "pre_tokenizer": null,
    decoder: null,
    model: {
      type: "WordLevel",
      "unk_token": "<unk>",
      vocab: Object.fromEntries([...special, "a"].map((token, id) => [token, id])),
    },
  }));
  assert.deepEqual(tokenizer.encode("A"), [4]);
});

test("A table that is none is refused", () => {
  for (const table of [null, 5]) {
    assert.throws(
      () => precompiledNormalizer(table),
      /precompiled_charsmap must be text in base64/,
    );
  }
  for (const table of ["", "AAA=", "/////w==", btoa("\x08\0\0\0\0\0\0\0")]) {
    assert.throws(() => precompiledNormalizer(table), /precompiled_charsmap is cut off/);
  }
});
