/**
 * Text that test documents share with training documents: the share of a document's 12-grams of words and signs that stand in any of
 * the training documents.
 *
 *     deno run -A tests/bench/overlap.ts DECLARATION...
 *
 * The test split is that of the first declaration; training splits are those of all, so that the backbone's may be named, too.
 */
// deno-lint-ignore-file no-console -- a script prints what it measured
import { join } from "node:path";
import { loadExperiments } from "../../src/experiment/load_experiments.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import { findDocuments, readDocument } from "../../src/text/corpus.ts";
import type { FileCorpusConfig } from "../../src/text/corpora/files.ts";

/** Words and signs of a sequence that is looked up. */
const n = 12;

/** Hashes of the sequences of `n` words and signs of a text, one for each position. */
export function* ngrams(text: string): Generator<bigint> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const hashes = words.map(hash), base = 0x100000001b3n, mask = (1n << 64n) - 1n;
  let leaving = 1n, rolled = 0n;
  for (let i = 0; i < n; i++) leaving = leaving * base & mask;
  for (let i = 0; i < hashes.length; i++) {
    rolled = rolled * base + hashes[i] & mask;
    if (i >= n) rolled = rolled - hashes[i - n] * leaving & mask;
    if (i >= n - 1) yield rolled;
  }
}

/** FNV-1a of a word, 64 bits. */
function hash(word: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < word.length; i++) {
    hash = (hash ^ BigInt(word.charCodeAt(i))) * 0x100000001b3n & 0xffffffffffffffffn;
  }
  return hash;
}

/**
 * The share of each text's sequences that stand in any of others; undefined where a text has none.
 *
 * @param texts Texts whose sequences fit a set together (16 million).
 */
export async function sharesIn(
  others: AsyncIterable<string>,
  texts: readonly string[],
): Promise<(number | undefined)[]> {
  const wanted = new Set<bigint>(), found = new Set<bigint>();
  for (const text of texts) for (const ngram of ngrams(text)) wanted.add(ngram);
  for await (const other of others) {
    for (const ngram of ngrams(other)) if (wanted.has(ngram)) found.add(ngram);
  }
  return texts.map((text) => {
    const of = [...ngrams(text)];
    return of.length === 0 ? undefined : of.filter((ngram) => found.has(ngram)).length / of.length;
  });
}

if (import.meta.main) {
  const corpora: FileCorpusConfig[] = [];
  for (const path of Deno.args) {
    for (const { file, experiment } of await loadExperiments([path])) {
      const { corpus } = resolveRun(file, experiment).experiment;
      if (corpus.kind !== "files") throw new TypeError(`${path} reads no files`);
      corpora.push(corpus);
    }
  }
  const find = (folder: string, patterns: readonly string[]) =>
    findDocuments(patterns.map((pattern) => join(folder, pattern)));
  const tested = await Array.fromAsync(
    await find(corpora[0].folder, corpora[0].test),
    readDocument,
  );
  const training = async function* () {
    for (const { folder, train } of corpora) {
      for (const file of await find(folder, train)) yield (await readDocument(file)).text;
    }
  };
  const shares = await sharesIn(training(), tested.map(({ text }) => text));
  const sorted = tested.map(({ name }, i) => ({ name, share: shares[i] ?? 0 }))
    .toSorted((a, b) => b.share - a.share);
  const mean = sorted.reduce((sum, { share }) => sum + share, 0) / sorted.length;
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  console.log(
    `Of ${sorted.length} test documents, ${
      percent(mean)
    } of the sequences of ${n} words and signs stand in training documents ` +
      "on average, most of",
  );
  for (const { name, share } of sorted.slice(0, 5)) console.log(`  ${name}: ${percent(share)}`);
}
