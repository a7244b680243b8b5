/** How a data set comes about that is more than files at addresses. */
import type { HubAccess } from "../checkpoint/hub_repository.ts";
import type { DownloadOptions } from "../text/download.ts";
import type { DataFile, DataSet, Receipt } from "./data_set.ts";

/** A data set that is being obtained: where to, and within which limits. */
export interface Obtaining {
  readonly dataSet: DataSet;
  /** Folder of the data set. */
  readonly folder: string;
  /** Limits of each download. */
  readonly limits: Omit<DownloadOptions, "progress">;
  /** The Hub, for files that are fetched there. */
  readonly hub: Pick<HubAccess, "url" | "token">;
  /** Called with the bytes of a file so far, and with those of the whole where they are known. */
  readonly progress: (file: string, bytes: number, totalBytes: number | undefined) => void;
  /** Shows a line. */
  readonly note: (text: string) => void;
}

/** A data set of the list with its own code: a file in `sets/`, and a line in `data_sets.ts`. */
export interface DataSetSource {
  /** Its files where the list does not name them, as far as they are known before it is fetched. */
  readonly files?: () => Promise<readonly DataFile[]>;
  /**
   * Makes a file of the bytes of its source.
   *
   * @throws {Error} Where they are those of another source.
   */
  readonly transform?: (source: Uint8Array, file: DataFile) => Uint8Array;
  /** Fetches the files without an address in the list; absent: none. The returned receipt is recorded. */
  readonly fetch?: (obtaining: Obtaining) => Promise<Receipt | undefined>;
  /** Takes the user's file or folder; absent: files with the right bytes. The returned receipt is recorded. */
  readonly take?: (from: string, obtaining: Obtaining) => Promise<Receipt | undefined>;
}
