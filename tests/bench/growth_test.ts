import { assert, test } from "../testing.ts";
import { measureGrowthOfSizes } from "./growth.ts";

test("training steps and passes are measured by context, memory and rows", async () => {
  const tables = (await measureGrowthOfSizes("small")).split("\n\n");
  const axes = ["tokens of context", "tokens in memory", "rows of a batch"];
  assert.equal(tables.length, axes.length);
  for (const [i, table] of tables.entries()) {
    const lines = table.split("\n");
    assert.ok(lines[0].startsWith(`| ${axes[i]} | ms a training step |`), table);
    assert.equal(lines.length, 5);
    for (const line of lines.slice(2, 4)) {
      const [, , training, forward, peak] = line.split("|").map(Number);
      assert.ok(training > 0 && forward > 0 && peak > 50, table);
    }
    assert.match(lines[4], /^\| exponent \|( -?\d+\.\d\d \|){3}$/);
  }
});
