import { allowedWords, closestWord } from "../src/did_you_mean.ts";
import { assert, test } from "./testing.ts";

const words = ["retrievedTokens", "chunkTokens", "bank", "index"];

test("closestWord() finds the word that was misspelled", () => {
  assert.equal(closestWord("retreivedTokens", words), "retrievedTokens"); // neighbours swapped
  assert.equal(closestWord("chunktokens", words), "chunkTokens");
  assert.equal(closestWord("banks", words), "bank");
  assert.equal(closestWord("idx", words), undefined);
  assert.equal(closestWord("temperature", words), undefined);
});

test("closestWord() finds the only word that contains the given one", () => {
  const models = ["longmem", "longmem-recent-memory", "longmem-memory-off", "knn-lm"];
  assert.equal(closestWord("longmem-recent", models), "longmem-recent-memory");
  assert.equal(closestWord("Recent", models), "longmem-recent-memory");
  assert.equal(closestWord("memory", models), undefined); // two of them
  assert.equal(closestWord("off", models), undefined); // too short
});

test("closestWord() prefers fewer changes, and the first of equals", () => {
  assert.equal(closestWord("layer", ["players", "layers", "lawyer"]), "layers");
  assert.equal(closestWord("cat", ["bat", "hat"]), "bat");
});

test("allowedWords() lists all, and asks only where a word is close", () => {
  assert.equal(
    allowedWords("bnak", words.slice(2)),
    'allowed are bank, index (did you mean "bank"?)',
  );
  assert.equal(allowedWords("gate", words.slice(2)), "allowed are bank, index");
});
