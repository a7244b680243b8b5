import { assert, test } from "../testing.ts";
import { measureLargeMemories } from "./large_memory.ts";

const onLinux = { ignore: Deno.build.os !== "linux" };

test("memories are measured by every index, in RAM and in a file", onLinux, async () => {
  const { text, figure } = await measureLargeMemories({
    tokens: [512],
    graphTokens: 2048,
    readTokens: 512,
    bankTokens: [512],
  });
  const rows = text.split("\n").filter((line) => line.startsWith("| 512 |"));
  const measured = (name: string) => rows.find((row) => row.includes(`| ${name} |`)) ?? "";
  // So few chunks that graphs find all of the best.
  for (const name of ["exact", "hnsw", "usearch float32"]) {
    assert.match(measured(name), /\| 1\.000 \|/, text);
  }
  assert.match(measured("usearch float16"), /\| (1\.000|0\.99\d) \|/, text);
  assert.match(text, /\| float16 \| (1\.0000|0\.99\d\d) \| 1\.0000 \|/);
  assert.match(text, /\| 8 bits \| 0\.9\d+ \| (1\.0000|0\.99\d\d) \|/);
  for (const storage of ["float16", "int8"]) {
    assert.match(measured(`${storage} | file`), /\| yes \|$/, text);
  }
  assert.match(figure, /^<svg/);
});
