import { fileURLToPath } from "node:url";
import {
  type Command,
  type CommandArguments,
  type Output,
  reading,
  UsageError,
} from "../command_line.ts";
import {
  environmentVariable,
  fetchCommand,
  findSnapshot,
  hubCacheFolder,
  hubName,
  hubPrefix,
  type HubReference,
  isHubOffline,
  missingFiles,
  parseHubReference,
} from "../checkpoint/hub_cache.ts";
import { allowedWords } from "../did_you_mean.ts";
import {
  checkDataSet,
  type DataFile,
  type DataSet,
  type DataSetState,
  fetchDataFile,
  readDataSets,
} from "../text/data_set.ts";
import type { DownloadOptions } from "../text/download.ts";
import { summaries } from "./summaries.ts";

/** Where data sets are listed and where they lie. */
export interface DataPlaces {
  /** The list. */
  readonly list: string;
  /** Folders that hold a folder for each data set, the first for what is fetched. */
  readonly folders: readonly string[];
}

/** The list of the data sets that experiments of this project read. */
export const dataSetList: string = fileURLToPath(
  new URL("../../data/datasets.json", import.meta.url),
);

const repositoryPlaces: DataPlaces = {
  list: dataSetList,
  folders: ["data", "../shared/data"],
};

/**
 * `data [NAME...]`: lists the data sets and whether they are there; fetches those that are named, and models of the Hub, named
 * `hf:OWNER/NAME`.
 */
export function dataCommand(output: Output, places: DataPlaces = repositoryPlaces): Command {
  return {
    ...summaries.data,
    flags: [{ name: "offline", help: "fetch nothing: say what is there" }],
    execute: (args) => listDataSets(args, output, places),
  };
}

async function listDataSets(
  args: CommandArguments,
  output: Output,
  { list, folders }: DataPlaces,
): Promise<number> {
  const isOffline = args.flags.has("offline") || isHubOffline();
  const models = args.operands.filter((name) => name.startsWith(hubPrefix));
  const references = models.map((name) => parseHubReference(name)!);
  const operands = args.operands.filter((name) => !models.includes(name));
  const dataSets = await reading(() => readDataSets(list));
  const names = dataSets.map(({ name }) => name);
  const unknown = operands.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `Cannot fetch data set "${unknown}" as it is unknown: ${allowedWords(unknown, names)}`,
    );
  }
  let allWhole = true;
  for (const reference of references) {
    if (!await obtainModel(reference, output, isOffline)) allWhole = false;
  }
  if (models.length > 0 && operands.length === 0) return allWhole ? 0 : 1;
  for (const dataSet of dataSets) {
    const isNamed = operands.includes(dataSet.name);
    if (operands.length > 0 && !isNamed) continue;
    let { folder, state } = await findDataSet(dataSet, folders);
    const fetchable = state.missing.filter(({ url }) => url !== undefined);
    if (isNamed && fetchable.length > 0 && !args.flags.has("offline")) {
      folder = `${folders[0]}/${dataSet.name}`;
      for (const file of (await checkDataSet(dataSet, folder)).missing) {
        if (file.url === undefined) continue;
        output.note(`fetching ${file.url}`);
        await reading(() => fetchDataFile(file, folder, { progress: progressOf(file, output) }));
      }
      state = await checkDataSet(dataSet, folder);
    }
    output.print(describe(dataSet, folder, state));
    // Unnamed data sets may be missing, but what is there must be what it should be.
    if (state.different.length > 0 || (isNamed && state.missing.length > 0)) allWhole = false;
  }
  return allWhole ? 0 : 1;
}

/** Fetches a model of the Hub, or looks whether it is there; prints what it has come to. */
async function obtainModel(
  reference: HubReference,
  output: Output,
  isOffline: boolean,
): Promise<boolean> {
  const cache = hubCacheFolder(), name = hubName(reference);
  if (!isOffline) {
    output.note(`fetching ${name} to ${cache}`);
    const token = environmentVariable("HF_TOKEN");
    const { fetchModel } = await import("../checkpoint/hub_download.ts");
    const notes = new Map<string, NonNullable<DownloadOptions["progress"]>>();
    await reading(() =>
      fetchModel(reference, {
        url: environmentVariable("HF_ENDPOINT")?.replace(/\/+$/, "") ?? hubAddress,
        cache,
        maxBytes: mostWeightBytes,
        ...(token === undefined ? {} : { token }),
        progress: (path, bytes, totalBytes) => {
          if (!notes.has(path)) notes.set(path, progressOf({ path }, output));
          notes.get(path)!(bytes, totalBytes);
        },
      })
    );
  }
  const snapshot = await findSnapshot(reference, cache);
  const missing = snapshot && await missingFiles(snapshot);
  const isWhole = missing?.length === 0;
  output.print([
    `${name}: ${isWhole ? "complete" : snapshot ? "incomplete" : "missing"}`,
    ...(snapshot ? [`  commit: ${snapshot.commit}`, `  folder: ${snapshot.folder}`] : [
      `  cache: ${cache}`,
    ]),
    ...(missing ?? []).map((file) => `  missing: ${file}`),
    ...(isWhole ? [] : [`  to get it: ${fetchCommand(reference)}`]),
  ].join("\n"));
  return isWhole;
}

/** The Hub, unless HF_ENDPOINT says another. */
const hubAddress = "https://huggingface.co";

/** Most bytes of a file of weights; the Hub allows no larger ones. */
const mostWeightBytes = 5 * 10 ** 10;

/** Milliseconds between two notes on a download. */
const noteEveryMs = 5_000;

/** Tells every few seconds how far a download is. */
function progressOf(
  { path }: Pick<DataFile, "path">,
  output: Output,
): NonNullable<DownloadOptions["progress"]> {
  let noted = performance.now();
  return (bytes, totalBytes) => {
    if (performance.now() - noted < noteEveryMs) return;
    noted = performance.now();
    const megabytes = (count: number) => (count / 1e6).toFixed(1);
    const total = totalBytes === undefined ? "" : ` of ${megabytes(totalBytes)}`;
    output.note(`${path}: ${megabytes(bytes)}${total} MB`);
  };
}

/** The first folder that has files of a data set; where none has, the one that they belong in. */
async function findDataSet(
  dataSet: DataSet,
  folders: readonly string[],
): Promise<{ folder: string; state: DataSetState }> {
  const looked = [];
  for (const parent of folders) {
    const folder = `${parent}/${dataSet.name}`;
    const state = await checkDataSet(dataSet, folder);
    if (state.missing.length < dataSet.files.length) return { folder, state };
    looked.push({ folder, state });
  }
  return looked[0];
}

function describe(dataSet: DataSet, folder: string, state: DataSetState): string {
  const { name, what, licence, files, field, get } = dataSet;
  const { whole, unverified, different, missing } = state;
  const isWhole = whole.length + unverified.length === files.length;
  const verified = unverified.length === 0
    ? "verified"
    : `verified, ${unverified.length} there whose bytes are not known`;
  const lines = [
    `${name}: ${
      isWhole
        ? `complete, ${whole.length} files ${verified}`
        : missing.length === files.length
        ? "missing"
        : `incomplete, ${whole.length} of ${files.length} files ${verified}`
    }`,
    `  ${what}`,
    `  licence: ${licence}`,
    `  folder: ${folder}${field === undefined ? "" : ` (--set ${field}=${folder})`}`,
  ];
  for (const { path } of different) lines.push(`  other bytes than expected: ${path}`);
  if (missing.length < files.length) {
    for (const { path } of missing) lines.push(`  missing: ${path}`);
  }
  if (!isWhole) lines.push(`  to get it: ${get}`);
  return lines.join("\n");
}
