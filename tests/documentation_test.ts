import { dirname, join } from "node:path";
import { architectures } from "../src/backbone/architectures.ts";
import { evaluations } from "../src/evaluation/evaluations.ts";
import { models } from "../src/evaluation/models.ts";
import { indexes } from "../src/memory/index/indexes.ts";
import { assert, repositoryPath, test } from "./testing.ts";

const root = repositoryPath("");

/** Folders whose pages and sources are checked; results and golden files are records. */
const folders = ["", "docs", "examples", "data/chronicle", "data/code", "experiments", "src"];

/** Files below the folders, only the files beside them of the repository itself, by their paths in it. */
async function filesOf(extensions: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  const visit = async (folder: string, recursive: boolean) => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(join(root, folder))) {
      const path = join(folder, name);
      if (isDirectory && recursive) await visit(path, true);
      else if (isFile && extensions.some((end) => name.endsWith(end))) files.push(path);
    }
  };
  for (const folder of folders) await visit(folder, folder !== "");
  return files.sort();
}

const pages = await filesOf([".md"]);

/** A page's text without its blocks of code. */
function proseOf(text: string): string {
  return text.replaceAll(/^(```+)[^\n]*\n[\s\S]*?^\1$/gm, "").replaceAll(/^ {4}.*$/gm, "");
}

/** Targets of the links and images of a page. */
function linksOf(text: string): string[] {
  const prose = proseOf(text).replaceAll(/`[^`\n]*`/g, "``");
  return [...prose.matchAll(/\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].map(([, target]) => target);
}

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of proseOf(text).matchAll(/^#{1,6} +(.*?) *#*$/gm)) {
    const slug = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    for (let i = 1; anchors.has(anchor); i++) anchor = `${slug}-${i}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** What is wrong with the links of a page; `read` returns the text of a page, undefined for what is no page, and throws where nothing is. */
async function brokenLinks(
  page: string,
  text: string,
  read: (path: string) => Promise<string | undefined>,
): Promise<string[]> {
  const broken: string[] = [];
  for (const link of linksOf(text)) {
    if (/^[a-z]+:/.test(link)) continue;
    const [path, anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), decodeURIComponent(path));
    try {
      const found = path === "" ? text : await read(target);
      if (anchor === undefined || found === undefined || anchorsOf(found).has(anchor)) continue;
      broken.push(`${page}: ${link} has no such heading`);
    } catch {
      broken.push(`${page}: ${link} is missing`);
    }
  }
  return broken;
}

test("links between pages lead to files and headings that are there", async () => {
  assert.ok(pages.includes("README.md") && pages.includes("docs/method.md"));
  const read = async (path: string) => {
    assert.ok(!path.startsWith(".."), `${path} is outside of the repository`);
    const absolute = join(root, path);
    if (path.endsWith(".md")) return await Deno.readTextFile(absolute);
    await Deno.stat(absolute);
  };
  const broken: string[] = [];
  let links = 0;
  for (const page of pages) {
    const text = await Deno.readTextFile(join(root, page));
    links += linksOf(text).length;
    broken.push(...await brokenLinks(page, text, read));
  }
  assert.deepEqual(broken, []);
  assert.ok(links > 30, `${links} links`);
});

test("the check of links finds missing files and headings, whatever their spelling", async () => {
  const other = "# A page\n\n## Run it, `twice`\n\n## Run it, twice\n\n```ts\n# no heading\n```\n";
  const read = (path: string) =>
    path === "docs/other.md" ? Promise.resolve(other) : Promise.reject(new Error(path));
  const links = [
    "other.md",
    "other.md#a-page",
    "other.md#run-it-twice",
    "other.md#run-it-twice-1",
    "https://example.com/x#y",
    "#own-heading",
  ];
  const text = (list: readonly string[]) =>
    `## Own heading\n\n${list.map((link) => `[a](${link}) ![b](${link})`).join("\n")}\n` +
    "`[a](in-code.md)`\n\n    [a](in-a-block.md)\n\n```md\n[a](in-a-fence.md)\n```\n";
  assert.deepEqual(await brokenLinks("docs/page.md", text(links), read), []);
  const wrong = [
    "gone.md",
    "../other.md",
    "other.md#no-heading",
    "other.md#run-it-twice-2",
    "#gone",
  ];
  const found = await brokenLinks("docs/page.md", text(wrong), read);
  assert.equal(found.length, 2 * wrong.length);
  for (const link of wrong) {
    assert.ok(found.some((problem) => problem.includes(`: ${link} `)), link);
  }
});

test("files and folders that pages name are there", async () => {
  const missing: string[] = [];
  let named = 0;
  for (const page of pages) {
    if (!page.startsWith("docs/") && dirname(page) !== ".") continue;
    const text = proseOf(await Deno.readTextFile(join(root, page)));
    for (
      const [, path] of text.matchAll(/`((?:src|tests|docs|experiments|examples)\/[\w./-]*)`/g)
    ) {
      named++;
      await Deno.stat(join(root, path)).catch(() => missing.push(`${page}: ${path}`));
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(named > 30, `${named} paths`);
});
test("commands that pages show are tasks, and the declarations that they name are there", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const wrong: string[] = [];
  let commands = 0;
  for (const page of pages) {
    const text = await Deno.readTextFile(join(root, page));
    for (const [command, task] of text.matchAll(/\b(?:deno|deno@[\d.]+) task ([a-z-]+)[^`\n#]*/g)) {
      commands++;
      if (!(task in tasks)) wrong.push(`${page}: "${command}" is no task`);
      for (
        const [path] of command.matchAll(/(?<=\s)(?:experiments|tests|data)(?:\/[\w.-]+)*(?=\s|$)/g)
      ) {
        await Deno.stat(join(root, path)).catch(() => wrong.push(`${page}: ${path} is missing`));
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(commands > 20, `${commands} commands`);
});

/** First cells of a page's table rows, without their marks of code. */
async function firstCells(page: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(root, page));
  return [...text.matchAll(/^\| `([^`|]+)` +\|/gm)].map(([, cell]) => cell);
}

test("tables of pages list every folder, model under test and architecture", async () => {
  const sources: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(root, "src"))) {
    if (isDirectory) sources.push(name);
  }
  const expected = {
    "docs/architecture.md": sources,
    "docs/experiments.md": models.names,
    "docs/models.md": architectures().map(({ name }) => name),
  };
  for (const [page, names] of Object.entries(expected)) {
    const cells = await firstCells(page);
    assert.deepEqual(names.filter((name) => !cells.includes(name)), [], page);
  }
  // In words, not in tables.
  for (
    const [page, names] of [["experiments", evaluations.names], ["measuring", evaluations.names], [
      "experiments",
      indexes.names,
    ]] as const
  ) {
    const text = await Deno.readTextFile(join(root, `docs/${page}.md`));
    assert.deepEqual(names.filter((name) => !text.includes(`\`${name}\``)), [], page);
  }
});

/** Phrases that a reader has to translate first, and what to write in their place. */
const phrases = {
  "to be had": "available",
  anew: "again",
  "otherwise than": "different from",
  "but for": "except",
  whyever: "for whatever reason",
  "of which alone": "a sentence of its own",
  "come to their end": "ended",
  "comes to their end": "ends",
} as const;

/** Where a text has such phrases, also across lines of a comment or paragraph: `line: phrase`. */
function phrasesIn(text: string): string[] {
  return Object.keys(phrases).flatMap((phrase) => {
    const between = String.raw`(?:\s|\n\s*(?:\*|//|>)\s)\s*`;
    const pattern = new RegExp(`(?<![\\w-])${phrase.replaceAll(" ", between)}(?![\\w-])`, "gi");
    return [...text.matchAll(pattern)].map(({ index }) =>
      `${text.slice(0, index).split("\n").length}: ${phrase}`
    );
  });
}

test("sources and pages are written in plain English", async () => {
  const files = await filesOf([".md", ".ts", ".wgsl", ".js", ".css"]);
  assert.ok(files.length > 200 && files.includes("mod.ts"), `${files.length} files`);
  const found: string[] = [];
  for (const file of files) {
    const text = await Deno.readTextFile(join(root, file));
    found.push(...phrasesIn(text).map((place) => `${file}:${place}`));
  }
  assert.deepEqual(found, [], "write instead: " + JSON.stringify(phrases));
});

test("the check of words finds phrases in any case and across lines, and no parts of words", () => {
  const text =
    "It is to be\nhad.\n/**\n * Anew, all but\n * for one\n */\n// of which\n// alone it\n> otherwise\n> than";
  assert.deepEqual(phrasesIn(text).sort(), [
    "1: to be had",
    "4: anew",
    "4: but for",
    "7: of which alone",
    "9: otherwise than",
  ]);
  assert.deepEqual(phrasesIn("janewise, rebut forms, a manewer, but forty, today to behave"), []);
});
