/**
 * The source code of a package of the npm registry, as one document: its files one after the other, without tests, type
 * declarations, generated and minified code, and without licence headers, which repeat in every file and would be easy to copy.
 */
import { type TarFile, tarFiles } from "../formats/tar.ts";

/** Which files of a package are its source. */
export interface SourceSelection {
  /** Folders or files below the package's root; `""` is the root itself. */
  readonly sources: readonly string[];
  /** Most bytes of the document; a file that would exceed them is left out (default 600,000). */
  readonly maxBytes?: number;
}

/** Extensions of source files; of several builds of one file, the first is taken. */
const extensions = ["ts", "mts", "tsx", "mjs", "js", "jsx", "cjs"];
const sourceFile = new RegExp(`\\.(${extensions.join("|")})$`);
const declarations = /\.d\.[mc]?ts$/;
/** Names of folders and files that hold no source of the package itself. */
const excludedFolders =
  /(^|\/)(__tests__|__mocks__|tests?|specs?|benchmarks?|bench|examples?|demos?|docs?|fixtures|vendor|third[_-]party|node_modules|locales?|i18n|lang|languages)\//i;
const excludedFiles = /([.-](test|spec|min|bench)\.[cm]?[jt]sx?$)|(^|\/)(Gruntfile|gulpfile)\.js$/i;

/** Characters of a line from which on a file counts as minified, or as a table of data. */
const longestLine = 1_000;
/** Mean characters of a line, likewise. */
const longestMeanLine = 120;
/** Where a generator leaves its mark. */
const headCharacters = 1_000;
const generated =
  /@generated|do not (edit|modify)|auto-?(matically )?generated|generated (by|from|file|code)/i;
const licence = /licen[cs]e|copyright|@preserve/i;

/**
 * Joins the source files of a package in the order of their paths (by code unit), each once where several are the same.
 *
 * @param archive The package's tar archive, uncompressed.
 * @param name Name of the package, for errors.
 * @returns The document; empty where nothing is left.
 * @throws {RangeError} If the archive is damaged.
 */
export function packageSource(
  archive: Uint8Array,
  name: string,
  { sources, maxBytes = 600_000 }: SourceSelection,
): string {
  const byStem = new Map<string, { path: string; text: string }>();
  for (const file of tarFiles(archive, name)) {
    const path = file.path.slice(file.path.indexOf("/") + 1); // the root is package/, or another folder
    if (!isSource(path, sources)) continue;
    const text = sourceText(file);
    const stem = path.replace(sourceFile, ""), other = byStem.get(stem);
    if (text === undefined || other && rankOf(other.path) < rankOf(path)) continue;
    byStem.set(stem, { path, text });
  }
  const files = [...byStem.values()];
  files.sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  const seen = new Set<string>();
  const kept: string[] = [];
  let left = maxBytes;
  for (const { text } of files) {
    const bytes = new TextEncoder().encode(text).length;
    if (seen.has(text) || bytes > left) continue;
    seen.add(text);
    kept.push(text);
    left -= bytes;
  }
  return kept.join("\n");
}

function rankOf(path: string): number {
  return extensions.indexOf(path.slice(path.lastIndexOf(".") + 1));
}

function isSource(path: string, sources: readonly string[]): boolean {
  return sourceFile.test(path) && !declarations.test(path) &&
    !excludedFolders.test(path) && !excludedFiles.test(path) &&
    sources.some((source) => source === "" || path === source || path.startsWith(`${source}/`));
}

/** The text of a file without its licence header; undefined where it is not code that a person wrote, or not UTF-8. */
function sourceText({ bytes }: TarFile): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
  text = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  if (generated.test(text.slice(0, headCharacters))) return undefined;
  const lines = text.split("\n");
  if (lines.some((line) => line.length > longestLine)) return undefined;
  if (text.length > longestMeanLine * lines.length) return undefined;
  const source = withoutLicence(text).trim();
  return source === "" ? undefined : `${source}\n`;
}

/** Removes comments at the beginning of a file that speak of a licence. */
function withoutLicence(text: string): string {
  let rest = text;
  while (true) {
    rest = rest.trimStart();
    const comment = /^(\/\*[^]*?\*\/|(\/\/[^\n]*(\n|$))+)/.exec(rest)?.[0];
    if (comment === undefined || !licence.test(comment)) return rest;
    rest = rest.slice(comment.length);
  }
}
