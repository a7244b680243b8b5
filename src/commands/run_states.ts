/** Runs and their states in the text of commands. */
import { counted } from "../results/table_text.ts";

/** A number of runs: `1 run`, `8 runs`. */
export function countRuns(count: number): string {
  return counted(count, "run");
}

/** Counts runs by state: `8 runs: 1 completed, 7 planned`. */
export function countStates(states: readonly string[]): string {
  const counts = [...Map.groupBy(states, (state) => state)]
    .map(([state, { length }]) => `${length} ${state}`);
  return `${countRuns(states.length)}: ${counts.join(", ")}`;
}

/** The state of a run as wide as the longest one, for a column. */
export function stateColumn(state: string): string {
  return state.padEnd("interrupted".length);
}
