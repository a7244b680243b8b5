/** Command lines that pages and comments show, for tests that check them. */

/** A command line as shown. */
export interface ShownCommand {
  /** Line on which it begins. */
  readonly line: number;
  /** Its words, `deno` (or the command, where a page leaves `deno task` out) first; quotes are gone. */
  readonly words: readonly string[];
}

/** Splits a command line into words: blanks separate, quotes join. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)]
    .map(([word]) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

/**
 * Command lines of a page or of the comments of a source: lines of code blocks that begin with `deno` or `npx`, and code within
 * sentences, which may be broken over lines, that begins with `deno` or one of the given commands.
 */
export function commandsIn(
  text: string,
  options: { commands: readonly string[]; isPage: boolean },
): ShownCommand[] {
  const { commands, isPage } = options;
  const lineAt = (index: number) => text.slice(0, index).split("\n").length;
  const found: ShownCommand[] = [];
  const blockLine = isPage ? /^ {0,12}((?:npx|deno) .*)$/gm : /^ *\* {5}((?:npx|deno) .*)$/gm;
  for (const match of text.matchAll(blockLine)) {
    const [, command] = match;
    const words = wordsOf(command.replace(/ # .*$/, "").replace(/^npx -y deno@[\d.]+/, "deno"));
    found.push({ line: lineAt(match.index), words });
  }
  // Blocks are out of the way, so that backticks are pairs.
  const prose = isPage
    ? text.replaceAll(
      /^(```+)[^\n]*\n[\s\S]*?^\1$|^ {4,}.*$/gm,
      (block) => block.replaceAll(/[^\n]/g, " "),
    )
    : [...text.matchAll(/\/\*\*[\s\S]*?\*\/|\/\/.*|[^]/g)]
      .map(([part]) => part.length > 1 || part === "\n" ? part : " ").join("");
  for (const match of prose.matchAll(/`([^`]+)`/g)) {
    const words = wordsOf(match[1].replaceAll(/\n\s*(?:\*|\/\/)?/g, " "));
    if (words[0] === "deno" || words.length > 1 && commands.includes(words[0])) {
      found.push({ line: lineAt(match.index), words });
    }
  }
  return found;
}

/** Flags within sentences, `--set` among them with its assignments: `--flag` or `--flag value`. */
export function flagsIn(text: string): { flag: string; value: string | undefined }[] {
  const found: { flag: string; value: string | undefined }[] = [];
  for (const [, code] of text.matchAll(/`(--[a-z][^`]*)`/g)) {
    for (const [, flag, value] of code.matchAll(/--([a-z-]+)(?:[ =]([^\s]+))?/g)) {
      found.push({ flag, value });
    }
  }
  return found;
}

/** Whether a word stands for something that the reader fills in: `FILE`, `results/EXPERIMENT/RUN`, `x=N`. */
export function isPlaceholder(word: string): boolean {
  return /(?:^|[/=:])[A-Z][A-Z_]*(?=$|[/.=])/.test(word) || /[[\]|]|\.\.\.$/.test(word);
}
