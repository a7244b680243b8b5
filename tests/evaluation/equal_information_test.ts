import { fillModel } from "../../src/evaluation/models.ts";
import { slidingWindowModel } from "../../src/evaluation/sliding_window.ts";
import { memoryPart, recentMemory } from "../../src/memory/config.ts";
import { assert, test } from "../testing.ts";

/** Tokens of a document 100, 101, ... in segments of T that a window sees when it scores the segment after `segments`. */
async function seenByWindow(
  options: { contextTokens: number; windowTokens: number },
  segments: number,
): Promise<number[]> {
  const { contextTokens: T } = options;
  let seen: number[] = [];
  const model = slidingWindowModel("window", {
    score(tokens, targets, asked) {
      const { mask = [] } = asked as { mask?: Uint8Array };
      seen = [...tokens].filter((_, i) => mask[i] === 1);
      return Promise.resolve(new Float32Array(targets.length));
    },
    choose: () => Promise.reject(new Error("is not asked")),
  }, { ...options, shared: false });
  await model.startDocument(0, 0);
  for (let s = 0; s <= segments; s++) {
    const tokens = Int32Array.from({ length: T }, (_, t) => 100 + s * T + t);
    await model.score({ tokens, targets: tokens, rows: 1 });
  }
  return seen;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const strict = (capacityTokens: number) =>
  memoryPart.fill({ capacityTokens, chunkTokens: 2, retrievedTokens: 4 }, { protocol: "strict" });

test("By default the full context and copying see what the memory holds, and the segment", async () => {
  for (const [contextTokens, capacityTokens] of [[4, 8], [4, 12], [8, 8]]) {
    const evaluation = { contextTokens, memory: strict(capacityTokens) };
    const window = fillModel("backbone-full-context", evaluation);
    const copy = fillModel("copy", evaluation);
    assert.ok(typeof window === "object" && window.model === "backbone-full-context");
    assert.ok(typeof copy === "object" && copy.model === "copy");
    const { windowTokens } = window;
    assert.equal(windowTokens, contextTokens + capacityTokens);
    assert.equal(copy.capacityTokens, capacityTokens);
    // The sixth segment, and of the five before it the last tokens that fit the memory.
    const first = 100 + 5 * contextTokens;
    assert.deepEqual(
      await seenByWindow({ contextTokens, windowTokens }, 5),
      range(first - capacityTokens, first + contextTokens),
    );
  }
});

test("By default a sliding window sees the tokens of the recent memory, and the segment", async () => {
  for (const contextTokens of [4, 8]) {
    const evaluation = { contextTokens, memory: strict(64) };
    const window = fillModel("backbone-sliding-window", evaluation);
    assert.ok(typeof window === "object" && window.model === "backbone-sliding-window");
    const { windowTokens } = window;
    const { capacityTokens } = recentMemory(evaluation.memory, contextTokens);
    assert.equal(windowTokens, contextTokens + capacityTokens);
    const first = 100 + 3 * contextTokens;
    assert.deepEqual(
      await seenByWindow({ contextTokens, windowTokens }, 3),
      range(first - capacityTokens, first + contextTokens),
    );
  }
});
