import { join } from "node:path";
import { backboneTensorShapes } from "../../backbone/architectures.ts";
import { modelSizes } from "../../backbone/config.ts";
import type { BackboneShape } from "../../backbone/shape.ts";
import { type FairseqSizes, readFairseqSizes } from "../../checkpoint/fairseq.ts";
import type { HubRepository, ListedFile } from "../../checkpoint/hub_repository.ts";
import { parameterCount } from "../../checkpoint/parameter_count.ts";
import { InputRangeError } from "../../errors.ts";
import { type ByteSource, UnreachableError } from "../../formats/byte_file.ts";
import { receiptOf } from "../data_set.ts";
import type { DataSetSource, Obtaining } from "../data_set_source.ts";
import { copyFile, filesAt } from "../local_files.ts";

/** The released model: sizes of its backbone, and layers of its SideNet. */
export interface ReleasedModel {
  readonly repository: HubRepository;
  readonly backbone: BackboneShape;
  readonly sideNetLayers: number;
}

/** The model that the paper's authors released (specification section 1). */
export const paperModel: ReleasedModel = {
  repository: { reference: { repo: "weizhiwang/LongMem-558M" } },
  backbone: { ...modelSizes["gpt2-medium"], feedForwardDim: 4096, vocabSize: 51_200 },
  sideNetLayers: 12,
};

/** The backbone and the LongMem that the paper's authors released. */
export const longmem558m: DataSetSource = releasedModel(paperModel);

/** Where experiments look for each checkpoint, by its kind. */
const targets = {
  backbone: "gpt2_medium/checkpoint_last.pt",
  longmem: "longmem_gpt2_medium/checkpoint_last.pt",
} as const;

type Kind = keyof typeof targets;

/** A file that may be one of the checkpoints. */
interface Candidate {
  /** Path in the repository, or on the disk. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Opens it, without fetching it. */
  readonly open: () => string | ByteSource;
}

/** Both checkpoints of a released model, found in its repository by their sizes and content, not by their names. */
export function releasedModel(released: ReleasedModel): DataSetSource {
  const { repository } = released;
  return {
    async fetch({ folder, hub, limits, progress, note }) {
      // Not before it is needed: the package of the Hub is large.
      const { downloadListed, listRepository, remoteSource } = await import(
        "../../checkpoint/hub_repository.ts"
      );
      const access = { ...limits, ...hub };
      const { commit, files } = await listRepository(repository, { ...access, recursive: true });
      const { repo } = repository.reference;
      const candidates = [...files.values()].map((file) => ({
        ...file,
        open: () => remoteSource(file, { repository, commit, access }),
      }));
      const chosen = await choose(candidates, released, `hf:${repo}@${commit}`);
      for (const [kind, file] of Object.entries(chosen) as [Kind, ListedFile][]) {
        note(`fetching ${file.path} of ${repo}, ${gigabytes(file.sizeBytes)}, to ${targets[kind]}`);
        await downloadListed(file, {
          repository,
          commit,
          target: join(folder, targets[kind]),
          access,
          progress: (bytes) => progress(targets[kind], bytes, file.sizeBytes),
        });
      }
      return await receiptOf(`hf:${repo}@${commit}`, folder, Object.values(targets));
    },
    async take(from, { folder, note }: Obtaining) {
      const candidates = (await filesAt(from)).map(async (path) => ({
        path,
        sizeBytes: (await Deno.stat(path)).size,
        open: () => path,
      }));
      const chosen = await choose(await Promise.all(candidates), released, from);
      for (const [kind, { path }] of Object.entries(chosen) as [Kind, Candidate][]) {
        note(`copying ${path} to ${targets[kind]}`);
        await copyFile(path, join(folder, targets[kind]));
      }
      return await receiptOf(from, folder, Object.values(targets));
    },
  };
}

/**
 * Chooses the two checkpoints among files: those that are large enough for the weights in float16, and that hold a model of the
 * released sizes. Of several of a kind, that named `checkpoint_last.pt` is the one.
 *
 * @throws {RangeError} Where one is not among them, or several might be it.
 */
async function choose<C extends Candidate>(
  candidates: readonly C[],
  { backbone, sideNetLayers }: ReleasedModel,
  where: string,
): Promise<Record<Kind, C>> {
  const leastBytes = 2 * parameterCount(backboneTensorShapes(backbone));
  const large = candidates.filter(({ sizeBytes }) => sizeBytes >= leastBytes);
  const found: Record<Kind, C[]> = { backbone: [], longmem: [] };
  const others: string[] = [];
  for (const candidate of large) {
    try {
      const sizes = await readFairseqSizes(candidate.open());
      if (isReleased(sizes, backbone, sideNetLayers)) found[sizes.kind].push(candidate);
      else others.push(`"${candidate.path}" is a ${sizes.kind} of other sizes`);
    } catch (error) {
      if (error instanceof UnreachableError) throw error;
      others.push(`"${candidate.path}": ${(error as Error).message}`);
    }
  }
  const only = (kind: Kind): C => {
    const last = found[kind].filter(({ path }) => /(^|[\\/])checkpoint_last\.pt$/.test(path));
    const of = last.length > 0 ? last : found[kind];
    if (of.length === 1) return of[0];
    const reason = of.length > 1
      ? `${
        of.map(({ path }) => `"${path}"`).join(" and ")
      } might be it: take one of them with --from`
      : `of its ${candidates.length} files, ${large.length} are large enough (${
        gigabytes(leastBytes)
      })` +
        others.map((other) => `; ${other}`).join("");
    throw new InputRangeError(
      `Cannot find the ${
        kind === "backbone" ? "backbone" : "LongMem"
      } of the released model in "${where}" as ${reason}`,
    );
  };
  return { backbone: only("backbone"), longmem: only("longmem") };
}

function isReleased(
  { backbone, sideNet }: FairseqSizes,
  released: BackboneShape,
  sideNetLayers: number,
): boolean {
  const fields = ["layers", "hiddenDim", "heads", "feedForwardDim", "vocabSize"] as const;
  return fields.every((field) => backbone[field] === released[field]) &&
    (sideNet === undefined || sideNet.layers === sideNetLayers);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
