import { generateCommand } from "../../src/commands/generate.ts";
import { inspectCommand } from "../../src/commands/inspect.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { tinyText, writeTinyRun } from "./tiny_run.ts";

const text = tinyText.slice(0, 600);

test("inspect writes a page with the document's text and what each token reads", () =>
  withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`);
    await Deno.writeTextFile(`${folder}/cat.txt`, text);
    const said = recordedOutput(), out = `${folder}/page.html`;
    const run = (...args: string[]) =>
      execute(inspectCommand(said), "--document", `${folder}/cat.txt`, "--device", "cpu", ...args);
    assert.equal(await run(`${folder}/run`, "--out", out), 0);
    assert.deepEqual(said.printed, [`written to ${out}`]);
    const page = await Deno.readTextFile(out);
    const [, json] = /<script type="application\/json" id="data">(.*?)<\/script>/.exec(page)!;
    const data = JSON.parse(json);
    assert.equal(data.texts.join(""), text);
    assert.equal(data.gates.length, 2);
    assert.equal(data.with[0], null);
    // Windows are of 32 tokens: the first reads nothing, later ones what was before them.
    assert.ok(data.reads.slice(0, 33).every((reads: number[][]) => reads.length === 0));
    data.reads.slice(33).forEach((reads: number[][], i: number) => {
      assert.ok(reads.length > 0);
      const segment = Math.floor((32 + i) / 32) * 32;
      assert.ok(reads.every(([start, count]) => start + count <= segment));
    });
    await assert.rejects(run(`${folder}/run`, "--out", out), /is there already/);
    await assert.rejects(run(`${folder}/run`, "other"), /one run is inspected at a time/);
    assert.equal(
      await run("--run", `${folder}/run`, "--tokens", "40", "--out", `${folder}/part.html`),
      0,
    );
    assert.match(said.notes.at(-1)!, /tokens, the first 40 are shown; --tokens would show more$/);
  }));

test("inspect overwrites no page that is there, also one that it names itself", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/cat.memory.html`, "earlier");
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--allow-all"],
        ...["--config", repositoryPath("deno.json"), repositoryPath("src/main.ts"), "inspect"],
        ...["--run", "run", "--document", "cat.txt.gz"],
      ],
      cwd: folder,
    }).output();
    assert.equal(
      new TextDecoder().decode(stderr),
      'Cannot write "cat.memory.html" as it is there already: --out takes another name\n',
    );
    assert.equal(code, 2);
    assert.equal(await Deno.readTextFile(`${folder}/cat.memory.html`), "earlier");
  }));

test("generate --explain says for each token what the memory does, and which passages", () =>
  withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`);
    await Deno.writeTextFile(`${folder}/cat.txt`, text);
    const said = recordedOutput();
    const args = ["--run", `${folder}/run`, "--document", `${folder}/cat.txt`, "--device", "cpu"];
    const more = ["--prompt", "The cat", "--tokens", "5", "--explain"];
    assert.equal(await execute(generateCommand(said), ...args, ...more), 0);
    const lines = said.printed.join("\n").split("\n");
    const tokens = lines.filter((line) => !line.startsWith("    ")).slice(1);
    assert.equal(tokens.length, 5);
    const probabilities = tokens.map((line) => {
      const [, word, withMemory, without] =
        /^(".*"): ([\d.e-]+) % with the memory, ([\d.e-]+) % without$/.exec(line)!;
      return { word: JSON.parse(word), withMemory: Number(withMemory), without: Number(without) };
    });
    assert.equal(`The cat${probabilities.map(({ word }) => word).join("")}`, lines[0]);
    const passages = lines.filter((line) => line.startsWith("    "));
    assert.ok(passages.length > 0);
    let withMemory = 0;
    for (const line of lines.slice(1)) {
      const [, ofToken] = /": ([\d.e-]+) % with/.exec(line) ?? [];
      const [, ofAll] =
        /^ {4}([\d.e-]+) % without the \d passages that are read most$/.exec(line) ?? [];
      if (ofToken) withMemory = Number(ofToken);
      else if (ofAll) assert.ok(Number(ofAll) < withMemory, line);
      else {
        const [, without, first, last, shown] =
          /^ {4}([\d.e-]+) % without tokens (\d+)-(\d+) of cat\.txt, [\d.e-]+ % of the heads' output: (.*)$/
            .exec(line)!;
        assert.ok(Number(without) < withMemory, line);
        assert.equal((Number(last) - Number(first) + 1) % 4, 0);
        const [before, read, after] = shown.split(/[[\]]/);
        assert.ok(text.replaceAll(/\s+/g, " ").includes(`${before}${read}${after}`.trim()), shown);
      }
    }
  }));
