import { basename, join } from "node:path";
import type { HubRepository } from "../../checkpoint/hub_repository.ts";
import { InputRangeError } from "../../errors.ts";
import { readText, removeIfThere, writing } from "../../files.ts";
import { parseChapterBreak } from "../../text/chapter_break.ts";
import { type Receipt, receiptOf } from "../data_set.ts";
import type { DataSetSource } from "../data_set_source.ts";
import { copyFile, filesAt } from "../local_files.ts";

/** Where experiments look for the items. */
const target = "chapterbreak_ctx_8192.json";

/** Characters of the longest text before a break, at least: 8,192 tokens of English are some 35,000. */
const leastCharacters = 20_000;

/** ChapterBreak's items with prefixes of 8,192 tokens, of the Hub's data set. */
export const chapterbreak: DataSetSource = chapterBreakOf({
  kind: "dataset",
  reference: { repo: "simsun131/chapterbreak" },
});

/**
 * ChapterBreak's items with prefixes of 8,192 tokens. The names of the repository's files are not known: the one that is taken has
 * 8192 in its name, and holds items of fan fiction (`ao3`) with texts that long.
 *
 * @param options `leastCharacters`: of the longest text, for tests with small files.
 */
export function chapterBreakOf(
  repository: HubRepository,
  options: { readonly leastCharacters?: number } = {},
): DataSetSource {
  const { repo } = repository.reference;
  const finish = async (from: string, folder: string, temporary: string): Promise<Receipt> => {
    try {
      await checkItems(temporary, from, options.leastCharacters ?? leastCharacters);
      await writing(target, () => Deno.rename(temporary, join(folder, target)));
    } catch (error) {
      await removeIfThere(temporary);
      throw error;
    }
    return await receiptOf(from, folder, [target]);
  };
  return {
    async fetch({ folder, hub, limits, progress, note }) {
      // Not before it is needed: the package of the Hub is large.
      const { downloadListed, listRepository } = await import(
        "../../checkpoint/hub_repository.ts"
      );
      const access = { ...limits, ...hub };
      const { commit, files } = await listRepository(repository, { ...access, recursive: true });
      const file = files.get(onlyFile([...files.keys()], `data set "${repo}" of the Hub`))!;
      note(`fetching ${file.path} of ${repo}, ${(file.sizeBytes / 1e6).toFixed(1)} MB`);
      const temporary = join(folder, `.source-${file.gitHash}`);
      await downloadListed(file, {
        repository,
        commit,
        target: temporary,
        access,
        progress: (bytes) => progress(target, bytes, file.sizeBytes),
      });
      return await finish(`hf:datasets/${repo}@${commit}/${file.path}`, folder, temporary);
    },
    async take(from, { folder }) {
      const path = onlyFile(await filesAt(from), `"${from}"`);
      const temporary = join(folder, `.source-${crypto.randomUUID()}`);
      await copyFile(path, temporary);
      return await finish(path, folder, temporary);
    },
  };
}

/**
 * The only file of JSON with 8192 in its name, or the only one.
 *
 * @throws {RangeError} Where there is none, or several.
 */
function onlyFile(paths: readonly string[], where: string): string {
  const json = paths.filter((path) =>
    /\.json(\.gz)?$/.test(path) && basename(path) !== "fetched.json"
  );
  const long = json.filter((path) => basename(path).includes("8192"));
  const found = long.length > 0 ? long : json;
  if (found.length === 1) return found[0];
  const names = (found.length > 0 ? found : paths).slice(0, 10).map((path) => `"${path}"`);
  throw new InputRangeError(
    `Cannot find ChapterBreak's items after 8192 tokens in ${where} as it has ${
      found.length === 0 ? "no file of JSON" : "several files that might have them"
    }: found ${names.join(", ") || "nothing"}; name one that is there with --from FILE`,
  );
}

/** Checks that a file has items of fan fiction, with texts as long as they should be. */
async function checkItems(path: string, from: string, least: number): Promise<void> {
  const works = parseChapterBreak(await readText(path), { name: from, split: "ao3" });
  let longest = 0;
  for (const { ctx } of Object.values(works).flat()) longest = Math.max(longest, ctx.length);
  if (longest >= least) return;
  throw new InputRangeError(
    `Cannot take ChapterBreak's items after 8192 tokens from "${from}" as its texts are shorter: the longest has ${longest} ` +
      `characters, expected are ${least} or more`,
  );
}
