import { describeHolder, FileLock } from "../src/lock.ts";
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
      `process ${process.pid} since ${refused.holder.since}`,
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
