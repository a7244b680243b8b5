/** How far from its trained backbone a SideNet starts, by the scale of its outputs and the form of the last residual. */
import { loadLongMem } from "../../src/checkpoint/load.ts";
import type { LastResidual } from "../../src/longmem/sidenet_shape.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { writeBook } from "../../src/text/chronicle/book.ts";
import { assert, repositoryPath, test } from "../testing.ts";

test("a silent SideNet starts within 0.001 nats of the chronicle's backbone, and a copy does not", async () => {
  const rows = 20, T = 128;
  const { tokens } = writeBook(defaultChronicle, "silent start");
  const inputs = Int32Array.from(tokens.subarray(0, rows * T));
  const targets = Int32Array.from(tokens.subarray(1, rows * T + 1));
  const nats = async (lastResidual: LastResidual, outputScale: number) => {
    await using model = await loadLongMem({
      backbone: repositoryPath("data/chronicle/backbone"),
      sideNetShape: { memoryBlock: 2, lastResidual },
      initialization: { kind: "paper", outputScale },
      memory: { capacityTokens: 1024, chunkTokens: 4, retrievedTokens: 16 },
      device: "cpu",
    });
    const mean = async (network: "backbone" | "sidenet") => {
      const nll = await model.score(inputs, targets, { batch: rows, network });
      return nll.reduce((sum, x) => sum + x, 0) / nll.length;
    };
    return await mean("sidenet") - await mean("backbone");
  };
  const silent = await nats("final-norm", 0), exact = await nats("raw", 0);
  const quarter = await nats("final-norm", 0.25), copy = await nats("final-norm", 1);
  const rawCopy = await nats("raw", 1);
  assert.ok(Math.abs(silent) < 1e-3 && Math.abs(silent) > 1e-6, `silent: ${silent}`);
  assert.ok(Math.abs(exact) < 1e-5, `silent and raw: ${exact}`);
  assert.ok(quarter > 1e-3 && quarter < copy && copy > 0.05, `${quarter}, ${copy}`);
  assert.ok(rawCopy > 1e-3 && rawCopy < copy, `raw copy: ${rawCopy}`);
});
