/**
 * Runs the tests of every operation: `ops/<name>.ts` here tests `src/graph/ops/<name>.ts`. They share one process, as
 * starting the engines takes longer than the tests of an operation; `deno test -A tests/graph/ops/<name>.ts` runs one.
 */
import { assert, repositoryPath, test } from "../testing.ts";

const operations = typescriptFiles("src/graph/ops");
const tested = typescriptFiles("tests/graph/ops");

test("every operation has tests of the same name", () => {
  assert.deepEqual(tested, operations);
});

for (const file of tested) await import(new URL(`./ops/${file}`, import.meta.url).href);

function typescriptFiles(folder: string): string[] {
  return [...Deno.readDirSync(repositoryPath(folder))].map(({ name }) => name).sort();
}
