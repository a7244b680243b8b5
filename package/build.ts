/**
 * Builds the npm package of the library part, `library.ts`, for Node, Deno and browsers: `deno task package` writes it to
 * dist/npm/.
 *
 * One file of JavaScript for Node and Deno and one for browsers, from the same sources: they differ in `src/system.ts`, which is
 * replaced by `node_system.ts` or `browser_system.ts`, and in the engines that they load. Packages stay imports, so that a
 * program has each once; their versions are those of `deno.json`.
 */
// deno-lint-ignore-file no-import-prefix no-console -- packages of this program alone; a program that prints
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "npm:esbuild@0.28.2";
import ts from "npm:typescript@5.9.3";
import { enginePackages } from "../src/engine_packages.ts";
import { writeAtomically } from "../src/files.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** What the package runs on. */
export type Platform = "node" | "browser";

/** Engines of a platform; Node's includes that of Deno, which has WebGPU. */
const engines: Readonly<Record<Platform, readonly (keyof typeof enginePackages)[]>> = {
  node: ["cpu", "wasm", "webgpu"],
  browser: ["wasm", "webgpu"],
};

/** The oldest versions that the JavaScript is written for. */
const targets: Readonly<Record<Platform, string[]>> = {
  node: ["node20"],
  browser: ["es2022"],
};

/** The package that only the approximate index needs. */
const indexPackage = "hnswlib-wasm";

/** A package as `npm:name@version/path` names it. */
interface NpmSpecifier {
  readonly name: string;
  readonly version: string;
  /** As Node imports it: `name/path`. */
  readonly specifier: string;
}

function parseNpm(text: string): NpmSpecifier {
  const [, name, version, path = ""] = /^npm:((?:@[^/]+\/)?[^@/]+)@([^/]+)(\/.*)?$/.exec(text) ??
    [];
  if (!name) throw new TypeError(`Cannot read npm specifier: current value is "${text}"`);
  return { name, version, specifier: name + path };
}

interface Configuration {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly imports: Readonly<Record<string, string>>;
}

async function readConfiguration(): Promise<Configuration> {
  return JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
}

/**
 * The platform's side of a bundle: its system and engines, imports of packages by their names for Node, and shaders as text.
 *
 * @param found Takes the packages that remain imports.
 */
export function platformPlugin(
  platform: Platform,
  imports: Readonly<Record<string, string>>,
  found: (used: NpmSpecifier) => void = () => {},
): esbuild.Plugin {
  const external = (text: string) => {
    const used = parseNpm(text);
    found(used);
    // Nothing but what is used of a package is imported: Node's modules for unused functions would break browsers.
    return { path: used.specifier, external: true, sideEffects: false };
  };
  return {
    name: "platform",
    setup(build) {
      build.onResolve({ filter: /^npm:/ }, ({ path }) => external(path));
      build.onResolve({ filter: /^node:/ }, ({ path }) => ({
        path,
        external: true,
        sideEffects: false,
      }));
      build.onResolve(
        { filter: /^[a-z@]/ },
        ({ path, kind }) =>
          kind !== "entry-point" && imports[path] ? external(imports[path]) : undefined,
      );
      build.onResolve({ filter: /\/system\.ts$/ }, () => ({
        path: join(root, "package", `${platform}_system.ts`),
      }));
      build.onLoad({ filter: /\/src\/engine_packages\.ts$/ }, () => {
        const cases = engines[platform].map((kind) =>
          `case "${kind}": return import("${enginePackages[kind]}");`
        );
        return {
          contents: `export async function importEngine(kind) {
            switch (kind) { ${cases.join(" ")} }
            throw new Error("it has no such engine here");
          }
          export function importHnswlib() { return import("${imports[indexPackage]}"); }
          export async function importUsearch() { throw new Error("it is not part of this package"); }`,
          loader: "js",
        };
      });
    },
  };
}

/** Bundles the library for a platform; returns its JavaScript and the packages that it imports. */
async function bundle(
  platform: Platform,
  imports: Readonly<Record<string, string>>,
): Promise<{ code: string; packages: Map<string, string> }> {
  const seen = new Map<string, NpmSpecifier>();
  const { outputFiles, metafile } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: ["library.ts"],
    outfile: `${platform}.js`,
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "neutral",
    target: targets[platform],
    charset: "utf8",
    minifyWhitespace: true,
    loader: { ".wgsl": "text" },
    inject: ["package/missing_features.ts"],
    plugins: [platformPlugin(platform, imports, (used) => seen.set(used.specifier, used))],
    logLevel: "silent",
  });
  const packages = new Map<string, string>();
  for (const { path } of Object.values(metafile.outputs)[0].imports) {
    const used = seen.get(path);
    if (used) packages.set(used.name, used.version);
    else if (platform === "browser") {
      throw new Error(`Cannot bundle for browsers as "${path}" is imported, which they lack`);
    }
  }
  const [{ text: code }] = outputFiles;
  const deno = /^.*\bDeno\.\w+.*$/m.exec(code);
  if (deno) {
    throw new Error(`Cannot bundle for ${platform} as the code uses Deno: ${deno[0].trim()}`);
  }
  return { code, packages };
}

/**
 * Declarations of the library's types: of each file that its interface leads to, by their paths. The sources write out the types
 * of what they export, so no file needs another for its own declarations.
 *
 * @throws {Error} Where a type is not written out, naming file and type.
 */
async function declarations(): Promise<Map<string, string>> {
  const written = new Map<string, string>();
  const open = ["library.ts"];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (written.has(path)) continue;
    const source = path === systemFile ? "package/browser_system.ts" : path;
    const text = await Deno.readTextFile(join(root, source));
    const { outputText: whole } = ts.transpileDeclaration(text, {
      fileName: source,
      compilerOptions: { target: ts.ScriptTarget.ESNext },
    });
    // Such methods of classes are declared twice where no library of types is at hand.
    const once = whole.replace(/^ *(?:\/\*\*.*\*\/\n *)?\[Symbol\.\w+\]: \(\) => .*;\n/gm, "");
    const outputText = path === systemFile ? classesOf(once) : once;
    const used = usedImports(withoutUntyped(outputText));
    const unknown = /^.*\bany\b.*$/m.exec(withoutComments(used.text));
    if (unknown) {
      throw new Error(
        `Cannot declare the types of ${path} as one is not written out: ${unknown[0].trim()}`,
      );
    }
    written.set(path, used.text);
    for (const specifier of used.files) open.push(normalize(join(dirname(path), specifier)));
  }
  return written;
}

/** Declarations without constants of the implementation whose types only the whole program gives; no interface has one. */
function withoutUntyped(declaration: string): string {
  const { statements } = ts.createSourceFile("", declaration, ts.ScriptTarget.ESNext, true);
  return statements.filter((statement) =>
    !ts.isVariableStatement(statement) || !/\bany\b/.test(withoutComments(statement.getText()))
  ).map((statement) => statement.getFullText()).join("");
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\//g, "");
}

/** The file that each platform has of its own; other declarations name its classes of errors alone. */
const systemFile = "src/system.ts";

function classesOf(declaration: string): string {
  const { statements } = ts.createSourceFile("", declaration, ts.ScriptTarget.ESNext, true);
  return statements.filter(ts.isClassDeclaration)
    .filter(({ modifiers }) => modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .map((statement) => statement.getText()).join("\n");
}

/** A declaration file with JavaScript's names in its imports, and the TypeScript files that it imports. */
function usedImports(declaration: string): { text: string; files: string[] } {
  const files: string[] = [];
  const text = declaration.replace(
    /(\bfrom |\bimport\()"(\.[^"]+)\.ts"/g,
    (_, before, path) => {
      files.push(`${path}.ts`);
      return `${before}"${path}.js"`;
    },
  );
  return { text, files };
}

/** Builds the package in a folder, which is emptied; returns the names of its files. */
export async function buildPackage(folder: string): Promise<string[]> {
  const { name, version, license, imports } = await readConfiguration();
  const dependencies = new Map<string, string>();
  const files = new Map<string, string>();
  for (const platform of ["node", "browser"] as const) {
    const { code, packages } = await bundle(platform, imports);
    files.set(`${platform}.js`, code);
    for (const [one, pinned] of packages) dependencies.set(one, pinned);
  }
  await esbuild.stop();
  for (const [path, text] of await declarations()) {
    // Readers whose own library of types is older know these from here.
    const libraries = path === "library.ts"
      ? ["esnext.disposable", "esnext.float16", "dom"]
        .map((lib) => `/// <reference lib="${lib}" />\n`).join("")
      : "";
    files.set(`types/${path.replace(/ts$/, "d.ts")}`, libraries + text);
  }
  const optional = dependencies.get(indexPackage)!;
  dependencies.delete(indexPackage);
  const types = "./types/library.d.ts";
  files.set(
    "package.json",
    JSON.stringify(
      {
        name,
        version,
        description: "Language models with a long memory: load, remember, generate, score",
        license,
        type: "module",
        exports: { ".": { types, browser: "./browser.js", default: "./node.js" } },
        types,
        sideEffects: false,
        engines: { node: ">=20.15" },
        dependencies: Object.fromEntries([...dependencies].sort()),
        peerDependencies: { [indexPackage]: optional },
        peerDependenciesMeta: { [indexPackage]: { optional: true } },
      },
      null,
      2,
    ) + "\n",
  );
  for (const name of ["LICENSE", "package/README.md"]) {
    files.set(name.split("/").at(-1)!, await Deno.readTextFile(join(root, name)));
  }
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  for (const [path, text] of files) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    await writeAtomically(join(folder, path), text);
  }
  return [...files.keys()];
}

if (import.meta.main) {
  const folder = join(root, "dist", "npm");
  const files = await buildPackage(folder);
  console.log(`${relative(Deno.cwd(), folder)}: ${files.length} files; pack them with npm pack`);
}
