/**
 * Items of in-context learning: demonstrations in memory, demonstrations before the query, and the query.
 */

/** A query whose answer is one of the episode's labels. */
export interface Query {
  /** Name of the evaluated example, the same in every episode of its task. */
  readonly item: string;
  /** Token ids: demonstrations, and the example up to its answer. */
  readonly prompt: Int32Array;
  /** Number of the right label. */
  readonly label: number;
}

/** A task with one draw of its demonstrations. */
export interface Episode<Asked = Query> {
  readonly task: string;
  readonly seed: number;
  /** Demonstrations in memory, as segments that are read one after the other; empty: none. */
  readonly memory: readonly Int32Array[];
  /** Queries, all with the same memory. */
  readonly queries: readonly Asked[];
}

/** An episode with a fixed set of answers. */
export interface LabelledEpisode extends Episode {
  readonly labels: readonly string[];
  /** Token ids of each label as they follow a prompt. */
  readonly labelTokens: readonly Int32Array[];
  /** Commonest label of the examples from which demonstrations are drawn; the first of equally common ones. */
  readonly commonestLabel: number;
  /** A prompt with the same demonstrations whose example says nothing; absent where there is none. */
  readonly contentFreePrompt?: Int32Array;
}

/** At most so many items, evenly spaced over a list, so that a list in the order of its labels stays balanced. */
export function spreadEvenly<Item>(items: readonly Item[], most = Infinity): Item[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.floor(i * items.length / most)]);
}

/** Seeds of draws of demonstrations: those of the released evaluation. */
export const drawSeeds = [1, 2, 3, 4, 5, 6] as const;
