import { type Inspection, inspectionPage } from "../../src/results/inspection_page.ts";
import { assert, test } from "../testing.ts";
import { chromiumTest, inPage } from "./chromium.ts";

const words = "<s> The key of Anna </script><b>is & red . Ben has a hat The key of Anna is red"
  .split(" ");

/** A document whose last word is known from the passage of tokens 4 to 7. */
const inspection: Inspection = {
  name: "keys <1>.txt",
  model: "small-1",
  texts: words.map((word, i) => i === 0 ? "" : `${word} `),
  probabilities: words.map((_, i) => i === 0 ? NaN : i === 18 ? 0.9 : i === 10 ? 0.01 : 0.2),
  without: words.map((_, i) => i === 0 ? NaN : i === 18 ? 0.015 : 0.2),
  passages: words.map((_, i) =>
    i < 9 ? [] : [{ start: 4, end: 8, shares: [0.3, 0.1] }, { start: 0, end: 2, shares: [0.02, 0] }]
  ),
  gates: [0.5, 0.25],
  contextTokens: 8,
  capacityTokens: 8,
};

test("inspectionPage() has the text and the most changed tokens without its script", () => {
  const page = inspectionPage(inspection);
  assert.doesNotMatch(page, /<b>is|src=|https?:(?!\/\/www\.w3\.org\/2000\/svg")/);
  assert.match(page, /keys &lt;1&gt;\.txt, 19 tokens, in windows of 8 with a memory of 8\./);
  // exp of the mean over tokens 9 to 18 of ln(0.9/0.015) and ln(0.01/0.2), the others being 0.
  const mean = Math.exp((Math.log(60) + Math.log(0.05)) / 10).toFixed(2);
  assert.match(page, new RegExp(`makes a token ${mean} times more likely`));
  const equal = inspectionPage({ ...inspection, probabilities: inspection.without });
  assert.match(equal, /makes a token neither more nor less likely/);
  assert.match(page, /href="#t18">red<\/a><\/th><td>18<\/td><td>90\.0 %<\/td><td>1\.50 %<\/td>/);
  assert.match(page, /Most hurt tokens[\s\S]*href="#t10">has<\/a><\/th><td>10<\/td><td>1\.00 %/);
  assert.match(
    page,
    /<span role="option" aria-selected="false" id="t18" class="more4">red <\/span>/,
  );
  assert.match(page, /id="t10" class="less3">has /);
});

test("inspectionPage() shows characters that would change the page around them", () => {
  const texts = inspection.texts.map((text, i) => i === 3 ? "a\u202eb\r\n" : text);
  const page = inspectionPage({ ...inspection, texts, name: "\x1b.txt" });
  assert.match(page, /id="t3">a\[U\+202E\]b\u240d\n<\/span>/);
  assert.match(page, /\u241b\.txt, 19 tokens/);
  assert.doesNotMatch(page, /[\u202e\r]/);
});

chromiumTest("a page of an inspection is used by keyboard, by click and by link", async () => {
  const { result, errors } = await inPage<Record<string, unknown>>(
    inspectionPage(inspection),
    `() => {
      const list = document.getElementById("tokens");
      const chosen = () => list.querySelectorAll("[aria-selected=true]").length === 1 &&
        list.getAttribute("aria-activedescendant") === list.querySelector("[aria-selected=true]").id
        ? list.getAttribute("aria-activedescendant") : "none";
      const press = (key) => {
        list.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        return chosen();
      };
      // Without a window that has the focus, Chromium may leave it to a later moment to say so.
      list.dispatchEvent(new FocusEvent("focus"));
      const found = { focus: chosen() };
      found.keys = ["ArrowLeft", "ArrowRight", "PageDown", "n", "n", "n", "p", "End", "Home"].map(press);
      document.getElementById("t18").click();
      found.click = chosen();
      found.said = document.getElementById("said").textContent;
      found.live = document.getElementById("said").getAttribute("aria-live");
      found.rows = [...document.querySelectorAll("#reads tr")].map((row) =>
        [...row.children].map((cell) => cell.textContent.trim()));
      found.marked = [...document.querySelectorAll(".read")].map(({ id }) => id);
      found.marks = [...document.querySelectorAll("#marks rect")].map((mark) => Math.round(mark.getAttribute("x")));
      const held = document.getElementById("held");
      found.held = ["x", "width"].map((name) => Math.round(held.getAttribute(name)));
      location.hash = "#t10";
      dispatchEvent(new HashChangeEvent("hashchange"));
      found.link = chosen();
      return found;
    }`,
  );
  assert.deepEqual(errors, []);
  const { rows, said, ...rest } = result;
  assert.deepEqual(rest, {
    focus: "t0",
    keys: ["t0", "t1", "t9", "t10", "t18", "t18", "t10", "t18", "t0"],
    click: "t18",
    live: "polite",
    marked: ["t0", "t1", "t4", "t5", "t6", "t7"],
    marks: [Math.round(4000 / 19), 0],
    held: [Math.round(8000 / 19), Math.round(8000 / 19)],
    link: "t10",
  });
  assert.equal(
    said,
    "Token 18, \u201cred\u201d: 90.0 % with the memory, 1.50 % without. Reads tokens 4 to 7 most.",
  );
  assert.deepEqual(rows, [
    ["tokens", "passage", "head 0", "head 1"],
    ["gate", "", "50.0 %", "25.0 %"],
    ["4\u20137", words.slice(0, 16).slice(1).join(" "), "60.0 %", "40.0 %"],
    ["0\u20131", words.slice(1, 10).join(" "), "4.00 %", ""],
  ]);
});

chromiumTest("a page of an inspection fits a narrow window and has rows of lines", async () => {
  const texts = Array.from({ length: 300 }, (_, i) => `word${i} `);
  const long = {
    ...inspection,
    texts,
    probabilities: texts.map(() => 0.5),
    without: texts.map(() => 0.4),
    passages: texts.map(() => [{ start: 4, end: 8, shares: [0.3, 0.1] }]),
  };
  const { result, errors } = await inPage<{ overflow: number; below: boolean; rows: number[] }>(
    inspectionPage(long),
    `() => {
      const list = document.getElementById("tokens"), root = document.documentElement;
      document.getElementById("t50").click();
      const top = () => document.getElementById(list.getAttribute("aria-activedescendant")).offsetTop;
      const before = top();
      const press = (key) => list.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      press("ArrowDown");
      const under = top();
      press("ArrowUp");
      press("ArrowUp");
      return {
        overflow: root.scrollWidth - root.clientWidth,
        below: document.querySelector("aside").getBoundingClientRect().left < 40,
        rows: [under - before, top() - before].map(Math.sign),
      };
    }`,
    { width: 500 },
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(result, { overflow: 0, below: true, rows: [1, -1] });
});
