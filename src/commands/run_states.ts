/** Runs and their states in the text of commands. */
import type { Output } from "../command_line.ts";
import type { RunPaths } from "../results/read_runs.ts";
import { counted } from "../quantities.ts";

/** Counts runs by state: `8 runs: 1 completed, 7 planned`. */
export function countStates(states: readonly string[]): string {
  const counts = [...Map.groupBy(states, (state) => state)]
    .map(([state, { length }]) => `${length} ${state}`);
  return `${counted(states.length, "run")}: ${counts.join(", ")}`;
}

/** Notes the links in results folders, once. */
export function noteLinks({ links }: Pick<RunPaths, "links">, note: Output["note"]): void {
  if (links.length === 0) return;
  note(`Left out ${links.join(", ")}: links are not followed; name the folders that they lead to`);
}

/** The state of a run as wide as the longest one, for a column. */
export function stateColumn(state: string): string {
  return state.padEnd("interrupted".length);
}
