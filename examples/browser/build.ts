/**
 * Builds the page of this folder with the library and a model: `deno task browser` writes it to dist/browser/, from which any
 * server of files serves it.
 */
// deno-lint-ignore-file no-console -- a program that prints
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { enginePackages } from "../../src/engine_packages.ts";
import { writeAtomically } from "../../src/files.ts";
import { sha256Of } from "../../src/sha256.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Files of the model, from data/chronicle/. */
const modelFiles = [
  "backbone/config.json",
  "backbone/backbone.safetensors",
  "sidenet/config.json",
  "sidenet/sidenet.safetensors",
];

/** The WebAssembly of the engines, which their JavaScript looks for beside the page's. */
const engineFiles = ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"];

/** Runs Deno and returns its output. */
async function deno(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) {
    throw new Error(`Cannot build the page: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout);
}

/**
 * Bundles app.js for browsers. An import map puts the files for browsers in the place of those for Deno, as the npm package
 * has them.
 */
async function bundle(folder: string): Promise<void> {
  const temporary = await Deno.makeTempDir();
  try {
    const engines = `const load = {
        wasm: () => import("${enginePackages.wasm}"),
        webgpu: () => import("${enginePackages.webgpu}"),
      };
      export async function importEngine(kind) {
        if (!load[kind]) throw new Error("browsers have none");
        return await load[kind]();
      }
      export async function importHnswlib() {
        throw new Error("the page has no approximate index");
      }
      export const importUsearch = importHnswlib;`;
    await Deno.writeTextFile(join(temporary, "engines.js"), engines);
    const { imports } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
    const url = (path: string) => pathToFileURL(join(root, path)).href;
    const map = {
      imports: {
        ...imports,
        "@longmem/lab": url("library.ts"),
        [url("src/system.ts")]: url("package/browser_system.ts"),
        [url("src/engine_packages.ts")]: pathToFileURL(join(temporary, "engines.js")).href,
      },
    };
    const mapFile = join(temporary, "import_map.json");
    await Deno.writeTextFile(mapFile, JSON.stringify(map));
    const options = ["--platform=browser", "--code-splitting", "--minify", "--no-config"];
    const app = join(root, "examples/browser/app.js");
    await deno([
      ...["bundle", "--quiet", "--no-lock", ...options],
      ...[`--import-map=${mapFile}`, `--outdir=${folder}`, app],
    ]);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** Folder of a package in Deno's cache. */
async function packageFolder(specifier: string): Promise<string> {
  const [, name, version] = /^npm:(.+)@([^/]+)/.exec(specifier)!;
  const { npmCache } = JSON.parse(await deno(["info", "--json"]));
  for await (const { name: registry } of Deno.readDir(npmCache)) {
    const folder = join(npmCache, registry, name, version);
    if (await Deno.stat(folder).catch(() => undefined)) return folder;
  }
  throw new Error(`Cannot build the page as "${specifier}" is not in Deno's cache "${npmCache}"`);
}

/** Builds the page in a folder, which is emptied. */
export async function buildPage(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  await bundle(folder);
  const engine = join(await packageFolder(enginePackages.wasm), "dist");
  const here = join(root, "examples/browser");
  const copies = [
    ...["index.html", "page.css"].map((name) => [join(here, name), name]),
    [join(root, "src/results/theme.css"), "theme.css"],
    ...modelFiles.map((name) => [join(root, "data/chronicle", name), `model/${name}`]),
    ...engineFiles.map((name) => [join(engine, name), name]),
  ];
  for (const [from, name] of copies) {
    await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
    await Deno.copyFile(from, join(folder, name));
  }
  const names = ["index.html", "page.css", "theme.css"];
  // Engines are kept once they are used.
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".js") && !name.startsWith("ort.")) names.push(name);
  }
  // A page that changes is not the kept one.
  const texts = await Promise.all(
    [...names, "model/sidenet/config.json"].map((name) => Deno.readTextFile(join(folder, name))),
  );
  const worker = await Deno.readTextFile(join(here, "service_worker.js"));
  const version = `longmem-${sha256Of(texts.join("\n")).slice(0, 16)}`;
  await writeAtomically(
    join(folder, "service_worker.js"),
    worker.replace("VERSION", version)
      .replace("NAMES", ["./", ...names].join(" ")),
  );
}

if (import.meta.main) {
  const folder = join(root, "dist", "browser");
  await buildPage(folder);
  console.log(`${relative(Deno.cwd(), folder)}: any server of files serves it`);
}
