/**
 * How fast chronicles are written, in tokens a second on one core:
 *
 *     deno run tests/text/chronicle/writing_bench.ts
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import { writeBook } from "../../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { writeDrill } from "../../../src/text/chronicle/drill.ts";

for (const write of [writeBook, writeDrill]) {
  write(defaultChronicle, "warm-up");
  const start = performance.now();
  let tokens = 0, documents = 0;
  while (performance.now() - start < 2_000) {
    tokens += write(defaultChronicle, `bench/${documents++}`).tokens.length;
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(`${write.name}: ${Math.round(tokens / seconds)} tokens/s (${documents} documents)`);
}
