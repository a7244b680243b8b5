import { join } from "node:path";
import { answer } from "../../src/commands/watch.ts";
import { runPage } from "../../src/results/watch_page.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";

/** Writes a run of one training, of which the first steps are recorded. */
async function writeRun(
  results: string,
  name: string,
  steps: number,
  state = "interrupted",
  error?: string,
): Promise<void> {
  const path = join(results, name);
  await Deno.mkdir(path, { recursive: true });
  const [experiment, run] = name.split("/");
  await Deno.writeTextFile(
    join(path, "summary.json"),
    JSON.stringify({ state, error, experiment, run, scale: "scaled-down", metrics: [] }),
  );
  const lines = Array.from({ length: steps }, (_, i) => ({
    ...{ phase: "longmem", step: i + 1, split: "train", tokens: 256 * (i + 1), loss: 5 - i / 8 },
    ...{ learningRate: 0.001, gradientNorm: 2 },
    timing: { tokensPerSecond: 1000, elapsedMs: i },
  }));
  const text = lines.map((line) => JSON.stringify(line) + "\n").join("");
  await Deno.writeTextFile(join(path, "metrics.jsonl"), text);
}

/** A process of the task on any free port, with exactly the permissions of the task. */
function spawnWatch(...args: string[]): Deno.ChildProcess {
  const config = repositoryPath("deno.json");
  const { tasks } = JSON.parse(Deno.readTextFileSync(config));
  const [, permissions] = /^deno run (.*) src\/main.ts watch$/.exec(tasks.watch.command)!;
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check", "--config", config],
      ...permissions.split(" "),
      ...[repositoryPath("src/main.ts"), "watch", ...args],
    ],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

test("watch serves the list of runs and their curves as they are now", async () => {
  await withFolder(async (results) => {
    await writeRun(results, "small/r1", 3);
    const process = spawnWatch(results, "--port", "0");
    try {
      let said = "";
      for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
        said += part;
        if (said.includes("\n")) break;
      }
      const [url] = /^http:\/\/127\.0\.0\.1:\d+\//.exec(said)!;
      const list = await fetch(url);
      assert.equal(list.status, 200);
      assert.match(list.headers.get("content-security-policy")!, /default-src 'none'/);
      const first = await list.text();
      assert.match(first, /small\/r1.*interrupted.*longmem.*>3<.*>4\.7500</);
      assert.match(first, /<meta http-equiv="refresh" content="5">/);
      const [, link] = /href="(\/\?run=[^"]+)"/.exec(first)!;
      const curves = await (await fetch(new URL(link, url))).text();
      for (const label of ["loss", "learning rate", "gradient norm", "speed"]) {
        assert.match(curves, new RegExp(`longmem: ${label} by step`));
      }
      assert.match(curves, /4\.75 at 3/, "the description has the last step");
      // What is recorded meanwhile is on the page when it is loaded again.
      await writeRun(results, "small/r1", 5);
      assert.match(await (await fetch(url)).text(), />5<.*>4\.5000</);
      assert.match(await (await fetch(new URL(link, url))).text(), /4\.50 at 5/);

      const port = new URL(url).port;
      const second = await spawnWatch(results, "--port", port).output();
      assert.equal(second.code, 1);
      assert.match(
        new TextDecoder().decode(second.stderr),
        new RegExp(`^Cannot listen on port ${port} as another program uses it: --port N`),
      );
    } finally {
      process.kill("SIGKILL");
      await process.stderr.cancel();
      await process.status;
    }
  });
});

test("the page of a failed run has its error", async () => {
  await withFolder(async (results) => {
    await writeRun(results, "small/r1", 1, "failed", "Cannot read <a> as it is missing");
    await writeRun(results, "small/r2", 1);
    assert.match((await runPage(results, "small/r1"))!, /Error: Cannot read &lt;a&gt; as it is/);
    assert.doesNotMatch((await runPage(results, "small/r2"))!, /Error|undefined/);
  });
});

test("watch answers only this machine's names, and only with runs of its folder", async () => {
  await withFolder(async (folder) => {
    const results = join(folder, "results");
    await writeRun(results, "<b>&/r1", 1);
    await writeRun(results, "+first/r0", 1, "completed");
    await writeRun(folder, "outside/r2", 1);
    await Deno.mkdir(join(results, "broken", "r3"), { recursive: true });
    await Deno.writeTextFile(join(results, "broken", "r3", "summary.json"), "{");
    const get = async (url: string, init?: RequestInit) => {
      const response = await answer(new Request(url, init), results);
      return { status: response.status, text: await response.text() };
    };
    const list = await get("http://localhost:8086/");
    assert.equal(list.status, 200);
    assert.match(list.text, /&lt;b&gt;&amp;\/r1/);
    assert.doesNotMatch(list.text, /<b>/);
    assert.match(list.text, /broken\/r3.*damaged/);
    assert.ok(list.text.indexOf("first/r0") > list.text.indexOf("/r1"), "what has ended is last");
    assert.equal((await get("http://127.0.0.1:8086/?run=%3Cb%3E%26%2Fr1")).status, 200);
    assert.equal((await get("http://127.0.0.1:8086/?run=..%2Foutside%2Fr2")).status, 404);
    assert.equal((await get("http://127.0.0.1:8086/results")).status, 404);
    assert.equal((await get("http://example.com/")).status, 403);
    assert.equal((await get("http://localhost/", { method: "POST" })).status, 405);
    assert.equal((await get("http://localhost/?run=broken%2Fr3")).status, 500);
  });
});

test("watch names a folder that is missing and a port that is none", async () => {
  await withFolder(async (folder) => {
    const missing = await spawnWatch(join(folder, "gone")).output();
    assert.equal(missing.code, 1);
    assert.match(new TextDecoder().decode(missing.stderr), /^Cannot read ".*gone" as there is no/);
    const wrong = await spawnWatch(folder, "--port", "65536").output();
    assert.equal(wrong.code, 2);
    assert.match(
      new TextDecoder().decode(wrong.stderr),
      /^Cannot read --port: current value is "65536", allowed are integers from 0 to 65535/,
    );
  });
});

test("curves of many steps are means of neighbours, with the last step at the end", async () => {
  await withFolder(async (results) => {
    await writeRun(results, "small/r1", 250);
    const html = await runPage(results, "small/r1");
    // Three steps a point: losses 5, 4.875 and 4.75 at first, and the last step alone.
    assert.match(html!, /4\.88 at 2\D+-26\.1 at 250/);
  });
});
