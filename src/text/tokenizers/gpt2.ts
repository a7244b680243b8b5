import { z } from "zod";
import { text } from "../../declaration/fields.ts";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { isThere, readRegularFile, writeAtomically } from "../../files.ts";
import { join } from "../../system.ts";
import { FairseqTokenizer } from "../fairseq_tokenizer.ts";
import { readTokenizerFile } from "./file.ts";
import type { StoredKind } from "./tokenizer_kind.ts";

/** The official vocabulary. */
export interface Gpt2TokenizerConfig {
  /** GPT-2's BPE behind the fairseq dictionary, 51,200 tokens (specification section 2). */
  readonly kind: "gpt2";
  /** Folder of `encoder.json`, `vocab.bpe` and `dict.txt`. */
  readonly folder: string;
}

const schema = z.strictObject({ kind: z.literal("gpt2"), folder: text });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Gpt2TokenizerConfig>>;

const fileNames = ["encoder.json", "vocab.bpe", "dict.txt"];

export const gpt2Tokenizer: StoredKind<Gpt2TokenizerConfig> = {
  schema,
  fill: (config) => config,
  reads: "texts",
  vocabSize: () => 51_200, // specification section 1
  files: ({ folder }, path) => [{ field: `${path}.folder`, path: folder }],
  stored: {
    async open({ folder }) {
      const [encoder, merges, dictionary] = await Promise.all(
        fileNames.map((name) => readTokenizerFile(`${folder}/${name}`)),
      );
      return new FairseqTokenizer({ encoder, merges, dictionary, folder });
    },
    record: z.strictObject({ kind: z.literal("gpt2") }),
    async copy({ kind, folder: from }, folder) {
      for (const name of fileNames) {
        const bytes = await readRegularFile(join(from, name));
        await writeAtomically(join(folder, name), [bytes]);
      }
      return { kind };
    },
    within: (folder) => ({ kind: "gpt2", folder }),
    find: async (path) =>
      await isThere(join(path, fileNames[0])) ? { kind: "gpt2", folder: path } : undefined,
  },
};
