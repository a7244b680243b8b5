/** Small models of many kinds, with the logits of the official code, as `official_logits.py` writes them. */

/** A model. */
export interface OfficialCase {
  readonly config: Readonly<Record<string, unknown>>;
  /** Names of the official tensors and their shapes. */
  readonly tensors: Readonly<Record<string, number[]>>;
  /** Two rows of tokens [2, T]. */
  readonly tokens: readonly number[];
  /** [2, T, V] */
  readonly logits: readonly number[];
}

const folder = new URL("../golden/architectures/", import.meta.url);

/** The models of each file. */
export const officialCases = [...Deno.readDirSync(folder)].map(({ name }) => ({
  name: name.replace(".json", ""),
  cases: JSON.parse(Deno.readTextFileSync(new URL(name, folder))) as OfficialCase[],
}));
