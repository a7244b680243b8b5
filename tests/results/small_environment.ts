import type { Environment } from "../../src/results/environment.ts";

/** Where no run has been; tests change the field they are about. */
export const smallEnvironment: Environment = {
  startedAt: "2026-01-01T00:00:00.000Z",
  deno: "2.9.6",
  v8: "15",
  packages: {},
  system: "linux",
  cpu: "cpu",
  cores: 2,
  memoryBytes: 1,
};
