import { fillText } from "../../../src/text/benchmarks/filling.ts";
import { assert, test } from "../../testing.ts";

/** A text of parts that take from 1 to `most` tokens, in turn. */
const build = (most: number) => (parts: number) =>
  Array.from({ length: parts }, (_, i) => 1 + i * 7 % most);
const sum = (sizes: readonly number[]) => sizes.reduce((a, b) => a + b, 0);

test("fillText() finds the largest number of parts that has room, in a few tries", () => {
  for (const most of [1, 5, 40]) {
    for (const budget of [50, 777, 16_384]) {
      let tries = 0;
      const count = (text: readonly number[]) => {
        tries++;
        return sum(text);
      };
      const text = fillText(build(most), { count, budget, least: 1, name: "it" });
      assert.ok(
        sum(text) <= budget && sum(build(most)(text.length + 1)) > budget,
        `${most} ${budget}`,
      );
      assert.ok(tries < 20, `${tries} tries`);
    }
  }
});

test("fillText() keeps to the most parts there are, and the fewest", () => {
  const options = { count: sum, least: 2, name: "it" };
  assert.equal(fillText(build(1), { ...options, budget: 100, most: 30 }).length, 30);
  assert.equal(fillText(build(1), { ...options, budget: 100, most: 4 }).length, 4);
  assert.equal(fillText(build(1), { ...options, budget: 2 }).length, 2);
  assert.throws(
    () => fillText(build(1), { ...options, budget: 1 }),
    /Cannot write it .* takes 1 tokens more/,
  );
});
