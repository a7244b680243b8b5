import { createHash } from "node:crypto";
import { architectureOf } from "../backbone/architectures.ts";
import { Graph, type Value } from "../graph/graph.ts";
import { encodeOnnx, programOf } from "../graph/onnx.ts";
import { buildForward, headBlocks, headLoss } from "../longmem/forward_graph.ts";
import { frozenTensors } from "../longmem/frozen_tensors.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { OpenMemory } from "../longmem/open_memory.ts";
import type { RowRange } from "../longmem/padding.ts";
import {
  banksOf,
  type LongMemParts,
  ownPart,
  type TrainedPart,
  trainedPart,
  wholeNetwork,
} from "../longmem/parts.ts";
import { checkMemoryConfig } from "../memory/config.ts";
import type { SavedBank } from "../memory/memory_bank.ts";
import { compile } from "../runtime/compile.ts";
import type { Device, DeviceTensor, Session, Tensors } from "../runtime/device.ts";
import type { WebGpuDevice } from "../runtime/webgpu_device.ts";
import type { RecordedDiagnostics } from "../results/records.ts";
import type { TensorMap } from "../tensor.ts";
import type { SegmentBatch } from "../text/segments.ts";
import { type AdaptationConfig, learningRateAt, type TrainingConfig } from "./config.ts";
import { diagnose } from "./diagnostics.ts";
import { dropoutFeeds, type LayerDropout, layerMasks } from "./dropout.ts";
import { createGpuAdam, type GpuAdam, gpuAdamSource } from "./gpu_adam.ts";
import { ReplacedTensors } from "./parameters.ts";
import { ReadPace } from "./read_pace.ts";
import {
  addAccumulation,
  addGradients,
  addStep,
  addUpdate,
  type ParameterGroup,
  parameterGroup,
  stepNames,
} from "./step_graph.ts";
import { InputError, InputRangeError, InputTypeError } from "../errors.ts";

/** Model to be trained, and options of its training. */
export interface TrainerOptions {
  readonly device: Device;
  readonly config: TrainingConfig;
  readonly seed: number;
  /** The model, whose network decides which part of it learns. */
  readonly parts: LongMemParts;
  /** Dropout of the layers that learn (default 0). */
  readonly dropout?: number;
  /** Absent: the gates learn. */
  readonly gate?: AdaptationConfig["gate"];
}

/** Result of one batch of an update. */
interface BatchResult {
  /** Targets; padding does not count. */
  readonly targets: number;
  /** Whether it read a memory, so that the gates have a gradient. */
  readonly gated: boolean;
  /** Outputs of the session, including keys and values for the memory. */
  readonly outputs: Tensors;
}

/** Result of one update. */
export interface StepMetrics {
  /** Update, counted from 1. */
  readonly step: number;
  /** Targets of this update; padding does not count. */
  readonly targets: number;
  /** Mean negative log-likelihood of a target, in nats. */
  readonly loss: number;
  readonly learningRate: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  /** Chunks in each bank after the step; empty without memory. */
  readonly memoryFillChunks: readonly number[];
  /** Where they are asked for. */
  readonly diagnostics?: RecordedDiagnostics;
}

/** Result of the first batches of an update. */
interface BegunUpdate {
  /** Number of these batches. */
  readonly batches: number;
  /** Sum of the negative log-likelihoods, in nats. */
  readonly loss: number;
  readonly targets: number;
  /** Whether one of them read a memory. */
  readonly gated: boolean;
  /** Of the rows of the whole update, the share that is in these and found something in memory; absent in checkpoints of earlier versions. */
  readonly activeShare?: number;
}

/** The first batches of an update, whose losses the device may still have. */
interface OpenUpdate extends BegunUpdate {
  /** Losses that are not in `loss` yet, in order. */
  readonly losses: readonly DeviceTensor[];
}

const notBegun: OpenUpdate = { batches: 0, loss: 0, targets: 0, gated: false, losses: [] };

/** An update that has been made, and whose numbers the device may still have. */
interface UnreadUpdate {
  /** The numbers that the host computes. */
  readonly metrics: Omit<StepMetrics, "loss" | "gradientNorm">;
  /** Of its first batches, in nats. */
  readonly loss: number;
  /** Of the others. */
  readonly losses: readonly DeviceTensor[];
  /** Sum of squares of each parameter's gradient. */
  readonly squares: DeviceTensor;
}

/** Updates that are being read. */
interface Reading {
  readonly updates: readonly UnreadUpdate[];
  /** Batches that the device was given since the reading before. */
  readonly batches: number;
  /** Losses and squares of one after the other. */
  readonly numbers: Promise<Float32Array[]>;
  /** The check of the memory. */
  readonly verified: Promise<void> | undefined;
}

/** Everything that a continued training needs besides its data position. */
export interface TrainerState {
  readonly step: number;
  /** The update after that step, of which some batches are done; `sums`: of their gradients, by parameter. Absent: none is. */
  readonly begun?: (BegunUpdate & { readonly sums: TensorMap }) | undefined;
  /** Updates of each group of parameters: the gates skip steps without memory. */
  readonly updates: { readonly always: number; readonly withMemory: number };
  /** Parameters and Adam's means, by name. */
  readonly parameters: TensorMap;
  readonly means: TensorMap;
  readonly squares: TensorMap;
  readonly memory: SavedBank | undefined;
}

/**
 * Trains a backbone from scratch, or a SideNet or upper blocks on a frozen one (specification sections 8, 10, 11). Parameters, optimiser state
 * and memory stay on the device between steps.
 */
export class Trainer {
  readonly #options: TrainerOptions;
  readonly #trained: TrainedPart;
  readonly #dropout: LayerDropout;
  readonly #parameterShapes: ReadonlyMap<string, readonly number[]>;
  readonly #state: ReplacedTensors;
  readonly #frozen: Tensors = {};
  readonly #sums: ReplacedTensors | undefined;
  /** Of the step; absent once it is compiled. */
  #graph: Graph | undefined;
  /** Of the update from summed gradients, likewise; absent where every batch makes an update. */
  #updateGraph: Graph | undefined;
  #session: Session | undefined;
  #update: Session | undefined;
  #adam: GpuAdam | undefined;
  #memory: OpenMemory | undefined;
  #step = 0;
  #begun = notBegun;
  /** Updates whose reading has not begun, and those that are being read; the oldest first. */
  #unread: UnreadUpdate[] = [];
  readonly #readings: Reading[] = [];
  /** Error of the step that failed: nothing is trained or saved any more, until `restore`. */
  #failure: unknown;
  readonly #pace = new ReadPace();
  #updates = { always: 0, withMemory: 0 };

  private constructor(options: TrainerOptions) {
    this.#options = options;
    const { device, config, parts: { backbone, memory }, dropout = 0, gate } = options;
    this.#trained = trainedPart(options.parts);
    const { prefix, weights, layers } = this.#trained;
    this.#dropout = {
      p: dropout,
      layers,
      batchSize: config.batchSize,
      contextTokens: config.contextTokens,
      heads: backbone.shape.heads,
      hiddenDim: backbone.shape.hiddenDim,
    };
    this.#state = new ReplacedTensors(device);
    const trained = prefixed(prefix, weights);
    const learnsGates = memory !== undefined && gate !== "fixed";
    this.#parameterShapes = new Map(
      [...trained].filter(([name]) => learnsGates || parameterGroup(name) === "always").map((
        [name, { shape }],
      ) => [name, shape]),
    );
    for (const [name, { data, shape }] of trained) {
      if (!this.#parameterShapes.has(name)) this.#frozen[name] = device.tensor(data, shape);
    }
    this.#sums = config.accumulationSteps > 1 ? new ReplacedTensors(device) : undefined;
    for (const [name, shape] of this.#parameterShapes) {
      const { data } = trained.get(name)!;
      this.#state.add(name, data, shape);
      // The graph reads an old mean only to compute the new one, element by element. Gates that rest keep their old values, and a GPU
      // cannot read and write one buffer.
      const inPlace = device.kind !== "webgpu" && parameterGroup(name) === "always";
      this.#state.addZeros(stepNames.mean(name), shape, { inPlace });
      this.#state.addZeros(stepNames.square(name), shape, { inPlace });
      this.#sums?.addZeros(stepNames.gradient(name), shape);
    }
    if (this.#isFrozen) Object.assign(this.#frozen, frozenTensors(device, backbone));
  }

  /**
   * Prepares a training, whose step is then known but not compiled.
   *
   * @throws RangeError if the memory does not fit the batches.
   */
  static async prepare(options: TrainerOptions): Promise<Trainer> {
    const { device, config, parts } = options, { memory } = parts;
    const { batchSize: rows, contextTokens } = config;
    if (memory) checkMemoryConfig(memory, { rows, contextTokens });
    const trainer = new Trainer(options);
    trainer.#memory = memory && await OpenMemory.open(device, memory, {
      ...banksOf(parts),
      rows,
      seed: options.seed,
    });
    trainer.#graph = trainer.#buildGraph();
    if (trainer.#sums) {
      trainer.#updateGraph = new Graph();
      addUpdate(trainer.#updateGraph, trainer.#parameterShapes, config);
    }
    return trainer;
  }

  /** SHA-256 (hexadecimal) of the step as ONNX, and of the kernel that takes part in it: it changes with every operation, size and constant. Only before {@linkcode compile}. */
  get graphHash(): string {
    const hash = createHash("sha256");
    if (this.#updatesOnGpu) hash.update(gpuAdamSource(this.#options.config));
    for (const graph of [this.#graph, this.#updateGraph]) {
      if (graph) hash.update(encodeOnnx(programOf(graph)));
    }
    return hash.digest("hex");
  }

  /** Compiles the step. */
  async compile(): Promise<void> {
    const { device, config } = this.#options;
    if (this.#updatesOnGpu) this.#adam = await createGpuAdam(device as WebGpuDevice, config);
    this.#session = await compile(device, this.#graph!, this.#memory?.compileOptions);
    if (this.#updateGraph) this.#update = await compile(device, this.#updateGraph);
    this.#graph = this.#updateGraph = undefined;
  }

  /** Whether a kernel makes the new parameters, and not the graph of the step. */
  get #updatesOnGpu(): boolean {
    return this.#options.device.kind === "webgpu" && !this.#sums;
  }

  /** Whether the backbone stays as it is. */
  get #isFrozen(): boolean {
    return this.#trained.name !== "backbone";
  }

  #buildGraph(): Graph {
    const { config, device, parts } = this.#options, { backbone } = parts;
    const { batchSize: rows, contextTokens } = config;
    const dropout = this.#dropout, memory = this.#memory;
    const forward = buildForward({
      network: wholeNetwork(parts),
      backbone: backbone.shape,
      frozenType: this.#isFrozen ? backbone.frozenType : undefined,
      part: ownPart(parts)?.shape,
      memory: memory?.inGraph,
      rows,
      contextTokens,
      padded: false, // padding stands only at the end of rows
      blockBytes: device.blockBytes,
      dropout: dropout.p > 0 ? (graph, layer) => layerMasks(graph, layer, dropout) : undefined,
    });
    const { graph } = forward;
    const nll = headLoss(forward, {
      blocks: headBlocks(forward, device),
      frozen: this.#isFrozen,
    });
    const parameters = new Map<string, Value>(
      [...this.#parameterShapes.keys()].map((name) => [name, graph.inputs.get(name)!]),
    );
    for (const [name, value] of parameters) {
      if (!value) throw new InputTypeError(`Cannot train "${name}" as the model does not use it`);
    }
    if (this.#sums) addAccumulation(graph, nll, parameters);
    else if (this.#updatesOnGpu) addGradients(graph, nll, parameters);
    else addStep(graph, nll, parameters, config);
    memory?.addOutputs(forward);
    return graph;
  }

  /** Updates done so far. */
  get step(): number {
    return this.#step;
  }

  /** Batches done of the next update, which was aborted among them; 0: none. */
  get begunBatches(): number {
    return this.#begun.batches;
  }

  /** Whether the device has been given so many batches that it is time to read their results. */
  get resultsAreDue(): boolean {
    return !this.#options.device.runsAhead || this.#pace.isDue;
  }

  /**
   * Returns the results of updates in order, each once.
   *
   * @param options `latest`: all that have been made, by default; else the device keeps those that were made since the last call, so
   * that it has work while the host reads the others.
   * @throws Error at a non-finite loss or gradient, after the results of the updates before it: the parameters are no longer good.
   */
  async *results({ latest = true }: { latest?: boolean } = {}): AsyncGenerator<StepMetrics> {
    if (this.#unread.length > 0) this.#beginReading();
    const left = latest || !this.#options.device.runsAhead ? 0 : 1;
    while (this.#readings.length > left) {
      const { updates, batches, numbers, verified } = this.#readings[0];
      const read = await numbers;
      this.#readings.shift();
      this.#pace.end(batches);
      try {
        for (const { metrics, losses, loss: earlier } of updates) {
          const loss = sumOf(earlier, read.splice(0, losses.length));
          const [squares] = read.splice(0, 1);
          this.#checkLoss(loss, metrics.step);
          this.#checkGradients(squares, metrics.step);
          yield {
            ...metrics,
            loss: loss / Math.max(1, metrics.targets),
            gradientNorm: Math.sqrt(squares.reduce((sum, square) => sum + square, 0)),
          };
        }
      } catch (error) {
        await verified; // a number in the memory that is not finite explains one in the loss
        throw error;
      }
      await verified;
    }
  }

  #beginReading(): void {
    const updates = this.#unread;
    this.#unread = [];
    const verified = this.#memory?.verify();
    const numbers = this.#readNumbers(
      updates.flatMap(({ losses, squares }) => [...losses, squares]),
    );
    // Reported to whoever waits for them.
    verified?.catch(() => {});
    numbers.catch(() => {});
    this.#readings.push({ updates, batches: this.#pace.begin(), numbers, verified });
  }

  /** Reads outputs of a step, and frees them. */
  async #readNumbers(tensors: readonly DeviceTensor[]): Promise<Float32Array[]> {
    const numbers = await this.#options.device.readAll(tensors) as Float32Array[];
    for (const tensor of tensors) tensor.dispose();
    return numbers;
  }

  /**
   * Makes an update from `accumulationSteps` batches: each retrieves, learns and is written to the memory before the next. Its
   * numbers are among the {@linkcode results}.
   *
   * @param signal Aborted when it should stop among its batches; the next call continues with the remaining ones.
   * @param options `diagnoses`: reports the update's effect on gates and weights, which are read for it.
   * @returns Whether the update has been made; not where it was aborted.
   * @throws Error at a non-finite loss or gradient, naming step and tensor; the parameters keep their last good values. Where a
   * device computes while the host goes on, `results` throws it, later. After any error, the same until {@linkcode restore}.
   */
  async advance(
    next: () => SegmentBatch,
    signal?: AbortSignal,
    options: { diagnoses?: boolean } = {},
  ): Promise<boolean> {
    if (this.#failure) throw this.#failure;
    try {
      return await this.#advance(next, signal, options);
    } catch (error) {
      this.#failure = error; // what the step writes in place may be written
      throw error;
    }
  }

  async #advance(
    next: () => SegmentBatch,
    signal: AbortSignal | undefined,
    { diagnoses = false }: { diagnoses?: boolean },
  ): Promise<boolean> {
    const { config, device } = this.#options, waits = !device.runsAhead;
    const learningRate = learningRateAt(this.#step + 1, config);
    const { batches } = this.#begun;
    let { loss, targets, gated, activeShare = 0 } = this.#begun;
    let losses = [...this.#begun.losses], squares: DeviceTensor | undefined;
    const readLosses = async () => {
      const batches = this.#pace.begin();
      loss = sumOf(loss, await this.#readNumbers(losses));
      losses = [];
      this.#pace.end(batches);
    };
    for (let micro = batches; micro < config.accumulationSteps; micro++) {
      if (signal?.aborted && micro > batches) {
        this.#begun = {
          batches: micro,
          loss,
          losses,
          targets,
          gated,
          activeShare,
        };
        return false;
      }
      const batch = next();
      activeShare += this.#activeShare(batch) / config.accumulationSteps;
      const learnt = await this.#learn(batch, { micro, learningRate });
      losses.push(learnt.outputs[stepNames.loss]);
      targets += learnt.targets;
      gated ||= learnt.gated;
      squares = learnt.outputs[stepNames.gradientSquares];
      this.#pace.addBatch();
      if (waits || (this.#pace.isDue && micro + 1 < config.accumulationSteps)) await readLosses();
      if (waits) this.#checkLoss(loss, this.#step + 1);
      await this.#remember(batch, learnt.outputs);
    }
    squares ??= await this.#updateFromSums({ targets, gated, learningRate });
    if (waits) {
      const [read] = await device.readAll([squares]);
      this.#checkGradients(read as Float32Array, this.#step + 1);
    }
    const diagnostics = diagnoses ? await this.#diagnose(activeShare) : undefined;
    this.#state.swap();
    this.#sums?.clear();
    this.#begun = notBegun;
    this.#step++;
    this.#updates.always++;
    if (gated) this.#updates.withMemory++;
    const metrics = {
      step: this.#step,
      targets,
      learningRate,
      memoryFillChunks: this.#memory?.fillChunks ?? [],
      ...(diagnostics && { diagnostics }),
    };
    this.#unread.push({ metrics, loss, losses, squares });
    return true;
  }

  /** Share of the rows of a batch that will find something in memory. */
  #activeShare({ starts }: SegmentBatch): number {
    const fills = this.#memory?.fillChunks ?? [];
    const forgets = this.#options.parts.memory?.reset === "document";
    const active = fills.filter((chunks, bank) => chunks > 0 && !(forgets && starts[bank]));
    return active.length / Math.max(1, fills.length);
  }

  /** Diagnoses the update that has been computed and not yet accepted. */
  async #diagnose(activeShare: number): Promise<RecordedDiagnostics> {
    const state = this.#state, targets = state.targets, frozen = this.#frozen;
    const { prefix, weights } = this.#trained;
    const read = async (tensor: DeviceTensor) => await tensor.read() as Float32Array;
    async function* parameters(names: Iterable<string>) {
      for (const name of names) {
        const before = await read(state.get(name));
        yield { name, before, after: await read(targets[stepNames.updated(name)]) };
      }
    }
    const gates = [...weights.keys()].map((name) => prefix + name)
      .filter((name) => parameterGroup(name) === "withMemory");
    const biases = this.#memory &&
      await Promise.all(gates.map((name) => read(state.feeds[name] ?? frozen[name])));
    return await diagnose(
      parameters(this.#parameterShapes.keys()),
      biases && { biases: Float32Array.from(biases.flatMap((of) => [...of])), activeShare },
    );
  }

  /** Runs the step on one batch: it makes the new parameters, or adds to the sums of gradients where there are several. */
  async #learn(
    batch: SegmentBatch,
    { micro, learningRate }: { micro: number; learningRate: number },
  ): Promise<BatchResult> {
    const { config, device, seed } = this.#options;
    if (this.#options.parts.memory?.reset === "document") {
      this.#memory?.reset(batch.starts.flatMap((starts, row) => starts ? [row] : []));
    }
    const counted = countedTargets(batch, this.#options.parts.backbone.shape);
    const targets = counted.reduce((sum, weight) => sum + weight, 0);
    const gated = this.#memory?.fillChunks.some((chunks) => chunks > 0) ?? false;
    const shape = [config.batchSize, config.contextTokens];
    const fresh: Tensors = {
      ...dropoutFeeds(device, this.#dropout, { seed, step: this.#step, micro }),
      tokens: device.tensor(Int32Array.from(batch.tokens), shape),
      targets: device.tensor(Int32Array.from(batch.targets), shape),
      [stepNames.lossWeights]: device.tensor(counted, [counted.length]),
      [stepNames.lossScale]: this.#scalar(this.#sums ? 1 : 1 / Math.max(1, targets)),
      ...this.#optimiserFeeds(learningRate, gated),
    };
    const feeds = {
      ...this.#frozen,
      ...this.#state.feeds,
      ...this.#sums?.feeds,
      ...this.#memory?.inputs(config.batchSize),
      ...fresh,
    };
    const verified = device.runsAhead ? undefined : this.#memory?.verify();
    verified?.catch(() => {}); // where the step fails, that is the error
    const outputs = await this.#session!.run(feeds, (this.#sums ?? this.#state).targets);
    await verified;
    disposeAll(fresh);
    this.#sums?.swap();
    if (this.#adam) this.#updateOnGpu(this.#adam, outputs, { learningRate, gated });
    return { targets, gated, outputs };
  }

  /** Makes the new parameters from the gradients among the outputs of a step, and frees these. */
  #updateOnGpu(
    adam: GpuAdam,
    outputs: Tensors,
    { learningRate, gated }: { learningRate: number; gated: boolean },
  ): void {
    const state = this.#state, { targets } = state;
    const { decay, ...stepSizes } = this.#optimiserScalars(learningRate);
    const replaced = (name: string) => ({
      before: state.get(name),
      after: targets[stepNames.updated(name)],
    });
    const updates = [...this.#parameterShapes.keys()].map((name) => {
      const group = parameterGroup(name);
      return {
        gradient: outputs[stepNames.gradient(name)],
        parameter: replaced(name),
        mean: replaced(stepNames.mean(name)),
        square: replaced(stepNames.square(name)),
        stepSize: group === "always" || gated ? stepSizes[group] : undefined,
      };
    });
    adam(updates, { squares: outputs[stepNames.gradientSquares], decay });
    for (const { gradient } of updates) gradient.dispose();
  }

  /** Writes the keys and values of a batch to the memory. */
  async #remember(batch: SegmentBatch, outputs: Tensors): Promise<void> {
    if (!this.#memory) return;
    await this.#memory.write(outputs, { rows: this.#writtenRows(batch) });
    const { memory } = this.#options.parts;
    if (memory?.reset === "epoch" && batch.endsEpoch) this.#memory.reset();
  }

  /** Tokens of each row that are remembered; undefined: all, padding too, as the official code has it. */
  #writtenRows({ targetTokens }: SegmentBatch): RowRange[] | undefined {
    const { padId } = architectureOf(this.#options.parts.backbone.shape);
    const { contextTokens } = this.#options.config;
    const isWhole = targetTokens?.every((count) => count === contextTokens) ?? true;
    if (padId !== undefined || isWhole) return undefined;
    return targetTokens!.map((count) => ({ start: 0, count }));
  }

  /** Makes the new parameters from the gradients of all batches; returns the sum of squares of each. */
  async #updateFromSums(
    { targets, gated, learningRate }: { targets: number; gated: boolean; learningRate: number },
  ): Promise<DeviceTensor> {
    const fresh = {
      [stepNames.lossScale]: this.#scalar(1 / Math.max(1, targets)),
      ...this.#optimiserFeeds(learningRate, gated),
    };
    const feeds = { ...this.#state.feeds, ...this.#sums!.feeds, ...fresh };
    const outputs = await this.#update!.run(feeds, this.#state.targets);
    disposeAll(fresh);
    return outputs[stepNames.gradientSquares];
  }

  #scalar(value: number): DeviceTensor {
    return this.#options.device.tensor(Float32Array.of(value), []);
  }

  /** Scalars of the next update. */
  #optimiserScalars(learningRate: number): Record<ParameterGroup | "decay", number> {
    const { config } = this.#options, [beta1, beta2] = config.betas;
    const stepSize = (updates: number) =>
      learningRate * Math.sqrt(1 - beta2 ** updates) / (1 - beta1 ** updates);
    return {
      always: stepSize(this.#updates.always + 1),
      withMemory: stepSize(this.#updates.withMemory + 1),
      decay: 1 - learningRate * config.weightDecay,
    };
  }

  #optimiserFeeds(learningRate: number, gated: boolean): Tensors {
    if (this.#adam) return {};
    const { device } = this.#options, scalars = this.#optimiserScalars(learningRate);
    return {
      [stepNames.stepSize("always")]: this.#scalar(scalars.always),
      [stepNames.stepSize("withMemory")]: this.#scalar(scalars.withMemory),
      [stepNames.decay]: this.#scalar(scalars.decay),
      [stepNames.active]: device.tensor(Uint8Array.of(gated ? 1 : 0), [], "bool"),
    };
  }

  #checkLoss(loss: number, step: number): void {
    if (!Number.isFinite(loss)) this.#stop(`the loss of step ${step} is ${loss}`, step);
  }

  #checkGradients(squares: Float32Array, step: number): void {
    const bad = squares.findIndex((square) => !Number.isFinite(square));
    if (bad < 0) return;
    const name = [...this.#parameterShapes.keys()][bad];
    this.#stop(`the gradient of "${name}" in step ${step} is not finite`, step);
  }

  /** Ends a training at a step that went wrong. */
  #stop(reason: string, step: number): never {
    const left = step > this.#step
      ? `the parameters keep their values after step ${this.#step}`
      : `the parameters have been updated up to step ${this.#step}, and checkpoints are from before step ${step}`;
    this.#failure = new InputError(`Cannot continue training as ${reason}: ${left}`);
    throw this.#failure;
  }

  /** The trained tensors by their official names. */
  async weights(): Promise<TensorMap> {
    const { prefix, weights } = this.#trained;
    const read = await this.#state.read(this.#parameterShapes.keys());
    const trained: TensorMap = new Map(
      [...read].map(([name, tensor]) => [name.slice(prefix.length), tensor]),
    );
    // Gates of a SideNet that was trained without memory stay as they were.
    for (const [name, tensor] of weights) {
      if (!trained.has(name)) trained.set(name, tensor);
    }
    return trained;
  }

  /**
   * Copies everything that a continued training needs, once all results have been read.
   *
   * @throws Error of a step that failed, after which Adam's means may be those of that step.
   */
  async save(): Promise<TrainerState> {
    if (this.#failure) throw this.#failure;
    if (this.#unread.length + this.#readings.length > 0) {
      throw new Error("Cannot save a training before the results of its updates have been read");
    }
    const { losses, ...read } = this.#begun;
    const begun = { ...read, loss: sumOf(read.loss, await this.#readNumbers(losses)) };
    this.#begun = { ...begun, losses: [] };
    this.#checkLoss(begun.loss, this.#step + 1);
    const names = [...this.#parameterShapes.keys()];
    const renamed = async (rename: (name: string) => string) => {
      const tensors = await this.#state.read(names.map(rename));
      return new Map(names.map((name) => [name, tensors.get(rename(name))!]));
    };
    const sums = await this.#sums?.read(names.map(stepNames.gradient));
    return {
      step: this.#step,
      ...(begun.batches > 0 && sums && { begun: { ...begun, sums } }),
      updates: { ...this.#updates },
      parameters: await renamed((name) => name),
      means: await renamed(stepNames.mean),
      squares: await renamed(stepNames.square),
      memory: await this.#memory?.bank.save(),
    };
  }

  /** Continues where {@linkcode save} stopped. */
  async restore(state: TrainerState): Promise<void> {
    for (const [name, shape] of this.#parameterShapes) {
      const restoreOne = (to: string, from: TensorMap) => {
        const tensor = from.get(name);
        if (!tensor || String(tensor.shape) !== String(shape)) {
          throw new InputRangeError(
            `Cannot resume as tensor "${name}" must be [${shape}]: current shape is ${
              tensor ? `[${tensor.shape}]` : "absent"
            }`,
          );
        }
        this.#state.add(to, tensor.data, shape);
      };
      restoreOne(name, state.parameters);
      restoreOne(stepNames.mean(name), state.means);
      restoreOne(stepNames.square(name), state.squares);
    }
    this.#sums?.clear();
    for (const loss of this.#begun.losses) loss.dispose();
    this.#begun = notBegun;
    if (state.begun) {
      const { sums, ...begun } = state.begun;
      for (const [name, { data, shape }] of sums) {
        this.#sums?.add(name, data as Float32Array<ArrayBuffer>, shape);
      }
      this.#begun = { ...begun, losses: [] };
    }
    this.#step = state.step;
    this.#updates = { ...state.updates };
    if (this.#memory && state.memory) await this.#memory.bank.restore(state.memory);
    this.#failure = undefined;
  }

  async close(): Promise<void> {
    await this.#session?.close();
    await this.#update?.close();
    const unread = this.#unread.flatMap(({ losses, squares }) => [...losses, squares]);
    for (const tensor of [...unread, ...this.#begun.losses]) tensor.dispose();
    this.#state.dispose();
    this.#sums?.dispose();
    this.#memory?.dispose();
    disposeAll(this.#frozen);
  }
}

/** Adds losses [1], one after the other as they were computed. */
function sumOf(earlier: number, losses: readonly Float32Array[]): number {
  return losses.reduce((sum, [loss]) => sum + loss, earlier);
}

/** 1 for targets that count, 0 for padding [N]. */
function countedTargets(
  { targets, targetTokens, starts }: SegmentBatch,
  backbone: BackboneShape,
): Float32Array<ArrayBuffer> {
  const { padId } = architectureOf(backbone);
  const T = targets.length / starts.length;
  return Float32Array.from(targets, (id, i) => {
    const counts = targetTokens === undefined || i % T < targetTokens[Math.floor(i / T)];
    return counts && id !== padId ? 1 : 0;
  });
}

/** The garbage collector does not see how much of a GPU tensors hold. */
function disposeAll(tensors: Tensors): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}

function prefixed(prefix: string, tensors: TensorMap): TensorMap {
  return new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
}
