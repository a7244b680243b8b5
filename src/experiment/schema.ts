/**
 * The form of a declaration: which fields there are and which values each may take.
 *
 * Every leaf carries the words in which errors name its allowed values. That these schemas and the
 * documented types of `declaration.ts` say the same is checked by the compiler, below.
 */
import { z } from "zod";
import { clusterPart } from "../cluster/config.ts";
import { oneOf, seed, slug, text } from "../declaration/fields.ts";
import type { Located } from "../declaration/field_path.ts";
import { unmeasured } from "../declaration/identity.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { protocols } from "../declaration/protocol.ts";
import { composed } from "../declaration/registry.ts";
import { evaluations } from "../evaluation/evaluations.ts";
import { sidenets } from "../checkpoint/sidenets.ts";
import { adaptationPart } from "../training/config.ts";
import { backbones } from "./backbones.ts";
import { memoryPart } from "../memory/config.ts";
import { reproductionPart } from "../results/reproduction.ts";
import { mostThreads } from "../runtime/device.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { tokenizers } from "../text/tokenizers/tokenizers.ts";
import type { Experiment, Sweep } from "./declaration.ts";

/** The form of a declaration. */
export const experimentSchema = composed(() =>
  z.strictObject({
    name: unmeasured(slug),
    question: unmeasured(text).exactOptional(),
    reproduces: unmeasured(reproductionPart.schema).optional(),
    scale: unmeasured(oneOf("paper", "scaled-down")).exactOptional(),
    seed: seed.exactOptional(),
    protocol: oneOf(...protocols).exactOptional(),
    corpus: corpora.schema,
    tokenizer: tokenizers.schema,
    backbone: backbones.schema,
    sidenet: sidenets.schema.optional(),
    memory: memoryPart.schema.optional(),
    adaptation: adaptationPart.schema.optional(),
    evaluations: z.array(evaluations.schema).readonly().describe("lists of evaluations"),
    device: unmeasured(oneOf("auto", "webgpu", "cpu", "wasm")).exactOptional(),
    threads: unmeasured(
      z.int().min(1).max(mostThreads).describe(`integers from 1 to ${mostThreads}`),
    ).exactOptional(),
    moved: unmeasured(
      z.record(text, text).describe("paths by the paths that they have now"),
    ).exactOptional(),
    cluster: unmeasured(clusterPart.schema).optional(),
    // Its lists are checked in sweep.ts, and their values as those of the fields they are for.
    sweep: z.custom<Sweep>().optional(),
  })
);

/** Does not compile where the schema refuses values that the documented types allow. */
type _SchemaAcceptsTheTypes = Assert<Accepts<ReturnType<typeof experimentSchema>, Experiment>>;

/** A declaration, in which a field is to be found by its path. */
export function inExperiment(value: unknown): Located {
  return { schema: experimentSchema(), value, name: "an experiment" };
}
