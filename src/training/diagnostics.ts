/**
 * Diagnostics of a training: how far the gates are open, and how large updates are beside the weights. It is computed
 * on the host from parameters before and after an update, so that the step is the same whether it is asked for or not.
 */
import type { RecordedDiagnostics } from "../results/records.ts";

/** A parameter before and after an update. */
export interface UpdatedParameter {
  readonly name: string;
  readonly before: Float32Array;
  readonly after: Float32Array;
}

/**
 * Diagnoses an update.
 *
 * @param parameters All that are trained.
 * @param memory Biases of the gates before the update, of all heads that read the memory, and the share of rows that have
 * something in it; absent where nothing reads a memory.
 */
export async function diagnose(
  parameters: AsyncIterable<UpdatedParameter>,
  memory?: { readonly biases: Float32Array; readonly activeShare: number },
): Promise<RecordedDiagnostics> {
  const all = { update: 0, weight: 0 };
  const layers = new Map<string, { update: number; weight: number }>();
  for await (const { name, before, after } of parameters) {
    const layer = layerOf(name), sums = layers.get(layer) ?? { update: 0, weight: 0 };
    layers.set(layer, sums);
    for (let i = 0; i < before.length; i++) {
      const update = (after[i] - before[i]) ** 2, weight = before[i] ** 2;
      sums.update += update;
      sums.weight += weight;
      all.update += update;
      all.weight += weight;
    }
  }
  const gates = memory && Array.from(memory.biases, (bias) => 1 / (1 + Math.exp(-bias)));
  return {
    ...(gates && {
      gates,
      memoryShare: memory.activeShare * gates.reduce((sum, gate) => sum + gate, 0) / gates.length,
    }),
    updateToWeight: ratio(all),
    updateToWeightOfLayers: Object.fromEntries(
      [...layers].map(([layer, sums]) => [layer, ratio(sums)]),
    ),
  };
}

function ratio({ update, weight }: { update: number; weight: number }): number {
  return weight === 0 ? 0 : Math.sqrt(update / weight);
}

/** The layer or block that a parameter belongs to, as `layers.0`. */
function layerOf(name: string): string {
  return /(?:^|\.)((?:layers|blocks|h)\.\d+)\./.exec(name)?.[1] ?? "other";
}
