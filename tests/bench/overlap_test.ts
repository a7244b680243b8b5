import { assert, assertClose, test } from "../testing.ts";
import { ngrams, sharesIn } from "./overlap.ts";

const words = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `word${from + i}`).join(" ");

test("sequences of twelve words are the same wherever they stand, and none is another", () => {
  const once = [...ngrams(words(0, 30))];
  assert.equal(once.length, 19);
  assert.equal(new Set(once).size, 19);
  assert.deepEqual([...ngrams(`Other words before, ${words(0, 30)}`)].slice(-19), once);
  assert.deepEqual([...ngrams(words(0, 12).toUpperCase())], once.slice(0, 1));
  assert.deepEqual([...ngrams(words(0, 11))], []);
  // Signs count as words.
  assert.deepEqual(
    new Set([...ngrams(words(0, 30).replaceAll(" ", ", "))]).intersection(new Set(once)).size,
    0,
  );
});

test("the share of a text is that of its sequences which stand in any of the others", async () => {
  const others = async function* () {
    yield words(0, 30);
    yield words(200, 40);
  };
  const shares = await sharesIn(others(), [
    words(5, 20),
    words(100, 20),
    words(220, 40), // of 29 sequences the first nine end before word240
    "few words",
  ]);
  assert.deepEqual(shares.slice(0, 2), [1, 0]);
  assertClose([shares[2]!], [9 / 29], { tolerance: 1e-12 });
  assert.equal(shares[3], undefined);
});
