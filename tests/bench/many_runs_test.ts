import { assert, assertClose, test } from "../testing.ts";
import { fitExponent, measureGrowth } from "./many_runs.ts";

test("fitExponent() finds the power of a power law, and of the closest one", () => {
  const law = [10, 30, 100, 3000].map((x) => [x, 0.2 * x ** 1.5] as const);
  // ln y = 0, 2, 1 at ln x = 0, 1, 2: the line of least squares rises by (1 - 0) / 2.
  const scattered = [[1, 1], [Math.E, Math.E ** 2], [Math.E ** 2, Math.E]] as const;
  assertClose([fitExponent(law), fitExponent(scattered)], [1.5, 0.5], { tolerance: 1e-12 });
});

test("the queue, table and status are measured with folders of several runs", async () => {
  const lines = (await measureGrowth([2, 5])).split("\n");
  assert.equal(lines[0], "| runs | queue, new runs | queue, completed runs | table | status |");
  const cell = String.raw`\d+ ms, \d+ MiB`;
  const row = (runs: number) => new RegExp(`^\\| ${runs} \\|( ${cell} \\|){4}$`);
  assert.match(lines[2], row(2));
  assert.match(lines[3], row(5));
  assert.match(lines[4], /^\| exponent of the time \|( -?\d+\.\d\d \|){4}$/);
});
