/**
 * The fields of a backbone of Hugging Face's format: a model of the Hub, or a folder.
 */
import { z } from "zod";
import {
  type BackboneKind,
  backboneSizeFields,
  fillSizes,
  frozenWeightsField,
  shapeProblems,
} from "../backbone/config.ts";
import type { BackboneShape, FrozenType } from "../backbone/shape.ts";
import { positiveInteger, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import type { Problem } from "../declaration/problem.ts";
import { composed } from "../declaration/registry.ts";
import { checkGiven } from "./content.ts";
import { tokenizerBeside } from "./folder.ts";
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
export const huggingFaceBackbone = {
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

  async files({ repo, revision, path: folder }, path) {
    return [
      repo === undefined
        ? { field: `${path}.path`, path: await fetchedPath(folder!) }
        : { field: `${path}.repo`, path: await fetchedPath(hubName({ repo, revision })) },
    ];
  },
  stored: {
    async read(config) {
      const { folder, commit } = await placeOf(config), { frozenWeights: frozenType } = config;
      const backbone = await readHuggingFaceBackbone(folder);
      const { settings, ...sizes } = config.shape ?? {};
      checkGiven(sizes, backbone.shape, folder);
      checkGiven(settings, backbone.shape.settings ?? {}, folder);
      return {
        backbone: { ...backbone, ...(frozenType && { frozenType }) },
        ...(commit === undefined ? {} : { commit }),
      };
    },
    tokenizer: async (config) => await tokenizerBeside((await placeOf(config)).folder),
  },
} satisfies BackboneKind<HuggingFaceBackboneDeclaration, HuggingFaceBackboneConfig>;

async function placeOf(
  { repo, revision, path }: HuggingFaceBackboneConfig,
): Promise<Pick<HubSnapshot, "folder"> & Partial<HubSnapshot>> {
  return repo === undefined
    ? { folder: await localPath(path!) }
    : await requireSnapshot({ repo, revision });
}
