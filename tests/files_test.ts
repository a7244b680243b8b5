import { ifThere, openRegularFile, readRegularFile, writeAtomically } from "../src/files.ts";
import { isForeseen } from "../src/errors.ts";
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

test("openRegularFile() and readRegularFile() refuse pipes, devices, folders and broken links, naming each, and never wait", async () => {
  await withFolder(async (folder) => {
    const path = (name: string) => `${folder}/${name}`;
    const made = await new Deno.Command("mkfifo", { args: [path("pipe")] }).output();
    assert.ok(made.success);
    await Deno.symlink(path("pipe"), path("link to pipe"));
    await Deno.symlink("/dev/zero", path("link to device"));
    await Deno.symlink(path("circle"), path("circle"));
    await Deno.symlink(path("nothing"), path("dangling"));
    await Deno.mkdir(path("folder"));
    await Deno.writeTextFile(path("file"), "text");
    using socket = Deno.listen({ transport: "unix", path: path("socket") });
    assert.ok(socket);
    const refused = {
      "pipe": "it is not a regular file: it is a named pipe",
      "link to pipe": "it is not a regular file: it is a named pipe",
      "link to device": "it is not a regular file: it is a device",
      "socket": "it is not a regular file: it is a socket",
      "folder": "it is not a regular file: it is a folder",
      "circle": "its symbolic links form a circle",
      "dangling": "there is no such file",
      "file/below": "a part of its path is a file, not a folder",
      [`${"n".repeat(300)}`]: "its name is too long",
    };
    for (const [name, reason] of Object.entries(refused)) {
      const message = `Cannot read "${path(name)}" as ${reason}`;
      await assert.rejects(openRegularFile(path(name)), { message });
      await assert.rejects(readRegularFile(path(name)), (error: Error) => {
        assert.equal(error.message, message);
        return isForeseen(error);
      });
    }
    assert.equal(await ifThere(readRegularFile(path("dangling"))), undefined);
    assert.equal(await ifThere(readRegularFile(path("file/below"))), undefined);
    await Deno.symlink(path("file"), path("link"));
    assert.deepEqual(await readRegularFile(path("link")), new TextEncoder().encode("text"));
  });
});
