/**
 * A run, from declaration to results.
 */
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import { commandFor, dataSetList, readDataSets } from "../data/data_set.ts";
import { missingPaths } from "../experiment/estimate.ts";
import { checkMemoryNeed } from "../experiment/memory_need.ts";
import type { ResolvedRun } from "../experiment/resolve.ts";
import { fetchCommand, hubCacheFolder, parseHubReference } from "../checkpoint/hub_cache.ts";
import { sideNetRemarks } from "../checkpoint/sidenets.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { openDevice } from "../runtime/open_device.ts";
import { startsProcesses } from "../evaluation/evaluations.ts";
import { checkMayStartProcesses } from "../evaluation/efficiency.ts";
import { checkEvaluations, runEvaluations } from "./evaluation.ts";
import { MissingDataError } from "../errors.ts";
import { adaptNetworks, obtainBackbone } from "./train_models.ts";
import type { RunContext } from "./run_context.ts";
import { openText } from "./corpus.ts";
import { recordInputs } from "./inputs.ts";

/**
 * Trains and evaluates the models of a run, resuming from its checkpoint if there is one.
 *
 * @throws {Error} Where the run fails, or stops because the context's signal was aborted.
 */
export async function executeRun(run: ResolvedRun, context: RunContext): Promise<void> {
  const { experiment } = run;
  await checkReadiness(experiment);
  await recordInputs(experiment, context);
  const device = await openDevice(experiment.device, { threads: experiment.threads });
  try {
    const description = `${device.kind}: ${device.description} (${device.reason})`;
    context.progress.note(`device ${description}`);
    await context.results.recordDevice(description);
    for (const remark of sideNetRemarks(experiment.sidenet)) context.progress.note(remark);

    const text = await openText(experiment, context);
    await checkEvaluations(experiment, text);
    const backbone = await obtainBackbone(experiment, text, device, context);
    const trained = await adaptNetworks(experiment, backbone, text, device, context);
    await runEvaluations(experiment, trained, text, device, context);
  } finally {
    await device.close();
  }
}

/**
 * Checks that the inputs of an experiment exist and it has the memory and permissions it needs, before a device is opened.
 *
 * @throws {RangeError} If it needs more memory than the machine has; it names the field.
 * @throws {MissingDataError} Naming the first field whose files are missing, and how to name others.
 * @throws {MissingPermissionError} If it measures efficiency and may not start the processes for it.
 */
async function checkReadiness(experiment: ResolvedExperiment): Promise<void> {
  const { name, corpus, evaluations } = experiment;
  if (evaluations.some(startsProcesses)) await checkMayStartProcesses();
  await checkMemoryNeed(experiment);
  const [missing] = await missingPaths(experiment);
  if (missing) {
    const { field, path } = missing;
    const model = parseHubReference(path);
    if (model) {
      throw new MissingDataError(
        `Cannot run "${name}" as ${field} is not in the Hub's cache "${hubCacheFolder()}", or not whole: current value is ` +
          `"${path}"; to fetch it, run\n  ${fetchCommand(model)}`,
      );
    }
    const known = commandFor(missing, await readDataSets(dataSetList));
    throw new MissingDataError(
      `Cannot run "${name}" as ${field} is missing: current value is "${path}", current folder is ` +
        `"${Deno.cwd()}"; name another with --set ${field}=PATH` +
        (known ? `, or get it with\n  ${known.command}` : ""),
    );
  }
  await corpora.get(corpus.kind).checkDocuments?.(corpus);
}
