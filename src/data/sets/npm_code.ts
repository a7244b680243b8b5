import { fileURLToPath } from "node:url";
import {
  documentPath,
  fetchPackages,
  type PinnedPackage,
  readPackageList,
} from "../npm_packages.ts";
import type { DataSetSource } from "../data_set_source.ts";

const list = fileURLToPath(new URL("../../../data/npm_code.json", import.meta.url));

/** Source code of packages of the npm registry, in four splits. */
export const npmCode: DataSetSource = npmPackages(() => readPackageList(list));

/** The data set of packages, which `npm pack` fetches or has written to a folder. */
export function npmPackages(packages: () => Promise<readonly PinnedPackage[]>): DataSetSource {
  return {
    files: async () =>
      (await packages()).map((pinned) => ({ path: documentPath(pinned), sha256: pinned.sha256 })),
    fetch: async ({ folder, note }) => {
      await fetchPackages(await packages(), folder, {
        progress: ({ name, version }, done, total) =>
          note(`fetching ${name} ${version} (${done + 1} of ${total})`),
      });
      return undefined;
    },
    take: async (from, { folder, note }) => {
      await fetchPackages(await packages(), folder, {
        from,
        progress: ({ name, version }, done, total) =>
          note(`taking ${name} ${version} (${done + 1} of ${total})`),
      });
      return undefined;
    },
  };
}
