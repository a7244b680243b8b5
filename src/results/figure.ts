/**
 * Figures as SVG: line charts, bar and dot charts, heat maps. A figure is one text that needs nothing else, follows the
 * reader's light or dark theme, says to a screen reader what it shows, and is the same for the same data. Series differ in
 * colour, in their marks and in their dashes, so that no reader depends on colour.
 */
import * as Plot from "@observablehq/plot";
import {
  figure,
  type FigureText,
  type Legend,
  margin,
  seriesStyle,
  seriesStyles,
  widest,
} from "./figure_svg.ts";
import { InputRangeError } from "../errors.ts";

/** Sizes in pixels: charts are as wide as each other, so that their texts are of one size beside each other. */
const chartWidth = 560, plotWidth = 240, plotHeight = 280;

/** An axis of numbers. */
export interface FigureAxis {
  /** The quantity. */
  readonly label: string;
  /** Its unit, printed in brackets; absent where it has none. */
  readonly unit?: string;
  /** How numbers become distances (default linear); log2 takes positive numbers alone, symlog 0 too, at a step's distance. */
  readonly scale?: "linear" | "log2" | "symlog";
  /** Where numbers are printed, and what else than the number; absent: wherever they are round. */
  readonly ticks?: readonly { readonly at: number; readonly name?: string }[];
  /** Whether it begins at 0, so that lengths are what they stand for. */
  readonly fromZero?: true;
  /** The ends of the axis; absent: those of the data. */
  readonly domain?: readonly [number, number];
}

/** A number with its uncertainty, as the estimates of `statistics.ts` are. */
export interface Measured {
  /** The number. */
  readonly value: number;
  /** Its standard error. */
  readonly stderr?: number;
  /** Its 95 % confidence interval. */
  readonly ci95?: readonly [number, number];
}

/** Which uncertainty is drawn. */
export type Uncertainty = "stderr" | "ci95";

/** A line. */
export interface LineSeries {
  /** Name in the legend. */
  readonly name: string;
  /** Its points, from left to right. */
  readonly points: readonly (Measured & { readonly x: number })[];
}

/** A line chart. */
export interface LineChart extends FigureText {
  /** The horizontal axis. */
  readonly x: FigureAxis;
  /** The vertical axis. */
  readonly y: FigureAxis;
  /** The lines, of which there may be as many as there are marks: six. */
  readonly series: readonly LineSeries[];
  /** What the names of the series are values of. */
  readonly legendTitle?: string;
  /** Which uncertainty is drawn (default stderr). */
  readonly uncertainty?: Uncertainty;
  /** How it is drawn (default bars). */
  readonly shownAs?: "bars" | "band";
}

/** Bars or dots of one colour. */
export interface CategorySeries {
  /** Name in the legend. */
  readonly name: string;
  /** One number for each category that the series knows. */
  readonly values: readonly (Measured & { readonly category: string })[];
}

/** A chart of numbers by category. Categories are lines of the chart, in the order in which the series name them. */
export interface CategoryChart extends FigureText {
  /** The axis of the numbers. */
  readonly value: FigureAxis;
  /** The series, six at most. */
  readonly series: readonly CategorySeries[];
  /** What the names of the series are values of. */
  readonly legendTitle?: string;
  /** Which uncertainty is drawn (default stderr). */
  readonly uncertainty?: Uncertainty;
}

/** One table of a heat map. */
export interface HeatMapPanel {
  /** Name, above the table. */
  readonly name: string;
  /** A number for each row and column; each row as long as there are columns. */
  readonly values: readonly (readonly number[])[];
}

/** Tables whose cells have the colour of their numbers, which are printed in them. */
export interface HeatMap extends FigureText {
  /** What the columns are, and the name of each. */
  readonly columns: { readonly label: string; readonly names: readonly string[] };
  /** What the rows are, and the name of each. */
  readonly rows: { readonly label: string; readonly names: readonly string[] };
  /** What the numbers are; without `domain` colours go from the smallest to the largest. */
  readonly value: Omit<FigureAxis, "scale">;
  /** Tables of the same rows and columns, side by side. */
  readonly panels: readonly HeatMapPanel[];
  /** Digits after the decimal point (default 2). */
  readonly digits?: number;
}

/**
 * Draws lines with their uncertainty.
 *
 * @returns A standalone SVG.
 * @throws {RangeError} Where there is nothing to draw, more series than marks, or a number that the axis cannot show.
 */
export function lineChart(chart: LineChart): string {
  const { x, y, series, uncertainty = "stderr", shownAs = "bars" } = chart;
  checkSeries(chart, series.map(({ name, points }) => ({ name, values: points })));
  for (const { points } of series) {
    for (const point of points) checkNumber(chart, "x", point.x, x);
    checkMeasured(chart, points, y, uncertainty);
  }
  // The label stands left of the widest number, which is that of the values, or the power of ten above them.
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  const above = 10 ** Math.ceil(Math.log10(Math.max(1, ...values)));
  const labelOffset = 18 + widest(
    [above, ...values].map((value) => Number(value.toPrecision(3)).toLocaleString("en")),
  );
  const { name: lastTick = "" } = x.ticks?.at(-1) ?? {};
  const marks = series.map(({ points }, i) => {
    const style = seriesStyle(i);
    const data = points.map((point) => ({ ...point, ...ends(point, uncertainty) }));
    const known = data.filter(({ low }) => low !== undefined);
    const range = { x: "x", y1: "low", y2: "high" };
    return [
      shownAs === "bars"
        ? Plot.ruleX(known, { ...range, stroke: style.colour, strokeWidth: 1.5 })
        : Plot.areaY(known, { ...range, fill: style.colour, fillOpacity: 0.2 }),
      Plot.lineY(data, {
        ...{ x: "x", y: "value", stroke: style.colour, strokeWidth: 2 },
        strokeDasharray: style.dash,
      }),
      Plot.dot(data, { x: "x", y: "value", ...style.dot }),
    ];
  });
  return figure({ ...chart, note: noteOf(chart, series.flatMap(({ points }) => points)) }, {
    legend: legendOf(chart, (i) => [
      Plot.line([[0, 0], [28, 0]], {
        stroke: seriesStyle(i).colour,
        strokeWidth: 2,
        strokeDasharray: seriesStyle(i).dash,
      }),
      Plot.dot([[14, 0]], seriesStyle(i).dot),
    ]),
    plot: {
      width: chartWidth,
      height: plotHeight,
      marginLeft: margin + labelOffset + 4,
      marginRight: Math.max(margin + 6, widest([lastTick]) / 2),
      insetLeft: 8,
      insetRight: 8,
      marginBottom: 44,
      x: { ...scaleOf(x), labelAnchor: "center", labelOffset: 38 },
      y: { ...scaleOf(y), labelAnchor: "center", labelOffset },
      marks: [grid("y"), ...marks.flat()],
    },
  });
}

/** Draws numbers by category as bars from 0. Like {@linkcode dotChart}. */
export function barChart(chart: CategoryChart): string {
  return categoryChart(chart, "bar");
}

/**
 * Draws numbers by category as dots with their uncertainty, on an axis that need not begin at 0.
 *
 * @returns A standalone SVG.
 * @throws {RangeError} Where there is nothing to draw, more series than marks, or a number that the axis cannot show.
 */
export function dotChart(chart: CategoryChart): string {
  return categoryChart(chart, "dot");
}

function categoryChart(chart: CategoryChart, mark: "bar" | "dot"): string {
  const { value, series, uncertainty = "stderr" } = chart;
  checkSeries(chart, series);
  if (mark === "bar" && value.scale === "log2") {
    fail(chart, `bars begin at 0, which log2 does not have: use dots`);
  }
  for (const { values } of series) checkMeasured(chart, values, value, uncertainty);
  const categories = [
    ...new Set(series.flatMap(({ values }) => values.map(({ category }) => category))),
  ];
  const marks = series.map(({ name, values }, i) => {
    const style = seriesStyle(i);
    const data = values.map((measured) => ({ ...measured, name, ...ends(measured, uncertainty) }));
    const place = { fy: "category", y: "name" };
    const range = Plot.ruleY(data.filter(({ low }) => low !== undefined), {
      ...{ ...place, x1: "low", x2: "high", strokeWidth: 1.5 },
      stroke: mark === "bar" ? "currentColor" : style.colour,
    });
    return mark === "bar"
      ? [Plot.barX(data, { ...place, x: "value", fill: style.colour }), range]
      : [range, Plot.dot(data, { ...place, x: "value", ...style.dot })];
  });
  return figure({ ...chart, note: noteOf(chart, series.flatMap(({ values }) => values)) }, {
    legend: legendOf(chart, (i) => [
      mark === "bar"
        ? Plot.rect([0], { x1: 0, x2: 28, y1: -5, y2: 5, fill: seriesStyle(i).colour })
        : Plot.dot([[14, 0]], seriesStyle(i).dot),
    ]),
    plot: {
      width: Math.max(chartWidth, margin + widest(categories) + 8 + plotWidth + margin),
      height: categories.length * (12 + 16 * series.length) + 48,
      marginLeft: margin + widest(categories) + 8,
      marginBottom: 44,
      x: { ...scaleOf(value), labelAnchor: "center", labelOffset: 38 },
      y: { axis: null, domain: series.map(({ name }) => name), padding: 0.2 },
      fy: { domain: categories, axis: null, padding: 0.15 },
      marks: [
        grid("x"),
        ...(mark === "bar" ? [Plot.ruleX([0])] : []),
        Plot.text(categories, {
          ...{ fy: (category: string) => category, text: (category: string) => category },
          ...{ frameAnchor: "left", textAnchor: "end", dx: -8 },
        }),
        ...marks.flat(),
      ],
    },
  });
}

/**
 * Draws tables as cells with the colour of their numbers, which are printed in them.
 *
 * @returns A standalone SVG.
 * @throws {RangeError} Where there is nothing to draw, a table has other sizes, or a number is not finite.
 */
export function heatMap(chart: HeatMap): string {
  const { columns, rows, value, panels, digits = 2 } = chart;
  if (panels.length === 0 || rows.names.length === 0 || columns.names.length === 0) {
    fail(chart, "there is nothing to draw: current number of cells is 0, allowed are 1 and more");
  }
  const cells = panels.flatMap(({ name, values }) => {
    if (
      values.length !== rows.names.length ||
      values.some((row) => row.length !== columns.names.length)
    ) {
      fail(
        chart,
        `"${name}" must have ${rows.names.length} rows of ${columns.names.length}: ` +
          `current lengths are ${values.map((row) => row.length).join(", ")}`,
      );
    }
    return values.flatMap((row, i) =>
      row.map((number, j) => {
        checkNumber(chart, "a cell", number, value);
        return { panel: name, row: rows.names[i], column: columns.names[j], number };
      })
    );
  });
  const numbers = cells.map(({ number }) => number);
  const [low, high] = value.domain ?? [Math.min(...numbers), Math.max(...numbers)];
  const strength = (number: number) =>
    high > low ? Math.min(1, Math.max(0, (number - low) / (high - low))) : 0;
  const cellWidth = Math.max(46, 12 + widest(columns.names));
  const panelWidth = Math.max(cellWidth * columns.names.length, widest(panels.map((p) => p.name)));
  const marginLeft = margin + widest(rows.names) + 26;
  const place = { fx: "panel", x: "column", y: "row" };
  return figure({
    ...chart,
    note: [
      `${labelOf(value)}, coloured from ${low.toFixed(digits)} to ${high.toFixed(digits)}`,
      ...(chart.note ? [chart.note] : []),
    ].join("; "),
  }, {
    legend: undefined,
    plot: {
      width: marginLeft + (panelWidth + 24) * panels.length - 24 + margin,
      height: 30 * rows.names.length + 70,
      marginLeft,
      marginTop: 24,
      marginBottom: 44,
      x: {
        ...{ type: "band", domain: columns.names, label: columns.label, labelAnchor: "center" },
        ...{ labelArrow: "none", labelOffset: 38, padding: 0.04, tickSize: 0 },
      },
      y: {
        ...{ type: "band", domain: rows.names, label: rows.label, labelAnchor: "center" },
        ...{ labelArrow: "none", labelOffset: widest(rows.names) + 26, padding: 0.06, tickSize: 0 },
      },
      fx: {
        domain: panels.map(({ name }) => name),
        label: null,
        padding: panels.length > 1 ? 24 / (panelWidth + 24) : 0,
      },
      marks: [
        Plot.cell(cells, {
          ...place,
          fill: "var(--figure-cell)",
          fillOpacity: { value: ({ number }) => strength(number), scale: null },
          stroke: "var(--figure-grid)",
        }),
        Plot.text(cells, { ...place, text: ({ number }) => number.toFixed(digits) }),
      ],
    },
  });
}

function legendOf(
  { series, legendTitle: title }: {
    readonly series: readonly { readonly name: string }[];
    readonly legendTitle?: string;
  },
  marks: (i: number) => readonly Plot.Markish[],
): Legend | undefined {
  // A single series needs no name: the title is its name.
  if (series.length === 1) return undefined;
  return { title, names: series.map(({ name }) => name), marks: series.map((_, i) => marks(i)) };
}

function grid(axis: "x" | "y"): Plot.Markish {
  const options = { stroke: "var(--figure-grid)", strokeOpacity: 1 };
  return axis === "x" ? Plot.gridX(options) : Plot.gridY(options);
}

function scaleOf(axis: FigureAxis): Plot.ScaleOptions {
  return {
    label: labelOf(axis),
    labelArrow: "none",
    ...scaleType(axis),
    ...(axis.ticks && { ticks: axis.ticks.map(({ at }) => at) }),
    ...(axis.fromZero && { zero: true }),
    ...(axis.domain ? { domain: axis.domain } : { nice: axis.ticks === undefined }),
  };
}

function scaleType({ scale = "linear", ticks = [] }: FigureAxis): Plot.ScaleOptions {
  const tickFormat = (number: number) =>
    ticks.find(({ at }) => at === number)?.name ?? number.toLocaleString("en");
  switch (scale) {
    case "linear":
      return ticks.length > 0 ? { tickFormat } : {};
    case "log2":
      return { type: "log", base: 2, tickFormat };
    case "symlog": {
      // 0 is as far from the first number above it as that is from its double.
      const positive = ticks.map(({ at }) => at).filter((at) => at > 0);
      return {
        type: "symlog",
        constant: positive.length > 0 ? Math.min(...positive) : 1,
        tickFormat,
      };
    }
    default:
      return scale satisfies never;
  }
}

function labelOf({ label, unit }: FigureAxis): string {
  return unit ? `${label} (${unit})` : label;
}

/** Ends of an error bar; absent where the uncertainty is not known. */
function ends(measured: Measured, uncertainty: Uncertainty): { low?: number; high?: number } {
  const { value, stderr, ci95 } = measured;
  switch (uncertainty) {
    case "stderr":
      return stderr === undefined ? {} : { low: value - stderr, high: value + stderr };
    case "ci95":
      return ci95 === undefined ? {} : { low: ci95[0], high: ci95[1] };
    default:
      return uncertainty satisfies never;
  }
}

/** The note of a chart, which also says what its error bars are. */
function noteOf(chart: LineChart | CategoryChart, measured: readonly Measured[]): string {
  const { note, uncertainty = "stderr" } = chart;
  const shown = "shownAs" in chart && chart.shownAs === "band" ? "bands" : "bars";
  const meaning = uncertainty === "stderr" ? "one standard error" : "95 % confidence intervals";
  const isKnown = measured.some((each) => ends(each, uncertainty).low !== undefined);
  const parts = [note, isKnown ? `error ${shown}: ${meaning}` : undefined];
  return parts.filter((part) => part !== undefined).join("; ");
}

function checkSeries(
  chart: FigureText,
  series: readonly { readonly name: string; readonly values: readonly unknown[] }[],
): void {
  const most = seriesStyles.length;
  if (series.length === 0 || series.length > most) {
    fail(chart, `there must be 1 to ${most} series: current number is ${series.length}`);
  }
  const empty = series.find(({ values }) => values.length === 0);
  if (empty) fail(chart, `series "${empty.name}" has no points`);
  const names = series.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) fail(chart, `two series have the same name: current name is "${twice}"`);
}

function checkMeasured(
  chart: FigureText,
  measured: readonly Measured[],
  axis: FigureAxis,
  uncertainty: Uncertainty,
): void {
  for (const each of measured) {
    const { low = each.value, high = each.value } = ends(each, uncertainty);
    for (const number of [each.value, low, high]) checkNumber(chart, axis.label, number, axis);
  }
}

function checkNumber(chart: FigureText, name: string, number: number, axis: FigureAxis): void {
  const isLog = axis.scale === "log2";
  if (Number.isFinite(number) && (!isLog || number > 0)) return;
  const allowed = isLog ? "finite numbers above 0" : "finite numbers";
  fail(chart, `${name} cannot be shown: current value is ${number}, allowed are ${allowed}`);
}

function fail({ title }: FigureText, reason: string): never {
  throw new InputRangeError(`Cannot draw "${title}" as ${reason}`);
}
