import { Display } from "../../src/queue/terminal.ts";
import { assert, test } from "../testing.ts";

/** What a terminal shows of all that was written to it, lines without the spaces at their ends. */
function screenOf(written: readonly string[], columns: number): string[] {
  const lines = [""];
  let x = 0, y = 0;
  const put = (character: string) => {
    if (x === columns) [x, y] = [0, y + 1];
    lines[y] = (lines[y] ?? "").padEnd(x).slice(0, x) + character + (lines[y] ?? "").slice(x + 1);
    x++;
  };
  // deno-lint-ignore no-control-regex -- what moves the cursor begins with one
  for (const [token] of written.join("").matchAll(/\x1b\[\d*[AJ]|[^]/g)) {
    if (token === "\r") x = 0;
    else if (token === "\n") [x, y] = [0, y + 1];
    else if (token === "\x1b[J") {
      lines.length = y + 1;
      lines[y] = (lines[y] ?? "").slice(0, x);
    } else if (token.startsWith("\x1b")) y -= parseInt(token.slice(2));
    else put(token);
  }
  return Array.from(lines, (line = "") => line.trimEnd());
}

/** A display of a terminal; `size` may be changed. */
function observed(columns: number, rows = 24) {
  const written: string[] = [];
  const size = { columns, rows };
  const write = (text: string) => void written.push(text);
  const display = new Display({ write, overwrites: true, size: () => size });
  return { display, size, write, screen: () => screenOf(written, size.columns) };
}

test("Display draws what runs are at below what stays, parts whole, in lines that fit", () => {
  const { display, screen } = observed(30);
  display.at("a", ["1/2  longmem step 1/9", "loss 3.1416", "9 s left"], "all runs: 1 h left");
  display.at("b", ["2/2  reading"], "all runs: 2 h left");
  const both = [
    "1/2  longmem step 1/9",
    "     loss 3.1416  9 s left",
    "2/2  reading",
    "all runs: 2 h left",
  ];
  assert.deepEqual(screen(), both);
  display.stay("b", "b  done");
  assert.deepEqual(screen(), ["b  done", ...both.slice(0, 2), both[3]]);
  display.at("a", ["1/2  short"], "all runs: 3 s left");
  assert.deepEqual(screen(), ["b  done", "1/2  short", "all runs: 3 s left"]);
  display.at("a", ["1/2  " + "long".repeat(10)], "all runs: 3 s left");
  // Room for the ^C of a terminal, too.
  assert.deepEqual(screen()[1], ("1/2  " + "long".repeat(10)).slice(0, 27));
  display.end();
  assert.deepEqual(screen(), ["b  done", ""]);
});

test("Display makes way for what others write, and for what a person typed", () => {
  const { display, screen, write } = observed(30);
  display.at("a", ["1/2  " + "x".repeat(30)], "all runs: 9 s left");
  write("^C");
  display.beside(() => write("Stopping\n"));
  assert.deepEqual(screen(), ["Stopping", "1/2  " + "x".repeat(22), "all runs: 9 s left"]);
});

test("Display leaves nothing of lines that a narrower terminal has broken, nor draws more than fit", () => {
  const { display, size, screen } = observed(60, 4);
  display.at("a", ["1/1  longmem step 1/9", "loss 3.1416"]);
  size.columns = 20; // the screen is then laid out anew, as terminals do
  display.at("a", ["1/1  step 2/9"]);
  assert.deepEqual(screen(), ["1/1  step 2/9"]);
  display.at("a", Array(9).fill("a part of a line"));
  assert.equal(screen().length, 3);
});

test("Display draws in a terminal of any size, also of none", () => {
  for (const columns of [0, 1, 2, 3, 4, 5, 10, 1000]) {
    for (const rows of [0, 1, 2, 3]) {
      const written: string[] = [];
      const size = () => ({ columns, rows });
      const display = new Display({ write: (text) => written.push(text), overwrites: true, size });
      for (let step = 1; step <= 3; step++) {
        display.at("a", [`1/1  longmem step ${step}/9`, "loss 3.1416"], "all runs: 9 s left");
      }
      display.stay("a", "a  done");
      const all = written.join(""), name = `${columns} x ${rows}`;
      // deno-lint-ignore no-control-regex -- what moves the cursor begins with one
      const moves = all.match(/\x1b\[[^AJ]*[AJ]/g) ?? [];
      assert.ok(moves.length > 0, name);
      for (const move of moves) assert.match(move.slice(1), /^\[(J|[1-9]\d*A)$/, name);
      const shown = screenOf(written, columns || 80);
      assert.equal(shown.join("").replaceAll(" ", ""), "adone", name);
    }
  }
  const written: string[] = [];
  const size = () => ({ columns: 0, rows: 0 });
  const display = new Display({ write: (text) => written.push(text), overwrites: true, size });
  display.at("a", ["1/1  longmem step 1/9", "loss 3.1416"], "all runs: 9 s left");
  assert.deepEqual(screenOf(written, 80), [
    "1/1  longmem step 1/9  loss 3.1416",
    "all runs: 9 s left",
  ]);
});

test("Display writes plain lines where none can be drawn anew", () => {
  const written: string[] = [];
  const display = new Display({ write: (text) => written.push(text), overwrites: false });
  display.stay("a", "a  done");
  display.at("a", ["never"]);
  display.beside(() => written.push("error"));
  display.end();
  assert.deepEqual(written, ["a  done\n", "error"]);
});
