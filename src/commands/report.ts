import { basename, dirname, join } from "node:path";
import { type Command, type Output } from "../command_line.ts";
import { InputError } from "../errors.ts";
import { metricCatalog, readReportedRun } from "../evaluation/metric_catalog.ts";
import { experimentTables } from "../results/evaluation_table.ts";
import { ifThere, makeFolder, writeAtomically } from "../files.ts";
import { experimentReport, type Report } from "../results/report.ts";
import { type IndexedReport, reportIndex } from "../results/report_index.ts";
import { counted } from "../quantities.ts";
import { runsIn } from "./table.ts";

/** Name of the page of an experiment. */
const reportName = "report.html";

/** Name of the page that lists the experiments of a folder. */
const indexName = "index.html";

/** `report [PATH...]`: for each experiment a page beside its runs, and its figures; and of several a page that lists them. */
export function reportCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [],
    execute: async (args) => {
      const { records, damaged } = await runsIn(args, "write reports of", readReportedRun, output);
      const folders = Map.groupBy(records, ({ path }) => dirname(path));
      for (const [parent, children] of Map.groupBy(folders.keys(), (path) => dirname(path))) {
        const isListed = children.length > 1, listed: IndexedReport[] = [];
        for (const folder of children) {
          for (const tables of experimentTables(folders.get(folder)!, metricCatalog, damaged)) {
            const index = isListed ? { index: `../${indexName}` } : {};
            const report = experimentReport(tables, metricCatalog, index);
            await writeReport(folder, report);
            const { figures } = report;
            output.print(`${join(folder, reportName)}: ${counted(figures.length, "figure")}`);
            const href = `${encodeURIComponent(basename(folder))}/${reportName}`;
            listed.push({ tables, figures, href });
          }
        }
        if (!isListed) continue;
        const page = join(parent, indexName);
        await writeAtomically(page, reportIndex(listed, metricCatalog));
        output.print(`${page}: ${counted(listed.length, "experiment")}`);
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
  await writeAtomically(join(folder, reportName), html);
}
