/**
 * The command line: `deno task run`, `deno task table`, ...
 *
 * Exit codes: 0 nothing failed: runs are done, left to another process, or of a folder and without data; 1 a run failed, or a file
 * that was named cannot be used; 2 the declaration or the command line is wrong; 130 stopped by Ctrl-C; 141 nobody reads the output.
 */
// deno-lint-ignore-file no-console -- this is where results and errors reach the person who asked
import { dirname } from "node:path";
import {
  asksForHelp,
  type Command,
  commandHelp,
  type Output,
  overview,
  readArguments,
  terminalWidth,
  UsageError,
} from "./command_line.ts";
import { type CommandName, summaries } from "./commands/summaries.ts";
import { allowedWords } from "./did_you_mean.ts";
import { DeclarationError } from "./declaration/problem.ts";
import { failureText, isForeseen } from "./errors.ts";
import { environmentVariable } from "./system.ts";
import { ClosedOutputError, unlessClosed, writeOut } from "./standard_output.ts";
import type { RunExecutor } from "./runner/run_context.ts";

/** Commands print to the terminal. */
const terminal: Output = {
  print: (text) => unlessClosed(() => console.log(text)),
  note: (text) => unlessClosed(() => console.error(text)),
  write: writeOut,
};

/**
 * Loads a module. Deno downloads the packages of every module whose name it can read in the source, but not of one that is
 * a variable: so each command downloads only the packages that it needs.
 */
const load = (path: string) => import(path);

/** Each command's module; a new one is one line here, and one in the list of summaries. */
export const commands: Readonly<
  Record<CommandName, (executor: () => Promise<RunExecutor>) => Promise<Command>>
> = {
  run: async (executor) => (await load("./commands/run.ts")).runCommand(terminal, executor),
  measure: (executor) => commands.run(executor),
  submit: async () => (await load("./commands/submit.ts")).submitCommand(terminal),
  status: async () => (await load("./commands/status.ts")).statusCommand(terminal),
  table: async () => (await load("./commands/table.ts")).tableCommand(terminal),
  report: async () => (await load("./commands/report.ts")).reportCommand(terminal),
  compress: async () => (await load("./commands/compress.ts")).compressCommand(terminal),
  watch: async () => (await load("./commands/watch.ts")).watchCommand(terminal),
  data: async () => (await load("./commands/data.ts")).dataCommand(terminal),
  "chapter-break": async () =>
    (await load("./commands/chapter_break.ts")).chapterBreakCommand(terminal),
  import: async () => (await load("./commands/import.ts")).importCommand(terminal),
  export: async () => (await load("./commands/export.ts")).exportCommand(terminal),
  remember: async () => (await load("./commands/remember.ts")).rememberCommand(terminal),
  generate: async () => (await load("./commands/generate.ts")).generateCommand(terminal),
  ask: async () => (await load("./commands/ask.ts")).askCommand(terminal),
  serve: async () => (await load("./commands/serve.ts")).serveCommand(terminal),
  inspect: async () => (await load("./commands/inspect.ts")).inspectCommand(terminal),
  induction: async () => (await load("./commands/induction.ts")).inductionCommand(terminal),
};

/**
 * Runs the command line and returns its exit code.
 *
 * @param args Arguments, the command first.
 * @param executor Loads the function that executes a run; tests pass their own.
 */
export async function main(
  args: readonly string[],
  executor: () => Promise<RunExecutor> = loadExecutor,
): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || ["--help", "-h", "help"].includes(name)) {
    (name ? console.log : console.error)(overview(summaries, helpWidth()).trimEnd());
    return name ? 0 : 2;
  }
  try {
    if (!Object.hasOwn(commands, name)) {
      const allowed = allowedWords(name, Object.keys(commands));
      throw new UsageError(`Cannot run command "${name}" as it is unknown: ${allowed}`);
    }
    const command = await commands[name as CommandName](executor);
    if (asksForHelp(command, rest)) {
      const described = { ...command, ...summaries[name as CommandName] };
      console.log(commandHelp(name, described, helpWidth()).trimEnd());
      return 0;
    }
    const folder = startFolder();
    if (folder !== undefined) terminal.note(`Paths in the output are relative to ${Deno.cwd()}`);
    const given = readArguments(command, rest, folder);
    if (command.onlyReads?.(given)) await giveUpPermissions();
    return await command.execute(given);
  } catch (error) {
    if (error instanceof ClosedOutputError) return 141; // as SIGPIPE would end it
    const code = error instanceof UsageError || error instanceof DeclarationError
      ? 2
      : isForeseen(error)
      ? 1
      : undefined;
    if (code === undefined) throw error;
    console.error(failureText(error));
    return code;
  }
}

/** Leaves a process the permissions to read alone: declarations are programs, and looking at one is not running it. */
async function giveUpPermissions(): Promise<void> {
  for (const name of ["write", "ffi", "run", "net"] as const) {
    await Deno.permissions.revoke({ name });
  }
}

/** Environment variables that the task may read; those that it may not read are taken for unset. */
const environment = { get: environmentVariable };

function helpWidth(): number {
  return terminalWidth(environment, Deno.consoleSize);
}

/**
 * The folder in which the user typed `deno task`, which goes to the repository's; undefined where that is the same, or the command is
 * not run as a task.
 */
function startFolder(): string | undefined {
  const typed = environment.get("INIT_CWD");
  if (!typed || !import.meta.dirname) return undefined;
  try {
    const [folder, current, repository] = [typed, Deno.cwd(), dirname(import.meta.dirname)]
      .map((path) => Deno.realPathSync(path));
    return current === repository && folder !== repository ? folder : undefined;
  } catch {
    return undefined; // a folder that is gone, or that may not be read
  }
}

/** Engines are loaded only when something runs, so that `table` needs none of their permissions. */
async function loadExecutor(): Promise<RunExecutor> {
  return (await load("./runner/run.ts")).executeRun;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
