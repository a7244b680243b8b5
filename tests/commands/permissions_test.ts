import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { tinyText, writeTinyRun } from "./tiny_run.ts";

const config = repositoryPath("deno.json");
const described: Record<string, { command: string }> =
  JSON.parse(await Deno.readTextFile(config)).tasks;
const tasks = Object.fromEntries(
  Object.entries(described).map(([name, { command }]) => [name, command]),
);

/** Runs a command in a folder with exactly the permissions of its task. */
async function run(
  folder: string,
  name: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [, permissions] = new RegExp(`^deno run (.*) src/main.ts ${name}$`).exec(
    tasks[name],
  )!;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check", "--config", config],
      ...permissions.split(" "),
      ...[repositoryPath("src/main.ts"), name, ...args],
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

test("import, export, generate, remember, ask, inspect, induction and data need no more than their tasks allow", async () => {
  await withFolder(async (parent) => {
    // A folder beside which there is no ../shared.
    const folder = `${parent}/inner`;
    await Deno.mkdir(folder);
    await writeTinyRun(`${folder}/run`);
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText);
    const imported = await run(folder, "import", "run", "--out", "longmem");
    assert.equal(imported.code, 0, imported.stderr);
    assert.match(imported.stdout, /^written to longmem$/m);

    const exported = await run(folder, "export", "longmem", "--out", "sidenet.safetensors");
    assert.equal(exported.code, 0, exported.stderr);
    assert.match(exported.stdout, /^sidenet.safetensors: \d+ tensors, decoder.layers.0/);

    const args = ["--run", "run", "--document", "document.txt", "--prompt", "The", "--tokens", "4"];
    const generated = await run(folder, "generate", ...args);
    assert.equal(generated.code, 0, generated.stderr);
    assert.match(generated.stdout, /^The/);
    assert.match(generated.stderr, /^document.txt: \d+ tokens/, "notes are no part of the text");

    const document = ["--run", "run", "--document", "document.txt"];
    const remembered = await run(folder, "remember", ...document, "--out", "text.memory");
    assert.equal(remembered.code, 0, remembered.stderr);
    assert.match(remembered.stdout, /^written to text.memory: 256 tokens in memory/);

    const asked = await run(folder, "ask", "--run", "run", "--memory", "text.memory", "Where?");
    assert.equal(asked.code, 0, asked.stderr);

    const inspected = await run(folder, "inspect", "run", ...document.slice(2), "--tokens", "64");
    assert.equal(inspected.code, 0, inspected.stderr);
    assert.equal(inspected.stdout, "written to document.memory.html\n");

    const figure = ["--context", "32", "--figure", "heads.svg"];
    const measured = await run(folder, "induction", "longmem", ...figure);
    assert.equal(measured.code, 0, measured.stderr);
    assert.match(measured.stdout, /^Induction heads, 4 blocks of 2 heads/);
    assert.match(await Deno.readTextFile(`${folder}/heads.svg`), /^<svg /);

    const listed = await run(folder, "data");
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /^novels: missing$/m);
  });
});

test("a file that cannot be used is exit code 1 and one sentence", async () => {
  await withFolder(async (folder) => {
    const { code, stdout, stderr } = await run(folder, "import", "none.pt", "--out", "longmem");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^Cannot read "none.pt" as there is no such file\n$/);
  });
});

test("only data may use the network, watch and serve listen, and generate may write nothing", () => {
  for (const [name, task] of Object.entries(tasks)) {
    if (!task.includes("src/main.ts")) continue;
    assert.equal(/--allow-(net|all)/.test(task), ["data", "serve", "watch"].includes(name), name);
    assert.doesNotMatch(task, /--allow-net( |$)|--allow-import| -A /, name);
  }
  assert.doesNotMatch(tasks.generate, /--allow-write/);
  assert.match(tasks.serve, / --allow-net=127\.0\.0\.1,\[::1\],0\.0\.0\.0,\[::\] /);
  assert.doesNotMatch(tasks.serve, /--allow-(write|run)/);
  assert.match(tasks.watch, / --allow-net=127\.0\.0\.1 /);
  assert.doesNotMatch(tasks.watch, /--allow-(write|run|ffi|sys)/);
});

test("a declaration that table reads cannot read the environment", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/deed.ts`, 'export default Deno.env.get("HOME");\n');
    const { code, stderr } = await run(folder, "table", "deed.ts");
    assert.equal(code, 2);
    assert.match(stderr, /Cannot load "deed.ts".*Requires env access/);
  });
});

/** Tasks that measure processes of their own, or start the program that bundles. */
const starters = ["measure", "bench", "gpu", "package", "browser"];

test("only what measures or bundles may start any process, and table may do nothing but read", () => {
  const programs: Record<string, string> = { data: "npm", submit: "sbatch", status: "squeue" };
  for (const [name, task] of Object.entries(tasks)) {
    if (!task.startsWith("deno run ")) continue;
    const [, started] = /--allow-run(?:=(\S+))? /.exec(task) ?? [];
    assert.equal(started, programs[name], name);
    assert.equal(/--allow-run /.test(task), starters.includes(name), name);
    assert.doesNotMatch(task, /--allow-all| -A /, name);
  }
  for (
    const [name, allowed] of Object.entries({
      table: ["--allow-read"],
      report: ["--allow-read", "--allow-write"],
      compress: ["--allow-read", "--allow-write"],
      import: ["--allow-read", "--allow-write"],
      export: ["--allow-read", "--allow-write"],
      "chapter-break": ["--allow-read", "--allow-write"],
    })
  ) {
    const flags = tasks[name].match(/--allow-\S+/g);
    assert.deepEqual(flags, [...allowed, "--allow-env=COLUMNS,INIT_CWD"], name);
  }
});

test("a declaration that table or a dry run reads can neither write, start processes nor call native code", async () => {
  const deeds: Record<string, string> = {
    write: 'Deno.writeTextFileSync("deed", "")',
    run: 'new Deno.Command("touch", { args: ["deed"] }).outputSync()',
    ffi: 'Deno.dlopen("libc.so.6", { system: { parameters: ["buffer"], result: "i32" } })',
    net: 'await fetch("http://127.0.0.1:8009/")',
  };
  for (const [what, deed] of Object.entries(deeds)) {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/deed.ts`, `${deed};\nexport default [];\n`);
      for (
        const command of [
          ["table"],
          ["run", "--dry-run"],
          ["measure", "--dry-run"],
          ["submit", "--dry-run"],
        ]
      ) {
        const { code, stderr } = await run(folder, command[0], ...command.slice(1), "deed.ts");
        assert.equal(code, 2, what);
        assert.match(stderr, /Cannot load "deed.ts".*(Requires|NotCapable)/, what);
        await assert.rejects(Deno.stat(`${folder}/deed`), Deno.errors.NotFound, what);
      }
    });
  }
});
