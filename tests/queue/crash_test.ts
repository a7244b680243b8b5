import { Random } from "../../src/random.ts";
import { assert, test } from "../testing.ts";
import { withCorpus } from "./command_line_run.ts";
import { crashTrial, killMoments } from "./crash_trials.ts";

/** Most trials until a kill comes before the run has ended, which a fast machine makes rarer. */
const mostTrials = 8;

for (const moment of killMoments) {
  test(`a kill at a random moment (${moment}) loses at most the work since the last checkpoint`, async () => {
    const random = new Random(`${Math.random()}`);
    let killed = 0;
    for (let trial = 0; killed === 0 && trial < mostTrials; trial++) {
      await withCorpus(async (folder) => {
        killed = await crashTrial(folder, moment, { random, kills: 2 });
      });
    }
    assert.ok(killed > 0, "no kill came in time");
  });
}
