/** Keys and queries as the tests and the benchmark of the indexes draw them. */
import type { Random } from "../../../src/random.ts";

/** How keys lie: gaussian is hard for a graph, clustered is nearer to keys of text. */
export type Kind = "gaussian" | "clustered";

/** Draws vectors [count, D] of one kind; a source keeps its cluster centres, so that queries lie where keys do. */
export function keySource(kind: Kind, D: number, random: Random): (count: number) => Float32Array {
  const clusters = 32;
  const centres = Float32Array.from({ length: clusters * D }, () => random.normal());
  return (count) => {
    const vectors = new Float32Array(count * D);
    for (let i = 0; i < count; i++) {
      const c = random.below(clusters);
      for (let d = 0; d < D; d++) {
        vectors[i * D + d] = kind === "gaussian"
          ? random.normal()
          : centres[c * D + d] + 0.5 * random.normal();
      }
    }
    return vectors;
  };
}

/** The slots first, first + 1, ..., going round a bank of `capacityChunks`. */
export function ringSlots(first: number, count: number, capacityChunks: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (first + i) % capacityChunks);
}
