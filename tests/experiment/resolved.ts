import type { ResolvedExperiment } from "../../src/experiment/declaration.ts";
import { resolveVariants } from "../../src/experiment/sweep.ts";

/** The run that a declaration without a sweep is. */
export function resolvedExperiment(declaration: unknown): ResolvedExperiment {
  return resolveVariants(declaration)[0].experiment;
}
