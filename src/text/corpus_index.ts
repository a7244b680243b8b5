/**
 * The `index.json` that a corpus may have beside its texts: where chapters begin, and how long documents are.
 */
import { join } from "node:path";
import { documentName } from "./corpus.ts";
import { InputTypeError } from "../errors.ts";
import { ifThere, readJson } from "../files.ts";
import { isCount } from "./segments.ts";

export interface IndexedChapter {
  /** Offset of its heading, in UTF-16 units. */
  readonly offset: number;
  /** The heading; absent where the index has only offsets. */
  readonly heading?: string;
}

export interface IndexedDocument {
  /** Its chapters in order; empty where the index has none. */
  readonly chapters: readonly IndexedChapter[];
  /** Its length in GPT-2 tokens; absent where the index does not say. */
  readonly gpt2Tokens?: number;
}

export interface CorpusIndex {
  readonly path: string;
  readonly documents: ReadonlyMap<string, IndexedDocument>;
}

/**
 * Reads the index in the folder of a corpus: a list of `{ file, chapters: [[offset, heading], ...], gpt2_tokens }`, the file
 * below the folder; the other fields may be missing or null, and a chapter may be its offset alone. A folder without an index has an
 * empty one.
 *
 * @throws {SyntaxError} If it is not JSON.
 * @throws {TypeError} If it has another form, naming document and field.
 */
export async function readCorpusIndex(
  folder: string,
  file: string = "index.json",
): Promise<CorpusIndex> {
  const path = join(folder, file);
  const documents = new Map<string, IndexedDocument>();
  const entries = await ifThere(readJson(path));
  if (entries === undefined) return { path, documents };
  const refuse = (reason: string, value: unknown): never => {
    throw new InputTypeError(
      `Cannot read "${path}" as ${reason}: current value is ${JSON.stringify(value)?.slice(0, 80)}`,
    );
  };
  if (!Array.isArray(entries)) return refuse("it must be a list of documents", entries);
  for (const [i, entry] of entries.entries()) {
    const { file, chapters, "gpt2_tokens": gpt2Tokens } = Object(entry) as Record<string, unknown>;
    if (typeof file !== "string") return refuse(`entry ${i} must have the name of a "file"`, entry);
    if (gpt2Tokens != null && !isCount(gpt2Tokens)) {
      return refuse(`gpt2_tokens of "${file}" must be an integer from 0`, gpt2Tokens);
    }
    if (chapters != null && !Array.isArray(chapters)) {
      return refuse(`chapters of "${file}" must be a list`, chapters);
    }
    const indexed = (chapters ?? []).map((chapter): IndexedChapter => {
      const [offset, heading] = Array.isArray(chapter) ? chapter : [chapter];
      return { offset, ...(heading == null ? {} : { heading }) };
    });
    for (const [j, { offset, heading }] of indexed.entries()) {
      if (!isCount(offset) || (j > 0 && offset <= indexed[j - 1].offset)) {
        refuse(`offset ${j} of "${file}" must be an integer above those before it`, offset);
      }
      if (heading !== undefined && typeof heading !== "string") {
        refuse(`heading ${j} of "${file}" must be text`, heading);
      }
    }
    const name = documentName(file),
      document: IndexedDocument = {
        chapters: indexed,
        ...(gpt2Tokens == null ? {} : { gpt2Tokens }),
      };
    // Documents are known by their names, so that one would take the place of the other.
    const other = documents.get(name);
    if (other && JSON.stringify(other) !== JSON.stringify(document)) {
      return refuse(`two entries say different things of document "${name}"`, entry);
    }
    documents.set(name, document);
  }
  return { path, documents };
}
