import { topK } from "../../../src/graph/ops/top_k.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, type Tensor64, tensor64 } from "../tensor64.ts";

/** Places of the largest elements of a row, best first. */
function order(x: Tensor64, row: number[]): number[] {
  const size = x.shape[x.shape.length - 1];
  return Array.from({ length: size }, (_, j) => j).sort((i, j) =>
    at(x, ...row, j) - at(x, ...row, i)
  );
}

for (
  const { shape, count } of [
    { shape: [37], count: 5 },
    { shape: [3, 5, 37], count: 37 },
    { shape: [2, 1000], count: 8 },
    { shape: [5, 7], count: 1 },
  ]
) {
  const x = { shape, gradient: false } as const;
  testOperation(`topK() values of ${count} of [${shape}]`, {
    inputs: { x },
    build: ({ x }) => topK(x, count).values,
    reference: ({ x }) =>
      tensor64([...shape.slice(0, -1), count], (...i) => {
        const row = i.slice(0, -1);
        return at(x, ...row, order(x, row)[i[i.length - 1]]);
      }),
    tolerance: 0,
  });
  testOperation(`topK() ids of ${count} of [${shape}]`, {
    inputs: { x },
    build: ({ x }) => topK(x, count).ids,
    reference: ({ x }) =>
      tensor64(
        [...shape.slice(0, -1), count],
        (...i) => order(x, i.slice(0, -1))[i[i.length - 1]],
      ),
  });
}
