import { findRuns } from "../../src/results/read_runs.ts";
import { repositoryPath } from "../testing.ts";

/**
 * Folders of the committed runs, relative to results/: `EXPERIMENT/RUN`. Runs of one's own, as README's first command makes
 * one, are left out; where there is no git or repository, all count as committed.
 */
export async function committedRuns(): Promise<string[]> {
  const results = repositoryPath("results");
  const { paths } = await findRuns(results);
  const runs = paths.map((path) => path.slice(results.length + 1));
  const git = new Deno.Command("git", {
    args: ["ls-files", "-z", "--", "*/summary.json"],
    cwd: results,
    stderr: "null",
  });
  const listed = await git.output().catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // git is not installed
  });
  if (!listed?.success) return runs;
  const tracked = new Set(new TextDecoder().decode(listed.stdout).split("\0"));
  return runs.filter((run) => tracked.has(`${run}/summary.json`));
}
