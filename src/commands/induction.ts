import { loadBackboneWeights } from "../checkpoint/checkpoint.ts";
import { defined } from "../defined.ts";
import { hashTensors } from "../formats/tensor_hash.ts";
import {
  type Command,
  type CommandArguments,
  lastValue,
  newFile,
  onlyOperand,
  type Output,
  positiveInteger,
  reading,
  UsageError,
  writeNewFile,
} from "../command_line.ts";
import { writeAtomically } from "../files.ts";
import {
  type InductionMeasure,
  type InductionOptions,
  type InductionScores,
  inductionScores,
  inductionThreshold,
} from "../evaluation/induction.ts";
import { isRunFolder, readPretrainedBackbone } from "../runner/load_trained_model.ts";
import { vocabulary } from "../text/chronicle/vocabulary.ts";
import type { Estimate } from "../statistics/estimates.ts";
import { deviceFlag, deviceOf } from "./device_flag.ts";
import { InputError } from "../errors.ts";

/** `induction`: which heads of a backbone are induction heads, and which block a memory should cache. */
export function inductionCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [
      {
        name: "corpus",
        value: "CORPUS",
        allowed: ["chronicle", "none"],
        help:
          "books in which recalls are scored (default the chronicle's, if the backbone has its vocabulary)",
      },
      {
        name: "heads",
        value: "N",
        help: "heads of the backbone, for bare tensors, which do not record them",
      },
      { name: "context", value: "N", help: "tokens of the window (default as trained)" },
      { name: "seed", value: "N", help: "seed of sequences and books (default 1)" },
      {
        name: "reduction-factor",
        value: "R",
        help: "backbone blocks for each SideNet layer (default 2)",
      },
      {
        name: "format",
        value: "FORMAT",
        allowed: ["md", "json"],
        help: "how to print (default md)",
      },
      { name: "figure", value: "FILE.svg", isPath: true, help: "also write a heat map" },
      deviceFlag,
    ],
    execute: (args) => measureInduction(args, output),
  };
}

async function measureInduction(args: CommandArguments, output: Output): Promise<number> {
  const path = onlyOperand(args, "measure induction");
  const figure = args.flags.has("figure") ? await newFile(args, "figure") : undefined;
  const options = defined({
    corpus: lastValue(args, "corpus") as InductionOptions["corpus"],
    device: deviceOf(args),
    contextTokens: positiveInteger(args, "context"),
    seed: positiveInteger(args, "seed"),
    reductionFactor: positiveInteger(args, "reduction-factor"),
  });
  const heads = positiveInteger(args, "heads");
  const backbone = await reading(async () =>
    await isRunFolder(path)
      ? (await readPretrainedBackbone(path)).backbone
      : await loadBackboneWeights(path, heads === undefined ? {} : { shape: { heads } })
  );
  const measured = await inductionScores(backbone, options).catch((cause: Error) => {
    // The options do not fit this backbone, which is itself valid; or there is no such device.
    const Kind = cause instanceof RangeError ? UsageError : InputError;
    throw new Kind(cause.message, { cause });
  });
  const scores = { backbone: hashTensors(backbone.weights), ...measured };
  output.print(
    lastValue(args, "format") === "json"
      ? JSON.stringify(scores, undefined, 2)
      : formatInduction(scores),
  );
  if (figure !== undefined) {
    const svg = await inductionFigure(scores);
    await writeNewFile(figure, () => writeAtomically(figure, svg));
    output.note(`written to ${figure}`);
  }
  return 0;
}

const measures = [
  {
    key: "repeated",
    title: "Repeated random tokens",
    about: "attention from a token's second occurrence to what followed the first",
    items: "sequences",
  },
  {
    key: "recalls",
    title: "Recalls within a segment of the chronicle",
    about: "attention from the token before a fact's answer to its earlier mention",
    items: "books",
  },
] as const;

/** Markdown: a table of blocks and heads for each measure, and the recommendation for a memory. */
function formatInduction(scores: InductionScores): string {
  const { shape, contextTokens, seed } = scores;
  const parts = [
    `Induction heads, ${shape.layers} blocks of ${shape.heads} heads, windows of ${contextTokens} tokens, seed ${seed}`,
  ];
  for (const { key, title, about, items } of measures) {
    const measure = scores[key];
    if (!measure) {
      const reason = shape.vocabSize === vocabulary.length
        ? "as no corpus was asked for"
        : `as the backbone's ${shape.vocabSize} tokens are not the ${vocabulary.length} of the chronicle`;
      parts.push(`${title}: not measured, ${reason}`);
      continue;
    }
    parts.push(
      `${title}: ${about}; ${sampleOf(measure, items)}, \u00b1 standard error over ${items}`,
      tableOf(measure),
    );
  }
  return [...parts, recommendationOf(scores)].join("\n\n");
}

function sampleOf({ pairs, blocks }: InductionMeasure, items: string): string {
  return `n = ${pairs} in ${blocks[0].n} ${items}`;
}

function tableOf({ heads, blocks }: InductionMeasure): string {
  const header = ["block", ...heads[0].map((_, h) => `head ${h}`), "mean"];
  const rows = heads.map((row, i) => [`${i}`, ...[...row, blocks[i]].map(formatEstimate)]);
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

function formatEstimate({ value, stderr }: Estimate): string {
  return stderr === undefined
    ? value.toFixed(3)
    : `${value.toFixed(3)} \u00b1 ${stderr.toFixed(3)}`;
}

function recommendationOf(scores: InductionScores): string {
  const { measure, isInductionBlock, sidenet } = scores.recommendation;
  const { memoryBlock, reductionFactor: r, initialization } = sidenet;
  const best = Math.max(...scores[measure]!.heads[memoryBlock].map(({ value }) => value));
  if (!isInductionBlock) {
    return `No block is an induction block: in the best, block ${memoryBlock}, no head reaches ${inductionThreshold} ` +
      `(the highest is ${best.toFixed(3)}). A memory of this backbone cannot be expected to work.`;
  }
  const blocks = initialization.kind === "blocks" ? initialization.blocks.join(", ") : "";
  const declared = [
    ...(r === 2 ? [] : [`reductionFactor: ${r}`]),
    `memoryBlock: ${memoryBlock}`,
    `initialization: { kind: "blocks", blocks: [${blocks}] }`,
  ];
  const layer = Math.trunc(memoryBlock / r);
  return `Block ${memoryBlock} is the induction block (its best head: ${
    best.toFixed(3)
  }). Cache it, and let SideNet layer ` +
    `${layer}, which reads the memory, begin as its copy:\n\n    sidenet: { ${
      declared.join(", ")
    } }`;
}

/** The heat map of all measures. Plotting is loaded where a figure is asked for. */
export async function inductionFigure(scores: InductionScores): Promise<string> {
  const { heatMap } = await import("../results/figure.ts");
  const { shape, contextTokens, seed, recommendation } = scores;
  const { memoryBlock } = recommendation.sidenet;
  const known = measures.flatMap((measure) => {
    const found = scores[measure.key];
    return found ? [{ ...measure, found }] : [];
  });
  const samples = known.map(({ title, found, items }) =>
    `${title.toLowerCase()}: ${sampleOf(found, items)}`
  );
  const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);
  return heatMap({
    title: recommendation.isInductionBlock
      ? `Block ${memoryBlock} is the induction block`
      : "No block is an induction block",
    description: known.map(({ title, about, found }) =>
      `${title}: ${about}. Means over the heads of each block: ${
        found.blocks.map(({ value }, i) => `block ${i} ${value.toFixed(2)}`).join(", ")
      }.`
    ).join(" "),
    note: `windows of ${contextTokens} tokens, seed ${seed}; ${samples.join("; ")}`,
    columns: { label: "head", names: names(shape.heads) },
    rows: { label: "block", names: names(shape.layers) },
    value: { label: "mean attention probability", domain: [0, 1] },
    panels: known.map(({ title, found }) => ({
      name: title,
      values: found.heads.map((heads) => heads.map(({ value }) => value)),
    })),
  });
}
