import type { Experiment } from "../../src/experiment/declaration.ts";
import { defineExperiment } from "../../src/experiment/define_experiment.ts";
import { DeclarationError } from "../../src/declaration/problem.ts";
import { resolvedExperiment } from "./resolved.ts";
import { lowestCapacityTokens } from "../../src/memory/config.ts";
import { assert, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

/** A malformed declaration, as changes of the small one, and every line that its error has to list. */
interface Malformed {
  name: string;
  change: Record<string, unknown>;
  problems: string[];
}

const { sidenet, memory, adaptation, backbone, corpus, evaluations } = small;
const [evaluation] = evaluations;
const chronicle = { kind: "chronicle" } as const;

const sentences = {
  kind: "in-context-learning",
  source: { kind: "sentences", folder: "icl" },
  models: ["backbone"],
};

const malformed: Malformed[] = [
  {
    name: "name that is no slug",
    change: { name: "Memory size" },
    problems: [
      'name has a wrong value: current value is "Memory size", allowed are lower-case letters, digits, "_" and "-", at most 80',
    ],
  },
  {
    name: "unknown field at the top",
    change: { corups: {} },
    problems: [
      'corups is unknown: allowed are name, question, reproduces, scale, seed, protocol, corpus, tokenizer, backbone, sidenet, memory, adaptation, evaluations, device, threads, moved, cluster, sweep (did you mean "corpus"?)',
    ],
  },
  {
    name: "reproduction of a table that is unknown",
    change: { reproduces: { table: "table-6" } },
    problems: [
      'reproduces.table has a wrong value: current value is "table-6", allowed are table-2, table-3, table-4, table-5, efficiency (did you mean "table-2"?)',
    ],
  },
  {
    name: "reproduction of rows, columns and evaluations that are unknown",
    change: {
      reproduces: {
        table: "table-5",
        rows: [{ row: "LongMen", model: "longmen", evaluation: "squda" }],
        columns: [
          { column: "EM", metric: "exact match", evaluation: "sqaud" },
          { column: "F2", metric: "f1" },
        ],
      },
    },
    problems: [
      'reproduces.rows.0.row is unknown: current value is "LongMen", allowed are GPT-2*, MemTRM, LongMem (did you mean "LongMem"?)',
      'reproduces.rows.0.model is unknown: current value is "longmen", allowed are backbone, longmem (did you mean "longmem"?)',
      'reproduces.columns.1.column is unknown: current value is "F2", allowed are EM, F1 (did you mean "F1"?)',
      'reproduces.rows.0.evaluation is unknown: current value is "squda", allowed are perplexity-test',
      'reproduces.columns.0.evaluation is unknown: current value is "sqaud", allowed are perplexity-test',
    ],
  },
  {
    name: "reproduction of a table that does not say what stands for what",
    change: { reproduces: { table: "efficiency" } },
    problems: [
      "reproduces.rows is missing, as the table does not say what stands for it: its rows are GPT-2*, 4k in context, GPT-2*, 8k in context, LongMem, 1k in context and 3k in memory, LongMem, 1k in context and 7k in memory",
      "reproduces.columns is missing, as the table does not say what stands for it: its columns are tokens/s, GPU memory",
    ],
  },
  {
    name: "more threads than a machine starts",
    change: { threads: 100_000 },
    problems: [
      "threads has a wrong value: current value is 100000, allowed are integers from 1 to 1024",
    ],
  },
  {
    name: "misspelled field of the memory",
    change: { memory: { retreivedTokens: 64 } },
    problems: [
      'memory.retreivedTokens is unknown: allowed are capacityTokens, chunkTokens, retrievedTokens, storage, place, bank, eviction, reset, missingChunks, index, positions (did you mean "retrievedTokens"?)',
    ],
  },
  {
    name: "field of another kind",
    change: { tokenizer: { kind: "file", path: "tokenizer.json", vocabSize: 512 } },
    problems: ["tokenizer.vocabSize is unknown: allowed are kind, path"],
  },
  {
    name: "missing part",
    change: { tokenizer: undefined },
    problems: [
      "tokenizer is missing: allowed are objects whose kind is bpe, file, gpt2, huggingface, chronicle",
    ],
  },
  {
    name: "missing field",
    change: { sidenet: {} },
    problems: ["sidenet.memoryBlock is missing, as no size is named: allowed are integers from 0"],
  },
  {
    name: "missing sizes",
    change: { backbone: { kind: "pretrain", heads: 4, training: small.backbone.training } },
    problems: [
      "backbone.layers is missing, as no size is named: allowed are positive integers",
      "backbone.hiddenDim is missing, as no size is named: allowed are positive integers",
    ],
  },
  {
    name: "trainings without batches where no size is named",
    change: {
      backbone: { ...small.backbone, training: { steps: 3 } },
      adaptation: { steps: 3, learningRate: 1 },
    },
    problems: [
      "backbone.training.batchSize is missing, as the backbone names no size: allowed are positive integers",
      "backbone.training.contextTokens is missing, as the backbone names no size: allowed are positive integers",
      "backbone.training.learningRate is missing, as the backbone names no size: allowed are numbers above 0",
      "adaptation.batchSize is missing, as the backbone names no size: allowed are positive integers",
      "adaptation.contextTokens is missing, as the backbone names no size: allowed are positive integers",
    ],
  },
  {
    name: "misspelled sizes",
    change: {
      backbone: { kind: "pretrain", size: "smal", training: small.backbone.training },
      sidenet: { kind: "checkpoint", path: "longmem.pt", shape: { size: "gpt2-medum" } },
    },
    problems: [
      'backbone.size has a wrong value: current value is "smal", allowed are tiny, mini, small, gpt2-medium (did you mean "small"?)',
      'sidenet.shape.size has a wrong value: current value is "gpt2-medum", allowed are tiny, mini, small, gpt2-medium (did you mean "gpt2-medium"?)',
    ],
  },
  {
    name: "size that decides nothing",
    change: { backbone: { ...small.backbone, size: "small" } },
    problems: [
      "backbone.size must not be named beside layers, hiddenDim, heads, as it would decide nothing",
    ],
  },
  {
    name: "SideNet of a larger size",
    change: {
      backbone: { kind: "pretrain", size: "small", training: small.backbone.training },
      sidenet: { size: "gpt2-medium" },
    },
    problems: [
      "sidenet.memoryBlock must be below backbone.layers: current value is 17, allowed are integers from 0 to 5",
    ],
  },
  {
    name: "missing kind",
    change: { backbone: { path: "backbone.pt" } },
    problems: ["backbone.kind is missing: allowed are checkpoint, huggingface, pretrain"],
  },
  {
    name: "misspelled kind",
    change: { memory: { index: { kind: "hsnw" } } },
    problems: [
      'memory.index.kind has a wrong value: current value is "hsnw", allowed are exact, hnsw, usearch (did you mean "hnsw"?)',
    ],
  },
  {
    name: "misspelled enumeration",
    change: { memory: { bank: "per_row" } },
    problems: [
      'memory.bank has a wrong value: current value is "per_row", allowed are shared, per-row (did you mean "per-row"?)',
    ],
  },
  {
    name: "enumeration far from any",
    change: { protocol: "loose" },
    problems: [
      'protocol has a wrong value: current value is "loose", allowed are released-code, strict, paper',
    ],
  },
  {
    name: "negative seed",
    change: { seed: -1 },
    problems: [
      "seed has a wrong value: current value is -1, allowed are integers from 0, below 2^32",
    ],
  },
  {
    name: "fraction of a step",
    change: { adaptation: { ...adaptation, steps: 1.5 } },
    problems: [
      "adaptation.steps has a wrong value: current value is 1.5, allowed are positive integers",
    ],
  },
  {
    name: "text for a number",
    change: { adaptation: { ...adaptation, learningRate: "2e-4" } },
    problems: [
      'adaptation.learningRate has a wrong value: current value is "2e-4", allowed are numbers above 0',
    ],
  },
  {
    name: "more than any training can use",
    change: {
      adaptation: {
        ...adaptation,
        accumulationSteps: 1e15,
        epsilon: 1e9,
      },
    },
    problems: [
      "adaptation.epsilon has a wrong value: current value is 1000000000, allowed are numbers above 0, up to 1",
      "adaptation.accumulationSteps has a wrong value: current value is 1000000000000000, allowed are integers from 1 to 65536",
    ],
  },
  {
    name: "a decay that turns parameters around",
    change: { adaptation: { ...adaptation, learningRate: 0.5, weightDecay: 2 } },
    problems: [
      "adaptation.weightDecay must be below 1 / adaptation.learningRate, as an update multiplies parameters by " +
      "1 - learningRate * weightDecay: current value is 2, allowed are numbers from 0, below 2",
    ],
  },
  {
    name: "infinite learning rate",
    change: { adaptation: { ...adaptation, learningRate: Infinity } },
    problems: [
      "adaptation.learningRate has a wrong value: current value is Infinity, allowed are numbers above 0",
    ],
  },
  {
    name: "one beta",
    change: { adaptation: { ...adaptation, betas: [0.9] } },
    problems: [
      "adaptation.betas has a wrong value: current value is [0.9], allowed are two numbers from 0, below 1",
    ],
  },
  {
    name: "beta of 1",
    change: { adaptation: { ...adaptation, betas: [0.9, 1] } },
    problems: [
      "adaptation.betas.1 has a wrong value: current value is 1, allowed are numbers from 0, below 1",
    ],
  },
  {
    name: "dropout of everything",
    change: { adaptation: { ...adaptation, dropout: 1 } },
    problems: [
      "adaptation.dropout has a wrong value: current value is 1, allowed are numbers from 0, below 1",
    ],
  },
  {
    name: "vocabulary without room for bytes",
    change: { tokenizer: { kind: "bpe", vocabSize: 256 } },
    problems: [
      "tokenizer.vocabSize has a wrong value: current value is 256, allowed are integers from 260 (4 special tokens and 256 bytes) to 1048576",
    ],
  },
  {
    name: "vocabulary of too many tokens to train",
    change: { tokenizer: { kind: "bpe", vocabSize: 2 ** 20 + 1 } },
    problems: [
      "tokenizer.vocabSize has a wrong value: current value is 1048577, allowed are integers from 260 (4 special tokens and 256 bytes) to 1048576",
    ],
  },
  {
    name: "empty list of subfolders",
    change: { corpus: { ...corpus, train: [] } },
    problems: [
      "corpus.train has a wrong value: current value is [], allowed are a subfolder or glob, or a list of them",
    ],
  },
  {
    name: "evaluation without models",
    change: { evaluations: [{ ...evaluation, models: [] }] },
    problems: [
      "evaluations.0.models has a wrong value: current value is [], allowed are lists of one model or more",
    ],
  },
  {
    name: "evaluation of an unknown model",
    change: { evaluations: [{ ...evaluation, models: ["longmen"] }] },
    problems: [
      'evaluations.0.models.0 has a wrong value: current value is "longmen", allowed are backbone, sidenet-without-memory, longmem, longmem-memory-off, longmem-recent-memory, longmem-other-document, untrained-with-memory, memorizing-transformer, backbone-sliding-window, backbone-full-context, infllm, copy, knn-lm (did you mean "longmem"?)',
    ],
  },
  {
    name: "K no multiple of the chunk",
    change: { memory: { ...memory, retrievedTokens: 6 } },
    problems: [
      "memory.retrievedTokens must be a multiple of memory.chunkTokens: current value is 6, allowed are multiples of 4",
    ],
  },
  {
    name: "K beyond the capacity",
    change: { memory: { capacityTokens: 256, retrievedTokens: 512 } },
    problems: [
      "memory.retrievedTokens must not exceed memory.capacityTokens: current value is 512, allowed are integers up to 256",
    ],
  },
  {
    name: "bank smaller than a segment",
    change: { memory: { capacityTokens: 64 } },
    problems: [
      "memory.capacityTokens must hold one update, of 128 tokens each: current value is 64, allowed are integers from 128",
    ],
  },
  {
    name: "coarse bank of two updates",
    change: { protocol: "released-code", memory: { capacityTokens: 512 } },
    problems: [
      "memory.capacityTokens must exceed two updates, as coarse eviction drops two at once, of 256 tokens each: current value is 512, allowed are integers from 516",
    ],
  },
  {
    name: "evaluation whose memory is too small for its segment",
    change: { evaluations: [{ ...evaluation, contextTokens: 2048 }] },
    problems: [
      "evaluations.0.memory.capacityTokens must hold one update, of 2048 tokens each: current value is 1024, allowed are integers from 2048",
    ],
  },
  {
    name: "override of an evaluation that does not fit",
    change: { evaluations: [{ ...evaluation, memory: { chunkTokens: 5 } }] },
    problems: [
      "evaluations.0.memory.retrievedTokens must be a multiple of evaluations.0.memory.chunkTokens: current value is 64, allowed are multiples of 5",
    ],
  },
  {
    name: "search narrower than the chunks retrieved",
    change: { memory: { ...memory, index: { kind: "hnsw", efSearch: 15 } } },
    problems: [
      "memory.index.efSearch must not be below the chunks retrieved: current value is 15, allowed are integers from 16",
    ],
  },
  {
    name: "searches of more candidates than the library counts",
    change: {
      memory: { ...memory, index: { kind: "hnsw", efConstruction: 2 ** 32, efSearch: 2 ** 32 } },
    },
    problems: [
      "memory.index.efConstruction has a wrong value: current value is 4294967296, allowed are integers from 1, below 2^32",
      "memory.index.efSearch has a wrong value: current value is 4294967296, allowed are integers from 1, below 2^32",
    ],
  },
  {
    name: "reset at boundaries that lanes do not see",
    change: { adaptation: { ...adaptation, batches: "lanes" } },
    problems: [
      'memory.reset must be "epoch" where adaptation.batches is "lanes", whose segments cross documents: current value is "document", allowed are epoch',
    ],
  },
  {
    name: "shared bank reset by one row",
    change: { memory: { ...memory, bank: "shared" } },
    problems: [
      'memory.reset must be "epoch" where 2 rows, whose documents begin at different times, share a bank: current value is "document", allowed are epoch',
    ],
  },
  {
    name: "width no multiple of the heads",
    change: { backbone: { ...backbone, heads: 5 } },
    problems: [
      "backbone.hiddenDim must be a multiple of backbone.heads: current value is 64, allowed are multiples of 5",
    ],
  },
  {
    name: "reduction factor that does not divide the layers",
    change: { sidenet: { ...sidenet, reductionFactor: 3 } },
    problems: [
      "sidenet.reductionFactor must divide backbone.layers: current value is 3, allowed are 1, 2, 4 for 4 layers",
    ],
  },
  {
    name: "cached block beyond the backbone",
    change: { sidenet: { memoryBlock: 4 } },
    problems: [
      "sidenet.memoryBlock must be below backbone.layers: current value is 4, allowed are integers from 0 to 3",
    ],
  },
  {
    name: "cached block beyond a backbone from a file whose shape is declared",
    change: {
      backbone: { kind: "checkpoint", path: "gpt2.pt", shape: { layers: 4 } },
      sidenet: { memoryBlock: 4 },
    },
    problems: [
      "sidenet.memoryBlock must be below backbone.shape.layers: current value is 4, allowed are integers from 0 to 3",
    ],
  },
  {
    name: "too few blocks to initialise from",
    change: { sidenet: { ...sidenet, initialization: { kind: "blocks", blocks: [0] } } },
    problems: [
      "sidenet.initialization.blocks must name one block for each SideNet layer: current value is [0], allowed are lists of 2 blocks",
    ],
  },
  {
    name: "block to initialise from beyond the backbone",
    change: { sidenet: { ...sidenet, initialization: { kind: "blocks", blocks: [0, 4] } } },
    problems: [
      "sidenet.initialization.blocks.1 must be below backbone.layers: current value is 4, allowed are integers from 0 to 3",
    ],
  },
  {
    name: "the paper's blocks without a reduction",
    change: { sidenet: { ...sidenet, reductionFactor: 1 } },
    problems: [
      'sidenet.initialization.kind must not be paper where sidenet.reductionFactor is 1: blocks r*i+1 end beyond the backbone: current value is "paper", allowed are blocks, random',
    ],
  },
  {
    name: "warm-up longer than the training",
    change: { adaptation: { ...adaptation, warmupSteps: 11 } },
    problems: [
      "adaptation.warmupSteps must not exceed adaptation.steps: current value is 11, allowed are integers from 0 to 10",
    ],
  },
  {
    name: "warm-up longer than the schedule",
    change: {
      backbone: { ...backbone, training: { ...adaptation, totalSteps: 5, warmupSteps: 6 } },
    },
    problems: [
      "backbone.training.warmupSteps must not exceed backbone.training.totalSteps: current value is 6, allowed are integers from 0 to 5",
    ],
  },
  {
    name: "no row for the corpus",
    change: {
      backbone: { ...backbone, training: { ...adaptation, batchSize: 4, repeatedRows: 4 } },
    },
    problems: [
      "backbone.training.repeatedRows must be below backbone.training.batchSize: current value is 4, allowed are integers up to 3",
    ],
  },
  {
    name: "LongMem without memory",
    change: { memory: undefined },
    problems: [
      'evaluations.0.models.1 needs memory, not declared: current value is "longmem", allowed are backbone, sidenet-without-memory, backbone-sliding-window, backbone-full-context, infllm, copy, knn-lm, or a declaration with memory',
    ],
  },
  {
    name: "LongMem without adaptation",
    change: { adaptation: undefined },
    problems: [
      'evaluations.0.models.1 needs adaptation, not declared: current value is "longmem", allowed are backbone, untrained-with-memory, backbone-sliding-window, backbone-full-context, infllm, copy, knn-lm, or a declaration with adaptation',
    ],
  },
  {
    name: "models of an initialised SideNet beside one from a checkpoint",
    change: {
      sidenet: { kind: "checkpoint", path: "longmem.pt" },
      evaluations: [{
        ...evaluation,
        models: ["longmem", "sidenet-without-memory", "untrained-with-memory"],
      }],
    },
    problems: [
      'evaluations.0.models.1 must not be listed where sidenet.kind is "checkpoint", as that SideNet was trained with a memory and its first weights are not known: current value is "sidenet-without-memory", allowed are backbone, longmem, longmem-memory-off, longmem-recent-memory, longmem-other-document, memorizing-transformer, backbone-sliding-window, backbone-full-context, infllm, copy, knn-lm',
      'evaluations.0.models.2 must not be listed where sidenet.kind is "checkpoint", as that SideNet was trained with a memory and its first weights are not known: current value is "untrained-with-memory", allowed are backbone, longmem, longmem-memory-off, longmem-recent-memory, longmem-other-document, memorizing-transformer, backbone-sliding-window, backbone-full-context, infllm, copy, knn-lm',
    ],
  },
  {
    name: "SideNet from a checkpoint whose layers are not those of the backbone",
    change: {
      sidenet: { kind: "checkpoint", path: "a.pt", shape: { layers: 6, reductionFactor: 2 } },
      evaluations: [],
    },
    problems: [
      "sidenet.shape.layers must be the backbone's layers divided by sidenet.shape.reductionFactor: current value is 6, allowed are 2 for 4 layers",
    ],
  },
  {
    name: "SideNet from a checkpoint without memory",
    change: {
      sidenet: { kind: "checkpoint", path: "longmem.pt" },
      memory: undefined,
      evaluations: [],
    },
    problems: [
      'memory is missing, but sidenet.kind is "checkpoint": such a SideNet reads one',
    ],
  },
  {
    name: "fields of an initialised SideNet in one from a checkpoint",
    change: { sidenet: { kind: "checkpoint", path: "longmem.pt", memoryBlock: 1 } },
    problems: ["sidenet.memoryBlock is unknown: allowed are kind, path, shape"],
  },
  {
    name: "memory and adaptation of no SideNet",
    change: { sidenet: undefined, evaluations: [] },
    problems: [
      "sidenet is missing, but memory is declared for it",
      "sidenet is missing, but adaptation is declared for it",
    ],
  },
  {
    name: "override of no memory",
    change: {
      memory: undefined,
      evaluations: [{ ...evaluation, models: ["backbone"], memory: { chunkTokens: 2 } }],
    },
    problems: [
      "evaluations.0.memory overrides a memory that is not declared: allowed is none, or declare memory",
    ],
  },
  {
    name: "two evaluations of one name",
    change: { evaluations: [evaluation, evaluation] },
    problems: [
      'evaluations.1.name is taken already: current value is "perplexity-test", allowed are names used once',
    ],
  },
  {
    name: "model listed twice",
    change: { evaluations: [{ ...evaluation, models: ["backbone", "backbone"] }] },
    problems: [
      'evaluations.0.models.1 is listed twice: current value is "backbone", allowed are models listed once',
    ],
  },
  {
    name: "segments and windows that are longer than the learned positions",
    change: {
      backbone: { ...small.backbone, architecture: "opt", settings: { positions: 200 } },
      adaptation: { ...small.adaptation, contextTokens: 201 },
      evaluations: [
        { ...evaluation, contextTokens: 256 },
        {
          ...evaluation,
          name: "windows",
          contextTokens: 128,
          models: ["backbone", "backbone-sliding-window", { model: "longmem", windowTokens: 200 }],
        },
      ],
    },
    problems: [
      "adaptation.contextTokens must not exceed the positions of the backbone: current value is 201, allowed are integers up to 200",
      "evaluations.0.contextTokens must not exceed the positions of the backbone: current value is 256, allowed are integers up to 200",
      "evaluations.1.models.1.windowTokens must not exceed the positions of the backbone: current value is 256, allowed are integers up to 200",
    ],
  },
  {
    name: "model listed twice, by its name and by its default",
    change: {
      evaluations: [{
        ...evaluation,
        models: [
          "backbone-sliding-window",
          { model: "backbone-sliding-window", windowTokens: 512 },
          { model: "backbone-sliding-window", windowTokens: 256 },
        ],
      }],
    },
    problems: [
      'evaluations.0.models.2 is listed twice: current value is "backbone-sliding-window-256", allowed are models listed once',
    ],
  },
  {
    name: "model that is neither a name nor an object",
    change: { evaluations: [{ ...evaluation, models: [7] }] },
    problems: [
      "evaluations.0.models.0 has a wrong value: current value is 7, allowed are names of models, or objects of a model and its settings",
    ],
  },
  {
    name: "settings of an unknown model",
    change: { evaluations: [{ ...evaluation, models: [{ model: "backbone-full-contxt" }] }] },
    problems: [
      'evaluations.0.models.0.model has a wrong value: current value is "backbone-full-contxt", allowed are backbone, sidenet-without-memory, longmem, longmem-memory-off, longmem-recent-memory, longmem-other-document, untrained-with-memory, memorizing-transformer, backbone-sliding-window, backbone-full-context, infllm, copy, knn-lm (did you mean "backbone-full-context"?)',
    ],
  },
  {
    name: "settings of no model",
    change: { evaluations: [{ ...evaluation, models: [{ windowTokens: 512 }] }] },
    problems: [
      "evaluations.0.models.0.model is missing: allowed are backbone, sidenet-without-memory, longmem, longmem-memory-off, longmem-recent-memory, longmem-other-document, untrained-with-memory, memorizing-transformer, backbone-sliding-window, backbone-full-context, infllm, copy, knn-lm",
    ],
  },
  {
    name: "misspelled and wrong settings of a model",
    change: {
      evaluations: [{
        ...evaluation,
        models: [
          { model: "backbone-full-context", windowToken: 512 },
          { model: "backbone-full-context", windowTokens: 0 },
        ],
      }],
    },
    problems: [
      'evaluations.0.models.0.windowToken is unknown: allowed are model, windowTokens (did you mean "windowTokens"?)',
      "evaluations.0.models.1.windowTokens has a wrong value: current value is 0, allowed are positive integers",
    ],
  },
  {
    name: "window shorter than a segment",
    change: {
      evaluations: [{
        ...evaluation,
        models: [{ model: "backbone-sliding-window", windowTokens: 127 }],
      }],
    },
    problems: [
      "evaluations.0.models.0.windowTokens must hold the evaluation's contextTokens: current value is 127, allowed are integers from 128",
    ],
  },
  {
    name: "windows of a memory shorter than a segment, or that do not slide by whole chunks",
    change: {
      evaluations: [{
        ...evaluation,
        models: [
          { model: "longmem", windowTokens: 127 },
          { model: "longmem-other-document", windowTokens: 258 },
          { model: "longmem-memory-off", windowTokens: 257 }, // reads no memory
          { model: "infllm", chunkTokens: 3, retrievedTokens: 6, windowTokens: 300 },
        ],
      }],
    },
    problems: [
      "evaluations.0.models.0.windowTokens must hold the evaluation's contextTokens: current value is 127, allowed are integers from 128",
      "evaluations.0.models.1.windowTokens must be a multiple of the memory's chunkTokens: current value is 258, allowed are multiples of 4",
      "evaluations.0.models.3.windowTokens must slide by whole chunks, which the evaluation's contextTokens, its stride, must be a multiple of: current values are 128 and 3",
    ],
  },
  {
    name: "block memories that no segment fills, or that hold too little",
    change: {
      evaluations: [{
        ...evaluation,
        models: [
          { model: "infllm", chunkTokens: 24, distanceTokens: 0 },
          { model: "infllm", chunkTokens: 256, retrievedTokens: 256 },
          { model: "infllm", capacityTokens: 64 },
        ],
      }],
    },
    problems: [
      "evaluations.0.models.0.retrievedTokens must be a multiple of evaluations.0.models.0.chunkTokens: current value is 64, allowed are multiples of 24",
      "evaluations.0.models.1.chunkTokens must not exceed one update, of 128 tokens: current value is 256, allowed are integers from 1 to 128",
      "evaluations.0.models.2.capacityTokens must hold one update, of 128 tokens each: current value is 64, allowed are integers from 128",
    ],
  },
  {
    name: "full context of no memory",
    change: {
      memory: undefined,
      evaluations: [{
        ...evaluation,
        models: ["backbone-full-context", { model: "backbone-full-context" }, {
          model: "backbone-full-context",
          windowTokens: 512,
        }],
      }],
    },
    problems: [
      "evaluations.0.models.0.windowTokens is missing, as there is no memory to match: allowed are positive integers",
      "evaluations.0.models.1.windowTokens is missing, as there is no memory to match: allowed are positive integers",
    ],
  },
  {
    name: "recall of documents whose recalls are not known",
    change: { evaluations: [evaluation, { ...evaluation, kind: "recall", name: "recall" }] },
    problems: [
      'evaluations.1.kind must not be "recall" where corpus.kind is "files", whose recalls are not known: current value is "recall", allowed are perplexity, or a corpus whose kind is chronicle',
    ],
  },
  {
    name: "names of texts without capitals",
    change: {
      corpus: { kind: "chronicle" },
      tokenizer: { kind: "chronicle" },
      evaluations: [{ ...evaluation, kind: "token-loss", names: true }],
    },
    problems: [
      'evaluations.0.names must be false where corpus.kind is not "files", as there is no text with capitals: current value is true, allowed are false',
    ],
  },
  {
    name: "retrieval of models that retrieve nothing or from elsewhere, and a context listed twice",
    change: {
      evaluations: [{
        ...evaluation,
        kind: "retrieval",
        models: ["longmem", "backbone", "longmem-other-document", {
          model: "longmem",
          windowTokens: 256,
        }],
        matchTokens: [2, 2],
      }],
    },
    problems: [
      "evaluations.0.matchTokens.1 is listed twice: current value is 2, allowed are numbers listed once",
      'evaluations.0.models.1 must have a SideNet that retrieves from the document\'s own memory, and disjoint segments: current value is "backbone", allowed are longmem, longmem-recent-memory, untrained-with-memory',
      'evaluations.0.models.2 must have a SideNet that retrieves from the document\'s own memory, and disjoint segments: current value is "longmem-other-document", allowed are longmem, longmem-recent-memory, untrained-with-memory',
      'evaluations.0.models.3 must have a SideNet that retrieves from the document\'s own memory, and disjoint segments: current value is "longmem-window-256", allowed are longmem, longmem-recent-memory, untrained-with-memory',
    ],
  },
  {
    name: "efficiency of other models, and of contexts that leave too little for a memory",
    change: {
      evaluations: [{
        kind: "efficiency",
        models: ["backbone", "infllm", "untrained-with-memory"],
        contextTokens: 512,
        totalTokens: [1023, 2048, 2048],
      }, {
        kind: "efficiency",
        name: "windows",
        models: ["longmem", { model: "longmem", windowTokens: 1024 }],
        contextTokens: 512,
        totalTokens: [2048],
      }],
    },
    problems: [
      'evaluations.0.models.1 is a model whose efficiency is not measured: current value is "infllm-m1024-c16-k64-d512", allowed are backbone, longmem, untrained-with-memory',
      "evaluations.0.totalTokens.2 is listed twice: current value is 2048, allowed are numbers listed once",
      "evaluations.0.totalTokens.0 must be contextTokens and what the smallest memory holds: current value is 1023, allowed are integers from 1024",
      'evaluations.1.models.1 is a model whose efficiency is not measured: current value is "longmem-window-1024", allowed are backbone, longmem, untrained-with-memory',
    ],
  },
  {
    name: "needles at no distance, never asked for, and a misspelled field",
    change: {
      evaluations: [
        { kind: "needle", name: "none", models: ["backbone"], distances: [], instances: 0 },
        { kind: "needle", models: ["backbone"], distance: [64] },
      ],
    },
    problems: [
      "evaluations.0.distances has a wrong value: current value is [], allowed are lists of positive integers",
      "evaluations.0.instances has a wrong value: current value is 0, allowed are positive integers",
      'evaluations.1.distance is unknown: allowed are kind, name, models, batchSize, contextTokens, memory, distances, needles, instances, seed (did you mean "distances"?)',
    ],
  },
  {
    name: "needles of more names than there are, and a distance listed twice",
    change: {
      evaluations: [{
        kind: "needle",
        models: ["backbone"],
        distances: [64, 128, 64],
        needles: [1, 41],
      }],
    },
    problems: [
      "evaluations.0.distances.2 is listed twice: current value is 64, allowed are numbers listed once",
      "evaluations.0.needles.1 must not exceed the names there are: current value is 41, allowed are integers from 1 to 40",
    ],
  },
  {
    name: "needles too far away for a text, and more texts than memory holds",
    change: {
      evaluations: [
        { kind: "needle", models: ["backbone"], distances: [64, 1e9] },
        {
          ...{ kind: "needle", name: "many", models: ["backbone"] },
          ...{ distances: [64, 1024], needles: [1, 2], instances: 1e9 },
        },
      ],
    },
    problems: [
      "evaluations.0.distances.1 must fit a text: current value is 1000000000, allowed are integers from 1 to 16777216",
      "evaluations.1.instances must write 268435456 tokens at most, of 3 texts as long as the farthest distance each: current value is 1000000000, allowed are integers from 1 to 87381",
    ],
  },
  {
    name: "needles of a single text, which has no other",
    change: {
      evaluations: [
        ...[2, 3].map((needles) => ({
          kind: "needle" as const,
          name: `needle-${needles}`,
          models: ["longmem", "longmem-other-document"] as const,
          distances: [64, 128, 256],
          needles: [needles],
          instances: 1,
        })),
      ],
    },
    problems: [
      'evaluations.1.models.1 reads another text, of which evaluations.1.instances makes none: current value is "longmem-other-document", allowed are other models, or two instances and more',
    ],
  },
  {
    name: "in-context learning without a source",
    change: { evaluations: [{ kind: "in-context-learning", models: ["backbone"] }] },
    problems: [
      "evaluations.0.source is missing: allowed are objects whose kind is sentences, chronicle",
    ],
  },
  {
    name: "misspelled set and field of sentences",
    change: {
      evaluations: [{
        ...sentences,
        source: { ...sentences.source, tasks: ["sst2"], seed: [1] },
        scoring: "labels",
      }],
    },
    problems: [
      'evaluations.0.source.tasks.0 has a wrong value: current value is "sst2", allowed are sst-2, mr, subj, sst-5, mpqa (did you mean "sst-2"?)',
      'evaluations.0.source.seed is unknown: allowed are kind, folder, tasks, seeds, draw, memoryDemonstrations (did you mean "seeds"?)',
      'evaluations.0.scoring has a wrong value: current value is "labels", allowed are open-vocabulary, label-likelihood',
    ],
  },
  {
    name: "a set and a seed listed twice",
    change: {
      evaluations: [{
        ...sentences,
        source: { ...sentences.source, tasks: ["mr", "mr"], seeds: [1, 2, 1] },
      }],
    },
    problems: [
      'evaluations.0.source.tasks.1 is listed twice: current value is "mr", allowed are tasks listed once',
      "evaluations.0.source.seeds.2 is listed twice: current value is 1, allowed are seeds listed once",
    ],
  },
  {
    name: "sentences in the words of the chronicle",
    change: { corpus: { kind: "chronicle" }, tokenizer: chronicle, evaluations: [sentences] },
    problems: [
      'evaluations.0.source.kind must fit the words of a corpus whose kind is "chronicle": current value is "sentences", allowed are chronicle',
    ],
  },
  {
    name: "reviews where the corpus has none",
    change: { evaluations: [{ ...sentences, source: { kind: "chronicle" } }] },
    problems: [
      'evaluations.0.source.kind must fit the words of a corpus whose kind is "files": current value is "chronicle", allowed are sentences',
    ],
  },
  {
    name: "control without another task",
    change: {
      evaluations: [{
        ...sentences,
        models: ["longmem", "longmem-other-document"],
        source: { ...sentences.source, tasks: ["mr"] },
      }],
    },
    problems: [
      'evaluations.0.models.1 reads the demonstrations of another task, of which evaluations.0.source.tasks has none: current value is "longmem-other-document", allowed are other models, or two tasks and more',
    ],
  },
  {
    name: "calibration of what has no likelihoods",
    change: {
      evaluations: [{ ...sentences, scoring: "open-vocabulary", calibration: "content-free" }],
    },
    problems: [
      'evaluations.0.calibration must be "none" where evaluations.0.scoring is "open-vocabulary", which knows no likelihoods of labels: current value is "content-free", allowed are none, or label-likelihood as the scoring',
    ],
  },
  {
    name: "calibration of reviews",
    change: {
      corpus: { kind: "chronicle" },
      tokenizer: chronicle,
      evaluations: [{
        ...sentences,
        source: { kind: "chronicle" },
        scoring: "label-likelihood",
        calibration: "content-free",
      }],
    },
    problems: [
      'evaluations.0.calibration must be "none" where evaluations.0.source.kind is "chronicle", whose words all say something: current value is "content-free", allowed are none',
    ],
  },
  {
    name: "reviews before a query that no prompt holds, and more tasks than memory holds",
    change: {
      corpus: { kind: "chronicle" },
      tokenizer: chronicle,
      evaluations: [
        {
          ...{ kind: "in-context-learning", models: ["backbone"], contextTokens: 128 },
          ...{ source: { kind: "chronicle" }, shots: 32 },
        },
        {
          ...{ kind: "in-context-learning", name: "many", models: ["backbone"] },
          source: { kind: "chronicle", tasks: 1e9 },
        },
      ],
    },
    problems: [
      "evaluations.0.shots must leave room for the query within evaluations.0.contextTokens of 128, 4 tokens a review at least: current value is 32, allowed are integers from 0 to 31",
      "evaluations.1.source.tasks must write 268435456 tokens at most, of 256 reviews a task: current value is 1000000000, allowed are integers from 1 to 262144",
    ],
  },
  {
    name: "SQuAD without a folder",
    change: { evaluations: [{ kind: "squad", models: ["backbone"] }] },
    problems: ["evaluations.0.folder is missing: allowed are text that is not empty"],
  },
  {
    name: "SQuAD with the control, a seed twice, long answers and a bank for each row",
    change: {
      evaluations: [{
        kind: "squad",
        folder: "squad",
        models: ["longmem", "longmem-other-document"],
        seeds: [4, 4],
        maxAnswerTokens: 128,
        memory: { bank: "per-row" },
      }],
    },
    problems: [
      "evaluations.0.seeds.1 is listed twice: current value is 4, allowed are seeds listed once",
      'evaluations.0.models.1 reads the demonstrations of another task, and SQuAD is a single one: current value is "longmem-other-document", allowed are other models',
      "evaluations.0.maxAnswerTokens must leave room for a question within contextTokens: current value is 128, allowed are integers from 1 to 127",
      'evaluations.0.memory.bank must be "shared", as all queries read what was read once: current value is "per-row", allowed are shared',
    ],
  },
  {
    name: "SQuAD in the words of the chronicle",
    change: {
      corpus: { kind: "chronicle" },
      tokenizer: chronicle,
      evaluations: [{ kind: "squad", folder: "squad", models: ["backbone"] }],
    },
    problems: [
      'evaluations.0.kind must not be "squad" where corpus.kind is "chronicle", which has other words: current value is "squad", allowed are other evaluations, or a corpus whose kind is files or none',
    ],
  },
  {
    name: "memory for each row of queries",
    change: { evaluations: [{ ...sentences, memory: { bank: "per-row" } }] },
    problems: [
      'evaluations.0.memory.bank must be "shared", as all queries read what was read once: current value is "per-row", allowed are shared',
    ],
  },
  {
    name: "chapter breaks of a corpus that is another",
    change: {
      evaluations: [{
        kind: "chapter-break",
        models: ["backbone"],
        source: { kind: "chronicle" },
      }],
    },
    problems: [
      'evaluations.0.source.kind must not be "chronicle" where corpus.kind is "files": current value is "chronicle", allowed are file, books',
    ],
  },
  {
    name:
      "candidates as long as the window, a prefix listed twice and headings that are no pattern",
    change: {
      evaluations: [{
        kind: "chapter-break",
        models: ["backbone"],
        suffixTokens: 128,
        prefixTokens: [4096, 8192, 4096],
        source: { kind: "books", headings: "(Chapter" },
      }],
    },
    problems: [
      "evaluations.0.suffixTokens must be below contextTokens, so that a token of the prefix stands before a candidate: current value is 128, allowed are integers from 1 to 127",
      "evaluations.0.prefixTokens.2 is listed twice: current value is 4096, allowed are numbers listed once",
      'evaluations.0.source.headings is not a regular expression (Invalid regular expression: /(Chapter/u: Unterminated group): current value is "(Chapter", allowed are regular expressions of a whole heading',
    ],
  },
  {
    name: "headings whose expression takes too long",
    change: {
      evaluations: [{
        ...{ kind: "chapter-break", models: ["backbone"] },
        source: { kind: "books", headings: "(a+)+" },
      }],
    },
    problems: [
      'evaluations.0.source.headings may take far too long, since a+ repeats and may match one text in many ways: current value is "(a+)+", allowed are expressions that match in one way alone',
    ],
  },
  {
    name: "chapter breaks of books with too few chapters",
    change: {
      corpus: { kind: "chronicle", config: { book: { chapters: 6 } } },
      tokenizer: chronicle,
      evaluations: [{
        ...{ kind: "chapter-break", models: ["backbone"], source: { kind: "chronicle" } },
      }],
    },
    problems: [
      "corpus.config.book.chapters must give evaluations.0 5 other openings: current value is 6, allowed are integers from 7",
    ],
  },
  {
    name: "chapter breaks from a chapter on that no book has",
    change: {
      corpus: { kind: "chronicle", config: { book: { chapters: 8 } } },
      tokenizer: chronicle,
      evaluations: [{
        ...{ kind: "chapter-break", models: ["backbone"] },
        source: { kind: "chronicle", firstChapter: 8 },
      }],
    },
    problems: [
      "evaluations.0.source.firstChapter must be a chapter of a book: current value is 8, allowed are integers from 1 to 7",
    ],
  },
  {
    name: "misspelled fields of an evaluation of chapter breaks",
    change: {
      evaluations: [{
        kind: "chapter-break",
        models: ["backbone"],
        prefixTokens: [0],
        ties: "both",
        source: { kind: "file", path: "breaks.json", splits: "ao3" },
      }],
    },
    problems: [
      'evaluations.0.source.split is missing: allowed are lower-case letters, digits, "_" and "-", at most 80',
      'evaluations.0.source.splits is unknown: allowed are kind, path, split (did you mean "split"?)',
      "evaluations.0.prefixTokens.0 has a wrong value: current value is 0, allowed are positive integers",
      'evaluations.0.ties has a wrong value: current value is "both", allowed are wrong, right',
    ],
  },
  {
    name: "memory of chapter breaks that is too small for a segment",
    change: {
      memory: { capacityTokens: 1024, bank: "shared", reset: "epoch" },
      evaluations: [{
        kind: "chapter-break",
        models: ["longmem"],
        batchSize: 64, // of which only one is read
        contextTokens: 512,
        memory: { capacityTokens: 256 },
      }],
    },
    problems: [
      "evaluations.0.memory.capacityTokens must hold one update, of 512 tokens each: current value is 256, allowed are integers from 512",
    ],
  },
  {
    name: "misspelled field of an evaluation of recall",
    change: {
      tokenizer: chronicle,
      corpus: chronicle,
      evaluations: [{ ...evaluation, kind: "recall", maxBooks: 2 }],
    },
    problems: [
      "evaluations.0.maxBooks is unknown: allowed are kind, name, models, batchSize, contextTokens, memory, split, maxDocuments",
    ],
  },
  {
    name: "segment length known from nowhere",
    change: {
      backbone: { kind: "checkpoint", path: "backbone.pt" },
      adaptation: undefined,
      evaluations: [{ ...evaluation, models: ["backbone"] }],
    },
    problems: [
      "evaluations.0.contextTokens is missing, as no training declares it: allowed are positive integers",
    ],
  },
  {
    name: "misspelled field of a corpus that names no kind",
    change: { corpus: { ...corpus, unwarp: true } },
    problems: [
      'corpus.unwarp is unknown: allowed are kind, folder, train, valid, test, lines, unwrap, maxDocuments, maxDocumentTokens, clusters (did you mean "unwrap"?)',
    ],
  },
  {
    name: "values of an object without fields of its own",
    change: { corpus: { ...corpus, clusters: { "a-*": 5 } }, moved: 1 },
    problems: [
      "corpus.clusters.a-* has a wrong value: current value is 5, allowed are text that is not empty",
      "moved has a wrong value: current value is 1, allowed are objects of paths by the paths that they have now",
    ],
  },
  {
    name: "misspelled kind of corpus",
    change: { corpus: { kind: "chronicel" } },
    problems: [
      'corpus.kind has a wrong value: current value is "chronicel", allowed are files, chronicle, none (did you mean "chronicle"?)',
    ],
  },
  {
    name: "misspelled field of the chronicle",
    change: { tokenizer: chronicle, corpus: { ...chronicle, folder: "books" } },
    problems: ["corpus.folder is unknown: allowed are kind, seed, books, drills, config"],
  },
  {
    name: "misspelled setting of the chronicle",
    change: { tokenizer: chronicle, corpus: { ...chronicle, config: { drill: { songShar: 1 } } } },
    problems: [
      'corpus.config.drill.songShar is unknown: allowed are scenes, sceneTokens, songShare, songWords, rollShare, rollPairs, repetitions, entities, goodShare, ships, openingShare (did you mean "songShare"?)',
    ],
  },
  {
    name: "half a chapter",
    change: { tokenizer: chronicle, corpus: { ...chronicle, config: { book: { chapters: 2.5 } } } },
    problems: [
      "corpus.config.book.chapters has a wrong value: current value is 2.5, allowed are whole numbers",
    ],
  },
  {
    name: "chronicle with more ships than names",
    change: { tokenizer: chronicle, corpus: { ...chronicle, config: { book: { chapters: 25 } } } },
    problems: [
      "corpus.config is impossible: Cannot write chronicles as there are 24 names of ships and book.chapters needs one each: current value is 25",
    ],
  },
  {
    name: "chronicle without its words",
    change: { corpus: chronicle },
    problems: [
      'tokenizer.kind must be "chronicle" where corpus.kind is "chronicle": current value is "bpe", allowed are chronicle',
    ],
  },
  {
    name: "words of the chronicle for other texts",
    change: { tokenizer: chronicle },
    problems: [
      'tokenizer.kind must not be "chronicle" where corpus.kind is "files": current value is "chronicle", allowed are bpe, file, gpt2, huggingface',
    ],
  },
  {
    name: "trainings and documents where there is no corpus",
    change: {
      corpus: { kind: "none" },
      evaluations: [
        evaluation,
        { kind: "chapter-break", models: ["longmem"] },
        {
          kind: "chapter-break",
          name: "file",
          source: { kind: "file", path: "a", split: "ao3" },
          models: ["longmem"],
        },
      ],
    },
    problems: [
      'tokenizer.kind must not be "bpe" where corpus.kind is "none": current value is "bpe", allowed are file, gpt2, huggingface',
      'corpus.kind must not be "none" where backbone is trained: allowed are files, chronicle',
      'corpus.kind must not be "none" where adaptation is trained: allowed are files, chronicle',
      'evaluations.0.kind must bring its own texts where corpus.kind is "none": current value is "perplexity", allowed are chapter-break, in-context-learning, squad, questions, needle, efficiency, or a corpus of another kind',
      'evaluations.1.source.kind must not be "books" where corpus.kind is "none": current value is "books", allowed are file',
    ],
  },
  {
    name: "unknown initialisation of the backbone",
    change: { backbone: { ...backbone, initialization: { kind: "scale" } } },
    problems: [
      'backbone.initialization.kind has a wrong value: current value is "scale", allowed are official, scaled, checkpoint (did you mean "scaled"?)',
    ],
  },
  {
    name: "several at once",
    change: { memory: { ...memory, retrievedTokens: 6 }, backbone: { ...backbone, heads: 5 } },
    problems: [
      "backbone.hiddenDim must be a multiple of backbone.heads: current value is 64, allowed are multiples of 5",
      "memory.retrievedTokens must be a multiple of memory.chunkTokens: current value is 6, allowed are multiples of 4",
    ],
  },
];

for (const { name, change, problems } of malformed) {
  test(`checkExperiment() refuses a declaration: ${name}`, () => {
    const error = errorOf({ ...small, ...change });
    const listed = error.problems.map(({ path, message }) => `${path} ${message}`);
    assert.deepEqual(listed, problems);
    const subject = `Cannot declare experiment "${change.name ?? "small"}" as `;
    assert.equal(
      error.message,
      problems.length === 1
        ? subject + problems[0]
        : `${subject}${problems.length} fields are wrong:\n  ${problems.join("\n  ")}`,
    );
  });
}

test("checkExperiment() knows that texts are read into a shared bank one at a time", () => {
  const memory = { capacityTokens: 128, bank: "shared", reset: "document" } as const;
  const { evaluations } = resolvedExperiment({
    ...small,
    evaluations: [{ ...evaluation, batchSize: 4, memory }],
  });
  assert.equal(evaluations[0].memory?.bank, "shared");
  // Efficiency writes all rows at once, into a bank that it makes as large as they need.
  assert.doesNotThrow(() =>
    resolvedExperiment({
      ...small,
      evaluations: [{
        kind: "efficiency",
        models: ["backbone", "longmem"],
        batchSize: 4,
        memory: { ...memory, capacityTokens: 64 },
      }],
    })
  );
});

test("checkExperiment() refuses what is no object", () => {
  assert.match(
    errorOf("memory").message,
    /^Cannot declare experiment as the declaration has a wrong value: current value is "memory", /,
  );
});

function errorOf(declaration: unknown): DeclarationError {
  try {
    resolvedExperiment(declaration);
  } catch (error) {
    if (error instanceof DeclarationError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "the declaration was accepted" });
}

test("defineExperiment() returns its argument, and throws what is wrong with it", () => {
  assert.equal(defineExperiment(small), small);
  assert.throws(() => defineExperiment({ ...small, seed: 0.5 }), DeclarationError);
});

test("a misspelled field does not compile, an undefined part does", () => {
  // @ts-expect-error -- the compiler has to name the field
  const misspelled: Experiment = { ...small, memory: { retreivedTokens: 64 } };
  assert.throws(() => resolvedExperiment(misspelled), DeclarationError);
  const baseline: Experiment = {
    ...small,
    memory: undefined,
    evaluations: [{ ...evaluation, models: ["backbone"] }],
  };
  assert.ok(!("memory" in resolvedExperiment(baseline)));
});

test("lowestCapacityTokens() is what the official eviction needs to never drop more than it holds", () => {
  for (let updateTokens = 5; updateTokens <= 40; updateTokens++) {
    for (let chunkTokens = 1; chunkTokens <= 5; chunkTokens++) {
      const lowest = lowestCapacityTokens(updateTokens, chunkTokens, "coarse") / chunkTokens;
      for (let capacity = lowest; capacity < lowest + 30; capacity++) {
        assert.ok(coarseBankSurvives(capacity, updateTokens, chunkTokens));
      }
      if (updateTokens % chunkTokens === 0) {
        assert.ok(!coarseBankSurvives(lowest - 1, updateTokens, chunkTokens));
      }
    }
  }
  // Specification section 6: with updates of 8 chunks, banks of 8 and 16 chunks raise, 17 work.
  assert.equal(lowestCapacityTokens(32, 4, "coarse"), 17 * 4);
});

/** Specification section 6, steps 1 and 2, in chunks. */
function coarseBankSurvives(capacity: number, updateTokens: number, chunkTokens: number): boolean {
  const added = Math.floor(updateTokens / chunkTokens);
  let count = 0;
  for (let update = 0; update < 200; update++) {
    if (count + added >= capacity) count -= Math.floor(2 * updateTokens / chunkTokens);
    if (count < 0) return false;
    count += added;
  }
  return true;
}
