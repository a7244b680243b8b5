/**
 * Holds a process after a line of `metrics.jsonl`, the `lines` of this module's address, until the file `released` is in
 * its folder: loaded before a process that another one is to overtake.
 */
const held = Number(new URL(import.meta.url).searchParams.get("lines"));
const write = Deno.writeTextFile;
let lines = 0;

Deno.writeTextFile = async (path, text, options) => {
  await write(path, text, options);
  if (!String(path).endsWith("metrics.jsonl") || !options?.append || ++lines !== held) return;
  while (!await Deno.stat("released").catch(() => undefined)) {
    await new Promise((done) => setTimeout(done, 5));
  }
};
