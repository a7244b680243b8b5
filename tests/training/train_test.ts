import { join } from "node:path";
import type { TensorMap } from "../../src/tensor.ts";
import { DocumentStream } from "../../src/text/document_stream.ts";
import { Random } from "../../src/random.ts";
import type { SegmentStream } from "../../src/text/segments.ts";
import type { TrainingConfig } from "../../src/training/config.ts";
import { train, type TrainOptions } from "../../src/training/train.ts";
import type { StepMetrics } from "../../src/training/trainer.ts";
import { testedDevice } from "../graph/devices.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";
import { openSideNet, randomBatches, releasedTraining, smallMemory } from "./small_training.ts";

const config = {
  ...releasedTraining,
  steps: 7,
  totalSteps: 7,
  learningRate: 0.02,
  checkpointEverySteps: 2,
  validateEverySteps: 3,
};

/** Five documents of different lengths. */
function documents(): DocumentStream {
  const random = new Random("documents");
  const texts = [41, 9, 30, 17, 23].map((length, i) => ({
    name: `document ${i}`,
    tokens: Int32Array.from({ length }, () => 4 + random.below(9)),
    words: 1,
  }));
  return new DocumentStream(texts, { batchSize: 2, contextTokens: 8, pad: 1, seed: 1 });
}

interface Recorded {
  weights: TensorMap;
  best: { step: number; loss: number };
  starts: number[];
  steps: StepMetrics[];
  validations: [step: number, loss: number][];
}

/** Trains a SideNet with memory and dropout; what is recorded before an error is kept in `recorded`. */
async function trainSmall(
  folder: string,
  options: {
    stream?: SegmentStream;
    abortAfter?: number;
    signal?: AbortSignal;
    runsAhead?: boolean;
    validate?: TrainOptions["validate"];
    config?: Partial<TrainingConfig>;
  } = {},
  recorded: Partial<Recorded> = {},
): Promise<Recorded> {
  const used = { ...config, ...options.config };
  const device = { ...await testedDevice("cpu"), runsAhead: options.runsAhead ?? false };
  const trainer = await openSideNet(device, used, { memory: smallMemory, dropout: 0.2 });
  const interruption = new AbortController();
  const starts: number[] = [], steps: StepMetrics[] = [], validations: [number, number][] = [];
  Object.assign(recorded, { starts, steps, validations });
  try {
    const { weights, step, loss } = await train(trainer, options.stream ?? documents(), {
      config: used,
      checkpointFolder: folder,
      signal: options.signal ?? interruption.signal,
      ...(options.validate ? { validate: options.validate } : {}),
      onStart: (step) => {
        starts.push(step);
        return Promise.resolve();
      },
      onStep: (metrics) => {
        steps.push(metrics);
        if (metrics.step === options.abortAfter) interruption.abort(new Error("enough"));
        return Promise.resolve();
      },
      onValidation: (step, loss) => {
        validations.push([step, loss]);
        return Promise.resolve();
      },
    });
    return Object.assign(recorded, { weights, best: { step, loss } }) as Recorded;
  } finally {
    await trainer.close();
  }
}

function trainTest(name: string, body: (folder: string) => Promise<void>): void {
  test({
    name,
    // The device outlives the test.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => withFolder((folder) => body(join(folder, "longmem"))),
  });
}

/** Validation losses that are given, one after the other. */
function givenLosses(losses: readonly number[]): NonNullable<TrainOptions["validate"]> {
  let i = 0;
  return () => Promise.resolve(losses[i++]);
}

trainTest("train() goes on where it was interrupted, at any step, to the same end", async (dir) => {
  const weightSum = (weights: TensorMap) =>
    Promise.resolve(weights.values().reduce((sum, { data }) => sum + data[0], 0));
  const whole = await trainSmall(`${dir}/whole`, { validate: weightSum });
  assert.deepEqual(whole.starts, [0]);
  assert.deepEqual(whole.steps.map(({ step }) => step), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(whole.validations.map(([step]) => step), [3, 6, 7]);
  const finished = await trainSmall(`${dir}/whole`, { validate: weightSum });
  assert.deepEqual([finished.starts, finished.steps], [[7], []]);
  assert.deepEqual(finished.weights, whole.weights);
  for (const abortAfter of [1, 4, 6]) {
    const folder = `${dir}/${abortAfter}`, part: Partial<Recorded> = {};
    const interrupted = trainSmall(folder, { validate: weightSum, abortAfter }, part);
    await assert.rejects(interrupted, /^Error: enough$/);
    assert.equal(part.steps!.length, abortAfter);
    const rest = await trainSmall(folder, { validate: weightSum });
    assert.deepEqual(rest.starts, [abortAfter]);
    assert.deepEqual([...part.steps!, ...rest.steps], whole.steps);
    assert.deepEqual([...part.validations!, ...rest.validations], whole.validations);
    assert.deepEqual(rest.best, whole.best);
    assert.deepEqual(rest.weights, whole.weights);
  }
});

trainTest("train() records the same of a device that runs ahead", async (dir) => {
  const firstWeight = (weights: TensorMap) => Promise.resolve([...weights.values()][0].data[0]);
  for (const accumulationSteps of [1, 2]) {
    const options = {
      validate: firstWeight,
      config: { accumulationSteps, checkpointEverySteps: 5 },
    };
    const whole = await trainSmall(`${dir}/${accumulationSteps}`, options);
    const folder = `${dir}/${accumulationSteps}_ahead`, part: Partial<Recorded> = {};
    const interrupted = trainSmall(folder, { ...options, runsAhead: true, abortAfter: 1 }, part);
    await assert.rejects(interrupted, /^Error: enough$/);
    const rest = await trainSmall(folder, { ...options, runsAhead: true });
    assert.ok(rest.starts[0] > 1, "step 1 is recorded when step 2 has been made");
    assert.deepEqual([...part.steps!, ...rest.steps], whole.steps);
    assert.deepEqual([...part.validations!, ...rest.validations], whole.validations);
    assert.deepEqual(rest.weights, whole.weights);
  }
});

trainTest("train() keeps the last good checkpoint of a device that runs ahead", async (dir) => {
  // Step 2 makes parameters from which no loss can be computed.
  const divergent = { learningRate: 1e-3, finalLearningRate: 1e38, weightDecay: 0 };
  const options = { runsAhead: true, config: { ...divergent, checkpointEverySteps: 2 } };
  const recorded: Partial<Recorded> = {};
  await assert.rejects(
    trainSmall(dir, options, recorded),
    /^InputError: Cannot continue training as the loss of step 3 is (NaN|Infinity): the parameters have been updated up to step 4, and checkpoints are from before step 3$/,
  );
  assert.deepEqual(recorded.steps!.map(({ step }) => step), [1, 2]);
  const folders = await Array.fromAsync(Deno.readDir(dir), ({ name }) => name);
  assert.deepEqual(folders, ["step_000002"]);
  const again: Partial<Recorded> = {};
  await assert.rejects(trainSmall(dir, options, again), /loss of step 3 is/);
  assert.deepEqual([again.starts, again.steps], [[2], []]);
});

trainTest("train() stops where the valid split's loss is no number", async (dir) => {
  for (const loss of [NaN, Infinity]) {
    const folder = `${dir}/${loss}`;
    const training = trainSmall(folder, { validate: givenLosses([0.5, loss, 0.4]) });
    await assert.rejects(
      training,
      new RegExp(
        `loss on the valid split after step 6 is ${loss}: the last checkpoint is of step `,
      ),
    );
    const { best } = await trainSmall(folder, { validate: givenLosses([0.6, 0.7]) });
    assert.deepEqual([best.step, best.loss], [3, 0.5]);
  }
});

trainTest(
  "train() loses only what came after the last checkpoint when it is killed",
  async (dir) => {
    const whole = await trainSmall(`${dir}/whole`);
    // A data source that fails is as good as a kill: nothing is saved.
    const stream = documents(), next = stream.next.bind(stream);
    let read = 0;
    stream.next = () => {
      if (++read > 5) throw new Error("killed");
      return next();
    };
    await assert.rejects(trainSmall(`${dir}/killed`, { stream }), /killed/);
    const rest = await trainSmall(`${dir}/killed`);
    assert.deepEqual(rest.starts, [4]);
    assert.deepEqual(rest.steps, whole.steps.slice(4));
    assert.deepEqual(rest.weights, whole.weights);
  },
);

trainTest("train() returns the weights that validate best, also after a resume", async (dir) => {
  const seen: TensorMap[] = [];
  const keeping = (losses: readonly number[]) => {
    const next = givenLosses(losses);
    return (weights: TensorMap) => {
      seen.push(weights);
      return next(weights);
    };
  };
  const whole = await trainSmall(`${dir}/whole`, { validate: keeping([3, 1, 2]) });
  assert.deepEqual(whole.best, { step: 6, loss: 1 });
  assert.deepEqual(whole.weights, seen[1]);
  assert.notDeepEqual(seen[1], seen[2]);

  const first = trainSmall(`${dir}/part`, { validate: keeping([1]), abortAfter: 5 });
  await assert.rejects(first, /enough/);
  const rest = await trainSmall(`${dir}/part`, { validate: keeping([3, 2]) });
  assert.deepEqual(rest.best, { step: 3, loss: 1 });
  assert.deepEqual(rest.weights, seen[3]);
});

trainTest("train() returns the last weights where nothing validates", async (dir) => {
  const { best, weights } = await trainSmall(dir);
  assert.equal(best.step, 7);
  assert.ok(Number.isNaN(best.loss));
  const seen: TensorMap[] = [];
  const validate = (weights: TensorMap) => Promise.resolve(seen.push(weights));
  await trainSmall(`${dir}_validated`, { validate });
  assert.deepEqual(weights, seen.at(-1));
});

trainTest("train() does not touch a checkpoint that is there already", async (dir) => {
  await assert.rejects(trainSmall(dir, { abortAfter: 4 }), /enough/);
  const state = join(dir, "step_000004", "state.json");
  const marked = await Deno.readTextFile(state) + "\n\n";
  await Deno.writeTextFile(state, marked);
  const signal = AbortSignal.abort(new Error("at once"));
  await assert.rejects(trainSmall(dir, { signal }), /at once/);
  assert.equal(await Deno.readTextFile(state), marked);
});

trainTest("train() refuses a checkpoint of other documents", async (dir) => {
  await assert.rejects(trainSmall(dir, { abortAfter: 3 }), /enough/);
  const tokens = new Int32Array(40).fill(4);
  const stream = new DocumentStream(
    [0, 1].map((i) => ({ name: `other ${i}`, tokens, words: 1 })),
    { batchSize: 2, contextTokens: 8, pad: 1, seed: 1 },
  );
  await assert.rejects(trainSmall(dir, { stream }), /^RangeError: Cannot seek in documents as/);
});

trainTest("train() keeps the last good checkpoint where the loss is no number", async (dir) => {
  const whole = await trainSmall(`${dir}/whole`);
  // Steps of 1e30 a parameter: the next loss is no number.
  const reckless = { learningRate: 1e30 };
  await assert.rejects(
    trainSmall(`${dir}/reckless`, { config: { ...reckless, checkpointEverySteps: 1 } }),
    /^InputError: Cannot continue training as the loss of step 2 is NaN: .* after step 1$/,
  );
  await assert.rejects(trainSmall(`${dir}/later`, { abortAfter: 4 }), /enough/);
  await assert.rejects(
    trainSmall(`${dir}/later`, { config: { ...reckless, checkpointEverySteps: 100 } }),
    /the loss of step 6 is NaN/,
  );
  const { weights, starts } = await trainSmall(`${dir}/later`);
  assert.deepEqual(starts, [4]);
  assert.deepEqual(weights, whole.weights);
});

trainTest(
  "train() stops among the batches of an update, and goes on to the same weights",
  async (dir) => {
    const accumulating = { accumulationSteps: 3, steps: 3, totalSteps: 3 };
    const whole = await trainSmall(`${dir}/whole`, { config: accumulating });
    const interruption = new AbortController(), stream = documents();
    const counting: SegmentStream = {
      batchSize: stream.batchSize,
      contextTokens: stream.contextTokens,
      stepsPerEpoch: stream.stepsPerEpoch,
      next() {
        if (++read === 5) interruption.abort(new Error("enough"));
        return stream.next();
      },
      position: () => stream.position(),
      seek: (position) => stream.seek(position),
    };
    let read = 0;
    const { signal } = interruption;
    await assert.rejects(
      trainSmall(`${dir}/cut`, { config: accumulating, stream: counting, signal }),
      /enough/,
    );
    assert.equal(read, 5, "the second of the second update's batches is the last");
    const names = await Array.fromAsync(Deno.readDir(`${dir}/cut`), ({ name }) => name);
    assert.deepEqual(names.sort(), ["step_000001_batch_2"]);
    const { weights, starts, steps } = await trainSmall(`${dir}/cut`, { config: accumulating });
    assert.deepEqual(starts, [1]);
    assert.deepEqual(steps, whole.steps.slice(1));
    assert.deepEqual(weights, whole.weights);
  },
);

trainTest("train() reads every batch of the stream once, in order", async (dir) => {
  const batches = randomBatches(7);
  let at = 0;
  const stream: SegmentStream = {
    batchSize: 2,
    contextTokens: 8,
    stepsPerEpoch: 7,
    next: () => batches[at++],
    position: () => at,
    seek: (position) => void (at = Number(position)),
  };
  await assert.rejects(trainSmall(dir, { stream, abortAfter: 5 }), /enough/);
  assert.equal(at, 5);
  at = 0;
  const { steps } = await trainSmall(dir, { stream });
  assert.equal(at, 7);
  assertClose(steps.map(({ learningRate }) => learningRate), [0.02 * 2 / 7, 0.02 / 7], {
    tolerance: 1e-15,
  });
});

test("train() has the trainer diagnose every so many steps, and the last one", () =>
  withFolder(async (folder) => {
    const { steps } = await trainSmall(folder, { config: { diagnoseEverySteps: 3 } });
    const diagnosed = steps.flatMap(({ step, diagnostics }) => diagnostics ? [step] : []);
    assert.deepEqual(diagnosed, [3, 6, 7]);
  }));
