/**
 * Memory of a process that loads a model, passes a segment and closes it, again and again:
 *
 *     deno run -A --v8-flags=--expose-gc tests/bench/model_reload.ts [cpu|webgpu|wasm] [TIMES]
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import { LongMem } from "../../src/longmem/longmem.ts";
import type { DeviceKind } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open_device.ts";
import { countGpuTraffic } from "../runtime/gpu_traffic.ts";
import {
  randomBatches,
  smallBackbone,
  smallMemory,
  smallSideNet,
} from "../training/small_training.ts";

const [kind = "webgpu", times = "30"] = Deno.args;
const collectGarbage = (globalThis as { gc?: () => void }).gc;
if (!collectGarbage) throw new Error("Missing --v8-flags=--expose-gc");

console.log(
  "| model | MiB of the process | GPU devices | GPU buffers left | GPU pipelines compiled |",
);
console.log("|---:|---:|---:|---:|---:|");
for (let i = 1; i <= Number(times); i++) {
  const { traffic } = await countGpuTraffic(async () => {
    const device = await openDevice(kind as DeviceKind);
    const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
    const parts = { backbone, sideNet, memory: smallMemory };
    await using model = new LongMem(device, parts, { ownsDevice: true });
    await model.forward(randomBatches(1)[0].tokens, { batch: 2 });
  });
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await new Promise((done) => setTimeout(done, 50)); // lets finalizers run
  }
  const mebibytes = (Deno.memoryUsage().rss / 2 ** 20).toFixed(0);
  const { devices, heldBuffers, pipelines } = traffic;
  console.log(`| ${[i, mebibytes, devices, heldBuffers, pipelines].join(" | ")} |`);
}
