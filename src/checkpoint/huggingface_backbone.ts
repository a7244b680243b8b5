/**
 * The fields of a backbone of Hugging Face's format: a model of the Hub, or a folder.
 */
import { z } from "zod";
import {
  type BackboneKind,
  backboneSizeFields,
  type CheckpointBackboneConfig,
  fillSizes,
  frozenWeightsField,
  shapeProblems,
} from "../backbone/config.ts";
import type { BackboneCheckpoint, BackboneShape, FrozenType } from "../backbone/shape.ts";
import { positiveInteger, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import type { Problem } from "../declaration/problem.ts";
import { composed } from "../declaration/registry.ts";
import { InputTypeError } from "../errors.ts";
import type { TokenizerSource } from "../text/tokenizer_source.ts";
import { loadBackboneWeights } from "./checkpoint.ts";
import { checkGiven } from "./content.ts";
import { readFolderTokenizer } from "./folder.ts";
import {
  fetchedPath,
  hubName,
  type HubSnapshot,
  localPath,
  mainRevision,
  repoForm,
  requireSnapshot,
  revisionForm,
} from "./hub_cache.ts";
import { readHuggingFaceBackbone } from "./huggingface.ts";

/** Weights in Hugging Face's format. */
export interface HuggingFaceBackboneConfig {
  /** Weights of a model of the Hub, which `deno task data hf:REPO` fetches, or of a folder as it has them. */
  readonly kind: "huggingface";
  /** The model's owner and name, such as `EleutherAI/pythia-160m`; or else `path`. */
  readonly repo?: string;
  /** A branch, a tag or a commit of it (default `main`); only a commit stays the same. */
  readonly revision?: string;
  /** A folder of the format, relative to that in which the command runs; or else `repo`. */
  readonly path?: string;
  /**
   * Sizes that the model must have, and settings of its architecture; those that are not declared it may have as it likes. With
   * all sizes costs can be told before it is fetched.
   */
  readonly shape?: Partial<BackboneShape>;
  /** Type in which the device holds the matrices of the frozen model (default `float32`); arithmetic is float32 in any case. */
  readonly frozenWeights?: FrozenType;
}

/** Such weights as declared. */
export type HuggingFaceBackboneDeclaration = HuggingFaceBackboneConfig;

/** Weights of a file of any format. */
export type StoredBackboneConfig = CheckpointBackboneConfig | HuggingFaceBackboneConfig;

const schema = composed(() =>
  z.strictObject({
    kind: z.literal("huggingface"),
    repo: z.string().regex(repoForm).describe("names of the Hub, OWNER/NAME").exactOptional(),
    revision: z.string().regex(revisionForm).describe("a branch, a tag or a commit")
      .exactOptional(),
    path: text.exactOptional(),
    shape: z.strictObject({ ...backboneSizeFields(), vocabSize: positiveInteger.exactOptional() })
      .omit({ size: true }).exactOptional(),
    frozenWeights: frozenWeightsField,
  })
);
type _SchemaAcceptsTheType = Assert<
  Accepts<ReturnType<typeof schema>, HuggingFaceBackboneDeclaration>
>;

/** A backbone in Hugging Face's format, as a part of declarations. */
export const huggingFaceBackbone: BackboneKind<
  HuggingFaceBackboneDeclaration,
  HuggingFaceBackboneConfig
> = {
  get schema() {
    return schema();
  },

  missing({ repo, revision, path: folder }, path): Problem[] {
    if (repo === undefined && folder === undefined) {
      return [{
        path: `${path}.repo`,
        message: `is missing, and so is ${path}.path: allowed are names of the Hub, OWNER/NAME`,
      }];
    }
    const surplus = repo === undefined ? { revision } : { path: folder };
    return Object.entries(surplus).filter(([, value]) => value !== undefined).map(([field]) => ({
      path: `${path}.${field}`,
      message: `must not be given ${
        repo === undefined ? `without ${path}.repo` : `beside ${path}.repo`
      }, as it would decide nothing`,
    }));
  },

  fill: (fields) => ({
    ...fields,
    ...(fields.repo === undefined ? {} : { revision: fields.revision ?? mainRevision }),
  }),
  check: ({ shape = {} }, path) => shapeProblems(fillSizes(shape), `${path}.shape`),
  shapeOf: ({ shape = {} }, path) => ({ shape: fillSizes(shape), path: `${path}.shape` }),
};

/** Weights and where they are from. */
export interface StoredBackbone {
  readonly backbone: BackboneCheckpoint;
  /** Commit of a model of the Hub. */
  readonly commit?: string;
}

/**
 * Reads the weights of a backbone that is not trained here.
 *
 * @throws {MissingDataError} Where a model of the Hub was not fetched, with the command that does.
 */
export async function readStoredBackbone(config: StoredBackboneConfig): Promise<StoredBackbone> {
  const { frozenWeights } = config;
  const held = frozenWeights === undefined ? {} : { frozenType: frozenWeights };
  if (config.kind === "checkpoint") {
    const { path, shape } = config;
    const backbone = await loadBackboneWeights(path, shape ? { shape } : {});
    return { backbone: { ...backbone, ...held } };
  }
  const { folder, commit } = await placeOf(config);
  const backbone = { ...await readHuggingFaceBackbone(folder), ...held };
  const { settings, ...sizes } = config.shape ?? {};
  checkGiven(sizes, backbone.shape, folder);
  checkGiven(settings, backbone.shape.settings ?? {}, folder);
  return { backbone, ...(commit === undefined ? {} : { commit }) };
}

/**
 * The tokenizer that lies beside the weights of a backbone.
 *
 * @throws {TypeError} Where none does.
 */
export async function storedTokenizer(config: StoredBackboneConfig): Promise<TokenizerSource> {
  const { folder } = await placeOf(config);
  const source = await readFolderTokenizer(folder);
  if (source) return source;
  throw new InputTypeError(
    `Cannot open the tokenizer of "${folder}" as "tokenizer.json" is missing: allowed are models with one, or another kind of tokenizer`,
  );
}

/**
 * The file or folder of a backbone, by the field that names it; of a model of the Hub that was not fetched whole, its name.
 */
export async function storedPath(
  config: StoredBackboneConfig,
): Promise<{ readonly field: string; readonly path: string }> {
  const { repo, revision, path } = config as HuggingFaceBackboneConfig;
  return repo === undefined
    ? { field: "backbone.path", path: await fetchedPath(path!) }
    : { field: "backbone.repo", path: await fetchedPath(hubName({ repo, revision })) };
}

async function placeOf(
  config: StoredBackboneConfig,
): Promise<Pick<HubSnapshot, "folder"> & Partial<HubSnapshot>> {
  const { repo, revision, path } = config as HuggingFaceBackboneConfig;
  return repo === undefined
    ? { folder: await localPath(path!) }
    : await requireSnapshot({ repo, revision });
}
