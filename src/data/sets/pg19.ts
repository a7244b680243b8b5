import { Buffer } from "node:buffer";
import { basename, join } from "node:path";
import * as z from "zod";
import { InputRangeError } from "../../errors.ts";
import { ifThere, parseJson } from "../../files.ts";
import { downloadFile, fetchBounded, hashFile } from "../../text/download.ts";
import { checkedForm } from "../checked_form.ts";
import { receiptOf } from "../data_set.ts";
import type { DataSetSource, Obtaining } from "../data_set_source.ts";
import { copyFile, filesAt } from "../local_files.ts";

/** A bucket of Google's cloud storage, and how many books are in its folder `test`. */
export interface BookBucket {
  /** Address of the storage. */
  readonly url: string;
  readonly bucket: string;
  readonly books: number;
}

/** The test split of PG-19: 100 books. */
export const pg19: DataSetSource = booksOf({
  url: "https://storage.googleapis.com",
  bucket: "deepmind-gutenberg",
  books: 100,
});

/** Most bytes of a book. */
const mostBookBytes = 2 ** 26;

const listing = z.object({
  nextPageToken: z.string().optional(),
  items: z.array(z.object({
    name: z.string().regex(/^test\/[\w-][\w.-]*$/),
    size: z.string().regex(/^\d+$/),
    md5Hash: z.base64(),
  })).optional(),
});

interface ListedBook {
  readonly name: string;
  /** MD5 (hexadecimal) of its bytes. */
  readonly md5: string;
}

/** The books of a bucket's folder `test`, verified by the hashes under which it lists them. */
export function booksOf({ url, bucket, books }: BookBucket): DataSetSource {
  return {
    async fetch({ folder, limits, progress, note }) {
      const listed = await listBooks({ url, bucket, books }, limits);
      for (const [i, { name, md5 }] of listed.entries()) {
        note(`fetching ${name} of ${bucket} (${i + 1} of ${listed.length})`);
        const target = join(folder, name);
        if ((await ifThere(hashFile(target, "md5")))?.hash === md5) continue;
        await downloadFile({ url: `${url}/${bucket}/${name}`, target, md5 }, {
          ...limits,
          maxBytes: mostBookBytes,
          progress: (bytes, total) => progress(name, bytes, total),
        });
      }
      return await receiptOf(`${url}/${bucket}`, folder, listed.map(({ name }) => name).sort());
    },
    async take(from, { folder }) {
      const found = (await filesAt(from)).filter((path) =>
        /^\d+\.txt(\.gz)?$/.test(basename(path))
      );
      const inTest = found.filter((path) => /(^|[\\/])test[\\/][^\\/]+$/.test(path));
      const chosen = inTest.length > 0 ? inTest : found;
      if (chosen.length !== books) {
        throw new InputRangeError(
          `Cannot take the books of PG-19's test split from "${from}" as there must be ${books} files named NUMBER.txt, in a folder ` +
            `test or alone: current number is ${chosen.length}`,
        );
      }
      const names = chosen.map((path) => `test/${basename(path).replace(/\.gz$/, "")}`);
      for (const [i, path] of chosen.entries()) await copyFile(path, join(folder, names[i]));
      return await receiptOf(from, folder, names.sort());
    },
  };
}

/**
 * Lists the books.
 *
 * @throws {TypeError} Where the answer is not that of the storage.
 * @throws {RangeError} Where there are more or fewer.
 */
async function listBooks(
  { url, bucket, books }: BookBucket,
  limits: Obtaining["limits"],
): Promise<ListedBook[]> {
  const listed: ListedBook[] = [];
  let token: string | undefined;
  do {
    const address = new URL(`${url}/storage/v1/b/${bucket}/o`);
    address.searchParams.set("prefix", "test/");
    if (token !== undefined) address.searchParams.set("pageToken", token);
    const response = await fetchBounded(`${address}`, limits);
    if (response.status !== 200) {
      throw new InputRangeError(
        `Cannot list "${bucket}" at "${url}" as the server refuses: its status is ${response.status}`,
      );
    }
    const answer = parseJson(await response.text(), `the list of "${bucket}"`);
    const action = `list "${bucket}" at "${url}"`;
    const { items = [], nextPageToken } = checkedForm(listing, answer, action, "its answer");
    for (const { name, md5Hash } of items) {
      listed.push({ name, md5: Buffer.from(md5Hash, "base64").toString("hex") });
    }
    token = nextPageToken;
  } while (token !== undefined && listed.length <= books);
  if (listed.length !== books) {
    throw new InputRangeError(
      `Cannot fetch the books of "${bucket}" as its folder test must have ${books} files: it has ${listed.length}`,
    );
  }
  return listed;
}
