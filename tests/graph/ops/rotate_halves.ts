import { rotateHalves } from "../../../src/graph/ops/rotate_halves.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

for (
  const { shape, angles } of [
    { shape: [2, 3, 5, 8], angles: [1, 1, 5, 4] },
    { shape: [2, 3, 5, 8], angles: [2, 1, 5, 4] },
    { shape: [2, 3, 1, 8], angles: [2, 1, 1, 4] },
    { shape: [2, 3, 5, 37], angles: [1, 1, 5, 3] }, // the first 6 channels of 37
    { shape: [7, 4], angles: [7, 2] },
  ]
) {
  const half = angles[angles.length - 1];
  const ofAngles = (of: (angle: number) => number) => ({
    shape: angles,
    values: (_: unknown, i: number) => of(0.7 * i + 0.3),
    gradient: false,
  } as const);
  testOperation(`rotateHalves() of [${shape}] by [${angles}]`, {
    inputs: { x: shape, cos: ofAngles(Math.cos), sin: ofAngles(Math.sin) },
    build: ({ x, cos, sin }) => rotateHalves(x, cos, sin),
    reference: ({ x, cos, sin }) =>
      tensor64(shape, (...index) => {
        const channel = index.pop()!;
        if (channel >= 2 * half) return at(x, ...index, channel);
        const j = channel % half;
        const first = at(x, ...index, j), second = at(x, ...index, j + half);
        const c = at(cos, ...index, j), s = at(sin, ...index, j);
        return channel < half ? first * c - second * s : second * c + first * s;
      }),
  });
}
