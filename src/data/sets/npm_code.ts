import { fileURLToPath } from "node:url";
import { documentPath, fetchPackages, readPackageList } from "../npm_packages.ts";
import type { DataSetSource, Obtaining } from "../data_set_source.ts";

const list = fileURLToPath(new URL("../../../data/npm_code.json", import.meta.url));

/** Source code of packages of the npm registry, in four splits; `npm pack` fetches them, or has written them to a folder. */
export const npmCode: DataSetSource = {
  async files() {
    const packages = await readPackageList(list);
    return packages.map((pinned) => ({ path: documentPath(pinned), sha256: pinned.sha256 }));
  },
  fetch: (obtaining) => obtainPackages(obtaining),
  take: (from, obtaining) => obtainPackages(obtaining, from),
};

/** Fetches the packages, or takes them from a folder of archives. They need no receipt, as the list has their hashes. */
async function obtainPackages({ folder, note }: Obtaining, from?: string): Promise<undefined> {
  const verb = from === undefined ? "fetching" : "taking";
  await fetchPackages(await readPackageList(list), folder, {
    ...(from === undefined ? {} : { from }),
    progress: ({ name, version }, done, total) =>
      note(`${verb} ${name} ${version} (${done + 1} of ${total})`),
  });
  return undefined;
}
