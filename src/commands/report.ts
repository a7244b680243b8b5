import { dirname, join } from "node:path";
import { type Command, type Output } from "../command_line.ts";
import { InputError } from "../errors.ts";
import { metricCatalog } from "../evaluation/metric_catalog.ts";
import { experimentTables } from "../results/evaluation_table.ts";
import { ifThere, makeFolder, writeAtomically } from "../files.ts";
import { experimentReport, type Report } from "../results/report.ts";
import { runsIn } from "./table.ts";
import { summaries } from "./summaries.ts";

/** `report [PATH...]`: for each experiment a page beside its runs, and its figures. */
export function reportCommand(output: Output): Command {
  return {
    ...summaries.report,
    operandsArePaths: true,
    flags: [],
    execute: async (args) => {
      const { records, damaged } = await runsIn(args, "write reports of", output);
      for (const [folder, runs] of Map.groupBy(records, ({ path }) => dirname(path))) {
        for (const tables of experimentTables(runs, metricCatalog, damaged)) {
          const report = experimentReport(tables, metricCatalog);
          await writeReport(folder, report);
          const { figures } = report;
          output.print(
            `${join(folder, "report.html")}: ${figures.length} figure${
              figures.length === 1 ? "" : "s"
            }`,
          );
        }
      }
      return damaged.length > 0 ? 1 : 0;
    },
  };
}

/**
 * Writes a report into the folder of its runs, each file whole or not at all: after a failure an earlier report is as it was.
 *
 * @throws {Error} Where a file cannot be written, or `figures` leads out of the folder.
 */
async function writeReport(folder: string, { html, figures }: Report): Promise<void> {
  const inside = join(folder, "figures");
  if (figures.length > 0) {
    const { isSymlink = false } = await ifThere(Deno.lstat(inside)) ?? {};
    if (isSymlink) {
      throw new InputError(`Cannot write "${inside}" as it is a link, which may lead elsewhere`);
    }
    await makeFolder(inside);
  }
  for (const { name, svg } of figures) await writeAtomically(join(inside, `${name}.svg`), svg);
  await writeAtomically(join(folder, "report.html"), html);
}
