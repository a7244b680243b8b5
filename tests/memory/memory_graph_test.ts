/** Search of very many chunks, whose scores exist for some queries and some chunks at a time. */
import { emptyScore } from "../../src/memory/memory_graph.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert } from "../testing.ts";
import { runSearch, searchGraph } from "./search_graph.ts";

const G = 2, B = 2, H = 2, D = 3, P = 150_001, n = 5;

/** Slots of the chunks of a head; undefined: all have one. */
const few = Int32Array.of(3, 140_000, 150_000);
const filled = [undefined, few, undefined, undefined];

for (const { T, blocks } of [{ T: 140, blocks: 2 * 3 }, { T: 6, blocks: 1 }]) {
  deviceTest(
    `retrieveExactly() of ${T} queries finds the first of the best of ${P} chunks`,
    async (device) => {
      const sizes = { G, B, H, T, D, P, n };
      const graph = searchGraph(device, sizes);
      const products = graph.nodes.filter(({ op }) => op === "MatMul");
      assert.equal(products.length, B * H * blocks);

      // Few numbers, whose sums are exact: of nearly all scores there are equals, within a block and across blocks.
      const random = new Random("chunks");
      const draw = (count: number) =>
        Float32Array.from({ length: count }, () => (random.below(9) - 4) / 4);
      const queries = draw(B * H * T * D), meanKeys = draw(G * H * (D + 1) * P);
      for (let head = 0; head < G * H; head++) {
        const bias = meanKeys.subarray((head * (D + 1) + D) * P, (head + 1) * (D + 1) * P);
        bias.fill(filled[head] ? emptyScore : 0);
        filled[head]?.forEach((slot) => bias[slot] = 0);
      }
      const { ids, scores } = await runSearch(device, graph, sizes, { queries, meanKeys });
      for (let row = 0; row < B * H * T; row += 7) {
        const head = Math.floor(row / T),
          best = bestOf(head, queries.subarray(row * D, row * D + D));
        const at = [row * n, row * n + n];
        assert.deepEqual([...ids.subarray(...at)], best.map(({ slot }) => head * P + slot));
        assert.deepEqual(
          [...scores.subarray(...at)],
          best.map(({ score }) => Math.fround(score)),
        );
      }

      /** Insertion in order of slots: of equal scores the lower slot stays first. */
      function bestOf(head: number, query: Float32Array): { slot: number; score: number }[] {
        const best: { slot: number; score: number }[] = [];
        const key = (d: number, slot: number) => meanKeys[(head * (D + 1) + d) * P + slot];
        for (let slot = 0; slot < P; slot++) {
          let score = key(D, slot);
          if (score === 0) { for (let d = 0; d < D; d++) score += query[d] * key(d, slot); }
          if (best.length === n && score <= best[n - 1].score) continue;
          const place = best.findIndex((other) => other.score < score);
          best.splice(place < 0 ? best.length : place, 0, { slot, score });
          if (best.length > n) best.pop();
        }
        return best;
      }
    },
    { kinds: ["cpu", "wasm"] },
  );
}
