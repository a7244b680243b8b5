import { UsageError } from "../../src/command_line.ts";
import { chapterBreakCommand } from "../../src/commands/chapter_break.ts";
import { parseChapterBreak } from "../../src/text/chapter_break.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { InputError } from "../../src/errors.ts";

/** A book of chapters of 200 words each, under a heading of a kind. */
function book(chapters: number, heading: (chapter: number) => string): string {
  return "A book.\n\n" +
    Array.from(
      { length: chapters },
      (_, i) =>
        `${heading(i)}\n\n${Array.from({ length: 200 }, (_, j) => `w${i}.${j}`).join(" ")}\n\n`,
    ).join("");
}

async function withBooks(run: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/test`);
    await Deno.writeTextFile(`${folder}/test/long.txt`, book(8, (i) => `CHAPTER ${i + 1}`));
    await Deno.writeTextFile(`${folder}/test/starred.txt`, book(6, (i) => `*** ${i} ***`));
    await run(folder);
  });
}

test("chapter-break writes a file that can be evaluated, its contexts cut to so many words", async () => {
  await withBooks(async (folder) => {
    const said = recordedOutput(), out = `${folder}/breaks.json`;
    const command = chapterBreakCommand(said);
    assert.equal(await execute(command, folder, "--out", out, "--words", "250"), 0);
    assert.deepEqual(said.printed, [`${out}: 3 chapter breaks of 1 works`]);
    const works = parseChapterBreak(await Deno.readTextFile(out), { name: out, split: "test" });
    assert.deepEqual(Object.keys(works), ["long"]);
    const [first, second] = works.long;
    assert.equal(first.ctx, "A book.\n\n");
    const words = second.ctx.trim().split(/\s+/);
    // All 204 words there are, and no white space is lost.
    assert.deepEqual([words.length, words[0], words.at(-1)], [204, "A", "w0.199"]);
    assert.ok(second.ctx.endsWith("w0.199\n\n"));
    assert.match(works.long[2].ctx, /^w0\.152 /);
    assert.match(second.pos, /^w1\.0 w1\.1 .* w1\.149$/);
  });
});

test("chapter-break takes another heading and another seed", async () => {
  await withBooks(async (folder) => {
    const said = recordedOutput(), command = chapterBreakCommand(said);
    const out = `${folder}/stars.json`;
    await execute(command, folder, "--out", out, "--headings", "\\*+ \\d \\*+");
    assert.deepEqual(said.printed, [`${out}: 1 chapter breaks of 1 works`]);
    for (const seed of ["1", "2"]) {
      await execute(command, folder, "--out", `${folder}/${seed}.json`, "--seed", seed);
    }
    assert.notEqual(
      await Deno.readTextFile(`${folder}/1.json`),
      await Deno.readTextFile(`${folder}/2.json`),
    );
  });
});

test("chapter-break writes nothing where there is nothing to write, or something already", async () => {
  await withBooks(async (folder) => {
    const command = chapterBreakCommand(recordedOutput()), out = `${folder}/breaks.json`;
    await assert.rejects(
      execute(command, folder, "--out", out, "--headings", "Part \\d"),
      (error) =>
        error instanceof InputError &&
        /no book has a chapter with five later ones/.test(error.message),
    );
    await assert.rejects(execute(command, folder, "--out", out, "--split", "valid"), InputError);
    await assert.rejects(execute(command, folder), UsageError);
    await Deno.writeTextFile(out, "kept");
    await assert.rejects(execute(command, folder, "--out", out), UsageError);
    assert.equal(await Deno.readTextFile(out), "kept");
  });
});
