/**
 * Output of `run --dry-run`: experiments with the facts that all their runs share, each run with those of its own, and the total
 * of the work left.
 */
import { type Estimate, estimateRun } from "../experiment/estimate.ts";
import { describeExcess } from "../experiment/memory_need.ts";
import { sideNetRemarks } from "../checkpoint/sidenets.ts";
import { machineMemoryBytes } from "../system.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { modelName } from "../evaluation/models.ts";
import type { ResolvedRun } from "../experiment/resolve.ts";
import type { Environment } from "../results/environment.ts";
import { formatVariation, type RunState } from "../results/records.ts";
import { failureText, isForeseen } from "../errors.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { counted, gibibytes } from "../quantities.ts";
import { isDamage, readRunSummary } from "../results/read_runs.ts";
import { repetitionRemarks, runPath } from "../queue/run_lifecycle.ts";
import { describeSources } from "./missing_data.ts";
import { countStates, stateColumn } from "./run_states.ts";

/** A run, its cost and its state. */
interface Prospect {
  readonly run: ResolvedRun;
  readonly estimate: Estimate;
  /** The error that the run would end with as documents of its corpus are missing. */
  readonly withoutDocuments: string | undefined;
  readonly state: RunState | "damaged";
  /** Notes on this run alone: why it cannot be read, differences if it is run again. */
  readonly remarks: readonly string[];
}

/**
 * Describes runs without doing them.
 *
 * @param results Folder of all results, in which finished work is looked up.
 */
export async function describeRuns(
  runs: readonly ResolvedRun[],
  results: string,
  environment: Environment,
): Promise<string> {
  const prospects: Prospect[] = [];
  for (const run of runs) prospects.push(await prospectOf(run, results, environment));
  const experiments = Map.groupBy(
    prospects,
    ({ run }) => `${run.experiment.name} (${run.file})`,
  );
  const missing = missingLines(prospects);
  const sources = await describeSources(runs);
  return [
    ...[...experiments].map(([title, ofOne]) => describeExperiment(title, ofOne).join("\n")),
    ...(missing.length > 0 ? [["Missing:", ...missing].join("\n  ")] : []),
    ...(sources.length > 0 ? [["How to get them:", ...sources].join("\n  ")] : []),
    totalLines(prospects).join("\n"),
  ].join("\n\n");
}

async function prospectOf(
  run: ResolvedRun,
  results: string,
  environment: Environment,
): Promise<Prospect> {
  const remarks = repetitionRemarks(run, environment).map((text) => `again: ${text}`);
  const estimate = await estimateRun(run.experiment);
  const known = { run, estimate, withoutDocuments: await documentsError(run, estimate) };
  try {
    const summary = await readRunSummary(runPath(results, run));
    return { ...known, state: summary?.state ?? "planned", remarks };
  } catch (error) {
    if (!(error instanceof Error) || !isDamage(error)) throw error;
    return { ...known, state: "damaged", remarks: [error.message, ...remarks] };
  }
}

/** Why a run cannot read documents of its corpus, although no path that it names is missing. */
async function documentsError(
  { experiment: { corpus } }: ResolvedRun,
  { missing }: Estimate,
): Promise<string | undefined> {
  if (missing.length > 0) return undefined;
  try {
    await corpora.get(corpus.kind).checkDocuments?.(corpus);
    return undefined;
  } catch (error) {
    if (!isForeseen(error)) throw error;
    return failureText(error);
  }
}

function describeExperiment(title: string, prospects: readonly Prospect[]): string[] {
  const facts = prospects.map(factsOf);
  const shared = facts[0].filter((fact) => facts.every((others) => others.includes(fact)));
  const { question } = prospects[0].run.experiment;
  return [
    title,
    ...(question === undefined ? [] : [`  ${question}`]),
    ...shared.map((fact) => `  ${fact}`),
    ...prospects.flatMap(({ run, state, remarks }, i) => {
      const varies = run.variation ? [formatVariation(run.variation)] : [];
      const own = facts[i].filter((fact) => !shared.includes(fact));
      return [
        [`  ${stateColumn(state)}`, run.id, ...varies].join("  "),
        ...[...own, ...remarks].map((text) => `      ${text}`),
      ];
    }),
  ];
}

/** Facts known about a run before it begins, a line each. */
function factsOf({ run: { experiment }, estimate, withoutDocuments }: Prospect): string[] {
  const { protocol, device, sidenet } = experiment;
  const { backboneParameters, sidenetParameters, trainings, evaluations, missing } = estimate;
  return [
    [
      `protocol ${protocol}`,
      `device ${device}`,
      `backbone ${parameters(backboneParameters)}`,
      ...(sidenet ? [`SideNet ${parameters(sidenetParameters)}`] : []),
    ].join(", "),
    ...trainings.map(({ phase, steps, tokens, operations }) =>
      `train ${phase}: ${formatCount(steps)} steps, ${formatCount(tokens)} tokens` +
      teraOperations(operations)
    ),
    ...experiment.evaluations.map((evaluation, i) => {
      const { name, models } = evaluation;
      const { tokens, operations } = evaluations[i];
      const cost = tokens === undefined
        ? "cost unknown until its texts are read"
        : `about ${formatCount(Number(tokens.toPrecision(2)))} tokens` + teraOperations(operations);
      const asked = `${kindOf(evaluation).describe(evaluation)}; ${
        models.map(modelName).join(", ")
      }`;
      return `evaluate ${name}: ${asked}; ${cost}`;
    }),
    ...sideNetRemarks(sidenet),
    ...memoryLines(estimate),
    ...gpuLines(estimate),
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(withoutDocuments === undefined ? [] : [`cannot run: ${withoutDocuments}`]),
  ];
}

/** Of a run that takes more than half the machine's memory: other programs use some, too. */
function memoryLines({ memoryBytes, excess }: Estimate): string[] {
  if (excess) return [`cannot run here: ${describeExcess(excess)}`];
  const machineBytes = machineMemoryBytes();
  if (machineBytes === undefined || memoryBytes <= machineBytes / 2) return [];
  return [
    `takes at least ${gibibytes(memoryBytes)} of this machine's ${
      gibibytes(machineBytes)
    } of memory`,
  ];
}

/** Of a memory that takes a gibibyte or more of a GPU. */
function gpuLines({ gpuBankBytes }: Estimate): string[] {
  if (gpuBankBytes < 2 ** 30) return [];
  return [`keys and values take ${gibibytes(gpuBankBytes)} of the GPU's memory`];
}

function parameters(count: number | undefined): string {
  return count === undefined
    ? "of unknown size until its files are read"
    : `of ${formatCount(count)} parameters`;
}

function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** Arithmetic of matrices, in words that go on; nothing where it is not known. */
function teraOperations(operations: number | undefined): string {
  if (operations === undefined) return "";
  const tera = Number((operations / 1e12).toPrecision(3));
  return `, ${tera.toLocaleString("en", { maximumSignificantDigits: 3 })} TFLOP`;
}

/** Paths that are not there, each with how many runs that are yet to be done read it. */
function missingLines(prospects: readonly Prospect[]): string[] {
  const paths = prospects.filter(isToDo).flatMap(({ estimate }) => estimate.missing);
  return [...Map.groupBy(paths, (path) => path)]
    .map(([path, { length }]) => `${path} (${counted(length, "run")})`);
}

function isToDo({ state }: Prospect): boolean {
  return state !== "completed";
}

/** Counts runs by state, and adds up the cost of those that are not completed. */
function totalLines(prospects: readonly Prospect[]): string[] {
  const total = countStates(prospects.map(({ state }) => state));
  const toDo = prospects.filter(isToDo);
  const waiting = toDo
    .filter(({ estimate, withoutDocuments }) =>
      estimate.missing.length > 0 || withoutDocuments !== undefined
    ).length;
  if (toDo.length === 0) return [total];
  const trainings = new Map(
    toDo.flatMap(({ estimate }) =>
      estimate.trainings.map(({ key, operations }) => [key, operations] as const)
    ),
  );
  const evaluations = toDo.flatMap(({ estimate }) => estimate.evaluations);
  const costs = [...trainings.values(), ...evaluations.map(({ operations }) => operations)];
  const unknown = costs.filter((cost) => cost === undefined).length;
  const known = costs.reduce((sum: number, cost) => sum + (cost ?? 0), 0);
  return [
    total,
    `To do in ${counted(toDo.length, "run")}${
      waiting > 0 ? `, ${waiting} of them without data` : ""
    }: ` +
    `${counted(trainings.size, "training")}, counting once what runs share, and ` +
    counted(evaluations.length, "evaluation") + teraOperations(known) +
    (unknown > 0 ? `, and ${counted(unknown, "unknown cost")}` : ""),
  ];
}
