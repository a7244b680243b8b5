import { type RopeScaling, rotary, rotaryPositions } from "../../src/backbone/rotary.ts";
import { Graph } from "../../src/graph/graph.ts";
import { compile } from "../../src/runtime/compile.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";

/** Rotations of a head of D channels, and what the official code gives for some of its frequencies and their angles at position 4095. */
const rotations: readonly {
  name: string;
  base: number;
  channels: number;
  scaling?: RopeScaling;
  magnitude: number;
  which: readonly number[];
  frequencies: readonly number[];
  cosines: readonly number[];
  sines: readonly number[];
}[] = [
  {
    name: "plain",
    base: 500_000,
    channels: 128,
    magnitude: 1,
    which: [1, 2, 3, 9, 30],
    frequencies: [
      0.8146172165870667,
      0.663601279258728,
      0.5405809879302979,
      0.1579728126525879,
      0.002131119603291154,
    ],
    cosines: [0.8707965, -0.9995385, -0.4143011, 0.9639294, -0.7662296],
    sines: [-0.4916436, 0.0303751, 0.9101399, -0.266158, 0.6425668],
  },
  {
    name: "linear",
    base: 10_000,
    channels: 64,
    scaling: { kind: "linear", factor: 4 },
    magnitude: 1,
    which: [0, 1, 2, 3, 9, 30],
    frequencies: [
      0.25,
      0.18747355043888092,
      0.14058533310890198,
      0.10542412847280502,
      0.018747353926301003,
      4.4456985051510856e-05,
    ],
    cosines: [0.9174374, 0.4034106, -0.7070314, -0.2543716, 0.1973007, 0.9834744],
    sines: [-0.3978802, 0.915019, -0.7071822, -0.9671066, 0.980343, 0.1810474],
  },
  {
    name: "llama3",
    base: 10_000,
    channels: 64,
    scaling: {
      kind: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalTokens: 512,
    },
    magnitude: 1,
    which: [1, 2, 13, 16, 20, 30],
    frequencies: [
      0.7498942017555237,
      0.5623413324356079,
      0.00941295363008976,
      0.0012499999720603228,
      0.00039528473280370235,
      2.2228492525755428e-05,
    ],
    cosines: [-0.0900464, -0.9999999, 0.6622853, 0.3952694, -0.0478763, 0.99586],
    sines: [-0.9959376, -0.0004267, 0.7492517, -0.9185652, 0.9988533, 0.0909],
  },
  {
    name: "yarn",
    base: 1e6,
    channels: 128,
    scaling: {
      kind: "yarn",
      factor: 4,
      fastTurns: 32,
      slowTurns: 1,
      originalTokens: 32_768,
      wholeBounds: true,
      magnitude: 1.138629436111989,
    },
    magnitude: 1.138629436111989,
    which: [1, 2, 20, 25, 30, 38, 60],
    frequencies: [
      0.8058422207832336,
      0.6493816375732422,
      0.01333521492779255,
      0.004131738096475601,
      0.0010643609566614032,
      9.262301318813115e-05,
      5.928434347879374e-07,
    ],
    cosines: [0.3573689, 0.1593477, -0.4119235, -0.4003549, -0.3945281, 1.057704, 1.1386261],
    sines: [1.0810941, 1.1274241, -1.0615065, -1.0659236, -1.0680939, 0.4215914, 0.0027642],
  },
  {
    name: "yarn between frequencies",
    base: 1e6,
    channels: 128,
    scaling: {
      kind: "yarn",
      factor: 4,
      fastTurns: 16,
      slowTurns: 2,
      originalTokens: 32_768,
      wholeBounds: false,
      magnitude: 1.138629436111989,
    },
    magnitude: 1.138629436111989,
    which: [20, 25, 30, 38, 60],
    frequencies: [
      0.01333521492779255,
      0.004531583748757839,
      0.0011570935603231192,
      6.846048927400261e-05,
      5.928434347879374e-07,
    ],
    cosines: [-0.4119235, 1.0901948, 0.0294974, 1.0941771, 1.1386261],
    sines: [-1.0615065, -0.328561, -1.1382473, 0.315045, 0.0027642],
  },
];

for (const { name, base, channels, scaling, magnitude, which, ...expected } of rotations) {
  deviceTest(`rotation (${name}): far positions turn by the official angles`, async (device) => {
    const { rotation } = rotary({ ropeTheta: base, ropeScaling: scaling, channels });
    const { frequencies, magnitude: found } = rotation();
    assert.equal(found, magnitude);
    which.forEach((j, i) => {
      const error = Math.abs(frequencies[j] / expected.frequencies[i] - 1);
      assert.ok(error < 2e-7, `frequency ${j} is ${frequencies[j]}`);
    });

    const graph = new Graph(), T = 4096, half = channels / 2;
    const batch = { rows: 1, contextTokens: T, padded: false };
    const x = graph.input("x", [1, 1, T, channels]);
    const positions = rotaryPositions(graph, rotation, batch);
    graph.output("turned", positions.turn!(x, 0));
    graph.output("turnedBy", positions.turnBy!(x, 0, 4095));
    graph.output("unturned", positions.turnBy!(x, 0));
    const session = await compile(device, graph);
    // Of channels 1 and 0 the cosine and the sine are left.
    const ones = Float32Array.from({ length: T * channels }, (_, i) => i % channels < half ? 1 : 0);
    const outputs = await session.run({ x: device.tensor(ones, [1, 1, T, channels]) });
    const lastOf = async (name: string) =>
      (await outputs[name].read() as Float32Array).subarray(-channels);
    const last = await lastOf("turned");
    assertClose(which.map((j) => last[j]), expected.cosines, { tolerance: 1e-6, name: "cosines" });
    assertClose(which.map((j) => last[half + j]), expected.sines, {
      tolerance: 1e-6,
      name: "sines",
    });
    // Keys that are not turned leave their part of the magnitude to the queries.
    const by = await lastOf("turnedBy"), unturned = await lastOf("unturned");
    assertClose(by, last.map((y) => magnitude * y), { tolerance: 1e-6, name: "turned by" });
    assertClose(unturned, ones.subarray(-channels).map((x) => magnitude ** 2 * x), {
      tolerance: 1e-6,
      name: "unturned",
    });
    await session.close();
  });
}
