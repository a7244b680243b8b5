import { parseHTML } from "linkedom";
import {
  dotChart,
  type HeatMap,
  heatMap,
  type LineChart,
  lineChart,
} from "../../src/results/figure.ts";
import { assert, assertClose, test } from "../testing.ts";
import { chromiumTest, inPage } from "./chromium.ts";

/** What tests look at of a parsed figure. */
interface Node {
  readonly children: readonly Node[];
  readonly textContent: string;
  readonly tagName: string;
  getAttribute(name: string): string | null;
  querySelectorAll(selector: string): Iterable<Node>;
}

function parse(svg: string): Node {
  const { document } = parseHTML(svg) as unknown as { document: { documentElement: Node } };
  return document.documentElement;
}

function all(node: Node, selector: string): Node[] {
  return [...node.querySelectorAll(selector)];
}

function numbers(nodes: readonly Node[], attribute: string): number[] {
  return nodes.map((node) => Number(node.getAttribute(attribute)));
}

/** Where the marks of dots are [x, y], those of the legend left out. */
function dots(svg: Node): [number, number][][] {
  const groups = all(svg, 'g[aria-label="dot"]').filter((group) =>
    all(group, "circle, path").length > 1
  );
  return groups.map((group) =>
    all(group, "circle, path").map((mark) =>
      mark.tagName.toLowerCase() === "circle"
        ? [Number(mark.getAttribute("cx")), Number(mark.getAttribute("cy"))]
        : /\(([^)]*)\)/.exec(mark.getAttribute("transform")!)![1].split(",").map(Number) as [
          number,
          number,
        ]
    )
  );
}

const text = { title: "Recall & <memory>" };

const lines: LineChart = {
  ...text,
  note: "24 books",
  x: { label: "memory", unit: "tokens", scale: "log2" },
  y: { label: "recall", domain: [0, 1] },
  series: [
    {
      name: "with",
      points: [
        { x: 128, value: 0.5, stderr: 0.1, ci95: [0.2, 0.9] },
        { x: 256, value: 0.75 },
        { x: 1024, value: 1, stderr: 0 },
      ],
    },
    { name: "without", points: [{ x: 128, value: 0.25 }, { x: 1024, value: 0.5 }] },
  ],
};

const cells: HeatMap = {
  ...text,
  description: "It grows & grows.",
  columns: { label: "head", names: ["0", "1"] },
  rows: { label: "block", names: ["0", "1", "2"] },
  value: { label: "attention", domain: [0, 0.5] },
  panels: [
    { name: "first", values: [[0, 0.1], [0.25, 0.5], [0.75, 0.004]] },
    { name: "second", values: [[0, 0], [0, 0], [0, 0.125]] },
  ],
};

const categories = {
  ...text,
  value: { label: "recall", domain: [0, 1] as const },
  series: [
    {
      name: "with",
      points: [
        { category: "persons", value: 0.8, stderr: 0.1 },
        { category: "labels", value: 0.4, ci95: [0.1, 0.5] as const },
      ],
    },
    { name: "without", points: [{ category: "labels", value: 0.2 }] },
  ],
};

const figures = { lines: lineChart(lines), dots: dotChart(categories), cells: heatMap(cells) };

test("lineChart puts points where their numbers are, on a logarithmic axis", () => {
  const [first, second] = dots(parse(figures.lines));
  const [[x, y]] = first;
  const octave = first[1][0] - x, one = 4 * (y - first[1][1]);
  assert.ok(octave > 50 && one > 100, "to the right and upwards");
  assertClose(first.map(([x]) => x), [x, x + octave, x + 3 * octave], { tolerance: 0.01 });
  assertClose(first.map(([, y]) => y), [y, y - one / 4, y - one / 2], { tolerance: 0.01 });
  assertClose(second.flat(), [x, y + one / 4, x + 3 * octave, y], { tolerance: 0.01 });
  assert.equal(all(parse(figures.lines), 'g[aria-label="y-grid"]').length, 1);
  assert.equal(all(parse(figures.lines), 'g[aria-label="x-grid"]').length, 0);
  const ticks = all(parse(figures.lines), 'g[aria-label="x-axis tick label"] text');
  assert.deepEqual(ticks.map(({ textContent }) => textContent), ["128", "256", "512", "1,024"]);

  const linear = dots(parse(lineChart({ ...lines, x: { label: "memory" } })))[0];
  const share = (linear[1][0] - linear[0][0]) / (linear[2][0] - linear[0][0]);
  assertClose([share], [128 / 896], { tolerance: 1e-4 });
});

test("lineChart prints what its axis says, has room for 0 among factors, and begins at 0 where lengths count", () => {
  const drawn = (change: Partial<LineChart["x"]>, y: Partial<LineChart["y"]> = {}) =>
    parse(lineChart({
      ...lines,
      x: { label: "demonstrations", ...change },
      y: { label: "speed", ...y },
      series: [{ name: "with", points: [0, 8, 16].map((x) => ({ x, value: 50 + x })) }],
    }));
  const printed = (svg: Node, axis: string) =>
    all(svg, `g[aria-label="${axis}-axis tick label"] text`).map(({ textContent }) => textContent);
  const ticks = [{ at: 0 }, { at: 8 }, { at: 16, name: "all" }];
  const svg = drawn({ scale: "symlog", ticks });
  assert.deepEqual(printed(svg, "x"), ["0", "8", "all"]);
  const [[[zero], [first], [second]]] = dots(svg);
  // log(1 + x / 8): 0, log 2, log 3.
  assertClose([(second - zero) / (first - zero)], [Math.log(3) / Math.log(2)], { tolerance: 1e-3 });
  assert.ok(!printed(svg, "y").includes("0"));
  assert.ok(printed(drawn({}, { fromZero: true }), "y").includes("0"));
});

test("charts are equally wide, whatever their legends, which take a line for each name", () => {
  const of = (names: readonly string[], legendTitle?: string) =>
    parse(lineChart({
      ...lines,
      ...(legendTitle && { legendTitle }),
      series: names.map((name) => ({ ...lines.series[0], name })),
    }));
  const long = ["backbone-sliding-window-256", "backbone-full-context-1024", "infllm-m4096-c4-k64"];
  const [short, wide, titled] = [of(["1", "2"]), of(long), of(["1", "2"], "chunk length")];
  assert.equal(short.getAttribute("width"), wide.getAttribute("width"));
  assert.equal(parse(figures.dots).getAttribute("width"), wide.getAttribute("width"));
  for (const higher of [wide, titled]) {
    assertClose(numbers([higher], "height"), [numbers([short], "height")[0] + 20], {
      tolerance: 0.01,
    });
  }
  assert.match(titled.textContent, /chunk length/);
  for (const name of long) assert.ok(wide.textContent.includes(name), name);
});

test("charts draw 95 % intervals where they are known, and say so", () => {
  const svg = parse(figures.lines), [[first, second]] = dots(svg);
  const one = 4 * (first[1] - second[1]);
  const [bar, ...others] = all(svg, 'g[aria-label="rule"] line');
  assert.deepEqual(others, []);
  assertClose(numbers([bar, bar], "x1"), [first[0], first[0]], { tolerance: 0.01 });
  const [[y1], [y2]] = [numbers([bar], "y1"), numbers([bar], "y2")];
  assertClose([Math.abs(y1 - y2)], [0.7 * one], { tolerance: 0.01 });
  assert.match(svg.textContent, /24 books; error bars: 95 % confidence intervals/);
  const { ci95: _, ...bare } = lines.series[0].points[0];
  const unknown = lineChart({ ...lines, series: [{ name: "with", points: [bare] }] });
  assert.doesNotMatch(unknown, /error/, "nothing is said of uncertainty that is not there");
});

test("series differ without their colours, and the legend shows each as it is drawn", () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const many = lineChart({
    ...lines,
    series: names.map((name) => ({ ...lines.series[0], name })),
  });
  const svg = parse(many);
  const dashes = ["line", "vector"].map((mark) =>
    all(svg, `g[aria-label="${mark}"]`).map((line) => line.getAttribute("stroke-dasharray"))
  );
  assert.equal(new Set(dashes[0]).size, 6);
  assert.deepEqual(dashes[1], dashes[0]);
  const marks = all(svg, 'g[aria-label="dot"]').map(({ children: [mark] }) =>
    mark.getAttribute("d") ?? "circle"
  );
  assert.equal(marks.length, 12, "six lines and six entries");
  assert.equal(new Set(marks).size, 6);
  assert.deepEqual(marks.slice(6), marks.slice(0, 6));
  const single = lineChart({ ...lines, series: [lines.series[0]] });
  assert.doesNotMatch(single, />with</, "one series needs no legend");
});

test("dotChart draws dots and intervals, a line for each category", () => {
  const svg = parse(figures.dots);
  const labels = all(svg, 'g[aria-label="fy-axis tick label"] text');
  assert.deepEqual(labels.map(({ textContent }) => textContent), ["persons", "labels"]);
  assert.equal(all(svg, 'g[aria-label="x-grid"]').length > 0, true);
  const [[[persons], [other]]] = dots(svg);
  const one = (persons - other) / 0.4;
  const [bar] = all(svg, 'g[aria-label="rule"] line');
  const [[x1], [x2]] = [numbers([bar], "x1"), numbers([bar], "x2")];
  assertClose([x2 - x1, other - x1], [0.4 * one, 0.3 * one], { tolerance: 0.01 });
});

test("heatMap prints each number in a cell whose strength is its share of the domain", () => {
  const svg = parse(figures.cells);
  const rects = all(svg, 'g[aria-label="cell"] rect');
  assertClose(numbers(rects, "fill-opacity"), [0, 0.2, 0.5, 1, 1, 0.008, 0, 0, 0, 0, 0, 0.25], {
    tolerance: 1e-6,
  });
  const printed = all(svg, 'g[aria-label="text"] text').map(({ textContent }) => textContent);
  const expected = "0.00 0.10 0.25 0.50 0.75 0.00 0.00 0.00 0.00 0.00 0.00 0.13".split(" ");
  assert.deepEqual(printed.slice(0, 12), expected);
  const [x, nextX] = numbers(rects, "x"), ys = numbers(rects, "y");
  assert.ok(nextX > x && ys[1] === ys[0] && ys[2] > ys[0], "columns are heads, rows are blocks");
  assert.match(svg.textContent, /attention, coloured from 0.00 to 0.50/);
  for (const name of ["first", "second", "head", "block"]) {
    assert.match(svg.textContent, new RegExp(name));
  }
  const raised = heatMap({ ...cells, value: { label: "attention", domain: [0.25, 0.75] } });
  const opacities = numbers(all(parse(raised), 'g[aria-label="cell"] rect'), "fill-opacity");
  assertClose(opacities, [0, 0, 0, 0.5, 1, 0, 0, 0, 0, 0, 0, 0], { tolerance: 1e-6 });
});

test("figures are well-formed, the same for the same data, and have a name and a description", () => {
  const descriptions = {
    lines: "with: 0.500 at 128, 1.00 at 1024; without: 0.250 at 128, 0.500 at 1024.",
    dots: "with: persons 0.8000, labels 0.4000; without: labels 0.2000.",
    cells: cells.description,
  };
  for (const [name, svg] of Object.entries(figures)) {
    checkWellFormed(svg);
    assert.match(svg, /^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    const root = parse(svg);
    assert.equal(root.getAttribute("role"), "img");
    const [title, description] = root.children;
    assert.deepEqual([title, description].map(({ tagName }) => tagName.toLowerCase()), [
      "title",
      "desc",
    ]);
    assert.equal(title.textContent, text.title);
    assert.equal(description.textContent, descriptions[name as keyof typeof figures]);
  }
  assert.equal(lineChart(lines), figures.lines);
  assert.equal(heatMap(cells), figures.cells);
  assert.match(figures.lines, />memory \(tokens\)</);
});

/** Where a text is, in pixels: left, right, top and bottom, as if its font were as wide as figures take it to be. */
interface TextBox {
  readonly text: string;
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

/** The texts of a figure, but for those that stand upright. */
function textBoxes(
  node: Node,
  at = { x: 0, y: 0, size: 12, anchor: "start" },
): TextBox[] {
  const transform = node.getAttribute("transform") ?? "";
  if (transform.includes("rotate")) return [];
  const [, dx = 0, dy = 0] = /translate\(([^,)]*),?([^)]*)\)/.exec(transform) ?? [];
  const here = {
    x: at.x + Number(dx),
    y: at.y + Number(dy),
    size: Number(node.getAttribute("font-size") ?? at.size),
    anchor: node.getAttribute("text-anchor") ?? at.anchor,
  };
  if (node.tagName.toLowerCase() !== "text") {
    return [...node.children].flatMap((child) => textBoxes(child, here));
  }
  const text = node.textContent, width = 0.55 * here.size * text.length;
  const length = (name: string) => {
    const value = node.getAttribute(name) ?? "0";
    return parseFloat(value) * (value.endsWith("em") ? here.size : 1);
  };
  const x = here.x + length("x"), baseline = here.y + length("y") + length("dy");
  const left = here.anchor === "start" ? x : here.anchor === "end" ? x - width : x - width / 2;
  return [{ text, x: [left, left + width], y: [baseline - 0.7 * here.size, baseline] }];
}

test("the texts of figures lie within them, and none upon another", () => {
  const long = (name: string) => `${name} of a model whose name is long`;
  const wide = {
    ...lines,
    title: "A title that takes more than a line of a figure, as it says all there is to say of it",
    note: "a note that does so, too, as it tells of all that was held fixed ".repeat(3).trim(),
    legendTitle: "models",
    y: { label: "perplexity" },
    series: lines.series.map(({ name, points }) => ({
      name: long(name),
      points: points.map((point) => ({ ...point, value: 123_456 * point.value })),
    })),
  };
  const shown = {
    ...figures,
    wide: lineChart(wide),
    longCategories: dotChart({
      ...categories,
      series: categories.series.map(({ name, points }) => ({
        name: long(name),
        points: points.map((point) => ({ ...point, category: long(point.category) })),
      })),
    }),
    longCells: heatMap({
      ...cells,
      columns: { label: "head", names: ["the first of all heads", "the second"] },
      rows: { label: "block", names: ["the first of all blocks", "1", "2"] },
    }),
  };
  for (const [name, svg] of Object.entries(shown)) {
    const root = parse(svg), boxes = textBoxes(root);
    const [width, height] = ["width", "height"].map((size) => Number(root.getAttribute(size)));
    assert.ok(boxes.length >= 8, `${name} has ${boxes.length} texts`);
    for (const [i, { text, x, y }] of boxes.entries()) {
      assert.ok(x[0] >= 0 && x[1] <= width, `${name}: "${text}" from ${x} of ${width}`);
      assert.ok(y[0] >= 0 && y[1] <= height, `${name}: "${text}" from ${y} of ${height}`);
      for (const other of boxes.slice(0, i)) {
        const apart = x[1] <= other.x[0] || other.x[1] <= x[0] || y[1] <= other.y[0] ||
          other.y[1] <= y[0];
        assert.ok(apart, `${name}: "${text}" lies upon "${other.text}"`);
      }
    }
  }
});

/** Texts of a page's figures that lie upon others, or outside or at the lower edge, by where a browser draws them. */
const collisions = `() => [...document.querySelectorAll("svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent)
    .map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
  return texts.flatMap(({ text, box }, i) => [
    ...(box.left < frame.left || box.right > frame.right || box.top < frame.top ||
      box.bottom > frame.bottom - 2 ? [text + " outside"] : []),
    ...texts.slice(0, i).filter(({ box: other }) =>
      Math.min(box.right, other.right) - Math.max(box.left, other.left) > 1 &&
      Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top) > 1
    ).map((other) => text + " upon " + other.text),
  ]);
})`;

chromiumTest(
  "labels of axes do not collide, however long they are and however close their ticks",
  async () => {
    const label = "gain over the backbone with a sliding window of 256 tokens";
    const tall = { ...lines, y: { label, unit: "nats/token" } };
    const along = (ats: readonly number[], scale: "linear" | "log2" | "symlog") =>
      lineChart({
        ...lines,
        x: { label: "memory", scale, ticks: ats.map((at) => ({ at })) },
        series: [{ name: "", points: ats.map((x) => ({ x, value: x % 7 })) }],
      });
    const powers = Array.from({ length: 14 }, (_, i) => 64 * 2 ** i);
    const shown = [
      lineChart(tall),
      along(powers, "log2"),
      along([0, ...powers], "symlog"),
      along([1, 2, 3, 1000, 1001, 100_000], "linear"),
    ];
    const html = `<html><head></head><body>${shown.join("")}</body></html>`;
    const { result } = await inPage<string[]>(html, collisions);
    assert.deepEqual(result, []);
    assert.match(shown[0], />gain over the backbone with a</);
    const labels = [...shown[1].matchAll(/>([\d,]+)<\/text>/g)].map(([, text]) => text);
    assert.ok(labels.includes("524,288") && labels.includes("131,072"), `${labels}`);
  },
);

test("figures are legible in both themes", () => {
  for (const svg of Object.values(figures)) {
    const [, light, dark] =
      /\.figure {([^}]*)}\s*@media \(prefers-color-scheme: dark\) {\s*\.figure {([^}]*)}/
        .exec(svg)!;
    for (const theme of [light, dark]) {
      const colours = new Map(
        [...theme.matchAll(/([a-z-]*[a-z0-9]+): (#[0-9a-f]+)/g)].map(([, name, colour]) =>
          [name, luminance(colour)] as const
        ),
      );
      const contrast = (a: string, b: string) => {
        const [low, high] = [colours.get(a)!, colours.get(b)!].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
      };
      for (const [, used] of svg.matchAll(/var\(([^)]*)\)/g)) {
        assert.ok(colours.has(used), `${used} has a colour in both themes`);
      }
      // Bounds of the Web Content Accessibility Guidelines 2.2: 4.5 for text, 3 for graphics.
      assert.ok(contrast("color", "background") > 4.5);
      assert.ok(contrast("color", "--figure-cell") > 4.5, "numbers in the strongest cell");
      for (const name of colours.keys()) {
        if (name.includes("series")) assert.ok(contrast(name, "background") > 3, name);
      }
    }
  }
});

test("figures refuse what is no number", () => {
  assert.throws(
    () => lineChart({ ...lines, series: [{ name: "a", points: [{ x: 1, value: NaN }] }] }),
    { name: "RangeError", message: 'Cannot draw "Recall & <memory>" as a number is NaN' },
  );
});

/** Asserts that tags are closed in order and nothing is left unescaped, as XML demands. */
function checkWellFormed(svg: string): void {
  const open: string[] = [];
  let rest = svg;
  while (rest !== "") {
    const [whole, entity, closing, name, attributes, selfClosing] =
      /^(?:[^<&]+|(&(?:amp|lt|gt|quot|#\d+);)|<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>)/
        .exec(rest) ?? assert.fail(`not XML: ${rest.slice(0, 80)}`);
    void entity, void attributes;
    if (closing) assert.equal(open.pop(), name);
    else if (name && !selfClosing) open.push(name);
    rest = rest.slice(whole.length);
  }
  assert.deepEqual(open, []);
}

/** Relative luminance of a colour, #rgb or #rrggbb. */
function luminance(colour: string): number {
  const digits = colour.slice(1).length === 3
    ? colour.slice(1).replace(/./g, "$&$&")
    : colour.slice(1);
  const [r, g, b] = [0, 2, 4].map((i) => {
    const share = parseInt(digits.slice(i, i + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
