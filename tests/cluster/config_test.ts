import { clusterPart, timeSeconds } from "../../src/cluster/config.ts";
import { allottedCores, currentTask, describeTask } from "../../src/cluster/cluster_task.ts";
import { assert, test } from "../testing.ts";

test("times are read in each of SLURM's forms", () => {
  const times = {
    "30": 1800,
    "30:15": 1815,
    "12:00:00": 43_200,
    "2-0": 172_800,
    "1-01:30": 91_800,
    "1-01:30:05": 91_805,
  };
  for (const [text, seconds] of Object.entries(times)) assert.equal(timeSeconds(text), seconds);
  for (const text of ["", "2h", "0", "00:00", "1:2:3:4", "1.5", "-1", "1-", "30 "]) {
    assert.equal(timeSeconds(text), undefined, text);
  }
});

test("settings of a cluster hold nothing that a shell or SLURM would read as more", () => {
  const accepts = (settings: unknown) => clusterPart.schema.safeParse(settings).success;
  assert.ok(accepts({ partition: "gpu,long", account: "a-b", memory: "16G", gpus: 0, cpus: 1 }));
  for (
    const wrong of [
      { partition: "gpu --uid=0" },
      { partition: "gpu\n#SBATCH" },
      { account: "" },
      { memory: "16 G" },
      { memory: "0" },
      { cpus: 0 },
      { tasks: 1.5 },
      { node: 1 },
    ]
  ) assert.ok(!accepts(wrong), JSON.stringify(wrong));
});

test("a process knows the task that it belongs to", () => {
  const reader = (variables: Record<string, string>) => (name: string) => variables[name];
  assert.equal(currentTask(reader({})), undefined);
  assert.deepEqual(currentTask(reader({ SLURM_JOB_ID: "7" })), { job: "7" });
  const array = currentTask(reader({
    SLURM_JOB_ID: "9",
    SLURM_ARRAY_JOB_ID: "7",
    SLURM_ARRAY_TASK_ID: "0",
    SLURM_RESTART_COUNT: "2",
    SLURMD_NODENAME: "node1",
  }))!;
  assert.deepEqual(array, { job: "7", task: 0, node: "node1", restarts: 2 });
  assert.equal(describeTask(array), "job 7 task 0");
  assert.equal(allottedCores(reader({})), undefined);
  assert.equal(allottedCores(reader({ SLURM_CPUS_ON_NODE: "8" })), 8);
  assert.equal(allottedCores(reader({ SLURM_CPUS_ON_NODE: "8", SLURM_CPUS_PER_TASK: "2" })), 2);
});
