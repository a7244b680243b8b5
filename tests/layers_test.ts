import { dirname, join, normalize, relative } from "node:path";
import { assert, repositoryPath, test } from "./testing.ts";

/** The folders of src/, from the command line down to numbers; files beside them may be imported by all. */
const layers = [
  "commands",
  "serving",
  "queue",
  "runner",
  "experiment",
  "evaluation",
  "training",
  "data",
  "checkpoint",
  "longmem",
  "memory",
  "backbone",
  "text",
  "runtime",
  "graph",
  "results",
  "cluster",
  "formats",
  "declaration",
  "statistics",
];

/** The only circles of imports: each of these operations is the gradient of the other. */
const dualOperations = [
  ["broadcast.ts", "expand.ts", "reduce_sum.ts"],
  ["gather.ts", "scatter_add.ts"],
  ["pad.ts", "slice.ts"],
].map((names) => names.map((name) => `graph/ops/${name}`));

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

/** The files of src/ that each file imports. */
async function readImports(): Promise<Map<string, string[]>> {
  const imports = new Map<string, string[]>();
  for (const file of await sourceFiles(src)) {
    const path = relative(src, file);
    const text = await Deno.readTextFile(file);
    const specifiers = [...text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)];
    imports.set(
      path,
      specifiers.map(([, specifier]) => normalize(join(dirname(path), specifier)))
        .filter((imported) => imported.endsWith(".ts")),
    );
  }
  return imports;
}

/** Files that a file leads to by its imports, itself only if they lead back to it. */
function reachableFrom(file: string, imports: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const open = [...imports.get(file) ?? []];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    open.push(...imports.get(next) ?? []);
  }
  return reached;
}

test("Files of src/ import what is below them, never what is above", async () => {
  const imports = await readImports();
  const pairs = [...imports].flatMap(([path, imported]) => imported.map((other) => [path, other]));
  assert.ok(pairs.length > 500, `only ${pairs.length} imports were found`);
  const upward = pairs.filter(([path, imported]) => layerOf(imported) < layerOf(path));
  assert.deepEqual(upward.map(([path, imported]) => `${path} imports ${imported}`), []);
});

test("No import of src/ leads back to its file, but those of dual operations", async () => {
  const imports = await readImports();
  const reached = new Map([...imports.keys()].map((file) => [file, reachableFrom(file, imports)]));
  const circles = new Set(
    [...reached].filter(([file, files]) => files.has(file)).map(([file, files]) =>
      [...files].filter((other) => reached.get(other)?.has(file)).sort().join(" ")
    ),
  );
  assert.deepEqual([...circles].sort(), dualOperations.map((files) => files.join(" ")));
});
