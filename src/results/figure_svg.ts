/**
 * What all figures share as SVG: title, note, legend and plot in one text that needs nothing else, the colours of the reader's
 * light or dark theme, and what a screen reader says.
 */
import { createHash } from "node:crypto";
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** What every figure says. */
export interface FigureText {
  /** What is shown, in a line. */
  readonly title: string;
  /** What there is to see, in a sentence or two, for those who do not see it. */
  readonly description: string;
  /** Printed below the title: sizes of samples, what was held fixed. */
  readonly note?: string;
}

/** How the series of a chart differ: colours of Okabe and Ito, lighter ones for the dark theme. */
export const seriesStyles = [
  { light: "#0072b2", dark: "#56b4e9", symbol: "circle", dash: "none" },
  { light: "#d55e00", dark: "#ff9d5c", symbol: "square", dash: "7,3" },
  { light: "#00805e", dark: "#2fc89b", symbol: "triangle", dash: "2,3" },
  { light: "#a5457a", dark: "#eba4cb", symbol: "diamond", dash: "9,3,2,3" },
  { light: "#8a6100", dark: "#f0e442", symbol: "star", dash: "4,2" },
  { light: "#4d4d4d", dark: "#c8c8c8", symbol: "wye", dash: "12,4" },
] as const;

/** Text in every cell is in the theme's text colour, so that the strongest cell must differ from it, too. */
const style = `.figure { color: #1b1b1b; background: #fff; --figure-background: #fff; ` +
  `--figure-grid: #d9d9d9; --figure-cell: #6db7ea; ${seriesColours("light")} }
@media (prefers-color-scheme: dark) {
.figure { color: #ececec; background: #16181c; --figure-background: #16181c; ` +
  `--figure-grid: #3d4148; --figure-cell: #1d64a6; ${seriesColours("dark")} }
}
.figure text { white-space: pre; }`;

function seriesColours(theme: "light" | "dark"): string {
  return seriesStyles.map((style, i) => `--figure-series-${i}: ${style[theme]};`).join(" ");
}

/** Space around a figure, in pixels. */
export const margin = 16;
const legendLine = 20, legendGap = 18;
const titleSize = 15, textSize = 12;
/** Width of a character, as a share of the font's size: there is no font to measure. */
const characterWidth = 0.6;

const namespace = "http://www.w3.org/2000/svg";

/** What is used of an element of a document; the types of browsers are not part of this program. */
interface SvgElement {
  readonly children: Iterable<SvgElement>;
  readonly outerHTML: string;
  textContent: string;
  append(...children: SvgElement[]): void;
  prepend(...children: SvgElement[]): void;
  querySelector(selector: string): SvgElement | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  remove(): void;
}

/** A document that figures are made in. */
interface SvgDocument {
  createElementNS(namespace: string, name: string): SvgElement;
}

/** What a figure consists of, besides its text. */
export interface FigureParts {
  readonly plot: Plot.PlotOptions & { readonly width: number };
  readonly legend: Legend | undefined;
}

/** The names of series beside their marks. */
export interface Legend {
  /** What stands before the names. */
  readonly title: string | undefined;
  readonly names: readonly string[];
  /** Marks of an entry in a field of 28 x 10 pixels around the origin's height. */
  readonly marks: readonly (readonly Plot.Markish[])[];
}

/** Joins title, note, legend and plot to one SVG. */
export function figure(text: FigureText, { plot, legend }: FigureParts): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as {
    document: SvgDocument;
  };
  const width = Math.ceil(Math.max(plot.width, 360));
  const lines = [
    ...wrapped(text.title, width, titleSize).map((line) => ({ line, size: titleSize })),
    ...wrapped(text.note ?? "", width, textSize).map((line) => ({ line, size: textSize })),
  ];
  const headHeight = lines.reduce((sum, { size }) => sum + size * 1.4, margin + 6);
  const entries = legend ? placed(legend, width) : [];
  const legendHeight = entries.length === 0 ? 0 : entries.at(-1)!.y + legendLine;
  const marginTop = Math.ceil(headHeight + legendHeight + Number(plot.marginTop ?? 24));
  const svg = plotted(document, {
    ...plot,
    width,
    height: marginTop + Number(plot.height),
    marginTop,
    marginRight: width - plot.width + Number(plot.marginRight ?? margin),
  });
  let y = margin;
  for (const { line, size } of lines) {
    y += size;
    svg.append(element(document, "text", line, {
      ...{ x: String(margin), y: y.toFixed(1), "text-anchor": "start", "font-size": String(size) },
      ...(size === titleSize ? { "font-weight": "bold" } : {}),
    }));
    y += size * 0.4;
  }
  if (legend) svg.append(drawnLegend(document, legend, { entries, y: headHeight + 12 }));
  const id = createHash("sha256").update(svg.outerHTML + text.description).digest("hex")
    .slice(0, 12);
  // First children, as accessibility programs look for them there; ids, since not all of them do.
  svg.prepend(
    element(document, "title", text.title, { id: `figure-${id}-title` }),
    element(document, "desc", text.description, { id: `figure-${id}-description` }),
    element(document, "style", style, {}),
  );
  svg.setAttribute("xmlns", namespace);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-labelledby", `figure-${id}-title`);
  svg.setAttribute("aria-describedby", `figure-${id}-description`);
  return `${svg.outerHTML}\n`;
}

/** A plot without the library's own styles. */
function plotted(document: SvgDocument, options: Plot.PlotOptions): SvgElement {
  const svg = Plot.plot({
    ...options,
    document: document as unknown as NonNullable<Plot.PlotOptions["document"]>,
    className: "figure",
    style: { fontSize: `${textSize}px` },
  }) as unknown as SvgElement;
  svg.querySelector("style")!.remove();
  svg.removeAttribute("style");
  svg.setAttribute("font-size", String(textSize));
  return svg;
}

/** Where the entries of a legend stand: side by side, in as many lines as they need. */
function placed({ title, names }: Legend, width: number): { x: number; y: number }[] {
  let x = title === undefined ? 0 : widest([title]) + 10, y = 0;
  return names.map((name) => {
    const entryWidth = 36 + widest([name]);
    if (x > 0 && x + entryWidth > width - 2 * margin) {
      x = 0;
      y += legendLine;
    }
    const place = { x, y };
    x += entryWidth + legendGap;
    return place;
  });
}

function drawnLegend(
  document: SvgDocument,
  { title, names, marks }: Legend,
  { entries, y }: { entries: readonly { readonly x: number; readonly y: number }[]; y: number },
): SvgElement {
  const group = element(document, "g", "", { transform: `translate(${margin},${y.toFixed(1)})` });
  if (title !== undefined) {
    group.append(element(document, "text", title, { dy: "0.35em", "text-anchor": "start" }));
  }
  names.forEach((name, i) => {
    const entry = element(document, "g", "", {
      transform: `translate(${entries[i].x},${entries[i].y})`,
    });
    const identity = { type: "identity", axis: null } as const;
    const drawn = plotted(document, {
      ...{ width: 28, height: 10, margin: 0, x: identity, y: identity },
      marks: [...marks[i]],
    });
    entry.append(
      ...drawn.children,
      element(document, "text", name, { x: "36", dy: "0.35em", "text-anchor": "start" }),
    );
    group.append(entry);
  });
  return group;
}

function element(
  document: SvgDocument,
  name: string,
  text: string,
  attributes: Readonly<Record<string, string>>,
): SvgElement {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== "") made.textContent = text;
  return made;
}

/** How a series looks, by its number. */
export function seriesStyle(i: number) {
  const { symbol, dash } = seriesStyles[i], colour = `var(--figure-series-${i})`;
  // The ring keeps marks apart that lie on each other.
  const dot = { symbol, fill: colour, stroke: "var(--figure-background)", strokeWidth: 1, r: 4.5 };
  return { colour, dash, dot };
}

/** Width of the longest of some names in pixels, rather too large than too small. */
export function widest(names: readonly string[]): number {
  return Math.ceil(Math.max(...names.map((name) => name.length)) * textSize * characterWidth);
}

/** Lines of a text that fit the figure. */
function wrapped(text: string, width: number, size: number): string[] {
  const most = Math.floor((width - 2 * margin) / (size * characterWidth));
  const lines: string[] = [];
  for (const word of text.split(" ").filter((word) => word !== "")) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
