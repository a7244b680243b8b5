import { dirname, join, normalize } from "node:path";
import { buildSite } from "../docs/site/build.ts";
import { chromiumTest, inPage } from "./results/chromium.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, repositoryPath, test } from "./testing.ts";

const root = repositoryPath("");

/** Builds the API reference as the task does, in another folder. */
async function buildApi(folder: string): Promise<void> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const [, command] = (tasks.site.command as string).split(" && ");
  const [program, ...args] = command.split(" ");
  assert.equal(program, "deno");
  assert.ok(args.includes("--output=site/api"), command);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: args.map((arg) => arg.replace("=site/api", `=${folder}/api`)),
    cwd: root,
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** Targets of the links, images and styles of a page, entities decoded. */
function targetsOf(html: string): string[] {
  return [...html.matchAll(/<[a-z]+ [^>]*?(?:href|src)="([^"]*)"/g)]
    .map(([, target]) => target.replaceAll("&quot;", '"').replaceAll("&amp;", "&"));
}

/** Problems of the pages of a site: links that lead nowhere, and what is loaded from a network. */
async function siteProblems(folder: string, pages: readonly string[]): Promise<string[]> {
  const texts = new Map<string, string>();
  const read = async (path: string) => {
    const text = texts.get(path) ?? await Deno.readTextFile(join(folder, path));
    texts.set(path, text);
    return text;
  };
  const problems: string[] = [];
  for (const page of pages) {
    const html = await read(page);
    if (/<(?:img|script|iframe|link)[^>]+(?:src|href)="(?:https?:)?\/\//.test(html)) {
      problems.push(`${page} loads from a network`);
    }
    for (const target of new Set(targetsOf(html))) {
      if (/^[a-z]+:/.test(target)) continue;
      const [name, fragment] = target.split("#");
      const path = name === "" ? page : normalize(join(dirname(page), name));
      try {
        if (fragment && !(await read(path)).includes(` id="${fragment}"`)) {
          problems.push(`${page}: ${target} has no such id`);
        } else if (!fragment) await Deno.stat(join(folder, path));
      } catch {
        problems.push(`${page}: ${target} is missing`);
      }
    }
  }
  return problems;
}

test("the site has every page of docs/, its links lead somewhere, and it needs no network", () =>
  withFolder(async (folder) => {
    const pages = await buildSite(root, folder);
    assert.equal(new Set(pages).size, pages.length, "a page is listed twice");
    for await (const { name } of Deno.readDir(join(root, "docs"))) {
      if (name.endsWith(".md")) assert.ok(pages.includes(name.replace(/md$/, "html")), name);
    }
    assert.ok(pages.includes("index.html") && pages.includes("source/src/memory/config.ts.html"));
    await buildApi(folder);
    assert.deepEqual(await siteProblems(folder, pages), []);

    // Blocks of code and tables are whole, headings can be linked to, and the reader sees where they are.
    const html = await Deno.readTextFile(join(folder, "experiments.html"));
    assert.match(html, /<h2 id="models-under-test">Models under test /);
    assert.match(html, /<span class="hljs-keyword">import<\/span> \{ defineExperiment \}/);
    assert.match(html, /<a href="experiments.html" aria-current="page">Declaring experiments<\/a>/);
    assert.match(html, /<a href="measuring.html#evaluations">/);

    await Deno.writeTextFile(
      join(folder, "bad.html"),
      '<a href="gone.html">a</a> <a href="index.html#gone">b</a> <a href="#gone">c</a>' +
        '<img src="https://example.com/x.png"> <a href="https://example.com">d</a>',
    );
    assert.deepEqual(await siteProblems(folder, ["bad.html"]), [
      "bad.html loads from a network",
      "bad.html: gone.html is missing",
      "bad.html: index.html#gone has no such id",
      "bad.html: #gone has no such id",
    ]);
  }));

chromiumTest(
  "pages of the site fit narrow and wide screens, with their navigation",
  () =>
    withFolder(async (folder) => {
      await buildSite(root, folder);
      const css = await Deno.readTextFile(join(folder, "site.css"));
      for (const page of ["index.html", "method.html"]) {
        const html = (await Deno.readTextFile(join(folder, page)))
          .replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${css}</style>`)
          .replaceAll(/<img[^>]*>/g, "");
        for (const width of [500, 1200]) {
          const { result, errors } = await inPage<Record<string, boolean>>(
            html,
            `() => {
            const nav = document.querySelector("nav");
            const shown = () => getComputedStyle(nav).display !== "none";
            const before = shown();
            document.querySelector("header button").click();
            return {
              overflows: document.documentElement.scrollWidth > innerWidth,
              before,
              after: shown(),
            };
          }`,
            { width },
          );
          assert.deepEqual(errors, []);
          assert.deepEqual(result, { overflows: false, before: width > 960, after: true }, page);
        }
      }
    }),
);
