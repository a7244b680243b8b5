/** Declarations that are right, with data and weights that are not; each is named after what is wrong. */
import { defineExperiment } from "@longmem/lab";
import tiny from "./tiny.ts";

/** The experiment with other files, and nothing to train. */
function evaluating(name: string, change: { train?: string; test?: string; backbone?: string }) {
  const { train = "train", test = "test", backbone } = change;
  const { adaptation: _none, ...rest } = tiny;
  return defineExperiment({
    ...rest,
    name,
    corpus: { folder: "corpus", train, valid: "valid", test },
    ...(backbone ? { backbone: { kind: "checkpoint", path: backbone } } : {}),
    evaluations: [{ kind: "perplexity", split: "test", models: ["backbone"], contextTokens: 16 }],
  });
}

export default [
  defineExperiment({
    ...tiny,
    name: "no-corpus",
    corpus: { folder: "nowhere", train: "train", valid: "valid", test: "test" },
  }),
  evaluating("no-documents", { train: "other" }),
  evaluating("no-such-split", { train: "missing" }),
  evaluating("empty-document", { train: "blank" }),
  evaluating("foreign-document", { train: "binary" }),
  evaluating("missing-backbone", { backbone: "nowhere.pt" }),
  evaluating("truncated-backbone", { backbone: "truncated" }),
  evaluating("foreign-backbone", { backbone: "corpus/test/test_0.txt" }),
  evaluating("small-backbone", { backbone: "small" }),
  evaluating("large-backbone", { backbone: "large" }),
  // A fairseq dictionary holds its own fillers, so that one of fewer symbols than the backbone has lost lines.
  defineExperiment({
    ...evaluating("cut-dictionary", { backbone: "large" }),
    tokenizer: { kind: "gpt2", folder: "vocabulary" },
  }),
  evaluating("other-tokenizer", { backbone: "carrying" }),
  evaluating("late-document", { test: "blank" }),
  evaluating("test-is-train", { test: "copy" }),
];
