import {
  type CommandArguments,
  type Flag,
  lastValue,
  positiveInteger,
  UsageError,
} from "../command_line.ts";
import { defined } from "../defined.ts";
import { type ResolvedRun, resolveRuns } from "../experiment/resolve.ts";
import { deviceOf } from "./device_flag.ts";

/** `--results`. */
export const resultsFlag: Flag = {
  name: "results",
  value: "DIR",
  isPath: true,
  help: "folder of the results (default results)",
};

/** `--set`, for runs as another command was given them. */
export function setFlag(command: string): Flag {
  const help = `override a field of every experiment, as for ${command}; repeatable`;
  return { name: "set", value: "path=value", help };
}

/** `--limit`, for runs as another command was given them. */
export function limitFlag(command: string): Flag {
  return { name: "limit", value: "N", help: `items per evaluation at most, as for ${command}` };
}

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
    throw new UsageError(
      `Cannot ${deed} as no file or folder of experiments is given, such as experiments/quickstart.ts`,
    );
  }
  const options = defined({ limit: positiveInteger(args, "limit"), device: deviceOf(args) });
  const assignments = args.flags.get("set") ?? [];
  const runs = await resolveRuns(args.operands, { assignments, ...options });
  return { runs, results: lastValue(args, "results") ?? "results" };
}
