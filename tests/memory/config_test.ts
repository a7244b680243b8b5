import {
  capacityChunks,
  checkMemoryConfig,
  type MemoryConfig,
  memoryProtocols,
  paperMemory,
  recentMemory,
  retrievedChunks,
} from "../../src/memory/config.ts";
import { Ring } from "../../src/memory/ring.ts";
import { assert, test } from "../testing.ts";

const released: MemoryConfig = { ...paperMemory, ...memoryProtocols["released-code"] };
const strict: MemoryConfig = { ...paperMemory, ...memoryProtocols.strict };

test("The paper's memory has 16,384 chunks, of which a query retrieves 16", () => {
  assert.equal(capacityChunks(released), 16_384);
  assert.equal(retrievedChunks(released), 16);
  assert.equal(capacityChunks({ ...released, capacityTokens: 130, chunkTokens: 3 }), 43);
  checkMemoryConfig(released, { rows: 8, contextTokens: 1024 });
});

test("checkMemoryConfig() allows just the banks that updates of one size never break", () => {
  const never = (capacity: number, tokens: number, c: number, coarse: boolean) => {
    const ring = new Ring(capacity);
    try {
      for (let update = 0; update < 100; update++) {
        const options = coarse ? { coarseDrop: Math.floor(2 * tokens / c) } : {};
        ring.advance(Math.floor(tokens / c), options);
      }
      return true;
    } catch {
      return false;
    }
  };
  for (const eviction of ["coarse", "exact"] as const) {
    for (const bank of ["shared", "per-row"] as const) {
      for (
        const [rows, contextTokens, chunkTokens] of [[2, 10, 4], [1, 7, 4], [3, 5, 2], [2, 8, 4]]
      ) {
        const tokens = bank === "shared" ? rows * contextTokens : contextTokens;
        let allowed = 0;
        for (let capacity = 1; capacity < 30; capacity++) {
          const config: MemoryConfig = {
            ...strict,
            eviction,
            bank,
            chunkTokens,
            retrievedTokens: chunkTokens,
            capacityTokens: capacity * chunkTokens,
          };
          let allows = true;
          try {
            checkMemoryConfig(config, { rows, contextTokens });
          } catch (error) {
            assert.ok(error instanceof RangeError);
            assert.match(error.message, /current value is \d+, allowed are integers from \d+$/);
            allows = false;
          }
          const works = never(capacity, tokens, chunkTokens, eviction === "coarse");
          const setting = JSON.stringify({ ...config, rows, contextTokens });
          if (allows) assert.ok(works, `allowed, but breaks: ${setting}`);
          if (allows) allowed ||= capacity;
          // Beyond the smallest every larger one is allowed.
          assert.equal(allows, allowed > 0, setting);
        }
        assert.ok(!never(allowed - 1, tokens, chunkTokens, eviction === "coarse") || allowed === 1);
      }
    }
  }
});

test("checkMemoryConfig() wants more than two of the official updates", () => {
  // Specification section 6: P = 8 and 16 raise with 8 new chunks, 17 and up work.
  const of = (capacityChunks: number) => ({
    ...released,
    chunkTokens: 4,
    retrievedTokens: 4,
    capacityTokens: 4 * capacityChunks,
  });
  const batch = { rows: 2, contextTokens: 16 };
  for (const P of [17, 18, 32]) checkMemoryConfig(of(P), batch);
  for (const P of [8, 16]) {
    assert.throws(() => checkMemoryConfig(of(P), batch), {
      name: "RangeError",
      message: "Cannot make a memory as memory.capacityTokens must exceed two updates, as coarse " +
        `eviction drops two at once, of 32 tokens each: current value is ${4 * P}, allowed are ` +
        "integers from 68",
    });
  }
});

test("checkMemoryConfig() names the field that is wrong and its value", () => {
  const batch = { rows: 1, contextTokens: 8 };
  const cases: [Partial<MemoryConfig>, RegExp][] = [
    [{ chunkTokens: 0 }, /memory.chunkTokens .* value is 0, allowed are positive integers$/],
    [{ capacityTokens: 1.5 }, /memory.capacityTokens .* value is 1.5, allowed are positive/],
    [{ retrievedTokens: NaN }, /memory.retrievedTokens .* value is NaN, allowed are positive/],
    [
      { retrievedTokens: 10 },
      /memory.retrievedTokens must be a multiple of memory.chunkTokens: .* 10, .* multiples of 4$/,
    ],
    [{ capacityTokens: 63 }, /must not exceed memory.capacityTokens: .* 64, .* up to 63$/],
    [
      { chunkTokens: 16 },
      /memory.chunkTokens must not exceed one update, of 8 tokens: .* 16, .* from 1 to 8$/,
    ],
    [
      { retrievedTokens: 10, capacityTokens: 4 },
      /as 3 fields are wrong:\s+memory.retrievedTokens .*\s+memory.retrievedTokens .*\s+memory.capacityTokens/,
    ],
  ];
  for (const [fields, message] of cases) {
    const config = { ...strict, ...fields };
    assert.throws(() => checkMemoryConfig(config, batch), { name: "RangeError", message });
  }
});

test("recentMemory() is the smallest bank that takes a segment and has what is retrieved", () => {
  const capacityWith = (change: Partial<MemoryConfig>, contextTokens: number) => {
    const memory = recentMemory({ ...strict, retrievedTokens: 8, ...change }, contextTokens);
    checkMemoryConfig(memory, { rows: 1, contextTokens });
    assert.deepEqual({ ...memory, capacityTokens: 0 }, {
      ...strict,
      retrievedTokens: 8,
      ...change,
      capacityTokens: 0,
    });
    return memory.capacityTokens;
  };
  assert.equal(capacityWith({}, 16), 16);
  assert.equal(capacityWith({}, 18), 16); // the last two tokens fill no chunk
  assert.equal(capacityWith({ retrievedTokens: 64 }, 16), 64);
  assert.equal(capacityWith({ bank: "shared" }, 16), 16);
  assert.equal(capacityWith({ eviction: "coarse" }, 16), 36); // two updates and a chunk
});
