import { packageSource } from "../../src/data/package_source.ts";
import { tarOf } from "../formats/tar_archive.ts";
import { assert, test } from "../testing.ts";

/** The document of files below `package/`. */
function sourceOf(files: Readonly<Record<string, string>>, sources = [""], maxBytes?: number) {
  const entries = Object.entries(files).map(([path, text]) => ({ path: `package/${path}`, text }));
  return packageSource(tarOf(entries), "a", {
    sources,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
}

test("packageSource() joins source files by their paths, each text once", () => {
  assert.equal(
    sourceOf({
      "lib/b.js": "b();\r\n",
      "a.ts": "\n a();\n\n",
      "lib/c.js": "b();",
      "README.md": "#",
    }),
    "a();\n\nb();\n",
  );
});

test("packageSource() takes the declared folders and files alone", () => {
  const files = { "lib/a.js": "a", "library/b.js": "b", "src/c.js": "c", "d.js": "d" };
  assert.equal(sourceOf(files, ["lib", "d.js"]), "d\n\na\n");
});

for (
  const path of [
    "test/a.js",
    "lib/__tests__/a.js",
    "a.test.js",
    "a-spec.ts",
    "a.min.js",
    "a.d.ts",
    "examples/a.js",
    "node_modules/b/a.js",
    "locale/de.js",
    "gulpfile.js",
    "a.json",
  ]
) {
  test(`packageSource() leaves out ${path}`, () => {
    assert.equal(sourceOf({ [path]: "left out", "b.js": "kept" }), "kept\n");
  });
}

test("packageSource() leaves out generated and minified code, and what is not text", () => {
  const left = {
    "generated.js": "// This file is auto-generated\na();",
    "long.js": `a();\n${"b".repeat(1001)}`,
    "dense.js": `${"c".repeat(130)}\n`.repeat(90),
    "d.js": "kept",
  };
  assert.equal(sourceOf(left), "kept\n");
  const archive = tarOf([{ path: "package/a.js", text: "\u00e4" }]);
  archive[512] = 0xff;
  assert.equal(packageSource(archive, "a", { sources: [""] }), "");
});

test("packageSource() takes one of several builds of a file", () => {
  const builds = { "a.js": "js", "a.mjs": "mjs", "a.cjs": "cjs", "b.cjs": "b" };
  assert.equal(sourceOf(builds), "mjs\n\nb\n");
  assert.equal(sourceOf(Object.fromEntries(Object.entries(builds).toReversed())), "mjs\n\nb\n");
});

test("packageSource() removes licence headers, and no other comments", () => {
  const text = "/*! Copyright somebody */\n// License: MIT\n// of it all\n\n/** Adds. */\nadd();";
  assert.equal(sourceOf({ "a.js": text }), "/** Adds. */\nadd();\n");
});

test("packageSource() leaves out files that exceed the limit", () => {
  assert.equal(
    sourceOf({ "a.js": "aaaa", "b.js": "b".repeat(20), "c.js": "cc" }, [""], 9),
    "aaaa\n\ncc\n",
  );
});
