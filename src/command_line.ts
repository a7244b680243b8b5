/**
 * Commands, their flags and their help: one description of each, from which arguments are read.
 */
import { allowedWords } from "./did_you_mean.ts";
import { InputError } from "./errors.ts";

/** A flag of a command. */
export interface Flag {
  /** Name, without dashes. */
  readonly name: string;
  /** What its value is called in the help; absent: it takes none. */
  readonly value?: string;
  /** Values it may have; absent: any. */
  readonly allowed?: readonly string[];
  /** What it does, in a few words. */
  readonly help: string;
}

/** A command of the command line. */
export interface Command {
  /** What follows the command, besides flags: `PATH...`. */
  readonly operands: string;
  /** What it does, in one sentence. */
  readonly help: string;
  /** Its flags; every command also has `--help`. */
  readonly flags: readonly Flag[];
  /** Does it. Returns the exit code. */
  readonly execute: (args: CommandArguments) => Promise<number>;
}

/** What was given to a command. */
export interface CommandArguments {
  /** What is not a flag. */
  readonly operands: readonly string[];
  /** Values of each flag that was given; an empty text for a flag without a value. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

/** Where a command says something. */
export interface Output {
  /** Prints what was asked for. */
  readonly print: (text: string) => void;
  /** Says what is going on, apart from what was asked for. */
  readonly note: (text: string) => void;
}

/** The command line is wrong: nothing has been done. */
export class UsageError extends InputError {
  override readonly name: string = "UsageError";
}

/** Does what depends on files that the user named: where it fails, the reason is theirs to mend. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new InputError((cause as Error).message, { cause });
  }
}

/**
 * Reads the arguments of a command: `--flag value` or `--flag=value`; what follows `--` is no flag.
 *
 * @throws {UsageError} Where a flag is unknown, or its value is missing or not allowed.
 */
export function readArguments(command: Command, args: readonly string[]): CommandArguments {
  const operands: string[] = [];
  const flags = new Map<string, string[]>();
  for (let i = 0; i < args.length; i++) {
    const [, name, , inline] = /^--([^=]+)(=(.*))?$/s.exec(args[i]) ?? [];
    if (args[i] === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (name === undefined) {
      if (/^-./.test(args[i])) throw unknownFlag(args[i], command);
      operands.push(args[i]);
      continue;
    }
    const flag = command.flags.find((candidate) => candidate.name === name);
    if (flag === undefined) throw unknownFlag(`--${name}`, command);
    let value = "";
    if (flag.value === undefined) {
      if (inline !== undefined) throw new UsageError(`Cannot read --${name} as it takes no value`);
    } else {
      value = inline ?? args[++i];
      if (value === undefined) {
        throw new UsageError(`Cannot read --${name} as its value is missing: ${flag.value}`);
      }
      if (flag.allowed && !flag.allowed.includes(value)) {
        throw new UsageError(
          `Cannot read --${name}: current value is "${value}", ${
            allowedWords(value, flag.allowed)
          }`,
        );
      }
    }
    flags.set(name, [...flags.get(name) ?? [], value]);
  }
  return { operands, flags };
}

function unknownFlag(flag: string, command: Command): UsageError {
  const known = [...command.flags.map(({ name }) => `--${name}`), "--help"];
  return new UsageError(`Cannot read ${flag} as it is unknown: ${allowedWords(flag, known)}`);
}

/**
 * The last value of a flag as a positive integer; undefined where the flag was not given.
 *
 * @throws {UsageError} Where it is none.
 */
export function positiveInteger(args: CommandArguments, flag: string): number | undefined {
  const text = args.flags.get(flag)?.at(-1);
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
 * The value of a flag that names what a command is to write.
 *
 * @throws {UsageError} Where it was not given, or something of that name is there already.
 */
export async function newPath(args: CommandArguments, flag: string): Promise<string> {
  const path = requiredFlag(args, flag);
  if (await Deno.stat(path).catch(() => undefined)) {
    throw new UsageError(`Cannot write "${path}" as it is there already`);
  }
  return path;
}

/**
 * The last value of a flag that must be given.
 *
 * @throws {UsageError} Where it was not.
 */
export function requiredFlag(args: CommandArguments, flag: string): string {
  const value = args.flags.get(flag)?.at(-1);
  if (value === undefined || value === "") {
    throw new UsageError(`Cannot go on as --${flag} is missing`);
  }
  return value;
}

/** The help of one command. */
export function commandHelp(name: string, { operands, help, flags }: Command): string {
  const lines = [
    ...flags.map((flag) => {
      const allowed = flag.allowed ? `: ${flag.allowed.join(", ")}` : "";
      return [`--${flag.name}${flag.value ? ` ${flag.value}` : ""}`, flag.help + allowed];
    }),
    ["--help", "show this"],
  ];
  return `deno task ${name} ${operands}\n\n${help}\n\n${columns(lines)}`;
}

/** The help of all commands. */
export function overview(commands: Readonly<Record<string, Command>>): string {
  const lines = Object.entries(commands)
    .map(([name, { operands, help }]) => [`deno task ${name} ${operands}`, help]);
  return `${columns(lines)}\nEach has --help.\n`;
}

function columns(lines: readonly string[][]): string {
  const width = Math.max(...lines.map(([left]) => left.length));
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join("");
}
