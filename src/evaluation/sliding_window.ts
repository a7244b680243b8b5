import { type Network, networks } from "../longmem/networks.ts";
import type { PromptedModel, ScoredLongMem, SegmentRows } from "./shared/language_model.ts";
import { RowWindows, type WindowOptions } from "./shared/row_windows.ts";

/**
 * A network with a window that slides: every segment, and every prompt, is read together with the tokens before it, of its document
 * only, and these again for every segment: nothing is cached. Where the window is longer than the network's training
 * context, its positions are extrapolated.
 *
 * A memory is given each token once, and holds the tokens that have left the window: the model must hold the last W - T tokens
 * back (`LongMemParts.heldTokens`). Their keys and values are those of the pass in which they were the segment, with the whole window
 * before them.
 */
export function slidingWindowModel(
  name: string,
  model: Pick<ScoredLongMem, "score" | "choose"> & Partial<ScoredLongMem>,
  { network = "backbone", ...options }: WindowOptions & { readonly network?: Network },
): PromptedModel {
  const windows = new RowWindows(options), hasMemory = networks.get(network).memory !== undefined;
  const ask = (segment: SegmentRows, readOnly: boolean) => {
    const { tokens, batch } = windows.show(segment);
    return model.choose(tokens, segment.targets, {
      ...batch,
      network,
      ...(hasMemory && readOnly && { readOnly }),
    });
  };
  return {
    name,
    async startDocument(row) {
      windows.forget(row);
      if (hasMemory) await model.resetMemory!([row]);
    },
    async score(segment) {
      const { tokens, batch } = windows.show(segment);
      const nll = await model.score(tokens, segment.targets, { ...batch, network });
      windows.add(segment);
      return nll;
    },
    async choose(segment) {
      const choices = await ask(segment, false);
      windows.add(segment);
      return choices;
    },
    async read(segment) {
      const { tokens, batch } = windows.show(segment);
      if (hasMemory) await model.remember!(tokens, batch);
      windows.add(segment);
    },
    asksEnds: true,
    ask: (prompt) => ask(prompt, true),
  };
}
