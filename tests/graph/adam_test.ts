import { adam, type AdamState } from "../../src/graph/adam.ts";
import { Graph } from "../../src/graph/graph.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Random } from "../../src/random.ts";
import { assert, assertClose } from "../testing.ts";
import { deviceTest } from "./devices.ts";

const size = 37, betas = [0.9, 0.98] as const, epsilon = 1e-3;
const names = ["parameter", "mean", "square"] as const;

/** One update as a session. */
function adamSession(device: Device) {
  const graph = new Graph();
  const state = Object.fromEntries(
    names.map((name) => [name, graph.input(name, [size])]),
  ) as unknown as AdamState;
  const next = adam(state, graph.input("gradient", [size]), {
    stepSize: graph.input("stepSize", []),
    decay: graph.input("decay", []),
    active: graph.input("active", [1], "bool"),
    betas,
    epsilon,
  });
  for (const name of names) graph.output(`next.${name}`, next[name]);
  return compile(device, graph);
}

deviceTest(
  "adam() follows its formulae for 5 steps and rests in one without gradient",
  async (device) => {
    const random = new Random("adam");
    const draw = () => Float32Array.from({ length: size }, () => random.normal());
    const session = await adamSession(device);
    const start = draw();
    const expected = {
      parameter: Float64Array.from(start),
      mean: new Float64Array(size),
      square: new Float64Array(size),
    };
    let state = {
      parameter: device.tensor(start, [size]),
      mean: device.zeros([size]),
      square: device.zeros([size]),
    };
    for (let step = 1; step <= 5; step++) {
      const gradient = draw(), active = step !== 3;
      const stepSize = Math.fround(0.3 / step), decay = Math.fround(1 - 0.1 / step);
      const { parameter, mean, square } = expected;
      for (let i = 0; active && i < size; i++) {
        mean[i] = betas[0] * mean[i] + (1 - betas[0]) * gradient[i];
        square[i] = betas[1] * square[i] + (1 - betas[1]) * gradient[i] ** 2;
        parameter[i] = parameter[i] * decay - stepSize * mean[i] / (Math.sqrt(square[i]) + epsilon);
      }
      const next = await session.run({
        ...state,
        gradient: device.tensor(gradient, [size]),
        stepSize: device.tensor(Float32Array.of(stepSize), []),
        decay: device.tensor(Float32Array.of(decay), []),
        active: device.tensor(Uint8Array.of(active ? 1 : 0), [1]),
      });
      state = {
        parameter: next["next.parameter"],
        mean: next["next.mean"],
        square: next["next.square"],
      };
    }
    for (const name of names) {
      assertClose(Array.from(await state[name].read(), Number), expected[name], {
        tolerance: 1e-6,
        name,
      });
    }
    assert.ok(expected.parameter.every((value, i) => Math.abs(value - start[i]) > 0.01));
    await session.close();
  },
);
