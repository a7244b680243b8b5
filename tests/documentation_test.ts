import { dirname, join } from "node:path";
import { architectures } from "../src/backbone/architectures.ts";
import { evaluations } from "../src/evaluation/evaluations.ts";
import { models } from "../src/evaluation/models.ts";
import { indexes } from "../src/memory/index/indexes.ts";
import { readArguments } from "../src/command_line.ts";
import { assign } from "../src/experiment/overrides.ts";
import { resolveRuns, resolveSweep } from "../src/experiment/resolve.ts";
import { commands as commandModules } from "../src/main.ts";
import quickstart from "../experiments/quickstart.ts";
import novels from "../experiments/novels/language_modeling_small.ts";
import paper from "../experiments/paper/table_2.ts";
import type { CommandName } from "../src/commands/summaries.ts";
import { commandsIn, flagsIn, isPlaceholder } from "./shown_commands.ts";
import { assert, repositoryPath, test } from "./testing.ts";

const root = repositoryPath("");

/** Folders whose pages and sources are checked; results and golden files are records. */
const folders = [
  "",
  "docs",
  "examples",
  "data/chronicle",
  "data/code",
  "data/fiction",
  "experiments",
  "src",
];

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

/** Commands of the command line, by their names; none of them is executed. */
const commandNames = Object.keys(commandModules) as CommandName[];
const shownFlags = new Map(
  await Promise.all(commandNames.map(async (name) => {
    const command = await commandModules[name](() => Promise.reject(new Error("not executed")));
    return [name, command] as const;
  })),
);

/** What is wrong with a command line that is shown; the second of its words is a task. */
async function commandProblems(
  words: readonly string[],
  tasks: Readonly<Record<string, unknown>>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const word of words.slice(1)) {
    // Paths of the repository, as far as a reader does not fill them in.
    const [path] = /^(?:experiments|tests|data\/chronicle|docs|examples|results|src)(?:\/[\w.-]+)*$/
      .exec(word) ?? [];
    if (path === undefined || isPlaceholder(path)) continue;
    await Deno.stat(join(root, path)).catch(() => problems.push(`${path} is missing`));
  }
  const [first, task, ...rest] = words[0] === "deno" ? words : ["deno", "task", ...words].slice(0);
  const [name, ...args] = first === "deno" && task === "task" ? rest : [];
  if (name === undefined || isPlaceholder(name)) return problems;
  if (!(name in tasks)) return [...problems, `there is no task ${name}`];
  const command = shownFlags.get(name as CommandName);
  if (!command || args.some((arg) => /[[\]|]/.test(arg))) return problems;
  try {
    const { operands, flags } = readArguments(command, args);
    const declared = operands.filter((path) => /^(?:experiments|tests)\b/.test(path));
    const assignments = (flags.get("set") ?? []).filter((value) => !isPlaceholder(value));
    if (["run", "measure"].includes(name) && declared.length > 0) {
      await resolveRuns(declared.map((path) => join(root, path)), { assignments });
    }
  } catch (error) {
    const { message } = error as Error;
    // Sentences mention `generate --memory`.
    if (words[0] === "deno" || !message.includes("its value is missing")) problems.push(message);
  }
  return problems;
}

test("commands that pages and comments show are tasks with these options, and what they name is there", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const wrong: string[] = [];
  let count = 0;
  const sources = (await filesOf([".ts"])).concat(
    ["bench", "efficiency", "gpu", "memory_growth"].map((name) => `tests/bench/${name}.ts`),
  );
  for (const file of [...pages, ...sources]) {
    const isPage = file.endsWith(".md");
    const text = await Deno.readTextFile(join(root, file));
    for (const { line, words } of commandsIn(text, { commands: commandNames, isPage })) {
      count++;
      const problems = await commandProblems(words, tasks);
      wrong.push(...problems.map((problem) => `${file}:${line}: ${words.join(" ")}: ${problem}`));
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(count > 60, `${count} commands`);
});

test("options that pages name are those of a command, and what they set can be set", async () => {
  const known = new Set(
    commandNames.flatMap((name) => shownFlags.get(name)!.flags.map((flag) => flag.name)),
  );
  // Of deno itself.
  for (const flag of ["help", "lock", "allow-read", "allow-write", "allow-env", "allow-ffi"]) {
    known.add(flag);
  }
  for (const flag of ["allow-sys", "allow-net", "doc", "filter"]) known.add(flag);
  const wrong: string[] = [];
  let set = 0;
  for (const page of pages) {
    if (page === "docs/method.md") continue; // the options of the official code
    for (const { flag, value } of flagsIn(await Deno.readTextFile(join(root, page)))) {
      if (!known.has(flag)) wrong.push(`${page}: --${flag} is no option of a command`);
      // The kind of index that the page adds.
      if (flag !== "set" || !value?.includes("=") || value.includes("index.step")) continue;
      if (isPlaceholder(value) || value.includes("path=value")) continue;
      set++;
      // Some fields are those of one kind of corpus or tokenizer.
      const problems = await Promise.all(
        [quickstart, novels, paper].flat().map((declared) => {
          try {
            assign(declared, [value]);
          } catch (error) {
            return (error as Error).message;
          }
        }),
      );
      if (!problems.includes(undefined)) wrong.push(`${page}: --set ${value}: ${problems[0]}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(set >= 5, `${set} assignments`);
});

test("fields that pages show alone are fields of declarations", async () => {
  let fields = 0;
  for (const page of pages) {
    if (page === "docs/method.md") continue;
    const text = (await Deno.readTextFile(join(root, page)))
      .replaceAll(/^(```+)[^\n]*\n[\s\S]*?^\1$/gm, "");
    for (const [, name, value] of text.matchAll(/(?<=\n\n) {4}([a-z]\w*): ([^ ].*)(?=\n\n)/g)) {
      const module = `data:application/typescript,${encodeURIComponent(`export default ${value}`)}`;
      const { default: shown } = await import(module);
      const path = name === "models" ? "evaluations.0.models" : name;
      resolveSweep(page, quickstart, { assignments: [`${path}=${JSON.stringify(shown)}`] });
      fields++;
    }
  }
  assert.ok(fields >= 2, `${fields} fields`);
});

test("the checks of commands read them wherever they stand, and find wrong ones", async () => {
  const page =
    "Run `deno task\nrun experiments/quickstart.ts --dry-run`, `run PATH`, `data`, or\n\n" +
    "    npx -y deno@2.9.6 task table results --format md # as Markdown\n\n" +
    "```sh\ndeno task run x.ts --set 'a b=1'\n```\n\n1. `deno task data`\n\n       deno task test\n";
  const shown = (text: string, isPage: boolean) =>
    commandsIn(text, { commands: ["run", "data"], isPage }).map(({ line, words }) =>
      `${line}: ${words.join("|")}`
    ).sort();
  assert.deepEqual(shown(page, true), [
    "10: deno|task|data",
    "12: deno|task|test",
    "1: deno|task|run|experiments/quickstart.ts|--dry-run",
    "2: run|PATH",
    "4: deno|task|table|results|--format|md",
    "7: deno|task|run|x.ts|--set|a b=1",
  ]);
  const source = "/**\n * Text, `deno task data`:\n *\n *     deno task run x.ts\n */\n" +
    "const command = `deno task nothing`; // `deno task\n";
  assert.deepEqual(shown(source, false), ["2: deno|task|data", "4: deno|task|run|x.ts"]);

  const problemsOf = async (command: string) =>
    (await commandProblems(command.split(" "), { run: 1, table: 1 })).join("; ");
  assert.equal(await problemsOf("table --format"), "");
  assert.match(await problemsOf("deno task table --format"), /its value is missing/);
  assert.equal(await problemsOf("deno task run experiments/quickstart.ts --set seed=2"), "");
  assert.equal(await problemsOf("deno task run results/EXPERIMENT/RUN --results FOLDER"), "");
  assert.equal(await problemsOf("table --compact"), "");
  assert.match(await problemsOf("deno task rnu x.ts"), /^there is no task rnu$/);
  assert.match(
    await problemsOf("deno task run experiments/gone.ts"),
    /^experiments\/gone.ts is missing/,
  );
  assert.match(await problemsOf("deno task table --compcat"), /did you mean "--compact"/);
  assert.match(await problemsOf("table --format pdf"), /current value is "pdf", allowed are md/);
  assert.match(
    await problemsOf("deno task run experiments/quickstart.ts --set sede=2"),
    /did you mean "seed"/,
  );
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
  const rows = await firstCells("docs/models.md");
  assert.deepEqual(rows, [...new Set(rows)], "each architecture has one row");
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
  "come to its end": "ended",
  "has come to": "its state",
  "have come to": "their states",
  "cannot go on": "what is missing, or cannot continue",
  "what runs miss": "missing data",
  "what is read once": "a shared bank",
  "what a person is told": "the summary",
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
