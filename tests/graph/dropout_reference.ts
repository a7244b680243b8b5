/** Dropout masks in exact integer arithmetic. */
import { dropoutSteps } from "../../src/graph/ops/dropout.ts";

/** Random vectors as `dropoutRandoms` draws them. */
export interface DropoutRandoms {
  readonly rowFactors: ArrayLike<number>;
  readonly rowOffsets: ArrayLike<number>;
  readonly columns: ArrayLike<number>;
}

/** Factor of element (i, j) of a mask: 0 where (a_i b_j + c_i) mod 2^12 < 2^12 p, else 1 / (1 - p). */
export function keptFactor(randoms: DropoutRandoms, p: number, i: number, j: number): number {
  const a = randoms.rowFactors[i] * dropoutSteps, c = randoms.rowOffsets[i] * dropoutSteps;
  const dropped = (a * randoms.columns[j] + c) % dropoutSteps < p * dropoutSteps;
  return dropped ? 0 : 1 / (1 - p);
}
