import { type CommandArguments, positiveInteger, UsageError } from "../command_line.ts";
import { type ResolvedRun, resolveRuns } from "../experiment/resolve.ts";
import { deviceOf } from "./device_flag.ts";

/**
 * Resolves the runs of the experiments that a command names, with the fields that `--set`, `--limit` and `--device` override.
 *
 * @param deed Action of the command, for the error: `submit`.
 * @returns The runs, and `results`, their folder.
 * @throws {UsageError} If no file or folder is given, or a value is not allowed.
 */
export async function namedRuns(
  args: CommandArguments,
  deed: string,
): Promise<{ runs: readonly ResolvedRun[]; results: string }> {
  if (args.operands.length === 0) {
    throw new UsageError(`Cannot ${deed} as no file or folder of experiments is given`);
  }
  const limit = positiveInteger(args, "limit");
  const device = deviceOf(args);
  const runs = await resolveRuns(args.operands, {
    assignments: args.flags.get("set") ?? [],
    ...(limit !== undefined && { limit }),
    ...(device !== undefined && { device }),
  });
  return { runs, results: args.flags.get("results")?.at(-1) ?? "results" };
}
