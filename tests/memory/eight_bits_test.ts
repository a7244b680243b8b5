import { dequantizeAll, quantizeAll } from "../../src/memory/eight_bits.ts";
import { Random } from "../../src/random.ts";
import { assert, test } from "../testing.ts";

test("vectors in 8 bits are the nearest multiples of their scales, and stay them", () => {
  const random = new Random("eight bits"), size = 7, count = 3000;
  const sizes = Array.from({ length: count }, () => 2 ** (random.below(200) - 100));
  const vectors = Float32Array.from(
    { length: size * count },
    (_, i) => sizes[Math.floor(i / size)] * random.normal(),
  );
  vectors.fill(0, 0, size);
  const { codes, scales } = quantizeAll(vectors, size);
  assert.deepEqual(codes.subarray(0, size), new Int8Array(size));
  for (let i = 1; i < count; i++) {
    const vector = vectors.subarray(i * size, (i + 1) * size);
    const largest = Math.max(...vector.map(Math.abs)), scale = scales[i];
    assert.ok(scale >= largest / 127 * (1 - 2 ** -24) && scale <= largest / 127 * (1 + 2 ** -15));
    vector.forEach((x, d) => {
      const code = codes[i * size + d];
      assert.ok(Math.abs(x - code * scale) <= scale / 2 * (1 + 1e-6), `${x} of ${largest}`);
      // Without rounding in float32.
      assert.equal(Math.fround(code * scale), code * scale);
    });
  }
  const stored = dequantizeAll(codes, scales);
  assert.deepEqual(quantizeAll(stored, size), { codes, scales });
});
