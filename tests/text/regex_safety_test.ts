import { whySlow } from "../../src/text/regex_safety.ts";
import { assert, test } from "../testing.ts";

test("whySlow() names expressions whose time grows exponentially or with a high power", () => {
  const slow = [
    ...["(a+)+$", "(\\w|\\d)+!", "(a|aa)+b", "(\\s*)*x", "(.*a){20}", "(x+x+)+y", "(a|a)*$"],
    ...["(?:(?:x{1,50}){1,50}){1,50}y", "((a{0,30}){0,30}){0,30}b", "(a?){30}a{30}", "(a?a)+b"],
    ...["^(([a-z])+.)+[A-Z]([a-z])+$", "([\\s\\S]*?)*z", "(?=(a|a)+b)a", "(?:\\p{L}|\\w)+\\d"],
    ...["a*a*a*b", "\\s*\\s*\\s*x", "(?:a|ab|b)*c", "(?:a{2,3}){9}b"],
  ];
  for (const source of slow) assert.ok(whySlow(new RegExp(source, "gu")), source);
  assert.match(whySlow({ source: "a".repeat(5000), flags: "gu" })!, /longer than 4000/);
});

test("whySlow() passes the expressions of published tokenizers, and others that are as fast", () => {
  const contractions = "'s|'t|'re|'ve|'m|'ll|'d", spaces = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const fast = [
    // GPT-2; Llama 3; Qwen 2; GPT-4o; DeepSeek; BLOOM.
    `${contractions}| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`,
    `(?:[sS]|[tT])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${spaces}`,
    `[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${spaces}`,
    `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?:${contractions})?|` +
    `\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${spaces}`,
    `[!-/][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${spaces}`,
    " ?[^()|\\s.,!?\\u2026\\u3002\\uff0c]+",
    ...[" {2,}", "\\s+$", "\\p{N}", "(?:\\r?\\n)+(?!\\r?\\n)", "(\\p{L}|\\p{N})+", "(?:[a-z]+ )+"],
    ...["(?:\\p{L}\\p{M}*)+", "(?:[A-Z][a-z]+)+", "[\\s\\S]{1,4096}"],
  ];
  for (const source of fast) assert.equal(whySlow(new RegExp(source, "gu")), undefined, source);
});
