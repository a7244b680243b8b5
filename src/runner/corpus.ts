import type { ResolvedExperiment, Split } from "../experiment/declaration.ts";
import { padId } from "../backbone/shape.ts";
import type { TrainingConfig } from "../training/config.ts";
import { corpora, treatmentOf } from "../text/corpora/corpora.ts";
import type { RunDocument, RunText } from "../text/corpora/corpus_kind.ts";
import { isThere, writeAtomically } from "../files.ts";
import { type Document, hashDocuments } from "../text/corpus.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { trainingsOf } from "../experiment/trainings.ts";
import { DocumentStream } from "../text/document_stream.ts";
import { LaneStream } from "../text/lane_stream.ts";
import { RepetitionStream } from "../text/repetition_stream.ts";
import { concatenate, type SegmentStream } from "../text/segments.ts";
import { hashOf, type Tokenizer } from "../text/tokenizer.ts";
import { openTokenizer, tokenizers } from "../text/tokenizers/tokenizers.ts";
import { runTokenizer, trainedTokenizerPath } from "./load_trained_model.ts";
import type { RunContext } from "./run_context.ts";

/** Opens corpus and tokenizer; records the hashes of both. */
export async function openText(
  experiment: ResolvedExperiment,
  context: RunContext,
): Promise<RunText> {
  const { results, progress } = context, { name, corpus } = experiment;
  const source = await runTokenizer(results.path, experiment);
  return await corpora.get(corpus.kind).open(corpus, {
    name,
    splits: splitsBesideTraining(experiment),
    async openTokenizer(documents) {
      await trainTokenizer(experiment, documents, context);
      const tokenizer = await openTokenizer(source);
      await results.recordHash("tokenizer", tokenizer.hash);
      return tokenizer;
    },
    recordHash: (name, hash) => results.recordHash(name, hash),
    doing: (text) => progress.doing(text),
    note: (text) => progress.note(text),
  });
}

/**
 * Trains the tokenizer of a run, unless it is not to be trained or is kept in the run's folder. Its training text counts as read even
 * if no training reads it, and is recorded first, so that a kept vocabulary is never beside the hash of another text.
 */
async function trainTokenizer(
  { tokenizer }: ResolvedExperiment,
  documents: AsyncIterable<Document> | undefined,
  { results, progress }: RunContext,
): Promise<void> {
  const kind = tokenizers.get(tokenizer.kind);
  if (!kind.trained) return;
  const path = trainedTokenizerPath(results.path);
  if (await isThere(path)) {
    return await results.recordHash("corpus train", await hashDocuments(documents!));
  }
  progress.doing(`training a vocabulary of ${kind.vocabSize(tokenizer)} tokens`);
  async function* read() {
    const hashes: string[] = [];
    for await (const { name, text, sha256 } of documents!) {
      hashes.push(name, sha256);
      yield text;
    }
    await results.recordHash("corpus train", hashOf(hashes));
  }
  await writeAtomically(path, await kind.trained.train(tokenizer, read()));
}

/** Splits that a run reads where it trains; evaluations alone read their documents at once. */
function splitsBesideTraining(experiment: ResolvedExperiment): Split[] {
  const trainings = trainingsOf(experiment);
  if (trainings.length === 0) return [];
  const splits = new Set<Split>(["train"]);
  if (trainings.some(({ config }) => config.validateEverySteps)) splits.add("valid");
  for (const evaluation of experiment.evaluations) {
    for (const split of kindOf(evaluation).splits?.(evaluation) ?? []) splits.add(split);
  }
  return [...splits];
}

/** Cuts documents into the batches of a training, and adds rows of repeated tokens where it has some. */
export function trainingStream(
  documents: readonly RunDocument[],
  tokenizer: Tokenizer,
  experiment: ResolvedExperiment,
  training: TrainingConfig,
): SegmentStream {
  const { repeatedRows: rows = 0, batchSize } = training;
  const read = { ...training, batchSize: batchSize - rows };
  const corpus = corpusStream(documents, tokenizer, experiment, read);
  if (rows === 0) return corpus;
  const special = new Set<number>(Object.values(tokenizer.specialIds));
  const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id)
    .filter((id) => !special.has(id));
  return new RepetitionStream(corpus, { rows, ids, seed: experiment.seed });
}

function corpusStream(
  documents: readonly RunDocument[],
  tokenizer: Tokenizer,
  experiment: ResolvedExperiment,
  training: TrainingConfig,
): SegmentStream {
  const { batchSize, contextTokens } = training;
  const { eos, pad = padId } = tokenizer.specialIds;
  switch (training.batches) {
    case "lanes":
      return new LaneStream(
        concatenate(documents.map(({ tokens }) => tokens)),
        { batchSize, contextTokens, eos },
      );
    case "documents": {
      const { maxDocumentTokens } = treatmentOf(experiment.corpus);
      return new DocumentStream(documents, {
        batchSize,
        contextTokens,
        pad,
        seed: experiment.seed,
        maxDocumentTokens,
      });
    }
    default:
      return training.batches satisfies never;
  }
}
