import { ByteFile } from "../../src/formats/byte_file.ts";
import { assert, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";

test("ByteFile.read() refuses a range beyond the file before it reserves memory", () =>
  withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/file`, new Uint8Array(10));
    using file = await ByteFile.open(`${folder}/file`);
    assert.equal((await file.read(10, 0)).length, 0);
    await assert.rejects(file.read(4, 7), {
      name: "RangeError",
      message: `Cannot read "${folder}/file" as it is too short: bytes 4 to 11 are needed, ` +
        `the file has 10`,
    });
    await assert.rejects(
      file.read(0, 2 ** 52),
      /too short: bytes 0 to 4503599627370496 are needed/,
    );
  }));

test("ByteFile.read() says that the file became shorter, and reads on afterwards", () =>
  withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/file`, new Uint8Array(10).fill(7));
    using file = await ByteFile.open(`${folder}/file`, { mayChange: true });
    await Deno.truncate(`${folder}/file`, 6);
    await assert.rejects(
      file.read(4, 4),
      /became shorter .*: 4 bytes at 4 are needed, 2 were found/,
    );
    assert.deepEqual(await file.read(5, 1), new Uint8Array([7]));
  }));

test("ByteFile.read() refuses bytes of a file that was written since it was opened", () =>
  withFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeFile(path, new Uint8Array(10).fill(7));
    await Deno.utime(path, 1, 1);
    using file = await ByteFile.open(path);
    using changing = await ByteFile.open(path, { mayChange: true });
    assert.deepEqual(await file.read(0, 5), new Uint8Array(5).fill(7));
    // Half of a checkpoint that another takes the place of would be of either.
    await Deno.writeFile(path, new Uint8Array(10).fill(8));
    await assert.rejects(
      file.read(5, 5),
      (error: Error) =>
        error.message === `Cannot read "${path}" as it was written while it was read: ` +
            "current size is 10 bytes, before it was 10",
    );
    assert.deepEqual(await changing.read(5, 5), new Uint8Array(5).fill(8));
    // A new file of that name is another, and the open one is as it was.
    using renamed = await ByteFile.open(path);
    await Deno.writeFile(`${path}.new`, new Uint8Array(10).fill(9));
    await Deno.rename(`${path}.new`, path);
    assert.deepEqual(await renamed.read(5, 5), new Uint8Array(5).fill(8));
  }));

test("ByteFile.open() refuses a folder", () =>
  withFolder(async (folder) => {
    await assert.rejects(ByteFile.open(folder), /as it is not a regular file/);
  }));
