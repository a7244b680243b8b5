import { ReplacedTensors } from "../../src/training/parameters.ts";
import { stepNames } from "../../src/training/step_graph.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert } from "../testing.ts";

deviceTest("ReplacedTensors shows what a step wrote only after swap()", async (device) => {
  const tensors = new ReplacedTensors(device);
  const given = Float32Array.of(1, 2);
  tensors.add("weight", given, [2]);
  const read = async () => [...(await tensors.read(["weight"])).get("weight")!.data];

  const target = tensors.targets[stepNames.updated("weight")];
  (await target.read()).set([3, 4] as never); // what a step does on the host
  assert.deepEqual(await read(), [1, 2]);
  tensors.swap();
  assert.deepEqual(await read(), [3, 4]);
  const next = tensors.targets[stepNames.updated("weight")];
  assert.notEqual(next, target);
  (await next.read()).set([0, 0] as never);
  assert.deepEqual(await read(), [3, 4]);

  // What was read, and what it was made from, are copies.
  const copy = (await tensors.read(["weight"])).get("weight")!.data;
  (await tensors.get("weight").read()).set([5, 6] as never);
  assert.deepEqual([...copy], [3, 4]);
  assert.deepEqual([...given], [1, 2]);

  tensors.add("weight", Float32Array.of(7, 8), [2]);
  assert.deepEqual(await read(), [7, 8]);
  tensors.clear();
  assert.deepEqual(await read(), [0, 0]);
  tensors.dispose();
}, { kinds: ["cpu"] });

deviceTest("ReplacedTensors shows at once what a step wrote in place", async (device) => {
  const tensors = new ReplacedTensors(device);
  tensors.addZeros("mean", [2], { inPlace: true });
  for (const values of [[1, 2], [3, 4]]) {
    tensors.add("mean", Float32Array.from(values), [2]);
    const target = tensors.targets[stepNames.updated("mean")];
    assert.equal(target, tensors.get("mean"));
    (await target.read()).set([values[0], 9] as never);
    tensors.swap();
    assert.deepEqual([...(await tensors.read(["mean"])).get("mean")!.data], [values[0], 9]);
  }
  tensors.dispose();
}, { kinds: ["cpu"] });
