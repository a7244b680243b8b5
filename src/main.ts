/**
 * The command line: `deno task run`, `deno task table`, ...
 *
 * Exit codes: 0 nothing failed: runs are done, left to another process, or of a folder and without data; 1 a run failed, or a file that was named cannot be used;
 * 2 the declaration or the command line is wrong; 130 stopped by Ctrl-C.
 */
// deno-lint-ignore-file no-console -- this is where results and errors reach the person who asked
import {
  type Command,
  commandHelp,
  type Output,
  overview,
  readArguments,
  UsageError,
} from "./command_line.ts";
import { chapterBreakCommand } from "./commands/chapter_break.ts";
import { dataCommand } from "./commands/data.ts";
import { exportCommand } from "./commands/export.ts";
import { generateCommand } from "./commands/generate.ts";
import { importCommand } from "./commands/import.ts";
import { inductionCommand } from "./commands/induction.ts";
import { reportCommand } from "./commands/report.ts";
import { runCommand } from "./commands/run.ts";
import { tableCommand } from "./commands/table.ts";
import { allowedWords } from "./did_you_mean.ts";
import { DeclarationError } from "./declaration/problem.ts";
import { failureText, isForeseen } from "./errors.ts";
import type { RunExecutor } from "./runner/run_context.ts";

/** Commands print to the terminal. */
const terminal: Output = {
  print: (text) => console.log(text),
  note: (text) => console.error(text),
};

/** Every command; a new one is one line here. */
function commandTable(executor: () => Promise<RunExecutor>): Record<string, Command> {
  const run = runCommand(terminal, executor);
  return {
    run,
    measure: {
      ...run,
      help: "Runs experiments as `run` does, and may also start the processes of `efficiency`.",
    },
    table: tableCommand(terminal),
    report: reportCommand(terminal),
    data: dataCommand(terminal),
    "chapter-break": chapterBreakCommand(terminal),
    import: importCommand(terminal),
    export: exportCommand(terminal),
    generate: generateCommand(terminal),
    induction: inductionCommand(terminal),
  };
}

/**
 * Runs the command line and returns its exit code.
 *
 * @param args Arguments, the command first.
 * @param executor Loads what executes a run; tests put their own here.
 */
export async function main(
  args: readonly string[],
  executor: () => Promise<RunExecutor> = loadExecutor,
): Promise<number> {
  const commands = commandTable(executor);
  const [name, ...rest] = args;
  if (name === undefined || isHelp(name) || name === "help") {
    (name ? console.log : console.error)(overview(commands));
    return name ? 0 : 2;
  }
  try {
    if (!Object.hasOwn(commands, name)) {
      const allowed = allowedWords(name, Object.keys(commands));
      throw new UsageError(`Cannot run command "${name}" as it is unknown: ${allowed}`);
    }
    const command = commands[name];
    if (rest.some(isHelp)) {
      console.log(commandHelp(name, command));
      return 0;
    }
    return await command.execute(readArguments(command, rest));
  } catch (error) {
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

function isHelp(argument: string): boolean {
  return argument === "--help" || argument === "-h";
}

/** Engines are loaded only when something runs, so that `table` needs none of their permissions. */
async function loadExecutor(): Promise<RunExecutor> {
  return (await import("./runner/run.ts")).executeRun;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
