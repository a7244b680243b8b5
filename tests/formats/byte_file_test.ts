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
    using file = await ByteFile.open(`${folder}/file`);
    await Deno.truncate(`${folder}/file`, 6);
    await assert.rejects(
      file.read(4, 4),
      /became shorter .*: 4 bytes at 4 are needed, 2 were found/,
    );
    assert.deepEqual(await file.read(5, 1), new Uint8Array([7]));
  }));

test("ByteFile.open() refuses a folder", () =>
  withFolder(async (folder) => {
    await assert.rejects(ByteFile.open(folder), /as it is not a regular file/);
  }));
