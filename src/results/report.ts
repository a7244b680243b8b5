/**
 * The report of an experiment: one page that needs nothing else.
 */
import { basename } from "node:path";
import type { EvaluationTable, ExperimentTables } from "./evaluation_table.ts";
import type { MetricCatalog } from "./metric_catalog.ts";
import { findingTexts } from "./interpretation.ts";
import { Html, htmlList, htmlPage, htmlTable, markup } from "./html.ts";
import reportStyles from "./report.css" with { type: "text" };
import theme from "./theme.css" with { type: "text" };
import script from "./report.client.js" with { type: "text" };
import { type ReportFigure, reportFigures } from "./report_figures.ts";
import { reproductionNotes, reproductionsOf, reproductionText } from "./paper_comparison.ts";
import { formatVariation, type RunEnvironment } from "./records.ts";
import { inspectionEnding, type RunFacts } from "./read_runs.ts";
import { htmlLegend } from "./table.ts";
import { unfinishedText } from "./resume_command.ts";
import { counted, gibibytes } from "../quantities.ts";
import { type TableText, tableText } from "./table_text.ts";

export interface Report {
  readonly html: string;
  readonly figures: readonly ReportFigure[];
}

/**
 * Writes the report of an experiment. The same results give the same page.
 *
 * @param options `index`: the page that lists this report and others, relative to it.
 */
export function experimentReport(
  experiment: ExperimentTables,
  catalog: MetricCatalog,
  { index }: { index?: string } = {},
): Report {
  const figures = reportFigures(experiment);
  const { experiment: name, question, labels, runs } = experiment;
  const parts = [
    { id: "findings", title: "What was found", content: findingsPart(experiment, catalog) },
    { id: "tables", title: "Tables", content: tablesPart(experiment) },
    { id: "published", title: "Beside the paper", content: publishedPart(experiment) },
    { id: "figures", title: "Figures", content: figuresPart(figures) },
    // One run is shown, of several each is folded.
    { id: "runs", title: "Runs", content: runs.map((run) => runPart(run, runs.length === 1)) },
  ].filter(({ content }) => content && (content instanceof Html || content.length > 0));
  const body = markup`<header>
${
    index === undefined
      ? undefined
      : markup`<p><a href="${index}">All experiments</a></p>\n`
  }<h1>${name}</h1>
${question === undefined ? undefined : markup`<p class="question">${question}</p>\n`}${
    labels.length === 0
      ? undefined
      : markup`<ul class="labels">${labels.map((label) => markup`<li>${label}</li>`)}</ul>\n`
  }<nav aria-label="Parts of the report"><ul>${
    parts.map(({ id, title }) => markup`<li><a href="#${id}">${title}</a></li>`)
  }</ul></nav>
</header>
<main>
${
    parts.map(({ id, title, content }) =>
      markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${content}
</section>
`
    )
  }</main>
<footer><p>LongMem Lab, from the records of ${counted(runs.length, "run")}.</p></footer>
<script>
${new Html(script)}</script>
`;
  return {
    html: htmlPage({ title: `${name}: report`, styles: theme + reportStyles, body }),
    figures,
  };
}

function findingsPart(experiment: ExperimentTables, catalog: MetricCatalog): Html | undefined {
  const { remarks, unfinished } = experiment;
  const items = [
    ...findingTexts(experiment, catalog),
    ...remarks,
    ...unfinished.map(unfinishedText),
  ];
  return items.length === 0 ? undefined : markup`<div class="findings">${htmlList(items)}</div>`;
}

function tablesPart(experiment: ExperimentTables): Html | undefined {
  const { tables, labels } = experiment;
  if (tables.length === 0) return undefined;
  return markup`${
    tables.map((table) => markup`${scrollingTable(tableText(table, labels))}${reachNote(table)}`)
  }${htmlLegend([experiment])}`;
}

/** How much text each model of an evaluation predicts from, below its first table. */
function reachNote({ part, rows }: EvaluationTable): Html | undefined {
  const known = rows.filter(({ reach }) => part === "" && reach !== undefined);
  if (known.length === 0) return undefined;
  const models = [...Map.groupBy(known, ({ model }) => model)].map(([model, ofModel]) =>
    `${model}: ${[...new Set(ofModel.map(({ reach }) => reach))].join(" or ")}`
  );
  return markup`<p class="note">Text behind each prediction, at most: ${models.join("; ")}.</p>\n`;
}

/** A table that is wider than the window scrolls by itself, by keyboard, too. */
function scrollingTable(table: TableText): Html {
  return markup`<div class="scroll" tabindex="0" role="group" aria-label="${table.caption}">${
    htmlTable(table)
  }</div>\n`;
}

function publishedPart(experiment: ExperimentTables): Html[] {
  return reproductionsOf(experiment).map((reproduction) =>
    markup`${scrollingTable(reproductionText(reproduction))}<div class="note">${
      htmlList(reproductionNotes(reproduction))
    }</div>\n`
  );
}

function figuresPart(figures: readonly ReportFigure[]): Html | undefined {
  if (figures.length === 0) return undefined;
  const drawn = figures.map(({ svg }) => markup`<figure>${new Html(svg.trim())}</figure>\n`);
  return markup`<div class="figures">\n${drawn}</div>`;
}

function runPart(
  { path, summary, declaration, environment, inspections = [] }: RunFacts,
  open: boolean,
): Html {
  const { run, state, error, variation } = summary;
  const facts = [
    ["state", error === undefined ? state : `${state}: ${error}`],
    ...(environment ? environmentFacts(environment) : []),
  ];
  return markup`<details${open ? " open" : ""}><summary>${
    variation ? `${run} (${formatVariation(variation)})` : run
  }</summary>
${
    inspections.map((name) =>
      markup`<p><a href="${
        [basename(path), name].map(encodeURIComponent).join("/")
      }#most">Tokens that the memory helped and hurt most, in ${
        name.slice(0, -inspectionEnding.length)
      }</a></p>\n`
    )
  }<dl>${facts.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>${
    declaration &&
    markup`<details><summary>Declaration, with all defaults</summary><pre tabindex="0">${
      JSON.stringify(declaration, null, 2)
    }</pre></details>`
  }</details>\n`;
}

/** Machine and inputs of a run, fact by fact. */
function environmentFacts(environment: RunEnvironment): [string, string][] {
  const { commit, dirty, declarationFile, startedAt, device, deno, packages } = environment;
  const { system, cpu, cores, memoryBytes, wallSeconds, peakMemoryBytes, hashes, earlier } =
    environment;
  const began = earlier.map(({ startedAt }) => startedAt).join(", ");
  const versions = Object.entries({ Deno: deno, ...packages });
  const facts: Record<string, string> = {
    "declared in": declarationFile,
    "commit": commit === undefined ? "unknown" : `${commit}${dirty ? ", with local changes" : ""}`,
    "began": startedAt,
    ...(earlier.length > 0 && { parts: `${earlier.length + 1}; earlier ones began ${began}` }),
    "took": wallSeconds === undefined ? "not recorded" : duration(wallSeconds),
    "peak memory": peakMemoryBytes === undefined ? "not recorded" : gibibytes(peakMemoryBytes),
    "device": device ?? "none opened",
    "machine": `${cpu}, ${cores} cores, ${gibibytes(memoryBytes)}; ${system}`,
    "versions": versions.map(([name, version]) => `${name} ${version}`).join(", "),
  };
  const files = Object.entries(hashes).map(([name, sha256]) => [`SHA-256 of ${name}`, sha256]);
  return [...Object.entries(facts), ...files as [string, string][]];
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
