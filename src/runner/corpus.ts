import type { ResolvedExperiment, Split } from "../experiment/declaration.ts";
import { padId } from "../backbone/shape.ts";
import type { TrainingConfig } from "../training/config.ts";
import { corpora, treatmentOf } from "../text/corpora/corpora.ts";
import type { RunDocument, RunText } from "../text/corpora/corpus_kind.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { trainingsOf } from "../experiment/trainings.ts";
import { DocumentStream } from "../text/document_stream.ts";
import { concatenateDocuments, LaneStream } from "../text/lane_stream.ts";
import { RepetitionStream } from "../text/repetition_stream.ts";
import type { SegmentStream } from "../text/segments.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { tokenizerSource } from "./load_trained_model.ts";
import type { RunContext } from "./run_context.ts";

/** Opens corpus and tokenizer; records the hashes of both. */
export async function openText(
  experiment: ResolvedExperiment,
  { results, progress }: RunContext,
): Promise<RunText> {
  const { name, corpus } = experiment;
  return await corpora.get(corpus.kind).open(corpus, {
    name,
    tokenizer: await tokenizerSource(experiment),
    splits: splitsBesideTraining(experiment),
    folder: results.path,
    recordHash: (name, hash) => results.recordHash(name, hash),
    doing: (text) => progress.doing(text),
    note: (text) => progress.note(text),
  });
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
      return new LaneStream(concatenateDocuments(documents), { batchSize, contextTokens, eos });
    case "documents": {
      const { maxDocumentTokens } = treatmentOf(experiment.corpus);
      return new DocumentStream(documents, {
        batchSize,
        contextTokens,
        pad,
        seed: experiment.seed,
        ...(maxDocumentTokens === undefined ? {} : { maxDocumentTokens }),
      });
    }
    default:
      return training.batches satisfies never;
  }
}
