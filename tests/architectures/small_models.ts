/** Small models of every registered architecture, with random weights that are large enough to matter. */
import { architectures } from "../../src/backbone/architectures.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { BackboneCheckpoint, BackboneShape } from "../../src/backbone/shape.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import type { SideNetInitialization } from "../../src/longmem/starts.ts";
import type { SideNetCheckpoint, SideNetShape } from "../../src/longmem/sidenet_shape.ts";
import { Random } from "../../src/random.ts";
import type { TensorMap } from "../../src/tensor.ts";

const yarn = {
  kind: "yarn",
  factor: 4,
  fastTurns: 8,
  slowTurns: 1,
  originalTokens: 24,
  magnitude: 1.3,
};

/** Settings that use what an architecture can do; others are tested with their defaults. */
const settings = new Map<string, readonly Record<string, unknown>[]>([
  ["gpt2", [{ positions: 64, scoresScaledByBlock: true, activation: "gelu-sigmoid" }]],
  ["llama", [
    { keyValueHeads: 2, headDim: 4 },
    {
      keyValueHeads: 1,
      tied: true,
      qkvBias: true,
      outBias: true,
      mlpBias: true,
      ropeScaling: yarn,
    },
  ]],
  ["mistral", [{ keyValueHeads: 3, windowTokens: 5 }]],
  ["qwen2", [{ keyValueHeads: 2, qkvBias: true, windowTokens: 4, windowedBlocks: [1, 2] }]],
  ["qwen3", [{ keyValueHeads: 3, headDim: 6 }]],
  ["gptj", [{ rotatedChannels: 2 }]],
  ["codegen", [{ rotatedChannels: 2, tied: true }]],
  ["gpt_neo", [{ positions: 64, windowTokens: 4, windowedBlocks: [1, 3] }]],
  ["phi", [{ keyValueHeads: 2, headNorms: true }]],
  ["falcon", [{}, { keyValueHeads: 3, residual: "parallel" }]],
  ["mpt", [{ projectionLimit: 0.7, scoreScale: 0.4 }]],
  ["gpt_bigcode", [{ positions: 64, scaledScores: false }]],
  ["cohere", [{ keyValueHeads: 2, logitScale: 0.5, qkvBias: true }]],
  ["cohere2", [
    { keyValueHeads: 2, windowTokens: 4, windowedBlocks: [0, 1, 2] },
    { windowTokens: 4, windowedBlocks: [0, 3] },
  ]],
  ["opt", [{ positions: 64, activation: "gelu" }]],
  ["granite", [{
    keyValueHeads: 2,
    tied: true,
    embeddingScale: 3,
    scoreScale: 0.3,
    residualScale: 0.6,
    logitScale: 0.4,
  }]],
  ["starcoder2", [{ keyValueHeads: 2, windowTokens: 5 }]],
  ["stablelm", [
    { keyValueHeads: 2, rotatedShare: 0.5, qkvBias: true, parallel: true },
    { keyValueHeads: 3, rotatedShare: 1 },
  ]],
  ["helium", [{ keyValueHeads: 3 }]],
  ["glm", [{ keyValueHeads: 2, headDim: 8 }]],
  ["glm4", [{ keyValueHeads: 3, headDim: 8, rotatedShare: 0.25 }]],
  ["nemotron", [{ keyValueHeads: 3, headDim: 8 }]],
  ["arcee", [{ keyValueHeads: 3 }]],
  ["ernie4_5", [{ keyValueHeads: 2, headDim: 6 }]],
  ["exaone4", [{
    keyValueHeads: 3,
    windowTokens: 5,
    windowedBlocks: [0, 2, 3],
    unrotatedBlocks: [1],
  }]],
  ["phi3", [{
    keyValueHeads: 2,
    headDim: 8,
    windowTokens: 5,
    rotatedShare: 0.75,
    ropeScaling: { kind: "longrope", factors: [1, 1.5, 3], originalTokens: 64, magnitude: 1.2 },
  }]],
  ["gemma", [{ keyValueHeads: 1, headDim: 6 }]],
  ["gemma2", [{
    keyValueHeads: 3,
    headDim: 6,
    scoreChannels: 9,
    scoreSoftCap: 1.5,
    logitSoftCap: 2,
    windowTokens: 5,
  }]],
  ["gemma3", [{
    keyValueHeads: 2,
    headDim: 6,
    scoreChannels: 9,
    logitSoftCap: 3,
    windowTokens: 5,
    windowedBlocks: [0, 2],
    ropeTheta: 50,
    windowRopeTheta: 5,
    ropeScaling: { kind: "linear", factor: 2 },
  }, {
    keyValueHeads: 3,
    windowTokens: 4,
    windowedBlocks: [1, 3],
    ropeTheta: 5,
    windowRopeTheta: 50,
  }]],
  ["smollm3", [{ keyValueHeads: 2, unrotatedBlocks: [1] }]],
  ["olmo3", [{
    keyValueHeads: 2,
    windowTokens: 5,
    windowedBlocks: [0, 3],
    ropeScaling: yarn,
  }]],
  ["olmo", [{ keyValueHeads: 2, projectionLimit: 0.9 }]],
  ["olmo2", [{ keyValueHeads: 2, headDim: 6 }]],
  ["gpt_neox", [{ rotatedShare: 0.5 }, { parallel: false, rotatedShare: 1, ropeScaling: yarn }]],
]);

/** One small shape of each architecture, or several. */
export function smallShapes(sizes: Partial<BackboneShape> = {}): BackboneShape[] {
  return architectures().flatMap(({ name, settings: schema }) =>
    (settings.get(name) ?? [{}]).map((chosen) => ({
      architecture: name,
      layers: 4,
      hiddenDim: 24,
      heads: 6,
      feedForwardDim: 20,
      vocabSize: 31,
      ...(schema ? { settings: schema.parse(chosen) } : {}),
      ...sizes,
    }))
  );
}

/** Architectures of which each has positions, windows, caps or shared heads that those before it have not. */
const differing = [
  ...["longmem_gpt2", "gpt2", "llama", "mistral", "qwen2", "gpt_neox", "bloom"],
  ...["cohere2", "exaone4", "phi3", "gemma2", "gemma3"],
];

/** Shapes of each kind of attention: other architectures have the parts of these. */
export function shapesByAttention(sizes: Partial<BackboneShape> = {}): BackboneShape[] {
  const shapes = smallShapes(sizes);
  return differing.flatMap((name) => shapes.filter(({ architecture }) => architecture === name));
}

/** What tells a shape from others, for names of tests. */
export function describeShape({ architecture, settings }: BackboneShape): string {
  const { keyValueHeads, parallel } = settings ?? {};
  if (keyValueHeads !== undefined) return `${architecture} of ${keyValueHeads} heads of keys`;
  return parallel === false ? `${architecture}, sequential` : `${architecture}`;
}

/** A backbone whose weights are none of their initial values. */
export function randomBackbone(shape: BackboneShape): BackboneCheckpoint {
  return { shape, weights: disturbed(initializeBackbone(shape, 1), 0.25) };
}

/** A SideNet beside it; by default one of half as many layers, disturbed. */
export function randomSideNet(
  backbone: BackboneCheckpoint,
  options: {
    shape?: Partial<SideNetShape>;
    initialization?: SideNetInitialization;
    exact?: boolean;
  } = {},
): SideNetCheckpoint {
  const { layers } = backbone.shape;
  const half = { layers: layers / 2, reductionFactor: 2, memoryBlock: layers - 1 };
  const shape = { ...half, ...options.shape };
  const { initialization = { kind: "paper" } } = options;
  const weights = initializeSideNet(shape, backbone, initialization, 1);
  return { shape, weights: options.exact ? weights : disturbed(weights, 0.05) };
}

function disturbed(weights: TensorMap, matrices: number): TensorMap {
  const random = new Random("weights");
  for (const { data, shape } of weights.values()) {
    const deviation = shape.length === 2 ? matrices : 0.3;
    for (let i = 0; i < data.length; i++) data[i] += deviation * random.normal();
  }
  return weights;
}

/** Random tokens, none of which is the official padding id. */
export function randomIds(count: number, seed: string): Int32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Int32Array.from({ length: count }, () => 2 + random.below(29));
}
