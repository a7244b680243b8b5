import { type Command, type Output, readArguments } from "../../src/command_line.ts";

/** What a command said. */
export interface Said extends Output {
  /** What it printed. */
  readonly printed: string[];
  /** What it said besides. */
  readonly notes: string[];
}

/** An output that keeps what is said. */
export function recordedOutput(): Said {
  const printed: string[] = [], notes: string[] = [];
  return {
    printed,
    notes,
    print: (text) => void printed.push(text),
    note: (text) => void notes.push(text),
  };
}

/** Runs a command with arguments as they are typed. */
export function execute(command: Command, ...args: string[]): Promise<number> {
  return command.execute(readArguments(command, args));
}
