/**
 * The report of an experiment: one page that needs nothing else.
 */
import type { ExperimentTables } from "./evaluation_table.ts";
import type { MetricCatalog } from "./metric_catalog.ts";
import { findings } from "./interpretation.ts";
import { escapeHtml, htmlTable } from "./html.ts";
import styles from "./report.css" with { type: "text" };
import script from "./report.client.js" with { type: "text" };
import { type ReportFigure, reportFigures } from "./report_figures.ts";
import { reproductionNotes, reproductionsOf, reproductionText } from "./paper_comparison.ts";
import { formatVariation, type RunEnvironment } from "./records.ts";
import type { RunRecord } from "./read_runs.ts";
import { htmlList, legend } from "./table.ts";
import { unfinishedText } from "./resume_command.ts";
import { type TableText, tableText } from "./table_text.ts";

/** A report. */
export interface Report {
  /** The page. */
  readonly html: string;
  /** Its figures, each also by itself. */
  readonly figures: readonly ReportFigure[];
}

/** Writes the report of an experiment. The same results give the same page. */
export function experimentReport(experiment: ExperimentTables, catalog: MetricCatalog): Report {
  const figures = reportFigures(experiment);
  const parts = [
    { id: "findings", title: "What was found", html: findingsPart(experiment, catalog) },
    { id: "tables", title: "Tables", html: tablesPart(experiment) },
    { id: "published", title: "Beside the paper", html: publishedPart(experiment) },
    { id: "figures", title: "Figures", html: figuresPart(figures) },
    { id: "runs", title: "Runs", html: runsPart(experiment.runs) },
  ].filter(({ html }) => html !== "");
  const { experiment: name, question, labels } = experiment;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escapeHtml(name)}: report</title>
<style>
${styles}</style>
</head>
<body>
<header>
<h1>${escapeHtml(name)}</h1>
${question === undefined ? "" : `<p class="question">${escapeHtml(question)}</p>\n`}${
    labels.length === 0
      ? ""
      : `<ul class="labels">${
        labels.map((label) => `<li>${escapeHtml(label)}</li>`).join("")
      }</ul>\n`
  }<nav aria-label="Parts of the report"><ul>${
    parts.map(({ id, title }) => `<li><a href="#${id}">${title}</a></li>`).join("")
  }</ul></nav>
</header>
<main>
${
    parts.map(({ id, title, html }) =>
      `<section id="${id}" aria-labelledby="${id}-title">\n<h2 id="${id}-title">${title}</h2>\n${html}\n</section>`
    ).join("\n")
  }
</main>
<footer><p>LongMem Lab, from the records of ${experiment.runs.length} run${
    experiment.runs.length === 1 ? "" : "s"
  }.</p></footer>
<script>
${script}</script>
</body>
</html>
`;
  return { html, figures };
}

function findingsPart(
  { tables, remarks, unfinished }: ExperimentTables,
  catalog: MetricCatalog,
): string {
  const found = tables.filter(({ part }) => part === "")
    .flatMap((table) => findings(table, catalog));
  const items = [...found, ...remarks, ...unfinished.map(unfinishedText)];
  return items.length === 0 ? "" : htmlList(items).replace("<ul>", '<ul class="findings">');
}

function tablesPart(experiment: ExperimentTables): string {
  const { tables, labels } = experiment;
  if (tables.length === 0) return "";
  return [
    ...tables.map((table) => scrolling(tableText(table, labels))),
    `<p class="legend">${escapeHtml(legend([experiment]).join(" "))}</p>`,
  ].join("\n");
}

/** A table that is wider than the window scrolls by itself, by keyboard, too. */
function scrolling(table: TableText): string {
  return `<div class="scroll" tabindex="0" role="group" aria-label="${escapeHtml(table.caption)}">${
    htmlTable(table)
  }</div>`;
}

function publishedPart(experiment: ExperimentTables): string {
  return reproductionsOf(experiment).map((reproduction) =>
    `${scrolling(reproductionText(reproduction))}\n<div class="note">${
      htmlList(reproductionNotes(reproduction))
    }</div>`
  ).join("\n");
}

function figuresPart(figures: readonly ReportFigure[]): string {
  if (figures.length === 0) return "";
  return `<div class="figures">\n${
    figures.map(({ svg }) => `<figure>${svg.trim()}</figure>`).join("\n")
  }\n</div>`;
}

/** One run is shown, of several each is folded. */
function runsPart(runs: readonly RunRecord[]): string {
  return runs.map((run) => runPart(run, runs.length === 1)).join("\n");
}

function runPart({ summary, declaration, environment }: RunRecord, open: boolean): string {
  const { run, state, error, variation } = summary;
  const name = variation ? `${run} (${formatVariation(variation)})` : run;
  const facts = [
    ["state", error === undefined ? state : `${state}: ${error}`],
    ...(environment ? environmentFacts(environment) : []),
  ];
  const list = facts.map(([name, value]) =>
    `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`
  );
  const declared = declaration === undefined
    ? ""
    : `\n<details><summary>Declaration, with all defaults</summary><pre tabindex="0">${
      escapeHtml(JSON.stringify(declaration, null, 2))
    }</pre></details>`;
  return `<details${open ? " open" : ""}><summary>${escapeHtml(name)}</summary>\n<dl>${
    list.join("\n")
  }</dl>${declared}</details>`;
}

/** Where a run ran and what it read, fact by fact. */
function environmentFacts(environment: RunEnvironment): [string, string][] {
  const { commit, dirty, declarationFile, startedAt, device, deno, packages } = environment;
  const { system, cpu, cores, memoryBytes, wallSeconds, peakMemoryBytes, hashes, earlier } =
    environment;
  const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    ["declared in", declarationFile],
    [
      "commit",
      commit === undefined ? "unknown" : `${commit}${dirty ? ", with local changes" : ""}`,
    ],
    ["began", startedAt],
    ...(earlier.length > 0
      ? [
        [
          "parts",
          `${earlier.length + 1}; earlier ones began ${
            earlier.map(({ startedAt }) => startedAt).join(", ")
          }`,
        ] as [string, string],
      ]
      : []),
    ["took", wallSeconds === undefined ? "not recorded" : duration(wallSeconds)],
    ["peak memory", peakMemoryBytes === undefined ? "not recorded" : gibibytes(peakMemoryBytes)],
    ["device", device ?? "none opened"],
    ["machine", `${cpu}, ${cores} cores, ${gibibytes(memoryBytes)}; ${system}`],
    [
      "versions",
      [`Deno ${deno}`, ...Object.entries(packages).map(([name, version]) => `${name} ${version}`)]
        .join(", "),
    ],
    ...Object.entries(hashes).map(([name, sha256]): [string, string] => [
      `SHA-256 of ${name}`,
      sha256,
    ]),
  ];
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
