import { logitBlocks } from "../../../src/graph/ops/cross_entropy.ts";
import { targetRank } from "../../../src/graph/ops/target_rank.ts";
import { testOperation } from "../operation_test_case.ts";

for (
  const { N, E, V, blockBytes } of [
    { N: 5, E: 7, V: 37, blockBytes: 2 ** 30 },
    { N: 70, E: 3, V: 1000, blockBytes: 1 }, // 3 blocks, not of one size
    { N: 1, E: 3, V: 11, blockBytes: 1 },
  ]
) {
  testOperation(`targetRank() of [${N}, ${E}] among ${V} words`, {
    inputs: {
      // Small integers: equal logits are equal in every precision.
      x: { shape: [N, E], gradient: false, values: (random) => random.below(7) - 3 },
      weight: { shape: [V, E], gradient: false, values: (random) => random.below(5) - 2 },
      bias: { shape: [V], gradient: false, values: () => 0 },
      targets: { shape: [N], type: "int32", values: (random) => random.below(V) },
    },
    build: ({ x, weight, bias, targets }) =>
      targetRank(logitBlocks(x, { weight, bias }, blockBytes), targets),
    reference: ({ x, weight, targets }) => {
      const data = Float64Array.from({ length: N }, (_, n) => {
        const logits = Array.from({ length: V }, (_, v) => {
          let logit = 0;
          for (let e = 0; e < E; e++) logit += x.data[n * E + e] * weight.data[v * E + e];
          return logit;
        });
        return 1 + logits.filter((logit) => logit > logits[targets.data[n]]).length;
      });
      return { shape: [N], data };
    },
  });
}
