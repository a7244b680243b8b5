import {
  asksForHelp,
  type Command,
  commandHelp,
  type CommandSummary,
  overview,
  readArguments,
  terminalWidth,
  wrap,
} from "../src/command_line.ts";
import { summaries } from "../src/commands/summaries.ts";
import { assert, repositoryPath, test } from "./testing.ts";

const command: CommandSummary & Pick<Command, "flags" | "operandsArePaths"> = {
  operands: "PATH...",
  help: "Does something that takes a sentence of a certain length to explain to its readers.",
  operandsArePaths: true,
  flags: [
    { name: "out", value: "FILE", isPath: true, help: "where to write" },
    { name: "prompt", value: "TEXT", help: "text to continue" },
    { name: "kind", value: "KIND", allowed: ["small", "large"], help: "which one" },
    { name: "dry-run", help: "write nothing, and say what would have been written and where" },
  ],
};

test("readArguments() takes values after a space or =, also ones that begin with a dash", () => {
  const { operands, flags } = readArguments(command, [
    ...["a", "--prompt", "--help", "--out=x=y", "--dry-run", "--prompt", "-1", "b", "-"],
    ...["--", "--kind", "-x"],
  ]);
  assert.deepEqual(operands, ["a", "b", "-", "--kind", "-x"]);
  assert.deepEqual([...flags], [["prompt", ["--help", "-1"]], ["out", ["x=y"]], ["dry-run", [""]]]);
});

test("readArguments() names the flag that is wrong", () => {
  const cases: [string[], RegExp][] = [
    [
      ["--knd", "small"],
      /^UsageError: Cannot read --knd as it is unknown: .*did you mean "--kind"/,
    ],
    [
      ["--kind", "smal"],
      /current value is "smal", allowed are small, large \(did you mean "small"/,
    ],
    [["--kind="], /Cannot read --kind: current value is "", allowed are small, large/],
    [["--out"], /Cannot read --out as its value is missing: FILE/],
    [["--dry-run=no"], /Cannot read --dry-run as it takes no value/],
    [["-q"], /Cannot read -q as it is unknown/],
    [["--no-dry-run"], /Cannot read --no-dry-run as it is unknown/],
    [["--constructor"], /Cannot read --constructor as it is unknown/],
  ];
  for (const [args, message] of cases) {
    assert.throws(() => readArguments(command, args), message, args.join(" "));
  }
});

test("asksForHelp() finds --help and -h where they are flags, not values or operands", () => {
  for (const args of [["--help"], ["a", "-h"], ["--unknown", "--help"]]) {
    assert.equal(asksForHelp(command, args), true, args.join(" "));
  }
  for (const args of [["help"], ["--prompt", "--help"], ["--", "-h"], []]) {
    assert.equal(asksForHelp(command, args), false, args.join(" "));
  }
});

test("paths are relative to the folder where the user stands, other values stay", () => {
  const folder = `${Deno.cwd()}/tests/commands`;
  const { operands, flags } = readArguments(
    command,
    ["a.ts", "../b", "/c", "../..", "--out", "o/p", "--prompt", "a/b"],
    folder,
  );
  assert.deepEqual(operands, ["tests/commands/a.ts", "tests/b", "/c", "."]);
  assert.deepEqual([...flags.values()], [["tests/commands/o/p"], ["a/b"]]);
  const elsewhere = readArguments(command, ["a.ts"], `${Deno.cwd()}/../x`);
  assert.deepEqual(elsewhere.operands, ["../x/a.ts"]);
});

test("help fits the terminal, whatever its width", () => {
  for (const width of [60, 61, 80, 200]) {
    const texts = [commandHelp("do", command, width), overview(summaries, width)];
    for (const text of texts) {
      const longest = text.split("\n").reduce((a, b) => a.length >= b.length ? a : b);
      assert.ok(longest.length <= width, `${longest.length} > ${width}: ${longest}`);
      for (const { help } of text === texts[0] ? [command] : Object.values(summaries)) {
        assert.ok(text.replaceAll(/\s+/g, " ").includes(help), "no word is lost");
      }
    }
    for (const { help } of command.flags) {
      assert.ok(texts[0].replaceAll(/\s+/g, " ").includes(help));
    }
  }
  assert.deepEqual(wrap("aa bb ccccccc d", 5), ["aa bb", "ccccccc", "d"]);
});

test("the terminal's width is COLUMNS, else its own, else 80", () => {
  const width = (columns: string | undefined, size: () => { columns: number }) =>
    terminalWidth({ get: () => columns }, size);
  const noTerminal = () => {
    throw new Error("not a terminal");
  };
  assert.equal(width("72", () => ({ columns: 120 })), 72);
  for (const unusable of [undefined, "", "0", "-5", "wide", "1.5"]) {
    assert.equal(width(unusable, () => ({ columns: 120 })), 120, unusable);
    assert.equal(width(unusable, () => ({ columns: 0 })), 80, unusable);
    assert.equal(width(unusable, noTerminal), 80, unusable);
  }
  assert.equal(width("3", noTerminal), 60);
});

/** Specifiers of all modules that Deno loads or downloads for a script before anything runs. */
async function downloadedFor(script: string): Promise<string[]> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", script],
    cwd: repositoryPath("."),
  }).output();
  assert.ok(success);
  interface Dependency {
    readonly code?: { readonly specifier: string };
  }
  const { modules, roots } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { specifier: string; dependencies?: Dependency[] }[];
    roots: string[];
  };
  const bySpecifier = new Map(modules.map((module) => [module.specifier, module]));
  const found = new Set<string>(), open = [...roots];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const { code } of bySpecifier.get(next)?.dependencies ?? []) {
      if (code) open.push(code.specifier);
    }
  }
  return [...found];
}

test("Nothing but a device loads an engine: help needs no package, no command downloads one", async () => {
  const help = await downloadedFor("src/main.ts");
  assert.ok(help.length > 4 && help.length < 20, help.join("\n"));
  assert.deepEqual(help.filter((specifier) => specifier.startsWith("npm:")), []);
  for (const name of ["table", "report", "data", "run", "generate", "import"]) {
    const downloaded = await downloadedFor(`src/commands/${name}.ts`);
    assert.ok(downloaded.some((specifier) => specifier.startsWith("npm:")), "packages are seen");
    assert.deepEqual(downloaded.filter((specifier) => /onnxruntime|hnswlib/.test(specifier)), []);
  }
});

test("deno task downloads no engine, as it does with all imports of deno.json and of a default lock", async () => {
  const { imports, lock, tasks } = JSON.parse(
    await Deno.readTextFile(repositoryPath("deno.json")),
  );
  assert.deepEqual(Object.keys(imports).filter((name) => /onnxruntime/.test(name)), []);
  assert.equal(lock, false);
  for (const [name, { command }] of Object.entries<{ command: string }>(tasks)) {
    for (const [part] of command.matchAll(/deno (run|test|check) (?!task)[^&]*/g)) {
      assert.match(part, /--lock=deno\.lock/, name);
    }
  }
});

test("bench has help and names wrong flags, without measuring or a stack trace", async () => {
  const bench = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-check", "--allow-read", "--allow-env"],
        ...["--allow-sys", repositoryPath("tests/bench/bench.ts"), ...args],
      ],
      env: { COLUMNS: "100", NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  };
  for (const flag of ["--help", "-h"]) {
    const { code, stdout } = await bench(flag);
    assert.equal(code, 0);
    assert.match(stdout, /^deno task bench\n\nMeasures speed[^]*--device DEVICE[^]*--write/);
  }
  const wrong: [string[], RegExp][] = [
    [["--confg", "tiny"], /^Cannot read --confg as it is unknown: .*did you mean "--config"/],
    [["--config", "tny"], /current value is "tny", allowed are bench, .*did you mean "tiny"/],
    [["--device", "gpu"], /allowed are webgpu, cpu, wasm/],
    [["--threads", "none"], /current value is "none", allowed are positive integers/],
    [["fast"], /^Cannot measure "fast" as it follows no flag\n$/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await bench(...args);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});
