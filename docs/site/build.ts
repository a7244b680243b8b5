/**
 * The site: README, the pages of docs/ and others that they link to, as HTML with navigation, which works from a disk and
 * reads nothing from a network. `deno task site` builds it in site/, with the API reference of `deno doc` beside it.
 */
// deno-lint-ignore-file no-import-prefix no-console -- packages of this program alone; a program that prints
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import GithubSlugger from "npm:github-slugger@2.0.0";
import highlighter from "npm:highlight.js@11.12.0/lib/core";
import json from "npm:highlight.js@11.12.0/lib/languages/json";
import typescript from "npm:highlight.js@11.12.0/lib/languages/typescript";
import { Marked, type Tokens } from "npm:marked@18.2.1";

/** Pages in the order of the navigation; others of docs/, or that pages link to, follow in a group of their own. */
const groups: Readonly<Record<string, readonly string[]>> = {
  "Start": ["README.md", "docs/README.md", "docs/own-texts.md", "examples/README.md"],
  "Use": [
    "docs/commands.md",
    "docs/experiments.md",
    "docs/measuring.md",
    "docs/benchmarks.md",
    "docs/models.md",
    "docs/data.md",
    "docs/memory-files.md",
    "docs/library.md",
    "docs/inspecting.md",
    "docs/serving.md",
    "docs/cluster.md",
    "docs/results-format.md",
    "docs/gpu.md",
    "docs/security.md",
  ],
  "Results": ["docs/log.md", "docs/reproducing.md", "results/README.md"],
  "Understand": [
    "docs/method.md",
    "docs/architecture.md",
    "data/chronicle/README.md",
    "data/code/README.md",
    "data/fiction/README.md",
    "data/tex/README.md",
  ],
  "Extend": [
    "docs/add-an-evaluation.md",
    "docs/add-a-model.md",
    "docs/add-a-backbone.md",
    "docs/add-an-index.md",
  ],
  "Project": ["CONTRIBUTING.md", "CHANGELOG.md"],
};

/** The API reference in the site. */
const api = "api/index.html";

/** A page of the site. */
interface Page {
  /** Its Markdown or source file, relative to the repository. */
  readonly file: string;
  /** Its HTML file, relative to the site. */
  readonly path: string;
  readonly title: string;
  /** The content as HTML. */
  readonly body: string;
  /** Sections in order: their headings and ids. */
  readonly sections: readonly { readonly text: string; readonly id: string }[];
}

/** What the pages refer to in the repository, by paths in it. */
interface References {
  /** Pages that others link to. */
  readonly pages: Set<string>;
  /** Files shown as pages of source. */
  readonly sources: Set<string>;
  /** Files copied as they are. */
  readonly copies: Set<string>;
}

highlighter.registerLanguage("ts", typescript);
highlighter.registerLanguage("json", json);

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Code as HTML, coloured where its language is known. */
function highlight(code: string, language = ""): string {
  return highlighter.getLanguage(language)
    ? highlighter.highlight(code, { language }).value
    : escapeHtml(code);
}

const isMarkdown = (file: string) => file.endsWith(".md");

/** Where a file of the repository lies in the site. */
function pathOf(file: string, { sources }: Pick<References, "sources">): string {
  if (file === "README.md") return "index.html";
  if (isMarkdown(file)) {
    return `${file.replace(/^docs\//, "").replace(/\/README\.md$/, ".md").slice(0, -3)}.html`;
  }
  return sources.has(file) ? `source/${file}.html` : `files/${file}`;
}

/** The way from one file of the site to another. */
const way = (from: string, to: string) => relative(dirname(from), to);

/** Renders a page; links lead to the pages and files of the site, and names of source files to their text. */
function render(
  file: string,
  text: string,
  files: ReadonlySet<string>,
  references: References,
): Page {
  const path = pathOf(file, references);
  const slugger = new GithubSlugger();
  const sections: { text: string; id: string }[] = [];
  let title = file;

  /** The address of a link or image of the page. */
  const addressOf = (target: string) => {
    if (/^[a-z]+:/.test(target) || target.startsWith("#")) return target;
    const [name, fragment] = target.split("#");
    const linked = join(dirname(file), decodeURIComponent(name));
    const { pages, sources, copies } = references;
    (isMarkdown(linked) ? pages : linked.endsWith(".ts") ? sources : copies).add(linked);
    return way(path, pathOf(linked, references)) + (fragment === undefined ? "" : `#${fragment}`);
  };
  const markdown = new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        const inner = this.parser.parseInline(tokens);
        const id = slugger.slug(text.replaceAll("`", ""));
        if (depth === 1) title = text;
        if (depth === 2) sections.push({ text: inner.replaceAll(/<[^>]*>/g, ""), id });
        const link = depth === 1 ? "" : ` <a class="anchor" href="#${id}" aria-label="Link">#</a>`;
        return `<h${depth} id="${id}">${inner}${link}</h${depth}>\n`;
      },
      code({ text, lang }: Tokens.Code) {
        return `<pre tabindex="0"><code>${highlight(text, lang?.split(" ")[0])}</code></pre>\n`;
      },
      codespan({ text }: Tokens.Codespan) {
        const whole = text.length <= 24 ? ' class="whole"' : "";
        const code = `<code${whole}>${escapeHtml(text)}</code>`;
        if (!files.has(text) || isMarkdown(text)) return code;
        references.sources.add(text);
        return `<a href="${way(path, pathOf(text, references))}">${code}</a>`;
      },
      tablecell({ tokens, text, header }: Tokens.TableCell) {
        const tag = header ? "th" : "td";
        const whole = /^[\d\s.,%\u00b1\u03c3\u2248+*[\]-]+$/.test(text) ? ' class="whole"' : "";
        return `<${tag}${whole}>${this.parser.parseInline(tokens)}</${tag}>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        return `<a href="${addressOf(href)}">${this.parser.parseInline(tokens)}</a>`;
      },
      image({ href, text }: Tokens.Image) {
        return `<img src="${addressOf(href)}" alt="${escapeHtml(text)}">`;
      },
    },
  });
  const body = (markdown.parse(text) as string)
    .replaceAll("<table>", '<div class="table" tabindex="0"><table>')
    .replaceAll("</table>", "</table></div>");
  return { file, path, title, body, sections };
}

/** A page of source text. */
function renderSource(file: string, text: string, references: References): Page {
  const language = file.endsWith(".ts") ? "ts" : file.endsWith(".json") ? "json" : "";
  const body = `<h1><code>${file}</code></h1>\n` +
    `<pre tabindex="0"><code>${highlight(text, language)}</code></pre>\n`;
  return { file, path: pathOf(file, references), title: file, body, sections: [] };
}

/** A page with its navigation. */
function withNavigation(
  page: Page,
  navigation: Readonly<Record<string, readonly Page[]>>,
): string {
  const entry = ({ path, title, sections }: Page) => {
    const isCurrent = path === page.path;
    const inside = isCurrent && sections.length > 0
      ? `<ul>${
        sections.map(({ text, id }) => `<li><a href="#${id}">${text}</a></li>`).join("")
      }</ul>`
      : "";
    const current = isCurrent ? ' aria-current="page"' : "";
    return `<li><a href="${way(page.path, path)}"${current}>${escapeHtml(title)}</a>${inside}</li>`;
  };
  const lists = Object.entries(navigation).map(([name, pages]) =>
    `<h2>${name}</h2>\n<ul>\n${pages.map(entry).join("\n")}\n</ul>`
  );
  const order = Object.values(navigation).flat();
  const place = order.findIndex(({ path }) => path === page.path);
  const step = (other: Page | undefined, rel: string) =>
    other && place >= 0
      ? `<a rel="${rel}" href="${way(page.path, other.path)}">${escapeHtml(other.title)}</a>`
      : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${
    escapeHtml(page.title === "LongMem Lab" ? page.title : `${page.title} - LongMem Lab`)
  }</title>
<link rel="stylesheet" href="${way(page.path, "site.css")}">
</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
<header>
<a href="${way(page.path, "index.html")}">LongMem Lab</a>
<button type="button" popovertarget="navigation">Contents</button>
</header>
<nav id="navigation" popover aria-label="Pages">
${lists.join("\n")}
<h2>Reference</h2>
<ul><li><a href="${way(page.path, api)}">API</a></li></ul>
</nav>
<main id="content">
${page.body}
<footer>${step(order[place - 1], "prev")}${step(order[place + 1], "next")}</footer>
</main>
</body>
</html>
`;
}

/** Files of the repository that pages may name, by their paths in it. */
async function listFiles(root: string): Promise<Set<string>> {
  const files = new Set<string>();
  const visit = async (folder: string) => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(join(root, folder))) {
      const path = join(folder, name);
      if (isDirectory) await visit(path);
      else if (isFile) files.add(path);
    }
  };
  for (const folder of ["src", "tests", "examples", "experiments", "docs"]) await visit(folder);
  for (const file of ["mod.ts", "deno.json"]) files.add(file);
  return files;
}

/**
 * Builds the site, without the API reference.
 *
 * @param root The repository.
 * @param folder Where to; what lies there is replaced file by file.
 * @returns Paths of the pages in the folder.
 */
export async function buildSite(root: string, folder: string): Promise<string[]> {
  const files = await listFiles(root);
  const references: References = { pages: new Set(), sources: new Set(), copies: new Set() };
  const load = async (file: string) =>
    render(file, await Deno.readTextFile(join(root, file)), files, references);
  const navigation: Record<string, Page[]> = {};
  for (const [name, pages] of Object.entries(groups)) {
    navigation[name] = await Promise.all(pages.map(load));
  }
  const listed = new Set(Object.values(groups).flat());
  for (const file of files) {
    if (/^docs\/[^/]+\.md$/.test(file)) references.pages.add(file);
  }
  const others: Page[] = [];
  // Iterating over a set includes what is added meanwhile.
  for (const file of references.pages) if (!listed.has(file)) others.push(await load(file));
  if (others.length > 0) navigation["More"] = others;
  const sources = await Promise.all(
    [...references.sources].map(async (file) =>
      renderSource(file, await Deno.readTextFile(join(root, file)), references)
    ),
  );
  const written = [...Object.values(navigation).flat(), ...sources];
  for (const page of written) {
    const path = join(folder, page.path);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, withNavigation(page, navigation));
  }
  for (const file of references.copies) {
    const path = join(folder, pathOf(file, references));
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.copyFile(join(root, file), path);
  }
  const styles = await Promise.all(
    ["src/results/theme.css", "docs/site/site.css"]
      .map((file) => Deno.readTextFile(join(root, file))),
  );
  await Deno.writeTextFile(join(folder, "site.css"), styles.join(""));
  return written.map(({ path }) => path);
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const pages = await buildSite(root, join(root, "site"));
  console.log(`${pages.length} pages; open site/index.html`);
}
