/**
 * The page that lists the experiments of a folder, with what was found and where their reports are.
 */
import type { ExperimentTables } from "./evaluation_table.ts";
import { Html, htmlList, htmlPage, markup } from "./html.ts";
import { findingTexts } from "./interpretation.ts";
import type { MetricCatalog } from "./metric_catalog.ts";
import type { ReportFigure } from "./report_figures.ts";
import { counted } from "../quantities.ts";
import reportStyles from "./report.css" with { type: "text" };
import indexStyles from "./report_index.css" with { type: "text" };
import theme from "./theme.css" with { type: "text" };

export interface IndexedReport {
  readonly tables: ExperimentTables;
  /** Its figures, of which the first is shown. */
  readonly figures: readonly ReportFigure[];
  /** The page, relative to the list. */
  readonly href: string;
}

/** The page that lists reports, in their order. */
export function reportIndex(reports: readonly IndexedReport[], catalog: MetricCatalog): string {
  const runs = reports.reduce((sum, { tables }) => sum + tables.runs.length, 0);
  const body = markup`<header>
<h1>Experiments</h1>
<p class="question">${counted(reports.length, "experiment")}, ${counted(runs, "run")}</p>
<nav aria-label="Experiments"><ul>${
    reports.map(({ tables }, i) =>
      markup`<li><a href="#experiment-${String(i)}">${tables.experiment}</a></li>`
    )
  }</ul></nav>
</header>
<main class="experiments">
${reports.map((report, i) => article(report, i, catalog))}</main>
<footer><p>LongMem Lab, from the records of ${counted(runs, "run")}.</p></footer>
`;
  return htmlPage({ title: "Experiments", styles: theme + reportStyles + indexStyles, body });
}

function article(
  { tables, figures, href }: IndexedReport,
  i: number,
  catalog: MetricCatalog,
): Html {
  const { experiment, question, labels, runs, unfinished } = tables;
  const found = findingTexts(tables, catalog);
  const evaluations = [...new Set(tables.tables.map(({ evaluation }) => evaluation))];
  const facts = [
    counted(runs.length, "run"),
    ...(unfinished.length > 0 ? [`${unfinished.length} not completed`] : []),
    ...evaluations,
    ...labels,
  ];
  return markup`<article aria-labelledby="experiment-${String(i)}">
<h2 id="experiment-${String(i)}"><a href="${href}">${experiment}</a></h2>
${
    question === undefined
      ? undefined
      : markup`<p class="question">${question}</p>\n`
  }<ul class="labels">${facts.map((fact) => markup`<li>${fact}</li>`)}</ul>
<div class="columns">${
    found.length === 0 ? undefined : markup`<div class="findings">${htmlList(found)}</div>`
  }${
    figures.length === 0 ? undefined : markup`<figure>${new Html(figures[0].svg.trim())}</figure>`
  }</div>
</article>
`;
}
