import { describeHolder, FileLock, isLocked, LostLockError } from "../src/lock.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, repositoryPath, test } from "./testing.ts";

/** A process that takes a lock, says so, and keeps it until it is killed. */
async function holdingProcess(path: string): Promise<Deno.ChildProcess> {
  const module = repositoryPath("src/lock.ts");
  const source = `const { FileLock } = await import(${JSON.stringify(`file://${module}`)});
    globalThis.taken = await FileLock.take(${JSON.stringify(path)});
    console.log("lock" in globalThis.taken);
    setInterval(() => {}, 1000);`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--no-check", source],
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value).trim(), "true");
  await reader.cancel();
  return process;
}

test("FileLock.take() tells which process holds the lock, and takes what a killed one held", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/lock`;
    const before = new Date().toISOString();
    const process = await holdingProcess(path);
    const refused = await FileLock.take(path);
    assert.ok("holder" in refused);
    assert.equal(refused.holder.pid, process.pid);
    assert.ok(refused.holder.since! >= before && refused.holder.since! <= new Date().toISOString());
    assert.equal(
      describeHolder(refused.holder),
      `process ${process.pid} on host ${Deno.hostname()} since ${refused.holder.since}`,
    );

    process.kill("SIGKILL");
    await process.status;
    const taken = await FileLock.take(path);
    assert.ok("lock" in taken);
    assert.equal(JSON.parse(await Deno.readTextFile(path)).pid, Deno.pid);
    assert.ok("holder" in await FileLock.take(path), "also within one process");
    taken.lock[Symbol.dispose]();
    const again = await FileLock.take(path);
    assert.ok("lock" in again);
    again.lock[Symbol.dispose]();
  });
});

test("FileLock.take() waits for those who only ask whether a process holds the lock", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/lock`;
    using asking = await Deno.open(path, { read: true, write: true, create: true });
    assert.equal(await asking.tryLock(false), true);
    const taking = FileLock.take(path);
    await new Promise((done) => setTimeout(done, 30));
    await asking.unlock();
    const taken = await taking;
    assert.ok("lock" in taken);
    assert.equal(await isLocked(path), true);
    taken.lock[Symbol.dispose]();
    assert.equal(await isLocked(path), false);
  });
});

test("isLocked() does not wait for what is no file", async () => {
  await withFolder(async (folder) => {
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    assert.equal(await isLocked(`${folder}/pipe`), undefined);
    assert.equal(await isLocked(folder), undefined);
    assert.equal(await isLocked(`${folder}/none`), false);
  });
});

test("a lock whose file says nothing is held by another process", async () => {
  await withFolder(async (folder) => {
    const taken = await FileLock.take(`${folder}/lock`);
    assert.ok("lock" in taken);
    await Deno.writeTextFile(`${folder}/lock`, '{"pid":');
    const refused = await FileLock.take(`${folder}/lock`);
    assert.deepEqual(refused, { holder: {} });
    assert.equal(describeHolder({}), "another process");
    taken.lock[Symbol.dispose]();
  });
});

test("FileLock.check() passes while the lock is held, and makes a removed file again", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/lock`;
    const taken = await FileLock.take(path);
    assert.ok("lock" in taken);
    using lock = taken.lock;
    await lock.check();
    const { token } = JSON.parse(await Deno.readTextFile(path));
    await Deno.remove(path);
    await lock.check();
    assert.equal(JSON.parse(await Deno.readTextFile(path)).token, token);
    assert.ok("holder" in await FileLock.take(path), "it is locked again");
    await lock.check();
  });
});

/** What takes a lock from its holder without a word, as far as the operating system is concerned. */
const losses: [name: string, take: (path: string) => Promise<unknown>, message: RegExp][] = [
  [
    "a file system that does not lock",
    async (path) => {
      const { tryLock } = Deno.FsFile.prototype;
      Deno.FsFile.prototype.tryLock = () => Promise.resolve(true);
      try {
        return await FileLock.take(path);
      } finally {
        Deno.FsFile.prototype.tryLock = tryLock;
      }
    },
    /^Cannot continue as the lock ".*lock" was taken over by process \d+ on host .* since .*, although this process held it: .*only one process/,
  ],
  [
    "a removed file that another has made and locked again",
    async (path) => {
      await Deno.remove(path);
      return await FileLock.take(path);
    },
    /was taken over by process \d+ on host /,
  ],
  [
    "a file that another is just making",
    async (path) => {
      await Deno.remove(path);
      await Deno.writeTextFile(path, "");
    },
    /was taken over by another process, although/,
  ],
  [
    "a removed folder",
    async (path) => {
      await Deno.remove(path.replace(/\/lock$/, ""), { recursive: true });
    },
    /^Cannot continue as the lock ".*lock" was removed while this process held it; the same command continues/,
  ],
];

for (const [name, take, message] of losses) {
  test(`FileLock.check() notices ${name}`, async () => {
    await withFolder(async (folder) => {
      await Deno.mkdir(`${folder}/run`);
      const taken = await FileLock.take(`${folder}/run/lock`);
      assert.ok("lock" in taken);
      using lock = taken.lock;
      const other = await take(`${folder}/run/lock`) as { lock?: FileLock } | undefined;
      using _other = other?.lock;
      await assert.rejects(
        lock.check(),
        (error: Error) => error instanceof LostLockError && message.test(error.message),
      );
      await other?.lock?.check();
    });
  });
}

test("FileLock.check() waits for a holder who is writing its name", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/lock`;
    const taken = await FileLock.take(path);
    assert.ok("lock" in taken);
    using lock = taken.lock;
    await Deno.writeTextFile(path, '{"pid": 1');
    const checked = assert.rejects(lock.check(), /was taken over by process 12, although/);
    await new Promise((done) => setTimeout(done, 15));
    await Deno.writeTextFile(path, '{"pid": 12, "token": "another"}');
    await checked;
  });
});
