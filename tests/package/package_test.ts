// deno-lint-ignore-file no-import-prefix -- a package of this program alone
import { join } from "node:path";
import * as esbuild from "npm:esbuild@0.28.2";
import { buildPackage } from "../../package/build.ts";
import { writeBook } from "../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { openTokenizer } from "@longmem/lab";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath } from "../testing.ts";
import { chromium, isChromiumRequired } from "../results/chromium.ts";
import { serveFolders, withPage } from "./browser.ts";
import { npm, npmTest, output } from "./npm.ts";
import { measure, type ProgramInput, type ProgramOutput } from "./program.ts";

const source = repositoryPath("tests/package/program.ts");
const page = repositoryPath("docs/library.md");

/** Writes a small project that has installed the package from its tarball; returns its size in bytes, unpacked. */
async function install(folder: string): Promise<number> {
  await buildPackage(join(folder, "built"));
  const [{ filename, unpackedSize }] = JSON.parse(
    await npm(["pack", "--json", "--pack-destination", folder], join(folder, "built")),
  );
  await Deno.writeTextFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await npm(["install", ...quiet, join(folder, filename), "typescript@5.9.3"], folder);
  return unpackedSize;
}

/** Checks the types of the program against those of the package, and writes it as JavaScript. */
async function compile(folder: string): Promise<void> {
  await Deno.copyFile(source, join(folder, "program.ts"));
  const compilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: [] },
    ...{ target: "es2022", lib: ["es2022"], module: "nodenext" },
  };
  const project = { compilerOptions, files: ["program.ts"] };
  await Deno.writeTextFile(join(folder, "tsconfig.json"), JSON.stringify(project));
  await output("node", ["node_modules/typescript/bin/tsc"], folder);
}

/** A text of the chronicle, for the program. */
async function programInput(): Promise<Omit<ProgramInput, "device">> {
  const tokenizer = await openTokenizer({ kind: "chronicle" });
  const { tokens } = writeBook(defaultChronicle, 5);
  const folder = repositoryPath("data/chronicle");
  return { folder, text: tokenizer.decode(tokens.slice(0, 640)) };
}

/** What must be the same everywhere: all but the words of the platform's parser of JSON. */
function comparable({ errors, ...numbers }: ProgramOutput): unknown {
  const known = errors.map((message) =>
    message.replace(/(provided-files:)\d+/, "$1N").replace(/is not JSON: .*/, "is not JSON")
  );
  return { ...numbers, errors: known };
}

/** Bundles a module of a project as programs for browsers are bundled. */
async function bundleForBrowser(folder: string, name: string): Promise<void> {
  await esbuild.build({
    absWorkingDir: folder,
    entryPoints: [name],
    outdir: "site",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    external: ["hnswlib-wasm"], // not installed
    logLevel: "silent",
  });
  await esbuild.stop();
}

/** What the program computes in Chromium. */
async function measureInChromium(folder: string, input: ProgramInput): Promise<ProgramOutput> {
  await bundleForBrowser(folder, "program.js");
  await Deno.writeTextFile(join(folder, "site", "index.html"), "<!doctype html><title>x</title>");
  await using server = serveFolders({
    "/data/": `${input.folder}/`,
    "/ort-": join(folder, "node_modules/onnxruntime-web/dist/ort-"),
    "/": `${folder}/site/`,
  });
  return await withPage(async (page) => {
    await page.goto(server.origin);
    return await page.evaluate(async (input) => {
      const { measure } = await import("/program.js" as string);
      return await measure(input);
    }, { ...input, folder: "data", provides: true });
  });
}

/** Prints which files of the model are open once it is loaded. */
const openFiles = `import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { loadLongMem, openTokenizer } from "@longmem/lab";
const folder = process.argv[2], file = folder + "/tokenizer.json";
await openTokenizer({ kind: "file", path: file });
const model = await loadLongMem({ backbone: folder + "/backbone", sidenet: folder + "/sidenet" });
await setTimeout(50); // files are closed behind the back of who has read them
const linked = (number) => {
  try {
    return readlinkSync("/proc/self/fd/" + number);
  } catch {
    return ""; // that of the folder itself
  }
};
const open = process.platform === "linux" ? readdirSync("/proc/self/fd").map(linked) : [];
console.log(JSON.stringify(open.filter((path) => path.startsWith(folder))));
await model.close();`;

/** Asks for the approximate index, whose package is not installed. */
const withoutIndexPackage = `import { initializeBackbone, loadLongMem } from "@longmem/lab";
const shape = { layers: 4, hiddenDim: 16, heads: 2, feedForwardDim: 64, vocabSize: 50 };
const memory = { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8, index: { kind: "hnsw" } };
const backbone = { shape, weights: initializeBackbone(shape, 1) };
const model = await loadLongMem({ backbone, memory, device: "wasm" });
await model.remember(new Int32Array(8)).catch((error) => console.log(String(error)));
await model.close();`;

npmTest(
  "the npm package computes in Node, Deno and Chromium what the sources compute",
  () =>
    withFolder(async (folder) => {
      const unpackedSize = await install(folder);
      assert.ok(unpackedSize < 1.2e6, `the package has ${unpackedSize} bytes`);
      await compile(folder);
      const script = `import { measure } from "./program.js";
      console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]))));`;
      await Deno.writeTextFile(join(folder, "run.js"), script);
      const given = await programInput();
      const inputOf = (device: "cpu" | "wasm") => ({ ...given, device, scratch: folder });
      const measured = { cpu: await measure(inputOf("cpu")), wasm: await measure(inputOf("wasm")) };
      for (const device of ["cpu", "wasm"] as const) {
        const input = inputOf(device), expected = comparable(measured[device]);
        const argument = JSON.stringify(input);
        const deno = ["run", "--allow-all", "--no-lock", "--node-modules-dir=manual"];
        const outputs = {
          Node: await output("node", ["run.js", argument], folder),
          Deno: await output(Deno.execPath(), [...deno, "run.js", argument], folder),
        };
        for (const [name, text] of Object.entries(outputs)) {
          assert.deepEqual(comparable(JSON.parse(text)), expected, `${name}, ${device}`);
        }
      }
      // The page that explains the package has a program for Node, too.
      const [, documented] = /^```ts\n([^]*?)^```/m.exec(await Deno.readTextFile(page))!;
      await Deno.writeTextFile(join(folder, "documented.js"), documented);
      await Deno.symlink(repositoryPath("data"), join(folder, "data"));
      await output("node", ["documented.js"], folder);
      await Deno.writeTextFile(join(folder, "files.js"), openFiles);
      assert.equal(await output("node", ["files.js", given.folder], folder), "[]\n");
      await Deno.writeTextFile(join(folder, "index.js"), withoutIndexPackage);
      assert.match(
        await output("node", ["index.js"], folder),
        /^InputError: Cannot load hnswlib-wasm, the library of memory\.index\.kind "hnsw": .*'hnswlib-wasm'/,
      );

      if (chromium || isChromiumRequired) {
        const input = { ...given, device: "wasm" } as const;
        const found = await measureInChromium(folder, input);
        assert.deepEqual(comparable(found), comparable(measured.wasm), "Chromium");
      }
      // The numbers are of a memory that helps, and of errors in the library's words.
      const { withMemory, without, chunks, restoredEqually, errors } = measured.cpu;
      const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
      assert.ok(sum(withMemory) < sum(without) - 5, `${sum(withMemory)}, ${sum(without)} nats`);
      assert.deepEqual(chunks, [128]);
      assert.ok(restoredEqually);
      assert.match(errors[0], /^Cannot open tokenizer as file "FOLDER\/missing.json" is missing$/);
    }),
);
