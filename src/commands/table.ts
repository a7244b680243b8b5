import {
  type Command,
  type CommandArguments,
  InputError,
  type Output,
  UsageError,
} from "../command_line.ts";
import { itemSums } from "../evaluation/item_sums.ts";
import { experimentTables } from "../results/evaluation_table.ts";
import { readRunRecords, type RunRecord } from "../results/run_record.ts";
import { formatTables, type TableFormat, tableFormats } from "../results/table.ts";

/** `table [PATH...]`: the tables of what is in results folders. */
export function tableCommand(output: Output): Command {
  return {
    operands: "[PATH...]",
    help: "Prints the tables of what is in results folders (default results).",
    flags: [
      { name: "format", value: "FORMAT", allowed: tableFormats, help: "how to print (default md)" },
    ],
    execute: async (args) => {
      const records = await recordsIn(args, "print tables of");
      const format = (args.flags.get("format")?.at(-1) ?? "md") as TableFormat;
      output.print(formatTables(experimentTables(records, itemSums), format).trimEnd());
      return 0;
    },
  };
}

/**
 * The runs in the folders that a command was given, or in `results`.
 *
 * @param action What is done with them, for errors: `print tables of`.
 * @throws {UsageError} Where a folder is missing, or no run is in them.
 * @throws {InputError} Where a file of a run cannot be read.
 */
export async function recordsIn(
  { operands }: CommandArguments,
  action: string,
): Promise<RunRecord[]> {
  const folders = operands.length > 0 ? operands : ["results"];
  for (const folder of folders) {
    const information = await Deno.stat(folder).catch(() => undefined);
    if (!information?.isDirectory) {
      throw new UsageError(`Cannot ${action} "${folder}" as there is no such folder`);
    }
  }
  try {
    const records = await readRunRecords(folders);
    if (records.length > 0) return records;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputError(error.message, { cause: error });
  }
  throw new UsageError(`Cannot ${action} ${folders.join(", ")} as no run is in there`);
}
