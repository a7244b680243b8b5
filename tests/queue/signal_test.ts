import { runTest } from "./command_line_run.ts";
import { endingSignals, signalTrial } from "./signal_trials.ts";

for (const signal of endingSignals) {
  for (const times of [1, 3]) {
    runTest(
      `${signal} to a process group is one, sent ${times} times at once, and saves a checkpoint`,
      (folder) => signalTrial(folder, signal, { times }),
    );
  }
}
