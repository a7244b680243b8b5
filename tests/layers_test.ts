import { dirname, join, normalize, relative } from "node:path";
import { assert, repositoryPath, test } from "./testing.ts";

/** The folders of src/, from the command line down to numbers; files beside them may be imported by all. */
const layers = [
  "commands",
  "runner",
  "experiment",
  "evaluation",
  "training",
  "longmem",
  "memory",
  "backbone",
  "text",
  "runtime",
  "graph",
  "results",
];

const src = repositoryPath("src");

async function sourceFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await sourceFiles(join(folder, name)));
    else if (name.endsWith(".ts")) files.push(join(folder, name));
  }
  return files;
}

/** Number of a file's layer, from the top: main.ts stands above all folders, the other files beside it below them. */
function layerOf(path: string): number {
  const [folder, ...rest] = path.split("/");
  if (rest.length === 0) return folder === "main.ts" ? -1 : layers.length;
  const layer = layers.indexOf(folder);
  assert.notEqual(layer, -1, `src/${folder} is in no layer: say in this test where it stands`);
  return layer;
}

test("Files of src/ import what is below them, never what is above", async () => {
  const upward: string[] = [];
  let imports = 0;
  for (const file of await sourceFiles(src)) {
    const path = relative(src, file);
    const text = await Deno.readTextFile(file);
    for (const [, specifier] of text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      const imported = normalize(join(dirname(path), specifier));
      if (!imported.endsWith(".ts")) continue;
      imports++;
      if (layerOf(imported) < layerOf(path)) upward.push(`${path} imports ${imported}`);
    }
  }
  assert.ok(imports > 500, `only ${imports} imports were found`);
  assert.deepEqual(upward, []);
});
