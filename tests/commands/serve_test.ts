import { serveCommand } from "../../src/commands/serve.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { tinyText, writeTinyRun } from "./tiny_run.ts";

/** Serves a tiny run by a process with exactly the permissions of the task while a test uses it. */
async function withProcess(
  use: (url: string, process: Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const config = repositoryPath("deno.json");
  const { tasks } = JSON.parse(await Deno.readTextFile(config));
  const [, permissions] = /^deno run (.*) src\/main.ts serve$/.exec(tasks.serve.command)!;
  await withFolder(async (folder) => {
    await writeTinyRun(`${folder}/runs/tiny`);
    await Deno.writeTextFile(`${folder}/cat.txt`, tinyText.slice(0, 300));
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-check", "--config", config],
        ...permissions.split(" "),
        ...[repositoryPath("src/main.ts"), "serve", "--run", `${folder}/runs/tiny`],
        ...["--document", `${folder}/cat.txt`, "--port", "0", "--device", "cpu"],
        ...["--sessions", "65536", "--capacity", "65536"],
      ],
      cwd: repositoryPath("."),
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    try {
      let said = "";
      for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
        said += part;
        if (said.includes("\n")) break;
      }
      const [, url, name] = /^(http:\/\/127\.0\.0\.1:\d+)\/v1\/completions answers with (\S+);/
        .exec(said) ?? [];
      assert.equal(name, "runs/tiny", said);
      await use(url, process);
    } finally {
      // Once it has ended, this does nothing.
      if (!process.stderr.locked) {
        process.kill("SIGKILL");
        await process.stderr.cancel();
      }
      await process.status;
    }
  });
}

test("the examples of docs/serving.md run, and serve ends cleanly by a signal", () =>
  withProcess(async (url, process) => {
    const page = await Deno.readTextFile(repositoryPath("docs/serving.md"));
    const commands = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block]) =>
      block.replaceAll("\\\n", "").trim().split("\n")
    );
    const answers: string[] = [];
    for (const command of commands) {
      const shown = command.replace("http://127.0.0.1:8087", url);
      assert.notEqual(shown, command);
      const { code, stdout } = await new Deno.Command("sh", {
        args: ["-c", `${shown} --silent --fail-with-body`],
      }).output();
      answers.push(new TextDecoder().decode(stdout));
      assert.equal(code, 0, `${command}: ${answers.at(-1)}`);
    }
    const [first, stream, fed, answer, described, deleted] = answers;
    assert.equal(JSON.parse(first).usage.completion_tokens, 8);
    assert.match(stream, /^data: \{[^]*\n\ndata: \[DONE\]\n\n$/);
    const { texts, tokens_read } = JSON.parse(fed);
    // The document of the command line comes first in every session.
    assert.ok(tokens_read > texts[0].tokens + 60, fed);
    assert.equal(JSON.parse(answer).choices.length, 1);
    assert.equal(described, fed);
    assert.equal(JSON.parse(deleted).deleted, true);

    // A request that has come in part alone does not hold up the end.
    const { hostname, port } = new URL(url);
    using unfinished = await Deno.connect({ hostname, port: Number(port) });
    await unfinished.write(new TextEncoder().encode(
      `POST /v1/completions HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: 99\r\n\r\n{"pro`,
    ));
    // A stream that is under way is told.
    const body = JSON.stringify({ prompt: "The", max_tokens: 1000, temperature: 0, stream: true });
    const response = await fetch(`${url}/v1/completions`, { method: "POST", body });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let told = (await reader.read()).value ?? "";
    process.kill("SIGTERM");
    for (let part = await reader.read(); !part.done; part = await reader.read()) told += part.value;
    assert.match(told, /data: \{"error":\{"message":"Cannot answer as the server is stopping"/);
    const notes = await new Response(process.stderr).text();
    assert.match(notes, /^stopping$/m);
    // 65,536 tokens of 2 heads take 2 * 8 float32 each, and a chunk of 4 tokens a mean key and its length.
    assert.match(
      notes,
      /^The memories of 65536 sessions may take 584\.0 GiB, 0\.0 GiB each: this machine has \d/m,
    );
    assert.doesNotMatch(notes, /legacy/);
    assert.equal((await process.status).code, 0);
  }));

test("serve refuses flags that mean nothing before it loads a model", async () => {
  const serve = async (...args: string[]) => await execute(serveCommand(recordedOutput()), ...args);
  const usage = (message: RegExp) => ({ name: "UsageError", message });
  await assert.rejects(serve("--port", "x"), usage(/^Cannot read --port: current value is "x"/));
  await assert.rejects(
    serve("--seconds", "100000"),
    usage(/^Cannot read --seconds: current value is 100000, allowed are integers from 1 to 86400$/),
  );
  await assert.rejects(serve("--waiting", "0"), usage(/--waiting: current value is "0"/));
  await assert.rejects(serve("more"), usage(/^Cannot serve "more" as it follows no flag$/));
  await assert.rejects(
    async () => await serve("--host", "localhost"),
    usage(/--host: current value is "localhost", allowed are 127.0.0.1, ::1, 0.0.0.0, ::/),
  );
});
