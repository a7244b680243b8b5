import { createHash } from "node:crypto";
import { writeNewFile } from "../../src/command_line.ts";
import { generateCommand } from "../../src/commands/generate.ts";
import { rememberCommand } from "../../src/commands/remember.ts";
import { openMemoryFile } from "../../src/memory/memory_file.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { writeTinyRun } from "./tiny_run.ts";

const first = "The cat sat on the mat. ".repeat(6), second = "9 flat hats! ".repeat(6);

/** A finished run, two documents, and the commands. */
function withCommands(
  use: (commands: {
    folder: string;
    remember: (...args: string[]) => Promise<{ printed: string[]; notes: string[] }>;
    generate: (...args: string[]) => Promise<string>;
  }) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`); // windows of 32 tokens, a memory of 256, chunks of 4
    await Deno.writeTextFile(`${folder}/first.txt`, first);
    await Deno.writeTextFile(`${folder}/second.txt`, second);
    const model = ["--run", `${folder}/run`, "--device", "cpu"];
    const inFolder = (args: string[]) =>
      args.map((arg) => /\.(txt|memory)$/.test(arg) ? `${folder}/${arg}` : arg);
    await use({
      folder,
      remember: async (...args) => {
        const said = recordedOutput();
        assert.equal(await execute(rememberCommand(said), ...model, ...inFolder(args)), 0);
        const plain = (lines: string[]) => lines.map((line) => line.replaceAll(`${folder}/`, ""));
        return { printed: plain(said.printed), notes: plain(said.notes) };
      },
      generate: async (...args) => {
        const said = recordedOutput();
        const options = ["--tokens", "40", "--temperature", "8", "--prompt", "The"];
        await execute(generateCommand(said), ...model, ...options, ...inFolder(args));
        return said.printed.join("\n");
      },
    });
  });
}

test("remember writes a file that generate takes in place of the documents", () =>
  withCommands(async ({ folder, remember, generate }) => {
    const documents = ["--document", "first.txt", "--document", "second.txt"];
    const both = await remember(...documents, "--out", "both.memory");
    const { size } = await Deno.stat(`${folder}/both.memory`);
    using file = await openMemoryFile(`${folder}/both.memory`);
    const { texts, tokenizer, banks: [{ chunks }] } = file.description;
    assert.deepEqual(both.printed, [
      `written to both.memory: ${4 * chunks} tokens in memory, ${size} bytes`,
    ]);
    const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
    const [{ tokens: firstTokens }, { tokens: secondTokens }] = texts;
    assert.deepEqual(texts, [
      { name: "first.txt", sha256: sha256(first), start: 0, tokens: firstTokens },
      // Fewer tokens than a chunk at the end of a text are not given to the memory.
      {
        name: "second.txt",
        sha256: sha256(second),
        start: firstTokens % 32 < 4 ? firstTokens - firstTokens % 32 : firstTokens,
        tokens: secondTokens,
      },
    ]);
    assert.match(tokenizer!, /^[0-9a-f]{64}$/);

    const ofDocuments = await generate(...documents);
    assert.equal(await generate("--memory", "both.memory"), ofDocuments);
    await remember("--document", "first.txt", "--out", "one.memory");
    assert.notEqual(await generate("--memory", "one.memory"), ofDocuments);
    assert.equal(
      await generate("--memory", "one.memory", "--document", "second.txt"),
      ofDocuments,
    );
  }));

test("remember appends to an earlier file, also in its place", () =>
  withCommands(async ({ folder, remember, generate }) => {
    const documents = ["--document", "first.txt", "--document", "second.txt"];
    await remember(...documents, "--out", "both.memory");
    await remember("--document", "first.txt", "--out", "one.memory");
    const appended = await remember(
      ...["--memory", "one.memory", "--document", "second.txt", "--out", "more.memory"],
    );
    assert.match(
      appended.notes[0],
      /^one\.memory: \d+ tokens of first\.txt, \d+ of them in memory$/,
    );
    const one = await Deno.readFile(`${folder}/one.memory`);
    await remember(
      ...["--memory", "one.memory", "--document", "second.txt", "--out", "one.memory"],
    );
    const both = await Deno.readFile(`${folder}/both.memory`);
    assert.deepEqual(await Deno.readFile(`${folder}/more.memory`), both);
    // In its place, what is new follows what was there.
    const longer = await Deno.readFile(`${folder}/one.memory`);
    assert.deepEqual(longer.subarray(0, one.length), one);
    assert.ok(longer.length > one.length);
    assert.equal(
      await generate("--memory", "one.memory"),
      await generate("--memory", "both.memory"),
    );
    using file = await openMemoryFile(longer), whole = await openMemoryFile(both);
    assert.deepEqual(file.description, whole.description);
    // A long text drives out the others.
    await Deno.writeTextFile(`${folder}/second.txt`, second.repeat(20));
    const { notes } = await remember(
      ...["--memory", "more.memory", "--document", "second.txt", "--out", "long.memory"],
    );
    const [, inMemory] = /^more\.memory: \d+ tokens of .*, (\d+) of them in memory$/.exec(
      notes[0],
    )!;
    assert.match(
      notes.at(-1)!,
      new RegExp(`256 of them in memory, .* ${inMemory} of earlier texts forgotten`),
    );
  }));

test("of two commands that add to one file at once, none loses what the other has added", () =>
  withCommands(async ({ folder, remember }) => {
    await remember("--document", "first.txt", "--out", "one.memory");
    const add = ["--memory", "one.memory", "--out", "one.memory"];
    const added = await Promise.allSettled([
      remember(...add, "--document", "second.txt"),
      remember(...add, "--document", "first.txt"),
    ]);
    // Both succeed where one reads the file after the other has written it.
    const failed = added.filter((one) => one.status === "rejected");
    assert.ok(failed.length <= 1);
    for (const { reason } of failed) {
      assert.match(reason.message, /another process (has changed it|is writing it)/);
    }
    using file = await openMemoryFile(`${folder}/one.memory`);
    assert.equal(file.description.texts.length, 3 - failed.length);
  }));

test("of two commands that write the same new file at once, one does, and the other says so", () =>
  withCommands(async ({ folder, remember }) => {
    const out = ["--out", "new.memory"];
    const written = await Promise.allSettled([
      remember(...out, "--document", "first.txt"),
      remember(...out, "--document", "second.txt"),
    ]);
    const failed = written.findIndex((one) => one.status === "rejected");
    const { reason } = written[failed] as PromiseRejectedResult;
    assert.match(reason.message, /^Cannot write ".*new\.memory" as it is there already$/);
    assert.equal(written[1 - failed].status, "fulfilled");
    using file = await openMemoryFile(`${folder}/new.memory`);
    const [{ name }] = file.description.texts;
    assert.equal(name, ["second.txt", "first.txt"][failed]);
  }));

test("a file that cannot be written leaves its name to the next command", () =>
  withFolder(async (folder) => {
    const path = `${folder}/page`, fails = () => Promise.reject(new Error("the disk is full"));
    await assert.rejects(writeNewFile(path, fails), /the disk is full/);
    await writeNewFile(path, () => Deno.writeTextFile(path, "whole"));
    assert.equal(await Deno.readTextFile(path), "whole");
    await assert.rejects(
      writeNewFile(path, () => Deno.writeTextFile(path, "again")),
      /^UsageError: Cannot write ".*page" as it is there already$/,
    );
    assert.equal(await Deno.readTextFile(path), "whole");
    assert.deepEqual(await namesIn(folder), ["page"]);
  }));

test("a process that is killed while it writes leaves the name to the next command", () =>
  withFolder(async (folder) => {
    const path = `${folder}/page`,
      { pathname } = new URL("../../src/command_line.ts", import.meta.url);
    const script = `import { writeNewFile } from ${JSON.stringify(pathname)};
      await writeNewFile(${JSON.stringify(path)}, () => Deno.kill(Deno.pid, "SIGKILL"));`;
    const args = ["run", "-A", "--no-check", "--ext=ts", "-"];
    const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stderr: "null" })
      .spawn();
    await new Response(script).body!.pipeTo(child.stdin);
    assert.equal((await child.status).signal, "SIGKILL");
    assert.deepEqual(await namesIn(folder), ["page.claim"]);
    await writeNewFile(path, () => Deno.writeTextFile(path, "whole"));
    assert.deepEqual(await namesIn(folder), ["page"]);
  }));

/** Names of what is in a folder. */
async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

test("remember says what is missing, there already, or of another model", () =>
  withCommands(async ({ folder, remember, generate }) => {
    await assert.rejects(remember("--out", "a.memory"), /Missing required flag --document/);
    await assert.rejects(remember("--document", "first.txt"), /Missing required flag --out/);
    await assert.rejects(generate(), {
      name: "UsageError",
      message: "Cannot generate as there is neither --document nor --memory",
    });
    await remember("--document", "first.txt", "--out", "one.memory");
    await assert.rejects(
      remember("--document", "first.txt", "--out", "one.memory"),
      /Cannot write ".*one\.memory" as it is there already/,
    );
    // Before the document is read, which may take long.
    await assert.rejects(remember("--document", "missing.txt", "--out", "none/one.memory"), {
      name: "UsageError",
      message: /^Cannot write "(.*none)\/one\.memory" as there is no folder "\1"$/,
    });
    const weights = `${folder}/run/checkpoint/backbone/weights.safetensors`;
    const bytes = await Deno.readFile(weights);
    bytes[bytes.length - 4] ^= 1; // the least bit of the last weight
    await Deno.writeFile(weights, bytes);
    await assert.rejects(generate("--memory", "one.memory"), {
      name: "InputError",
      message: /as another model wrote it: SHA-256 of the backbone's weights is /,
    });
  }));
