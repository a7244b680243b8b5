import {
  type Command,
  type CommandArguments,
  lastValue,
  type Output,
  reading,
  UsageError,
} from "../command_line.ts";
import { defined } from "../defined.ts";
import {
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
  dataSetCommand,
  dataSetList,
  type DataSetState,
  isComplete,
  readDataSets,
} from "../data/data_set.ts";
import { dataSetSources } from "../data/data_sets.ts";
import { fetchDataSet, isFetchable, takeDataSet } from "../data/obtain.ts";
import { counted } from "../quantities.ts";
import { environmentVariable } from "../system.ts";

/** Where data sets are listed and where they lie. */
export interface DataPlaces {
  readonly list: string;
  /** Folders that hold a folder for each data set, the first for downloads. */
  readonly folders: readonly string[];
}

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
    flags: [
      {
        name: "from",
        value: "PATH",
        isPath: true,
        help: "take the named data set from a file or folder that is there already",
      },
      { name: "offline", help: "fetch nothing: report what is there" },
    ],
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
  const from = lastValue(args, "from");
  if (from !== undefined && (operands.length !== 1 || models.length > 0)) {
    throw new UsageError(
      `Cannot read --from as it belongs to one data set: current names are ${
        args.operands.join(", ") || "none"
      }, allowed is one of ${names.join(", ")}`,
    );
  }
  let allWhole = true;
  for (const reference of references) {
    if (!await obtainModel(reference, output, isOffline)) allWhole = false;
  }
  if (models.length > 0 && operands.length === 0) return allWhole ? 0 : 1;
  for (const listed of dataSets) {
    const isNamed = operands.includes(listed.name);
    if (operands.length > 0 && !isNamed) continue;
    const dataSet = await withFiles(listed);
    let { folder, state } = await findDataSet(dataSet, folders);
    const isFetched = from === undefined && !isOffline && !isComplete(state) &&
      isFetchable(dataSet.name, state.missing);
    if (isNamed && (from !== undefined || isFetched)) {
      folder = `${folders[0]}/${dataSet.name}`;
      await reading(() => obtain({ dataSet, folder, from, output }));
      state = await checkDataSet(dataSet, folder);
    }
    output.print(describe(dataSet, folder, state));
    // Unnamed data sets may be missing, but the files that are there must be the right ones.
    if (state.different.length > 0 || (isNamed && !isComplete(state))) allWhole = false;
  }
  return allWhole ? 0 : 1;
}

/** A data set with the files that its source knows. */
async function withFiles(dataSet: DataSet): Promise<DataSet> {
  const files = await dataSetSources[dataSet.name]?.files?.();
  return files ? { ...dataSet, files: [...dataSet.files, ...files] } : dataSet;
}

/** Fetches a data set, or takes it from the user's files. */
async function obtain(
  { dataSet, folder, from, output }: {
    readonly dataSet: DataSet;
    readonly folder: string;
    readonly from: string | undefined;
    readonly output: Output;
  },
): Promise<void> {
  const notes = progressNotes(output);
  const obtaining = {
    dataSet,
    folder,
    limits: {},
    hub: hubAccess(),
    progress: notes,
    note: output.note,
  };
  if (from === undefined) await fetchDataSet(obtaining);
  else await takeDataSet(from, obtaining);
}

/** Fetches a model of the Hub, or looks whether it is there; prints the outcome. */
async function obtainModel(
  reference: HubReference,
  output: Output,
  isOffline: boolean,
): Promise<boolean> {
  const cache = hubCacheFolder(), name = hubName(reference);
  if (!isOffline) {
    output.note(`fetching ${name} to ${cache}`);
    const { fetchModel } = await import("../checkpoint/hub_download.ts");
    await reading(() =>
      fetchModel(reference, {
        ...hubAccess(),
        cache,
        maxBytes: mostWeightBytes,
        progress: progressNotes(output),
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

/** The Hub, or what HF_ENDPOINT names, and the token of HF_TOKEN. */
function hubAccess(): { readonly url: string; readonly token?: string } {
  return defined({
    url: environmentVariable("HF_ENDPOINT")?.replace(/\/+$/, "") ?? "https://huggingface.co",
    token: environmentVariable("HF_TOKEN"),
  });
}

/** Most bytes of a file of weights; the Hub allows no larger ones. */
const mostWeightBytes = 5 * 10 ** 10;

/** Milliseconds between two notes on a download. */
const noteEveryMs = 5_000;

/** Shows every few seconds how far a download is. */
function progressNotes(
  output: Output,
): (path: string, bytes: number, totalBytes: number | undefined) => void {
  let noted = performance.now();
  return (path, bytes, totalBytes) => {
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
    const { whole, unverified, different } = state;
    if (whole.length + unverified.length + different.length > 0) return { folder, state };
    looked.push({ folder, state });
  }
  return looked[0];
}

function describe(dataSet: DataSet, folder: string, state: DataSetState): string {
  const { what, licence, origin, field } = dataSet;
  const { whole, unverified, different, missing, absent } = state;
  const there = whole.length + unverified.length,
    needed = there + different.length + missing.length;
  const verified = unverified.length === 0
    ? "verified"
    : `verified, ${unverified.length} there whose bytes are not known`;
  const lines = [
    `${dataSet.name}: ${
      isComplete(state)
        ? `complete, ${counted(whole.length, "file")} ${verified}`
        : there + different.length === 0
        ? "missing"
        : `incomplete, ${whole.length} of ${counted(needed, "file")} ${verified}`
    }`,
    `  ${what}`,
    `  licence: ${licence}`,
    `  origin: ${origin}`,
    `  folder: ${folder}${field === undefined ? "" : ` (--set ${field}=${folder})`}`,
  ];
  for (const { path } of different) lines.push(`  other bytes than expected: ${path}`);
  if (there + different.length > 0) {
    for (const { path } of missing) lines.push(`  missing: ${path}`);
    if (absent.length > 0) lines.push(`  not there, and not needed: ${shortened(absent)}`);
  }
  if (!isComplete(state)) lines.push(`  to get it: ${howToGet(dataSet, missing)}`);
  return lines.join("\n");
}

/** The first paths of several. */
function shortened(files: readonly DataFile[]): string {
  const [first, ...others] = files.map(({ path }) => path);
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** The command that gets a data set. */
function howToGet(dataSet: DataSet, missing: readonly DataFile[]): string {
  const command = dataSetCommand(dataSet);
  return isFetchable(dataSet.name, missing)
    ? command
    : `${command} --from PATH, of files from its origin`;
}
