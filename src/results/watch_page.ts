/**
 * Pages about runs as they are now: a list of the runs of a folder, and for each run the curves of its trainings. A page
 * asks the browser to load it again every few seconds; nothing in it is a script.
 */
import { join, relative } from "node:path";
import { lineChart } from "./figure.ts";
import { Html, htmlPage, markup } from "./html.ts";
import { findRuns, isDamage, readOfEach, readRunSummary } from "./read_runs.ts";
import { stepQuantities, thinned } from "./report_figures.ts";
import { formatVariation, readMetricsRecords } from "./records.ts";
import reportStyles from "./report.css" with { type: "text" };
import theme from "./theme.css" with { type: "text" };

/** Seconds after which a page is loaded again. */
const refreshSeconds = 5;

/** Most points of a line. */
const mostPoints = 100;

/** The quantities that are drawn against the step, in the order of their figures. */
const quantities: readonly Omit<(typeof stepQuantities)[number], "name">[] = [
  { title: "loss", unit: "nats/token", of: ({ loss }) => loss },
  ...stepQuantities,
];

/**
 * The list of the runs of a folder: state, last step and losses of each, those that run first.
 *
 * @throws {Deno.errors.NotFound} Where the folder is missing.
 */
export async function runsPage(results: string): Promise<string> {
  const { paths } = await findRuns(results);
  const runs = await readOfEach(paths, (path) => rowOf(results, path));
  const rank = (state: string) => state === "running" ? 0 : state === "completed" ? 2 : 1;
  runs.sort((a, b) => rank(a.state) - rank(b.state));
  const rows = runs.map(({ name, state, training, varies }) =>
    markup`<tr><th scope="row"><a href="/?run=${
      encodeURIComponent(name)
    }">${name}</a></th><td>${state}</td><td>${training?.phase}</td>${
      [training?.step, training?.loss, training?.validLoss]
        .map((number) => markup`<td class="number">${number}</td>`)
    }<td>${varies}</td></tr>\n`
  );
  const table = runs.length === 0 ? markup`<p>There are no runs yet.</p>` : markup`<table>
<caption>Runs in ${results}</caption>
<thead><tr>${headings.map((text) => markup`<th scope="col">${text}</th>`)}</tr></thead>
<tbody>
${rows}</tbody>
</table>`;
  return page(
    "Runs",
    markup`<div class="scroll" tabindex="0" role="group" aria-label="Runs">${table}</div>\n`,
  );
}

/** A line of the list. */
interface Row {
  readonly name: string;
  readonly state: string;
  readonly varies: string;
  /** The training that was at work last, of a run that has not ended. */
  readonly training?: Readonly<Record<"phase" | "step" | "loss" | "validLoss", string>>;
}

/** The columns of the list. */
const headings = ["run", "state", "training", "step", "loss", "loss on the valid split", "varies"];

/** Row of a run in the list; an unreadable one is damaged, and its page gives the reason. */
async function rowOf(results: string, path: string): Promise<Row> {
  const name = relative(results, path) || ".";
  try {
    const { state = "planned", variation } = await readRunSummary(path) ?? {};
    const varies = variation ? formatVariation(variation) : "";
    // Completed runs show no training progress, and their lines are many.
    const lines = state === "completed" ? [] : await readMetricsRecords(path);
    const last = lines.findLast(({ split }) => split === "train");
    if (!last) return { name, state, varies };
    const { phase, step, loss } = last;
    const valid = lines.findLast((line) => line.split === "valid" && line.phase === phase);
    const losses = { loss: loss.toFixed(4), validLoss: valid?.loss.toFixed(4) ?? "" };
    return { name, state, varies, training: { phase, step: `${step}`, ...losses } };
  } catch (error) {
    if (!(error instanceof Error) || !isDamage(error)) throw error;
    return { name, state: "damaged", varies: "" };
  }
}

/**
 * The curves of a run, a figure for each training and quantity; undefined where the folder has no such run.
 *
 * @param name Its folder below the folder of results, as the list has it.
 * @throws {SyntaxError} Where its files are damaged.
 */
export async function runPage(results: string, name: string): Promise<string | undefined> {
  const { paths } = await findRuns(results);
  const path = paths.find((path) => (relative(results, path) || ".") === name);
  if (path === undefined) return undefined;
  const { state = "planned", error } = await readRunSummary(path) ?? {};
  const lines = await readMetricsRecords(path);
  const figures = [...Map.groupBy(lines, ({ phase }) => phase)].flatMap(([phase, ofPhase]) =>
    quantities.flatMap(({ title, unit, of }) => {
      const series = (["train", "valid"] as const).map((split) => ({
        name: split,
        points: thinned(ofPhase.filter((line) => line.split === split), of, mostPoints),
      })).filter(({ points }) => points.length > 0);
      if (series.length === 0) return [];
      const svg = lineChart({
        title: `${phase}: ${title} by step`,
        x: { label: "training step" },
        y: { label: title, ...(unit !== undefined && { unit }) },
        series,
      });
      return [markup`<figure>${new Html(svg.trim())}</figure>\n`];
    })
  );
  const curves = figures.length > 0
    ? markup`<div class="figures">\n${figures}</div>`
    : markup`<p>No training has recorded a step here.</p>`;
  return page(
    name,
    markup`<p><a href="/">All runs</a></p>\n<p>State: ${state}; folder ${join(path)}</p>\n${
      error && markup`<p>Error: ${error}</p>\n`
    }${curves}\n`,
  );
}

function page(title: string, content: Html): string {
  const body = markup`<header><h1>${title}</h1></header>
<main>
${content}</main>
<footer><p>LongMem Lab; loaded again every ${String(refreshSeconds)} seconds.</p></footer>
`;
  return htmlPage({ title, styles: theme + reportStyles, refreshSeconds, body });
}
