import { type Command, type CommandArguments, type Output, UsageError } from "../command_line.ts";
import { itemSums } from "../evaluation/item_sums.ts";
import { experimentTables } from "../results/evaluation_table.ts";
import { findRunRecords, type FoundRuns } from "../results/run_record.ts";
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
      const { records, damaged } = await runsIn(args, "print tables of", output);
      const format = (args.flags.get("format")?.at(-1) ?? "md") as TableFormat;
      if (records.length > 0) {
        output.print(formatTables(experimentTables(records, itemSums, damaged), format).trimEnd());
      }
      return damaged.length > 0 ? 1 : 0;
    },
  };
}

/**
 * The runs in the folders that a command was given, or in `results`. Those that cannot be read are noted.
 *
 * @param action What is done with them, for errors: `print tables of`.
 * @throws {UsageError} Where a folder is missing, or no run is in them.
 */
export async function runsIn(
  { operands }: CommandArguments,
  action: string,
  { note }: Output,
): Promise<FoundRuns> {
  const folders = operands.length > 0 ? operands : ["results"];
  for (const folder of folders) {
    const information = await Deno.stat(folder).catch(() => undefined);
    if (!information?.isDirectory) {
      throw new UsageError(`Cannot ${action} "${folder}" as there is no such folder`);
    }
  }
  const found = await findRunRecords(folders);
  for (const { path, reason } of found.damaged) note(`Left out ${path}: ${reason}`);
  if (found.records.length + found.damaged.length > 0) return found;
  throw new UsageError(`Cannot ${action} ${folders.join(", ")} as no run is in there`);
}
