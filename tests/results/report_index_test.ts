import { join } from "node:path";
import { parseHTML } from "linkedom";
import { reportCommand } from "../../src/commands/report.ts";
import { metricCatalog, readReportedRun } from "../../src/evaluation/metric_catalog.ts";
import { experimentTables } from "../../src/results/evaluation_table.ts";
import { findings } from "../../src/results/interpretation.ts";
import { findRunRecords } from "../../src/results/read_runs.ts";
import { reportIndex } from "../../src/results/report_index.ts";
import { execute, recordedOutput } from "../commands/recorded_output.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { chromiumTest, inPage } from "./chromium.ts";
import { run, tablesOf } from "./run_records.ts";

/** Copies recorded runs of experiments into a folder of results. */
async function copyExperiments(results: string, names: readonly string[]): Promise<void> {
  const copy = async (from: string, to: string) => {
    await Deno.mkdir(to, { recursive: true });
    for await (const { name, isDirectory } of Deno.readDir(from)) {
      if (["figures", "report.html"].includes(name)) continue;
      if (isDirectory) await copy(join(from, name), join(to, name));
      else await Deno.copyFile(join(from, name), join(to, name));
    }
  };
  for (const name of names) await copy(repositoryPath(`results/${name}`), join(results, name));
}

/** The used part of a parsed page. */
interface Page {
  readonly textContent: string;
  querySelector(selector: string): Page | null;
  querySelectorAll(selector: string): Iterable<Page>;
  getAttribute(name: string): string | null;
}

const names = ["ablation_bank", "ablation_gate"];

test("report of several experiments writes a page that lists them, and links back from each", () =>
  withFolder(async (folder) => {
    const results = `${folder}/results`;
    await copyExperiments(results, names);
    const said = recordedOutput();
    assert.equal(await execute(reportCommand(said), results), 0);
    assert.equal(said.printed.at(-1), `${results}/index.html: 2 experiments`);
    const { document } = parseHTML(await Deno.readTextFile(`${results}/index.html`)) as unknown as {
      document: Page;
    };
    const articles = [...document.querySelectorAll("article")];
    const { records } = await findRunRecords([results], readReportedRun);
    const tables = experimentTables(records, metricCatalog);
    assert.deepEqual(tables.map(({ experiment }) => experiment), names);
    for (const [i, name] of names.entries()) {
      const link = articles[i].querySelector("h2 a")!;
      assert.equal(link.textContent, name);
      const report = await Deno.readTextFile(join(results, link.getAttribute("href")!));
      assert.match(report, new RegExp(`<h1>${name}</h1>`));
      assert.match(report, /<a href="\.\.\/index\.html">All experiments<\/a>/);
      assert.equal(articles[i].querySelector(".question")!.textContent, tables[i].question);
      const found = tables[i].tables.filter(({ part }) => part === "")
        .flatMap((table) => findings(table, metricCatalog));
      assert.ok(found.length > 0);
      assert.deepEqual(
        [...articles[i].querySelectorAll(".findings li")].map(({ textContent }) => textContent),
        found,
      );
      const facts = [...articles[i].querySelectorAll(".labels li")]
        .map(({ textContent }) => textContent);
      assert.equal(facts[0], `${tables[i].runs.length} runs`);
      assert.ok(facts.includes("recall-test"), `${facts}`);
    }
    // One experiment alone has no list to be in.
    await Deno.remove(`${results}/index.html`);
    await execute(reportCommand(recordedOutput()), `${results}/${names[0]}`);
    await assert.rejects(Deno.stat(`${results}/index.html`), Deno.errors.NotFound);
    const alone = await Deno.readTextFile(`${results}/${names[0]}/report.html`);
    assert.doesNotMatch(alone, /All experiments/);
  }));

test("the list of experiments escapes names, and counts runs that are not completed", () => {
  const [tables] = tablesOf([
    run({ summary: { experiment: "<b>&", run: "r1", question: 'Is "a" < b?' } }),
    run({ summary: { experiment: "<b>&", run: "r2", state: "failed", error: "Cannot go on" } }),
  ], metricCatalog);
  const html = reportIndex(
    [{ tables, figures: [], href: "%3Cb%3E%26/report.html" }],
    metricCatalog,
  );
  assert.match(html, /<a href="%3Cb%3E%26\/report.html">&lt;b&gt;&amp;<\/a>/);
  assert.match(html, /Is &quot;a&quot; &lt; b\?/);
  assert.match(html, /<li>2 runs<\/li><li>1 not completed<\/li>/);
  assert.match(html, />1 experiment, 2 runs</);
});

chromiumTest(
  "the list of experiments opens without errors, fits a narrow window and loads nothing",
  () =>
    withFolder(async (folder) => {
      await copyExperiments(folder, names);
      await execute(reportCommand(recordedOutput()), folder);
      const html = await Deno.readTextFile(`${folder}/index.html`);
      const { result, errors } = await inPage<Record<string, number>>(
        html,
        `() => ({
        resources: performance.getEntriesByType("resource").length,
        surplus: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        figures: [...document.querySelectorAll("figure svg")]
          .filter((svg) => svg.getBoundingClientRect().width > 100).length,
        names: [...document.querySelectorAll("article")]
          .filter((one) => document.getElementById(one.getAttribute("aria-labelledby"))).length,
      })`,
        { width: 500 },
      );
      assert.deepEqual(errors, []);
      assert.deepEqual(result, { resources: 0, surplus: 0, figures: 2, names: 2 });
    }),
);
