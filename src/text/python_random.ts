/**
 * The random numbers of Python's `random` module, as far as the released evaluations draw with them (specification
 * section 14), so that a seed gives the same examples here and there.
 */

/** Numbers in the state of the Mersenne Twister MT19937, and how far apart those lie that are mixed. */
const stateLength = 624, stateOffset = 397;

/** Python's generator, the Mersenne Twister MT19937 of Matsumoto and Nishimura (1998). */
export class PythonRandom {
  readonly #state = new Uint32Array(stateLength);
  #position = stateLength;

  /** Seeds the generator as `random.seed(seed)` does, with an integer in 0 .. 2^32 - 1. */
  constructor(seed: number) {
    const state = this.#state;
    // The reference implementation's init_by_array([seed]).
    state[0] = 19650218;
    for (let i = 1; i < stateLength; i++) {
      state[i] = Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), 1812433253) + i;
    }
    let i = 1;
    const mix = (factor: number, added: number) => {
      state[i] = (state[i] ^ Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), factor)) + added;
      if (++i === stateLength) {
        state[0] = state[stateLength - 1];
        i = 1;
      }
    };
    for (let n = 0; n < stateLength; n++) mix(1664525, seed);
    for (let n = 1; n < stateLength; n++) mix(1566083941, -i);
    state[0] = 0x8000_0000;
  }

  /** Next integer, uniform in 0 .. 2^32 - 1. */
  nextUint32(): number {
    if (this.#position === stateLength) this.#twist();
    let y = this.#state[this.#position++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Makes the next numbers of the state. */
  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < stateLength; i++) {
      const y = (state[i] & 0x8000_0000) | (state[(i + 1) % stateLength] & 0x7fff_ffff);
      const mixed = (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      state[i] = state[(i + stateOffset) % stateLength] ^ mixed;
    }
    this.#position = 0;
  }

  /** Next integer, uniform in 0 .. n - 1, as `randrange(n)` draws it; n is from 1 to 2^32 - 1. */
  below(n: number): number {
    const unusedBits = Math.clz32(n);
    let draw = this.nextUint32() >>> unusedBits;
    while (draw >= n) draw = this.nextUint32() >>> unusedBits;
    return draw;
  }

  /** Positions of `random.sample(population, count)` in a population of at least as many, in the order drawn. */
  sample(population: number, count: number): number[] {
    // Python takes whichever of two ways needs less memory; they draw different numbers.
    let setSize = 21;
    if (count > 5) {
      let power = 1;
      while (power < 3 * count) power *= 4;
      setSize += power;
    }
    if (population <= setSize) {
      const pool = Array.from({ length: population }, (_, i) => i);
      return Array.from({ length: count }, (_, i) => {
        const j = this.below(population - i), drawn = pool[j];
        pool[j] = pool[population - i - 1];
        return drawn;
      });
    }
    const drawn = new Set<number>();
    while (drawn.size < count) {
      // A set keeps the order of its elements; a repeated draw is replaced by another one, and changes nothing.
      drawn.add(this.below(population));
    }
    return [...drawn];
  }
}
