import { ifThere, writeAtomically } from "../src/files.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, test } from "./testing.ts";

test("writeAtomically() keeps the earlier file when a part fails", () =>
  withFolder(async (folder) => {
    const path = `${folder}/file`;
    await writeAtomically(path, [new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3])]);
    assert.deepEqual(await Deno.readFile(path), new Uint8Array([1, 2, 3]));
    function* failing() {
      yield new Uint8Array([9]);
      throw new Error("no more parts");
    }
    await assert.rejects(writeAtomically(path, failing()), /no more parts/);
    assert.deepEqual(await Deno.readFile(path), new Uint8Array([1, 2, 3]));
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  }));

test("writeAtomically() leaves nothing behind where a folder has the file's name", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/file/within`, { recursive: true });
    await assert.rejects(
      writeAtomically(`${folder}/file`, "text"),
      /Cannot write ".*file" as a folder stands where a file is needed/,
    );
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  }));

test("ifThere() is undefined where a file or a folder on its way is missing, and passes other errors on", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "text");
    assert.equal(await ifThere(Deno.readTextFile(`${folder}/file`)), "text");
    assert.equal(await ifThere(Deno.readTextFile(`${folder}/other`)), undefined);
    assert.equal(await ifThere(Deno.readTextFile(`${folder}/file/below`)), undefined);
    await assert.rejects(ifThere(Deno.readTextFile(folder)), /directory/);
  });
});
