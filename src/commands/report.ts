import { dirname, join } from "node:path";
import { type Command, type Output } from "../command_line.ts";
import { itemSums } from "../evaluation/item_sums.ts";
import { experimentTables } from "../results/evaluation_table.ts";
import { experimentReport } from "../results/report.ts";
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
        for (const tables of experimentTables(runs, itemSums, damaged)) {
          const { html, figures } = experimentReport(tables, itemSums);
          await Deno.writeTextFile(join(folder, "report.html"), html);
          if (figures.length > 0) await Deno.mkdir(join(folder, "figures"), { recursive: true });
          for (const { name, svg } of figures) {
            await Deno.writeTextFile(join(folder, "figures", `${name}.svg`), svg);
          }
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
