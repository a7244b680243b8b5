/**
 * Holds a process after a line of `metrics.jsonl`, the `lines` of this module's address, until the file `released` is in
 * its folder, or it is told to end: loaded before a process that a test is to meet in the middle of its work.
 */
const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const held = Number(new URL(import.meta.url).searchParams.get("lines"));
const write = Deno.writeTextFile;
let lines = 0;

Deno.writeTextFile = async (path, text, options) => {
  await write(path, text, options);
  if (!String(path).endsWith("metrics.jsonl") || !options?.append || ++lines !== held) return;
  let told = false;
  const listen = () => told = true;
  for (const signal of endingSignals) Deno.addSignalListener(signal, listen);
  while (!told && !await Deno.stat("released").catch(() => undefined)) {
    await new Promise((done) => setTimeout(done, 5));
  }
  for (const signal of endingSignals) Deno.removeSignalListener(signal, listen);
};
