import { inductionScores } from "../../src/evaluation/induction.ts";
import { resolveRuns } from "../../src/experiment/resolve.ts";
import type { RunEnvironment } from "../../src/results/records.ts";
import { readJson } from "../queue/command_line_run.ts";
import { assert, repositoryPath, test } from "../testing.ts";

const log = await Deno.readTextFile(repositoryPath("docs/log.md"));

test({
  name:
    "the backbone for source code that ships was made by its declaration, and has an induction head",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const [run] = await resolveRuns([repositoryPath("experiments/code/backbone.ts")]);
    const folder = repositoryPath(`results/${run.experiment.name}/${run.id}`);
    const environment: RunEnvironment = await readJson(folder, "environment.json");
    assert.equal(environment.dirty, false);
    const path = repositoryPath("data/code/backbone");
    const scores = await inductionScores(path, { device: "cpu", sequences: 4 });
    assert.equal(scores.contextTokens, 256);
    assert.equal(scores.recommendation.isInductionBlock, true);
    const { sidenet } = scores.recommendation;
    const [{ experiment }] = await resolveRuns([
      repositoryPath("experiments/code/language_modeling.ts"),
    ]);
    assert.ok(experiment.sidenet?.kind === undefined);
    assert.equal(experiment.sidenet?.memoryBlock, sidenet.memoryBlock);
  },
});

test("the log has the recorded losses of the backbone for source code", async () => {
  const [run] = await resolveRuns([repositoryPath("experiments/code/backbone.ts")]);
  const path = repositoryPath(`results/${run.experiment.name}/${run.id}/metrics.jsonl`);
  const lines = (await Deno.readTextFile(path)).trim().split("\n")
    .map((line) => JSON.parse(line)).filter(({ split }) => split === "valid");
  assert.equal(lines.length, 7);
  for (const { step, tokens, loss } of lines) {
    const cells = cellsOf(step.toLocaleString("en"));
    assert.deepEqual(cells.slice(0, 2), [(tokens / 1e6).toFixed(1), loss.toFixed(4)]);
  }
});

/** Cells of the log's row that begins with some text. */
function cellsOf(begins: string): string[] {
  const rows = log.split("\n").filter((line) => line.startsWith(`| ${begins} `));
  assert.equal(rows.length, 1, `rows that begin with "${begins}"`);
  return rows[0].split("|").slice(2, -1).map((cell) => cell.trim());
}
