import { Graph } from "../../../src/graph/graph.ts";
import { repeatHeads } from "../../../src/graph/ops/repeat_heads.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

for (const { heads, keyHeads } of [{ heads: 6, keyHeads: 2 }, { heads: 3, keyHeads: 1 }]) {
  testOperation(`repeatHeads() of ${keyHeads} for ${heads}`, {
    inputs: { x: [2, keyHeads, 5, 7] },
    build: ({ x }) => repeatHeads(x, heads),
    reference: ({ x }) =>
      tensor64(
        [2, heads, 5, 7],
        (b, h, t, d) => at(x, b, keyHeads === 1 ? 0 : Math.floor(h * keyHeads / heads), t, d),
      ),
  });
}

test("repeatHeads() of as many heads is the value itself", () => {
  const x = new Graph().input("x", [2, 3, 5, 7]);
  assert.equal(repeatHeads(x, 3), x);
});
