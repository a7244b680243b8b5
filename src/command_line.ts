/**
 * Commands, their flags and their help: one description of each, by which arguments are read.
 */
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { allowedWords } from "./did_you_mean.ts";
import { InputError } from "./errors.ts";
import { ifThere, isThere, writing } from "./files.ts";

export interface Flag {
  /** Name, without dashes. */
  readonly name: string;
  /** Name of its value in the help; absent: it takes none. */
  readonly value?: string;
  /** Whether the value is a path, relative to the folder where the user stands. */
  readonly isPath?: true;
  /** Values it may have; absent: any. */
  readonly allowed?: readonly string[];
  /** Short description. */
  readonly help: string;
}

export interface CommandSummary {
  /** Operands of the command, besides flags: `PATH...`. */
  readonly operands: string;
  /** Description in one sentence. */
  readonly help: string;
}

/** A command; its summary is apart, so that the list of all commands loads none of them. */
export interface Command {
  /** Whether operands are paths, relative to the folder where the user stands. */
  readonly operandsArePaths?: true;
  /** Its flags; every command also has `--help`. */
  readonly flags: readonly Flag[];
  /** Whether it only reads with these arguments; then the permissions to do more are given up before it begins. */
  readonly onlyReads?: (args: CommandArguments) => boolean;
  /** Does it. Returns the exit code. */
  readonly execute: (args: CommandArguments) => Promise<number>;
}

/** The arguments given to a command. */
export interface CommandArguments {
  /** Arguments that are not flags. */
  readonly operands: readonly string[];
  /** Values of each flag that was given; an empty text for a flag without a value. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

/** Where a command writes. */
export interface Output {
  /** Prints the result, a line or more. */
  readonly print: (text: string) => void;
  /** Reports progress and warnings, apart from the result. */
  readonly note: (text: string) => void;
  /** Prints a part of the result without ending the line; absent: results come whole. */
  readonly write?: (text: string) => void;
}

/** The last value of a flag; undefined where the flag was not given. */
export function lastValue({ flags }: CommandArguments, flag: string): string | undefined {
  return flags.get(flag)?.at(-1);
}

/** The command line is wrong: nothing has been done. */
export class UsageError extends InputError {
  override readonly name: string = "UsageError";
}

/** Runs a function that reads files named by the user; its errors become input errors. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new InputError((cause as Error).message, { cause });
  }
}

const helpFlag = { type: "boolean", short: "h" } as const;

/** Splits arguments into flags, by the command's list of them, and operands; nothing is checked. */
function tokenize({ flags }: Pick<Command, "flags">, args: readonly string[]) {
  const options = flags.map(({ name, value }) =>
    [name, { type: value === undefined ? "boolean" : "string" } as const] as const
  );
  return parseArgs({
    args: [...args],
    options: { ...Object.fromEntries(options), help: helpFlag },
    strict: false,
    tokens: true,
  });
}

/** Whether the arguments of a command contain `--help` or `-h`. */
export function asksForHelp(command: Pick<Command, "flags">, args: readonly string[]): boolean {
  return tokenize(command, args).tokens
    .some((token) => token.kind === "option" && token.name === "help");
}

/**
 * Reads the arguments of a command: `--flag value` or `--flag=value`; arguments after `--` are not flags.
 *
 * @param folder Folder to which paths are relative; absent: the current one.
 * @throws {UsageError} Where a flag is unknown, or its value is missing or not allowed.
 */
export function readArguments(
  command: Pick<Command, "flags" | "operandsArePaths">,
  args: readonly string[],
  folder?: string,
): CommandArguments {
  const { tokens, positionals } = tokenize(command, args);
  const flags = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const flag = command.flags.find(({ name }) => name === token.name);
    if (flag === undefined || !token.rawName.startsWith("--")) {
      throw unknownFlag(token.rawName, command);
    }
    const value = checkValue(flag, token.value);
    flags.set(flag.name, [
      ...flags.get(flag.name) ?? [],
      flag.isPath ? fromFolder(value, folder) : value,
    ]);
  }
  return {
    operands: command.operandsArePaths
      ? positionals.map((path) => fromFolder(path, folder))
      : positionals,
    flags,
  };
}

function checkValue({ name, value: kind, allowed }: Flag, value: string | undefined): string {
  if (kind === undefined) {
    if (value === undefined) return "";
    throw new UsageError(`Cannot read --${name} as it takes no value`);
  }
  if (value === undefined) {
    throw new UsageError(`Cannot read --${name} as its value is missing: ${kind}`);
  }
  if (allowed && !allowed.includes(value)) {
    throw new UsageError(
      `Cannot read --${name}: current value is "${value}", ${allowedWords(value, allowed)}`,
    );
  }
  return value;
}

/** A path that is relative to a folder, as one that is relative to the current folder; models of the Hub have none. */
function fromFolder(path: string, folder: string | undefined): string {
  if (folder === undefined || path === "" || isAbsolute(path) || path.startsWith("hf:")) {
    return path;
  }
  return relative(Deno.realPathSync("."), resolve(folder, path)) || ".";
}

function unknownFlag(flag: string, command: Pick<Command, "flags">): UsageError {
  const known = [...command.flags.map(({ name }) => `--${name}`), "--help"];
  return new UsageError(`Cannot read ${flag} as it is unknown: ${allowedWords(flag, known)}`);
}

/**
 * The last value of a flag as a positive integer; undefined where the flag was not given.
 *
 * @throws {UsageError} Where it is not one.
 */
export function positiveInteger(args: CommandArguments, flag: string): number | undefined {
  const text = lastValue(args, flag);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(text)) {
    throw new UsageError(
      `Cannot read --${flag}: current value is "${text}", allowed are positive integers`,
    );
  }
  return Number(text);
}

/**
 * The only operand of a command that takes one.
 *
 * @throws {UsageError} Where there is none, or more than one.
 */
export function onlyOperand({ operands }: CommandArguments, action: string): string {
  if (operands.length !== 1) {
    throw new UsageError(
      `Cannot ${action} as one path is needed: current number is ${operands.length}`,
    );
  }
  return operands[0];
}

/**
 * Reads the flag that names a command's output path.
 *
 * @param fallback The path where the flag was not given; absent: it must be.
 * @throws {UsageError} Where it was not given, or something of that name exists.
 */
export async function newPath(
  args: CommandArguments,
  flag: string,
  fallback?: string,
): Promise<string> {
  const isFallback = fallback !== undefined && !args.flags.has(flag);
  const path = isFallback ? fallback : requiredFlag(args, flag);
  if (await isAt(path)) throw thereAlready(path, isFallback && flag);
  return path;
}

/** Whether anything has a name, be it a link that leads nowhere. */
async function isAt(path: string): Promise<boolean> {
  return await Deno.lstat(path).catch(() => undefined) !== undefined;
}

function thereAlready(path: string, flag?: string | false): UsageError {
  const cure = flag ? `: --${flag} takes another name` : "";
  return new UsageError(`Cannot write "${path}" as it is there already${cure}`);
}

/**
 * Reads the flag that names a command's output file; the file is written when all has been computed, so that what is wrong with it
 * should be said before.
 *
 * @throws {UsageError} As {@linkcode newPath}, and where its folder is missing.
 */
export async function newFile(
  args: CommandArguments,
  flag: string,
  fallback?: string,
): Promise<string> {
  const path = await newPath(args, flag, fallback), folder = dirname(path);
  if (await isThere(folder)) return path;
  throw new UsageError(`Cannot write "${path}" as there is no folder "${folder}"`);
}

/**
 * Writes a file that was new when the command began, as {@linkcode newFile} checked. Of processes that write the same one at once, the
 * first does; a process that is killed leaves the name to the next.
 *
 * @param write Writes the whole file at once or none.
 * @throws {UsageError} Where another process has written a file of that name meanwhile: it stays as it is.
 */
export async function writeNewFile(path: string, write: () => Promise<unknown>): Promise<void> {
  const claim = `${path}.claim`;
  using _file = await writing(path, () => lockClaim(claim));
  try {
    if (await isAt(path)) throw thereAlready(path);
    await write();
  } finally {
    await Deno.remove(claim);
  }
}

/** Opens a file for whose lock others wait, and which its holder removes: who then gets the lock of the removed one asks again. */
async function lockClaim(path: string): Promise<Deno.FsFile> {
  for (;;) {
    const file = await Deno.open(path, { write: true, create: true });
    await file.lock(true);
    const { ino } = await file.stat();
    if ((await ifThere(Deno.stat(path)))?.ino === ino) return file;
    file.close();
  }
}

/**
 * The last value of a flag that must be given.
 *
 * @throws {UsageError} Where it was not.
 */
export function requiredFlag(args: CommandArguments, flag: string): string {
  const value = lastValue(args, flag);
  if (value === undefined || value === "") {
    throw new UsageError(`Missing required flag --${flag}`);
  }
  return value;
}

/** The help of one command, in lines of at most `width` characters. */
export function commandHelp(
  name: string,
  { operands, help, flags }: CommandSummary & Pick<Command, "flags">,
  width: number,
): string {
  const lines = [
    ...flags.map((flag): [string, string] => {
      const allowed = flag.allowed ? `; allowed: ${flag.allowed.join(", ")}` : "";
      return [`--${flag.name}${flag.value ? ` ${flag.value}` : ""}`, flag.help + allowed];
    }),
    ["--help", "show this"] as [string, string],
  ];
  const usage = `deno task ${name} ${operands}`.trimEnd();
  return `${usage}\n\n${wrap(help, width).join("\n")}\n\n${twoColumns(lines, width)}`;
}

/** The help of all commands, in lines of at most `width` characters. */
export function overview(
  commands: Readonly<Record<string, CommandSummary>>,
  width: number,
): string {
  const entries = Object.entries(commands).map(([name, { operands, help }]) => {
    const text = wrap(help, width - 6).map((line) => `      ${line}\n`).join("");
    return `  ${`deno task ${name} ${operands}`.trimEnd()}\n${text}`;
  });
  return `${entries.join("")}\nEach has --help.\n`;
}

/** Names with their explanations beside them; the longest names have them below. */
function twoColumns(lines: readonly (readonly [string, string])[], width: number): string {
  const column = Math.min(22, Math.max(...lines.map(([left]) => left.length)));
  const indent = " ".repeat(column + 4);
  return lines.map(([left, right]) => {
    const wrapped = wrap(right, width - indent.length);
    const text = wrapped.join(`\n${indent}`);
    return left.length > column
      ? `  ${left}\n${indent}${text}\n`
      : `  ${left.padEnd(column)}  ${text}\n`;
  }).join("");
}

/** Breaks text between words into lines of at most `width` characters; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** Characters a line of the terminal holds: COLUMNS, else the terminal's own size, else 80; never fewer than 60. */
export function terminalWidth(
  environment: Pick<typeof Deno.env, "get">,
  size: () => { columns: number },
): number {
  const columns = Number(environment.get("COLUMNS"));
  if (Number.isInteger(columns) && columns > 0) return Math.max(60, columns);
  try {
    return Math.max(60, size().columns || 80);
  } catch {
    return 80; // not a terminal
  }
}
