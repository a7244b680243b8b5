/**
 * Page with a document and the effect of the memory on each of its tokens; it is self-contained.
 */
import { Html, htmlPage, markup } from "./html.ts";
import { visibleText } from "../visible_text.ts";
import styles from "./inspection.css" with { type: "text" };
import theme from "./theme.css" with { type: "text" };
import script from "./inspection.client.js" with { type: "text" };

/** A passage of the document that a position reads. */
export interface InspectedPassage {
  /** First token and that after the last. */
  readonly start: number;
  readonly end: number;
  /** Share in the output of each head: gate times attention. */
  readonly shares: readonly number[];
}

/** Content of a page. */
export interface Inspection {
  readonly name: string;
  readonly model: string;
  /** Texts of the tokens, which joined are that of the document. */
  readonly texts: readonly string[];
  /** Probabilities of the tokens with the memory and without; NaN of the first. */
  readonly probabilities: ArrayLike<number>;
  readonly without: ArrayLike<number>;
  /** Passages that the position before each token reads, most first. */
  readonly passages: readonly (readonly InspectedPassage[])[];
  /** Gates of the heads; empty where nothing was read. */
  readonly gates: readonly number[];
  /** Tokens of a window, and of the memory. */
  readonly contextTokens: number;
  readonly capacityTokens: number;
}

/** Bars of the strip that shows where reads land. */
const bins = 200;

/** Rows of each table of the most changed tokens. */
const tableRows = 10;

/** Writes the page. The same inspection gives the same page. */
export function inspectionPage(given: Inspection): string {
  const inspection = {
    ...given,
    texts: given.texts.map(visibleText),
    name: visibleText(given.name),
  };
  const { name, model, texts, gates } = inspection;
  const title = `${name}: what the memory does`;
  const body = markup`<header>
<h1>${title}</h1>
<p>${model} reads ${name}, ${number(texts.length)} tokens, in windows of ${
    number(inspection.contextTokens)
  } with a memory of ${number(inspection.capacityTokens)}. ${gain(inspection)}</p>
<nav aria-label="Parts of the page"><ul><li><a href="#most">Most changed tokens</a></li><li><a href="#document">The document</a></li></ul></nav>
</header>
<main>
<section aria-labelledby="most">
<h2 id="most">Most changed tokens</h2>
${changedTable(inspection, "helped")}${changedTable(inspection, "hurt")}</section>
<section aria-labelledby="document">
<h2 id="document">The document</h2>
<p id="keys">Coloured tokens are more likely with the memory than without (the stronger, the more); underlined ones are less
likely. Choose a token, by click or with the arrow keys, to see what the position before it reads. <kbd>n</kbd> and
<kbd>p</kbd> go to the next and the previous token that changes much.</p>
<div class="columns">
<div id="tokens" role="listbox" tabindex="0" aria-label="Tokens of the document" aria-describedby="keys">${
    texts.map((text, i) => tokenOf(inspection, text, i))
  }</div>
<aside aria-label="The chosen token">
<p id="said" aria-live="polite">No token is chosen.</p>
${strip(inspection)}
<div id="reads" class="scroll" tabindex="0" role="group" aria-label="Passages that the heads read"></div>
</aside>
</div>
</section>
</main>
<footer><p>LongMem Lab. Probabilities are of the whole vocabulary. Weights are attention within the memory; a gate is the share
of the memory in a head's output.${
    gates.length === 0 ? " Nothing was read from the memory: the document fits a window." : ""
  }</p></footer>
<script type="application/json" id="data">${new Html(jsonOf(inspection))}</script>
<script>
${new Html(script)}</script>
`;
  return htmlPage({ title, styles: theme + styles, body });
}

/** How many nats the memory takes from the negative log-likelihood of a token; NaN of the first token. */
function nats({ probabilities, without }: Inspection, i: number): number {
  return Math.log(probabilities[i] / without[i]);
}

/** Overall effect of the memory, after the first window. */
function gain(inspection: Inspection): string {
  const { texts, contextTokens } = inspection;
  const later = texts.map((_, i) => i).slice(contextTokens + 1);
  if (later.length === 0) return "";
  const mean = later.reduce((sum, i) => sum + nats(inspection, i), 0) / later.length;
  const factor = Math.exp(Math.abs(mean)).toFixed(2);
  const effect = factor === "1.00"
    ? "neither more nor less likely"
    : `${factor} times ${mean > 0 ? "more" : "less"} likely`;
  return `After the first window the memory makes a token ${effect}, in the geometric mean.`;
}

function changedTable(inspection: Inspection, kind: "helped" | "hurt"): Html | undefined {
  const { texts, probabilities, without, passages } = inspection;
  const sign = kind === "helped" ? 1 : -1;
  const changed = texts.map((_, i) => i)
    .filter((i) => sign * nats(inspection, i) > 0.1 && texts[i].trim() !== "")
    .sort((a, b) => sign * (nats(inspection, b) - nats(inspection, a)))
    .slice(0, tableRows);
  if (changed.length === 0) return undefined;
  const rows = changed.map((i) => {
    const [first] = passages[i];
    return markup`<tr><th scope="row"><a href="#t${String(i)}">${texts[i].trim()}</a></th><td>${
      number(i)
    }</td><td>${percent(probabilities[i])}</td><td>${percent(without[i])}</td><td class="text">${
      first && markup`${number(first.start)}: ${passageText(texts, first)}`
    }</td></tr>\n`;
  });
  return markup`<div class="scroll" tabindex="0" role="group" aria-label="Most ${kind} tokens"><table>
<caption>Most ${kind} tokens</caption>
<thead><tr><th scope="col">token</th><th scope="col">position</th><th scope="col">with memory</th><th scope="col">without</th><th scope="col" class="text">passage read most</th></tr></thead>
<tbody>
${rows}</tbody>
</table></div>
`;
}

/** A passage with some tokens around it. */
function passageText(texts: readonly string[], { start, end }: InspectedPassage): Html {
  const text = (from: number, to: number) => texts.slice(Math.max(0, from), to).join("");
  return markup`${text(start - 6, start)}<mark>${text(start, end)}</mark>${text(end, end + 6)}`;
}

/** A token of the text; its class is how much the memory changes it, in steps of a nat. */
function tokenOf(inspection: Inspection, text: string, i: number): Html {
  const change = nats(inspection, i);
  const step = Number.isFinite(change) ? Math.min(4, Math.floor(Math.abs(change) + 0.5)) : 0;
  const kind = step === 0
    ? undefined
    : markup` class="${change > 0 ? "more" : "less"}${String(step)}"`;
  return markup`<span role="option" aria-selected="false" id="t${String(i)}"${kind}>${
    text === "" ? "\u00b7" : text
  }</span>`;
}

/** Where in the document all reads land, with room for those of the chosen token. */
function strip({ texts, passages }: Inspection): Html {
  const size = Math.max(1, texts.length), sums = new Float64Array(bins);
  for (const read of passages) {
    for (const { start, end, shares } of read) {
      const bin = Math.min(bins - 1, Math.floor((start + end) / 2 / size * bins));
      sums[bin] += shares.reduce((sum, share) => sum + share, 0);
    }
  }
  const largest = Math.max(...sums);
  const bars = Array.from(sums, (sum, bin) => {
    const height = largest > 0 ? 30 * sum / largest : 0;
    return height < 0.05
      ? undefined
      : markup`<rect x="${String(bin * 1000 / bins)}" y="${(40 - height).toFixed(1)}" width="${
        String(1000 / bins)
      }" height="${height.toFixed(1)}"/>`;
  });
  return markup`<figure><svg id="strip" viewBox="0 0 1000 60" preserveAspectRatio="none" role="img" aria-labelledby="strip-caption">
<rect id="held" x="0" y="40" width="0" height="6"/>
<g class="all">${bars}</g>
<g id="marks"></g>
<line id="here" x1="0" x2="0" y1="0" y2="60"/>
</svg><figcaption id="strip-caption">Where in the document reads land: of all tokens (bars), of the chosen one (below the line:
its passages, its place, and what the memory held).</figcaption></figure>`;
}

/** Data of the script, escaped so that no text ends the script element. */
function jsonOf(inspection: Inspection): string {
  const { texts, probabilities, without, passages, gates } = inspection;
  const rounded = (x: number) => Number.isFinite(x) ? Number(x.toPrecision(4)) : null;
  const data = {
    texts,
    with: Array.from(probabilities, rounded),
    without: Array.from(without, rounded),
    gates: gates.map(rounded),
    contextTokens: inspection.contextTokens,
    capacityTokens: inspection.capacityTokens,
    // Start, tokens, and attention of each head in thousandths.
    reads: passages.map((read) =>
      read.map(({ start, end, shares }) => [
        start,
        end - start,
        ...shares.map((share, h) => gates[h] > 0 ? Math.round(1000 * share / gates[h]) : 0),
      ])
    ),
  };
  return JSON.stringify(data).replaceAll("<", "\\u003c");
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

function percent(probability: number): string {
  return `${(100 * probability).toPrecision(probability < 0.001 ? 1 : 3)} %`;
}
