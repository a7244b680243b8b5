/**
 * The formats of benchmarks that are read from files: a file each, and a line here.
 */
import type { BenchmarkFormat } from "./format.ts";
import { babilongFiles } from "./formats/babilong.ts";
import { helmet } from "./formats/helmet.ts";
import { longBench } from "./formats/longbench.ts";
import { longBench2 } from "./formats/longbench_v2.ts";
import { longMemEval } from "./formats/longmemeval.ts";
import { noLiMa } from "./formats/nolima.ts";
import { rulerFiles } from "./formats/ruler.ts";

/** A format. */
export type FormatName =
  | "longbench"
  | "longbench-v2"
  | "nolima"
  | "helmet"
  | "longmemeval"
  | "ruler"
  | "babilong";

export const formats: Readonly<Record<FormatName, BenchmarkFormat>> = {
  "longbench": longBench,
  "longbench-v2": longBench2,
  "nolima": noLiMa,
  "helmet": helmet,
  "longmemeval": longMemEval,
  "ruler": rulerFiles,
  "babilong": babilongFiles,
};
