/**
 * The command line with an executor that trains nothing: three steps, a checkpoint after each, one
 * metric. Seeds choose what else happens: 13 fails after the first step; 99 waits to be interrupted.
 */
import { perplexityVersion } from "../../src/evaluation/perplexity.ts";
import { InputError } from "../../src/errors.ts";
import { modelName } from "../../src/evaluation/models.ts";
import { main } from "../../src/main.ts";
import type { RunExecutor } from "../../src/runner/run_context.ts";

export const recordingExecutor: RunExecutor = async ({ experiment, limit }, context) => {
  const { results, progress, signal } = context, { checkpointFolder } = results;
  await results.recordDevice(`recording on ${experiment.device}`);
  await Deno.mkdir(checkpointFolder, { recursive: true });
  const path = `${checkpointFolder}/step`;
  const resumed = await Deno.readTextFile(path).then(Number, () => 0);
  await results.truncateMetrics("longmem", resumed);
  for (let step = resumed + 1; step <= 3; step++) {
    await results.appendMetrics({
      phase: "longmem",
      step,
      split: "train",
      tokens: 256 * step,
      loss: 1 / step,
      timing: { tokensPerSecond: 1, elapsedMs: performance.now() },
    });
    progress.step({ phase: "longmem", step, steps: 3, loss: 1 / step, tokensPerSecond: 1 });
    await Deno.writeTextFile(path, String(step));
    if (experiment.seed === 13) throw new InputError("Cannot go on as 13 is unlucky");
    if (experiment.seed === 99 && resumed === 0) {
      progress.note("waiting");
      await new Promise((resolve) => {
        // Keeps the process alive, as a training would.
        const timer = setInterval(() => {}, 1000);
        signal.addEventListener("abort", () => resolve(clearInterval(timer)));
      });
    }
    signal.throwIfAborted();
  }
  const { models, name } = experiment.evaluations[0];
  await results.recordMetrics(models.map((model, i) => ({
    evaluation: name,
    model: modelName(model),
    name: "perplexity",
    measure: "perplexity",
    value: 20 - i,
    stderr: 0.5,
    ci95: [19, 21],
    n: limit ?? 13,
    ...(limit !== undefined && { total: 13 }),
    unit: "",
    higherIsBetter: false,
    metricVersion: perplexityVersion,
  })));
};

if (import.meta.main) {
  Deno.exit(await main(Deno.args, () => Promise.resolve(recordingExecutor)));
}
