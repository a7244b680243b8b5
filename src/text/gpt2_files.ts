/**
 * The two files of a vocabulary that GPT-2 introduced: ids by token as JSON, and merges, one a line. fairseq calls them
 * `encoder.json` and `vocab.bpe`, Hugging Face `vocab.json` and `merges.txt`.
 */
import { InputSyntaxError } from "../errors.ts";
import { parseJson } from "../files.ts";
import { type BpeDefinition } from "./byte_level_bpe.ts";
import { maxVocabSize } from "./tokenizer.ts";

/** Text of the file with ids and of that with merges, or their paths. */
export interface Gpt2Files {
  readonly ids: string;
  readonly merges: string;
}

/**
 * Reads the files.
 *
 * @throws {SyntaxError} If a file is not in its format, or no merge yields a token of the other.
 */
export function parseGpt2Files(texts: Gpt2Files, paths: Gpt2Files): BpeDefinition {
  const vocab = parseIds(texts.ids, paths.ids);
  const merges = parseMerges(texts.merges, paths.merges);
  checkReachable(vocab, merges, paths);
  return { vocab, merges, name: `"${paths.merges}"` };
}

function parseIds(text: string, path: string): Map<string, number> {
  const refuse = (reason: string): never => {
    throw new InputSyntaxError(`Cannot read "${path}" as ${reason}`);
  };
  const json = parseJson(text, `"${path}"`);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return refuse("it must be an object of ids by token");
  }
  const vocab = new Map<string, number>(Object.entries(json));
  const tokens = new Map<number, string>();
  for (const [token, id] of vocab) {
    if (!Number.isInteger(id) || id < 0 || id >= maxVocabSize) {
      refuse(
        `ids must be whole numbers in 0 .. ${maxVocabSize - 1}: current value of ${
          JSON.stringify(token)
        } is ${JSON.stringify(id)}`,
      );
    }
    const other = tokens.get(id);
    if (other !== undefined) {
      refuse(`two tokens have the id ${id}: ${JSON.stringify(other)}, ${JSON.stringify(token)}`);
    }
    tokens.set(id, token);
  }
  return vocab;
}

function parseMerges(text: string, path: string): [string, string][] {
  const lines = text.replace(/(?:\r?\n)+$/, "").split(/\r?\n/);
  if (lines.length === 1 && lines[0] === "") return [];
  const version = /^#(?:version|[^ ]*$)/.test(lines[0]) ? 1 : 0;
  return lines.slice(version).map((line, i) => {
    const [left, right, ...rest] = line.split(" ");
    if (!left || !right || rest.length > 0) {
      throw new InputSyntaxError(
        `Cannot read "${path}" as line ${
          i + 1 + version
        } must be two tokens with a space between: current value is ${JSON.stringify(line)}`,
      );
    }
    return [left, right];
  });
}

/** Names of special tokens and of fairseq's fillers, which no merge yields. */
const specialToken = /^(?:<.*>|\[.*\]|madeupword\d+)$/;

/** Checks that every token is a byte, the result of a merge or special: where merges are missing, text encodes otherwise. */
function checkReachable(
  vocab: ReadonlyMap<string, number>,
  merges: readonly (readonly [string, string])[],
  paths: Gpt2Files,
): void {
  const reached = new Set(merges.map(([left, right]) => left + right));
  const missing = [...vocab.keys()].filter((token) =>
    token.length > 1 && !reached.has(token) && !specialToken.test(token)
  );
  if (missing.length === 0) return;
  throw new InputSyntaxError(
    `Cannot read "${paths.merges}" as no merge yields ${missing.length} of the tokens of "${paths.ids}", such as ${
      JSON.stringify(missing[0])
    }: current number of merges is ${merges.length}; ` +
      "the file may be cut off, or belong to another vocabulary",
  );
}
