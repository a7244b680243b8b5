/**
 * Holds a process once `metrics.jsonl` has some lines, the `lines` of this module's address, or it has recorded the items of some
 * models, its `models`, until the file `released` is in its folder, or it is told to end: loaded before a process that a test is
 * to meet in the middle of its work. While it is held, the file `held` is there.
 */
const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const { searchParams } = new URL(import.meta.url);
const [lines, models] = ["lines", "models"].map((name) => Number(searchParams.get(name) ?? NaN));
const write = Deno.writeTextFile;
let recordedModels = 0, isOver = false;

/** Whether what was just appended to a file is what the process is to be held after. */
async function isReached(path: string): Promise<boolean> {
  if (/\/samples\/[^/]*$/.test(path)) return ++recordedModels === models;
  if (!path.endsWith("/metrics.jsonl")) return false;
  return (await Deno.readTextFile(path)).split("\n").length > lines;
}

Deno.writeTextFile = async (path, text, options) => {
  await write(path, text, options);
  if (isOver || !options?.append || !await isReached(String(path))) return;
  isOver = true;
  let told = false;
  const listen = () => told = true;
  for (const signal of endingSignals) Deno.addSignalListener(signal, listen);
  await write("held", "");
  while (!told && !await Deno.stat("released").catch(() => undefined)) {
    await new Promise((done) => setTimeout(done, 5));
  }
  for (const signal of endingSignals) Deno.removeSignalListener(signal, listen);
};
