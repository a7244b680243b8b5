/**
 * The normalizer `Precompiled` of SentencePiece's vocabularies: a table of what sequences of characters become.
 */
import { remembering } from "./remembering.ts";
import { decodeUtf8 } from "./tokenizer.ts";

/** Longest group of characters that is looked up as a whole, in bytes. */
const longestGroup = 5;

/**
 * Reads a table: its size in bytes as uint32, a double-array trie of uint32 over UTF-8 (Darts), and texts that end in a zero byte,
 * to which its values point; all of it in base64, the numbers little-endian.
 *
 * @returns The normalizer. As in the reference, a group of characters that a reader takes for one becomes what the table has for
 * its shortest beginning.
 * @throws TypeError where the table is malformed.
 */
export function precompiledNormalizer(table: unknown): (text: string) => string {
  const { units, texts } = readTable(table);
  const utf8 = new TextEncoder();
  const groups = new Intl.Segmenter("und", { granularity: "grapheme" });
  const replacement = (bytes: Uint8Array): string | undefined => {
    const start = firstValue(units, bytes);
    if (start === undefined) return undefined;
    const end = texts.indexOf(0, start);
    return decodeUtf8([texts.subarray(start, end < 0 ? texts.length : end)]);
  };
  const normalizeGroup = remembering(keptGroups, (group) => {
    const bytes = utf8.encode(group);
    const whole = bytes.length <= longestGroup ? replacement(bytes) : undefined;
    return whole ??
      Array.from(group, (character) => replacement(utf8.encode(character)) ?? character).join("");
  });
  return (text) => {
    let normalized = "";
    for (const { segment } of groups.segment(text)) {
      normalized += normalizeGroup(segment);
    }
    return normalized;
  };
}

/** Groups whose normal forms are kept. */
const keptGroups = 1 << 14;

function readTable(table: unknown): { units: Uint32Array; texts: Uint8Array } {
  if (typeof table !== "string") throw new TypeError("precompiled_charsmap must be text in base64");
  const bytes = Uint8Array.from(atob(table), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const size = bytes.length < 4 ? Infinity : view.getUint32(0, true);
  if (size % 4 !== 0 || size + 4 > bytes.length) {
    throw new TypeError(`precompiled_charsmap is cut off: it has ${bytes.length} bytes`);
  }
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  return { units, texts: bytes.subarray(4 + size) };
}

/** The value of the shortest key with which a text begins. */
function firstValue(units: Uint32Array, bytes: Uint8Array): number | undefined {
  let at = offsetOf(units[0]);
  for (const byte of bytes) {
    if (byte === 0) return undefined;
    at ^= byte;
    const unit = units[at];
    // The highest bit marks a value.
    if (unit === undefined || (unit & 0x8000_00ff) >>> 0 !== byte) return undefined;
    at ^= offsetOf(unit);
    if ((unit >>> 8 & 1) === 1) return units[at] & 0x7fff_ffff;
  }
  return undefined;
}

function offsetOf(unit: number): number {
  return unit >>> 10 << ((unit & 0x200) >>> 6);
}
