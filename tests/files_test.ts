import { gzipSync } from "node:zlib";
import {
  decodeText,
  ifThere,
  openRegularFile,
  parseJson,
  readJson,
  readRegularFile,
  readText,
  readTextBytes,
  removeCutOff,
  writeAtomically,
} from "../src/files.ts";
import { isForeseen } from "../src/errors.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, repositoryPath, test } from "./testing.ts";

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

test("readText() decodes UTF-8 over a byte order mark, and refuses other bytes, naming the file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/text`;
    const read = async (bytes: readonly number[]) => {
      await Deno.writeFile(path, Uint8Array.from(bytes));
      return await readText(path);
    };
    assert.equal(await read([0xef, 0xbb, 0xbf, 0xc3, 0xa9, 0xef, 0xbb, 0xbf]), "\u00e9\ufeff");
    assert.equal(await read([]), "");
    const message = `Cannot read "${path}" as its bytes must be UTF-8`;
    // Latin-1, UTF-16 with its mark, a character cut off, a surrogate.
    for (const bytes of [[0x63, 0xe9], [0xff, 0xfe, 0x63, 0], [0xe2, 0x82], [0xed, 0xa0, 0x80]]) {
      await assert.rejects(read(bytes), { name: "TypeError", message });
    }
  });
});

test("readText() refuses what git has in the place of a large file", async () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${
    "0a".repeat(32)
  }\nsize 1042301\n`;
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/encoder.json`, pointer);
    await assert.rejects(readJson(`${folder}/encoder.json`), {
      message:
        `Cannot read "${folder}/encoder.json" as it is a Git LFS pointer in the place of a file of 1042301 bytes: ` +
        '"git lfs pull" fetches that',
    });
  });
  assert.equal(decodeText(new TextEncoder().encode(`A ${pointer}`), "x"), `A ${pointer}`);
});

test("readTextBytes() refuses a file that is written while it is read", () =>
  withFolder(async (folder) => {
    const path = `${folder}/file`, { open } = Deno;
    const cases: [name: string, write: () => Promise<void>][] = [
      ["grown", () => Deno.writeTextFile(path, " and more", { append: true })],
      ["cut off", () => Deno.truncate(path, 3)],
      ["of the same size", () => Deno.writeTextFile(path, "TEXT of a document")],
    ];
    try {
      for (const [name, write] of cases) {
        await Deno.writeTextFile(path, "text of a document");
        await Deno.utime(path, 1, 1);
        Deno.open = async (...args) => {
          const file = await open(...args), read = file.read.bind(file);
          file.read = async (into) => {
            const count = await read(into.subarray(0, 4));
            file.read = read;
            await write();
            return count;
          };
          return file;
        };
        await assert.rejects(
          readTextBytes(path),
          /^InputError: Cannot read ".*file" as it was written while it was read: current size is \d+ bytes, before it was 18$/,
          name,
        );
      }
    } finally {
      Deno.open = open;
    }
  }));

test("readTextBytes() bounds what it reads, compressed bytes too, without decompressing them all", async () => {
  await withFolder(async (folder) => {
    const content = new Uint8Array(1000).fill(97);
    await Deno.writeFile(`${folder}/a.txt`, content);
    await Deno.writeFile(`${folder}/a.txt.gz`, gzipSync(content));
    for (const name of ["a.txt", "a.txt.gz"]) {
      const path = `${folder}/${name}`;
      assert.deepEqual(Uint8Array.from(await readTextBytes(path, { maxBytes: 1000 })), content);
      await assert.rejects(readTextBytes(path, { maxBytes: 999 }), {
        name: "RangeError",
        message: new RegExp(
          `^Cannot read "${path}" as it is too large: current number of bytes is ` +
            "(1000|more than 999 uncompressed), allowed are up to 999$",
        ),
      });
    }
    // 2 MB that become 2 GB: more than a string holds.
    const member = Uint8Array.from(gzipSync(new Uint8Array(2 ** 24).fill(97)));
    const bomb = new Blob(Array.from({ length: 128 }, () => member));
    await Deno.writeFile(`${folder}/bomb.txt.gz`, bomb.stream());
    // In a process of its own, as other tests take memory of this one.
    const reader = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { readTextBytes } from "./src/files.ts";
        const before = Deno.memoryUsage().rss;
        const error = await readTextBytes(Deno.args[0], { maxBytes: 2 ** 20 }).catch((e) => e);
        console.log(JSON.stringify([error.message, Deno.memoryUsage().rss - before]));`,
        `${folder}/bomb.txt.gz`,
      ],
      cwd: repositoryPath(""),
      stderr: "inherit",
    });
    const { stdout } = await reader.output();
    const [message, grown] = JSON.parse(new TextDecoder().decode(stdout)) as [string, number];
    assert.match(message, /bomb\.txt\.gz" as it is too large/);
    assert.ok(grown < 2 ** 28, `reading took ${grown} bytes`);
  });
});

test("readText() refuses a file larger than a string before it reads it", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sparse.txt`;
    using file = await Deno.create(path);
    await file.truncate(2 ** 40);
    await assert.rejects(readText(path), {
      name: "RangeError",
      message:
        `Cannot read "${path}" as it is too large: current number of bytes is 1099511627776, allowed are up to 536870888`,
    });
  });
});

test("readJson() and parseJson() name what is not JSON", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.json`;
    for (const text of ["", "{", '{"a":', "nul", "[1,]"]) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(readJson(path), (error: Error) => {
        assert.ok(error.message.startsWith(`Cannot read "${path}" as it is not JSON: `));
        return error instanceof SyntaxError && isForeseen(error);
      });
    }
    await Deno.writeTextFile(path, '\ufeff{"__proto__": 1}');
    assert.deepEqual(Object.entries(await readJson(path) as object), [["__proto__", 1]]);
    assert.equal(await ifThere(readJson(`${folder}/missing.json`)), undefined);
  });
  assert.throws(
    () => parseJson("[", "the list"),
    /^SyntaxError: Cannot read the list as it is not JSON/,
  );
});

test("writeAtomically() replaces nothing but a file", () =>
  withFolder(async (folder) => {
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    await assert.rejects(
      writeAtomically(`${folder}/pipe`, "text"),
      /Cannot write ".*pipe" as a named pipe stands where a file is needed/,
    );
    assert.ok((await Deno.stat(`${folder}/pipe`)).isFifo);
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  }));

test("writeAtomically() writes though another process takes its partial file for a killed one's", () =>
  withFolder(async (folder) => {
    let writing = true;
    const removing = (async () => {
      while (writing) {
        await removeCutOff(folder).catch(() => {});
        await new Promise((done) => setTimeout(done));
      }
    })();
    try {
      for (let i = 0; i < 100; i++) {
        await writeAtomically(`${folder}/file`, `${i}`);
        assert.equal(await Deno.readTextFile(`${folder}/file`), `${i}`);
      }
    } finally {
      writing = false;
      await removing;
    }
  }));
