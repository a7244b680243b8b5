/**
 * Figures as SVG: lines, dots by category, heat maps. A figure is one text that needs nothing else, follows the reader's light
 * or dark theme, has a name and a description for screen readers, and is the same for the same data. Series differ in colour,
 * in their marks and in their dashes, so that no reader depends on colour.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Text above every figure. */
interface FigureText {
  /** Title of the figure, in a line. */
  readonly title: string;
  /** Printed below the title: sizes of samples, fixed settings. */
  readonly note?: string;
}

export interface FigureAxis {
  readonly label: string;
  /** Its unit, printed in brackets; absent where it has none. */
  readonly unit?: string;
  /** How numbers become distances (default linear); log2 takes positive numbers alone, symlog 0 too, at a step's distance. */
  readonly scale?: "linear" | "log2" | "symlog";
  /** Positions of ticks, and their labels if not the number; absent: at round numbers. */
  readonly ticks?: readonly { readonly at: number; readonly name?: string }[];
  /** Whether it begins at 0, so that lengths are proportional to values. */
  readonly fromZero?: true;
  /** The ends of the axis; absent: those of the data. */
  readonly domain?: readonly [number, number];
}

/** A number with its uncertainty, as the estimates of `statistics/` are. */
export interface Measured {
  readonly value: number;
  /** Its standard error. */
  readonly stderr?: number;
  /** Its 95 % confidence interval, which figures draw as a bar. */
  readonly ci95?: readonly [number, number];
}

/** A line or dots of one colour. */
export interface Series<Point> {
  /** Name in the legend. */
  readonly name: string;
  /** Its points; of a line from left to right. */
  readonly points: readonly (Measured & Point)[];
}

interface Chart<Point> extends FigureText {
  /** The series, {@linkcode mostSeries} at most. */
  readonly series: readonly Series<Point>[];
  /** Title of the legend: the variable whose values name the series. */
  readonly legendTitle?: string;
}

/** Lines over numbers. */
export interface LineChart extends Chart<{ readonly x: number }> {
  readonly x: FigureAxis;
  readonly y: FigureAxis;
}

/** Dots by category. Categories are lines of the chart, in the order in which the series name them. */
export interface DotChart extends Chart<{ readonly category: string }> {
  readonly value: FigureAxis;
}

/** Tables whose cells have the colour of their numbers, which are printed in them. */
export interface HeatMap extends FigureText {
  /** Alternative text: the content of the figure in a sentence or two. */
  readonly description: string;
  /** Label of the columns, and the name of each. */
  readonly columns: { readonly label: string; readonly names: readonly string[] };
  /** Label of the rows, and the name of each. */
  readonly rows: { readonly label: string; readonly names: readonly string[] };
  /** Label of the numbers, and their range on the colour scale. */
  readonly value: { readonly label: string; readonly domain: readonly [number, number] };
  /** Tables of these rows and columns, side by side. */
  readonly panels: readonly { readonly name: string; readonly values: readonly number[][] }[];
}

/** How the series of a chart differ: colours of Okabe and Ito, lighter ones for the dark theme. */
const seriesStyles = [
  { light: "#0072b2", dark: "#56b4e9", symbol: "circle", dash: "none" },
  { light: "#d55e00", dark: "#ff9d5c", symbol: "square", dash: "7,3" },
  { light: "#00805e", dark: "#2fc89b", symbol: "triangle", dash: "2,3" },
  { light: "#a5457a", dark: "#eba4cb", symbol: "diamond", dash: "9,3,2,3" },
  { light: "#8a6100", dark: "#f0e442", symbol: "star", dash: "4,2" },
  { light: "#4d4d4d", dark: "#c8c8c8", symbol: "wye", dash: "12,4" },
] as const;

/** As many series as a figure tells apart. */
export const mostSeries = seriesStyles.length;

/** Text in every cell is in the theme's text colour, so that the strongest cell must differ from it, too. */
const theme = `
.figure { color: #1b1b1b; background: #fff; --figure-background: #fff; --figure-grid: #d9d9d9; --figure-cell: #6db7ea; ${
  seriesColours("light")
} }
@media (prefers-color-scheme: dark) {
.figure { color: #ececec; background: #16181c; --figure-background: #16181c; --figure-grid: #3d4148; --figure-cell: #1d64a6; ${
  seriesColours("dark")
} }
}
`;

function seriesColours(theme: "light" | "dark"): string {
  return seriesStyles.map((style, i) => `--figure-series-${i}: ${style[theme]};`).join(" ");
}

/** Pixels: charts are as wide as each other, so that their texts are of one size beside each other. */
const chartWidth = 560,
  marginRight = 36,
  inset = 8,
  margin = 16,
  lineHeight = 20,
  textSize = 12,
  titleSize = 15;
const centred = { labelAnchor: "center", labelArrow: "none" } as const;
const grid = { stroke: "var(--figure-grid)", strokeOpacity: 1 };

/** Draws lines with their uncertainty, as a standalone SVG. */
export function lineChart(chart: LineChart): string {
  const { x, y, series } = chart, height = 220;
  const labelLines = wrapped(axisLabel(y), height + 2 * margin, textSize);
  const marginLeft = 76 + (labelLines.length - 1) * (textSize + 2);
  const description = describe(
    series,
    (points) =>
      [points[0], points.at(-1)!].map(({ x, value }) => `${value.toPrecision(3)} at ${x}`),
  );
  const points = series.flatMap(({ points }) => points);
  return figure({ ...chart, description, hasLines: true, points }, {
    width: chartWidth,
    height,
    marginLeft,
    marginRight,
    insetLeft: inset,
    insetRight: inset,
    x: axisOptions({ ...x, ...(x.ticks && { ticks: legible(x, points, marginLeft) }) }),
    y: { ...axisOptions(y), label: labelLines.join("\n"), labelOffset: marginLeft - 12 },
    marks: [
      Plot.gridY(grid),
      ...series.flatMap(({ points }, i) => [
        Plot.ruleX(...intervals(points, { x: "x", y1: "low", y2: "high", stroke: colour(i) })),
        Plot.lineY(points, { ...{ x: "x", y: "value" }, ...lineStyle(i) }),
        Plot.dot(points, { ...{ x: "x", y: "value" }, ...dotStyle(i) }),
      ]),
    ],
  });
}

/** Draws numbers by category as dots with their uncertainty, on an axis that need not begin at 0, as a standalone SVG. */
export function dotChart(chart: DotChart): string {
  const { value, series } = chart, points = series.flatMap(({ points }) => points);
  const categories = [...new Set(points.map(({ category }) => category))];
  const marginLeft = margin + widest(categories) + 8;
  const description = describe(
    series,
    (points) => points.map(({ category, value }) => `${category} ${value.toPrecision(4)}`),
  );
  return figure({ ...chart, description, points }, {
    width: Math.max(chartWidth, marginLeft + chartWidth / 2),
    height: categories.length * (12 + 16 * series.length),
    marginLeft,
    marginRight: 36,
    x: axisOptions(value),
    y: { axis: null, domain: series.map(({ name }) => name) },
    fy: { axis: "left", domain: categories, label: null, padding: 0.15 },
    marks: [
      Plot.gridX(grid),
      ...series.flatMap(({ name, points }, i) => {
        const place = { fy: "category", y: () => name };
        return [
          Plot.ruleY(...intervals(points, { ...place, x1: "low", x2: "high", stroke: colour(i) })),
          Plot.dot(points, { ...place, x: "value", ...dotStyle(i) }),
        ];
      }),
    ],
  });
}

/** Draws tables as cells with the colour of their numbers, which are printed in them, as a standalone SVG. */
export function heatMap(chart: HeatMap): string {
  const { columns, rows, value: { label, domain }, panels } = chart;
  const points = panels.flatMap(({ name, values }) =>
    values.flatMap((row, i) =>
      row.map((value, j) => ({ panel: name, row: rows.names[i], column: columns.names[j], value }))
    )
  );
  const [low, high] = domain.map((end) => end.toFixed(2));
  const note = [`${label}, coloured from ${low} to ${high}`, ...(chart.note ? [chart.note] : [])];
  const cellWidth = Math.max(46, 12 + widest(columns.names)), gap = 24;
  const panelWidth = Math.max(cellWidth * columns.names.length, widest(panels.map((p) => p.name)));
  const marginLeft = margin + widest(rows.names) + 26;
  const place = { fx: "panel", x: "column", y: "row" };
  const axis = { ...centred, tickSize: 0, padding: 0.05 };
  return figure({ ...chart, note: note.join("; "), points, series: [] }, {
    width: marginLeft + (panelWidth + gap) * panels.length - gap + margin,
    height: 30 * rows.names.length,
    marginLeft,
    x: { ...axis, domain: columns.names, label: columns.label },
    y: { ...axis, domain: rows.names, label: rows.label, labelOffset: marginLeft - margin },
    fx: {
      domain: panels.map(({ name }) => name),
      label: null,
      padding: panels.length > 1 ? gap / (panelWidth + gap) : 0,
    },
    opacity: { domain, range: [0, 1], clamp: true },
    marks: [
      Plot.cell(points, {
        ...place,
        fill: "var(--figure-cell)",
        fillOpacity: { value: "value", scale: "opacity" },
        ...grid,
      }),
      Plot.text(points, { ...place, text: ({ value }) => value.toFixed(2) }),
    ],
  });
}

/** Text above a plot, and the numbers in it. */
interface Heading extends Omit<Chart<unknown>, "series"> {
  readonly series: readonly { readonly name: string }[];
  /** For those who do not see it. */
  readonly description: string;
  /** Whether series have lines. */
  readonly hasLines?: true;
  /** All numbers of the figure. */
  readonly points: readonly Measured[];
}

/** A plot of a height without margins, below its heading. */
function figure(
  heading: Heading,
  plot: Plot.PlotOptions & { width: number; height: number; marginLeft: number },
): string {
  const { title, description, note = "", series, legendTitle, hasLines, points } = heading;
  const wrong = points.find(({ value }) => !Number.isFinite(value));
  if (wrong) throw new RangeError(`Cannot draw "${title}" as a number is ${wrong.value}`);
  const width = Math.max(plot.width, 360);
  const bars = points.some(({ ci95 }) => ci95) ? ["error bars: 95 % confidence intervals"] : [];
  const notes = [...(note === "" ? [] : [note]), ...bars].join("; ");
  // A single series needs no name: the title is its name.
  const names = series.length > 1 ? series : [];
  const rows = [
    ...wrapped(title, width, titleSize).map((text) => ({ text, isTitle: true })),
    ...wrapped(notes, width, textSize).map((text) => ({ text })),
    ...(legendTitle !== undefined && names.length > 0 ? [{ text: legendTitle }] : []),
    ...names.map(({ name }, i) => ({ text: name, i })),
  ] as readonly { text: string; isTitle?: true; i?: number }[];
  const marginTop = lineHeight * (rows.length + 2), marginBottom = 44;
  const marks = rows.flatMap(({ text, isTitle, i }, line): Plot.Markish[] => {
    const left = margin - plot.marginLeft, dy = lineHeight * (line + 1) - marginTop;
    const place = { frameAnchor: "top-left", facet: "super", dy } as const;
    const style = { fontSize: isTitle ? titleSize : textSize, fontWeight: isTitle && "bold" };
    const dx = i === undefined ? left : left + 36;
    return [
      Plot.text(
        [text],
        { ...place, ...style, dx, textAnchor: "start", lineAnchor: "middle" } as Plot.TextOptions,
      ),
      ...(i === undefined ? [] : [
        ...(hasLines
          ? [Plot.vector([text], { ...place, ...sample, ...lineStyle(i), dx: left })]
          : []),
        Plot.dot([text], { ...place, ...dotStyle(i), dx: left + sample.length / 2 }),
      ]),
    ];
  });
  const { document } = parseHTML("<html><body></body></html>") as unknown as {
    document: { createElementNS(namespace: string, name: string): SvgElement };
  };
  const svg = Plot.plot({
    ...plot,
    width,
    height: marginTop + plot.height + marginBottom,
    marginTop,
    marginBottom,
    marginRight: width - plot.width + (plot.marginRight ?? margin),
    // Room for the descenders of its label.
    x: { labelOffset: marginBottom - 7, ...plot.x },
    marks: [...plot.marks ?? [], ...marks],
    document: document as unknown as NonNullable<Plot.PlotOptions["document"]>,
    className: "figure",
    style: { fontSize: `${textSize}px` },
  }) as unknown as SvgElement;
  svg.querySelector("style").textContent += theme;
  // Elements that screen readers look for; attributes would not be escaped as XML demands.
  for (const [name, text] of [["desc", description], ["title", title]]) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    element.textContent = text;
    svg.prepend(element);
  }
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  return `${svg.outerHTML}\n`;
}

/** The used part of an element; the types of browsers are not part of this program. */
interface SvgElement {
  readonly outerHTML: string;
  textContent: string;
  prepend(child: SvgElement): void;
  querySelector(selector: string): SvgElement;
  setAttribute(name: string, value: string): void;
}

/** A piece of a line, for a legend. */
const sample = {
  length: 28,
  rotate: 90,
  anchor: "start",
  shape: {
    draw(
      path: { moveTo(x: number, y: number): void; lineTo(x: number, y: number): void },
      l: number,
    ) {
      path.moveTo(0, 0);
      path.lineTo(0, -l);
    },
  },
} as const;

function colour(i: number): string {
  return `var(--figure-series-${i})`;
}

function lineStyle(i: number) {
  return { stroke: colour(i), strokeWidth: 2, strokeDasharray: seriesStyles[i].dash };
}

/** The ring keeps marks apart that lie on each other. */
function dotStyle(i: number) {
  const { symbol } = seriesStyles[i];
  return { symbol, fill: colour(i), stroke: "var(--figure-background)", strokeWidth: 1, r: 4.5 };
}

/** Data and options of a mark from the low to the high end of each interval that is known. */
function intervals<Options>(points: readonly Measured[], options: Options) {
  const known = points.flatMap((point) =>
    point.ci95 ? [{ ...point, low: point.ci95[0], high: point.ci95[1] }] : []
  );
  return [known, { ...options, strokeWidth: 1.5 }] as const;
}

/** Ticks of a horizontal axis, without the labels that would lie upon others: from the last to the first, those that fit stay. */
function legible(
  { ticks = [], scale = "linear" }: FigureAxis,
  points: readonly { readonly x: number }[],
  marginLeft: number,
): { readonly at: number; readonly name: string }[] {
  const constant = symlogConstant(ticks);
  const along = {
    linear: (x: number) => x,
    log2: Math.log2,
    symlog: (x: number) => Math.sign(x) * Math.log1p(Math.abs(x) / constant),
  }[scale];
  const places = points.map(({ x }) => along(x));
  const low = Math.min(...places), length = Math.max(...places) - low;
  const pixels = chartWidth - marginLeft - marginRight - 2 * inset;
  let end = Infinity;
  return ticks.toSorted((a, b) => b.at - a.at).map(({ at, name = tickText(at) }) => {
    const middle = length === 0 ? 0 : (along(at) - low) / length * pixels;
    const half = widest([name]) / 2;
    if (name === "" || middle + half > end) return { at, name: "" };
    end = middle - half;
    return { at, name };
  }).reverse();
}

/** 0 is as far from the first number above it as that is from its double. */
function symlogConstant(ticks: FigureAxis["ticks"]): number {
  return ticks?.map(({ at }) => at).filter((at) => at > 0).sort((a, b) => a - b)[0] ?? 1;
}

/** A number on an axis. */
function tickText(number: number): string {
  return number.toLocaleString("en", {
    maximumSignificantDigits: 6,
    ...(Math.abs(number) >= 1e6 && { notation: "compact", maximumSignificantDigits: 4 }),
  });
}

/** The label of an axis, with its unit. */
function axisLabel({ label, unit }: { label: string; unit?: string | undefined }): string {
  return unit ? `${label} (${unit})` : label;
}

function axisOptions({ label, unit, scale, ticks, fromZero, domain }: FigureAxis) {
  const types = {
    linear: {},
    log2: { type: "log", base: 2 },
    symlog: { type: "symlog", constant: symlogConstant(ticks) },
  };
  return {
    ...centred,
    label: axisLabel({ label, unit }),
    tickFormat: (number: number) =>
      ticks?.find(({ at }) => at === number)?.name ?? tickText(number),
    ...types[scale ?? "linear"],
    ...(ticks && { ticks: ticks.map(({ at }) => at) }),
    ...(fromZero && { zero: true }),
    ...(domain ? { domain } : { nice: ticks === undefined }),
  } as Plot.ScaleOptions;
}

/** The numbers of series for those who do not see them. */
function describe<Point>(
  series: readonly Series<Point>[],
  numbersOf: (points: readonly (Measured & Point)[]) => readonly string[],
): string {
  return series.map(({ name, points }) =>
    (name === "" ? "" : `${name}: `) + numbersOf(points).join(", ")
  ).join("; ") + ".";
}

/** Width of the longest of some names in pixels, rather too large than too small: there is no font to measure. */
function widest(names: readonly string[]): number {
  return Math.ceil(0.6 * textSize * Math.max(...names.map((name) => name.length)));
}

/** Lines of a text that fit the figure. */
function wrapped(text: string, width: number, size: number): string[] {
  const most = Math.floor((width - 2 * margin) / (0.6 * size));
  return text.match(new RegExp(`\\S.{0,${most - 1}}(?=\\s|$)|\\S+`, "g")) ?? [];
}
