/**
 * Seeded random numbers: the same seed gives the same numbers on every machine.
 */
import { createHash } from "./system.ts";
import { InputRangeError } from "./errors.ts";

/** State of a generator: four unsigned 32-bit integers, not all zero. */
export type RandomState = readonly [number, number, number, number];

/** The generator xoshiro128** of Blackman and Vigna (2018). */
export class Random {
  readonly #state: Uint32Array;

  /**
   * Starts a generator.
   *
   * @param seed A number or a string, of which the state is a hash, so that seeds such as `"7/shuffle/2"`
   * give independent generators; or the state of another generator, to continue it.
   * @throws {RangeError} If a state is not four unsigned 32-bit integers, at least one of them not zero.
   */
  constructor(seed: number | string | RandomState) {
    if (typeof seed === "object") {
      if (seed.length !== 4 || seed.some((word) => word >>> 0 !== word) || seed.every((w) => !w)) {
        throw new InputRangeError(
          `Cannot continue random numbers as the state must be four unsigned 32-bit integers, not all zero: ` +
            `current value is [${seed}]`,
        );
      }
      this.#state = Uint32Array.from(seed);
    } else {
      const { buffer, byteOffset } = createHash("sha256").update(String(seed)).digest();
      const hash = new DataView(buffer, byteOffset);
      this.#state = Uint32Array.from({ length: 4 }, (_, i) => hash.getUint32(4 * i, true));
    }
  }

  /** State to continue from, as the constructor takes it. */
  get state(): RandomState {
    const [a, b, c, d] = this.#state;
    return [a, b, c, d];
  }

  /** Next integer, uniform in 0 .. 2^32 - 1. */
  nextUint32(): number {
    const s = this.#state;
    const scrambled = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotateLeft(s[3], 11);
    return scrambled;
  }

  /**
   * Next integer, uniform in 0 .. n - 1.
   *
   * @throws {RangeError} If n is not an integer in 1 .. 2^32.
   */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new InputRangeError(
        `Cannot draw a number below n as n must be an integer in 1 .. 2^32: current value is ${n}`,
      );
    }
    // Draws beyond the largest multiple of n would favour the small remainders.
    const limit = 2 ** 32 - (2 ** 32) % n;
    let draw = this.nextUint32();
    while (draw >= limit) draw = this.nextUint32();
    return draw % n;
  }

  /** Next number, uniform in [0, 1), with 53 random bits. */
  uniform(): number {
    const high = this.nextUint32() >>> 5, low = this.nextUint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Next number of the standard normal distribution (Box and Muller; two uniform numbers each). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Shuffles an array in place (Fisher and Yates) and returns it. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const item = items[i];
      items[i] = items[j];
      items[j] = item;
    }
    return items;
  }
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}
