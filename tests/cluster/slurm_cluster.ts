/**
 * A SLURM cluster on this machine for tests: the daemons of Debian's packages as children of the test, in a folder and on ports
 * of their own. Each node is a process with a core; where the system allows it, it has a host name of its own.
 */
import { join } from "node:path";
import { assert } from "../testing.ts";

/** What a cluster consists of. */
const daemons = ["munged", "slurmctld", "slurmd"];

/** Seconds that the daemons and commands may take: far more than they do, as the machine may be busy. */
const patienceSeconds = 300;

/** Why no cluster can be started here; undefined where one can. */
export async function slurmProblem(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "SLURM runs on Linux";
  if (Deno.uid() !== 0) return "its daemons need root";
  for (const name of [...daemons, "sbatch", "squeue", "scontrol"]) {
    if (await findProgram(name) === undefined) return `${name} is not installed`;
  }
  return undefined;
}

/** Path of a program; daemons may not be on the PATH. */
async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"]) {
    if (await Deno.stat(join(folder, name)).catch(() => undefined)) return join(folder, name);
  }
}

/** A process of this machine. */
interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly environment: ReadonlySet<string>;
}

/** A running cluster. */
export class SlurmCluster implements AsyncDisposable {
  readonly #folder: string;
  readonly #daemons = new Map<string, Deno.ChildProcess>();
  #ownHostNames = false;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Starts a cluster and waits until its nodes, `node1`, `node2`, ..., are idle.
   *
   * @param folder An empty folder with a short path, as sockets are in it.
   */
  static async start(folder: string, nodes: number): Promise<SlurmCluster> {
    const cluster = new SlurmCluster(folder);
    try {
      await cluster.#start(nodes);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(nodes: number): Promise<void> {
    const names = Array.from({ length: nodes }, (_, i) => `node${i + 1}`);
    const ports = freePorts(nodes + 1);
    for (const name of ["state", "munge", ...names]) {
      await Deno.mkdir(join(this.#folder, name), { recursive: true });
    }
    const munge = join(this.#folder, "munge");
    await Deno.chmod(munge, 0o700);
    const key = crypto.getRandomValues(new Uint8Array(1024));
    await Deno.writeFile(join(munge, "key"), key, { mode: 0o400 });
    this.#ownHostNames = await succeeds("unshare", ["--uts", "hostname", "node1"]);
    const host = Deno.hostname();
    await Deno.writeTextFile(
      this.configuration,
      [
        "ClusterName=longmem",
        `SlurmctldHost=${host}(127.0.0.1)`,
        `SlurmctldPort=${ports[0]}`,
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        // A requeued task begins again when the credentials of its last turn have expired.
        `AuthInfo=socket=${munge}/socket,cred_expire=15`,
        "CredType=cred/munge",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "JobAcctGatherType=jobacct_gather/none",
        "MpiDefault=none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core",
        "SchedulerType=sched/builtin",
        "SchedulerParameters=batch_sched_delay=1,sched_interval=1",
        // A busy machine is slow to answer; a node that is down returns by itself.
        "SlurmdTimeout=300",
        "MessageTimeout=100",
        "TCPTimeout=30",
        "BatchStartTimeout=300",
        "KillWait=60",
        "ReturnToService=2",
        `StateSaveLocation=${this.#folder}/state`,
        `SlurmctldPidFile=${this.#folder}/slurmctld.pid`,
        `SlurmdPidFile=${this.#folder}/%n/pid`,
        `SlurmdSpoolDir=${this.#folder}/%n`,
        ...names.map((name, i) =>
          `NodeName=${name} NodeHostname=${this.#ownHostNames ? name : host} NodeAddr=127.0.0.1 ` +
          `Port=${ports[i + 1]} CPUs=1 RealMemory=1000 State=UNKNOWN`
        ),
        "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
      ].join("\n") + "\n",
    );
    await this.#spawn("munged", [
      ...["--foreground", "--force", `--key-file=${munge}/key`, `--socket=${munge}/socket`],
      ...[`--pid-file=${munge}/pid`, `--log-file=${munge}/log`, `--seed-file=${munge}/seed`],
    ]);
    await until("munged listens", () => Deno.stat(join(munge, "socket")).catch(() => undefined));
    await this.#spawn("slurmctld", ["-D", "-f", this.configuration]);
    for (const name of names) await this.startNode(name);
  }

  /** Path of the cluster's configuration, for `SLURM_CONF`. */
  get configuration(): string {
    return join(this.#folder, "slurm.conf");
  }

  /** Whether nodes have host names of their own, and not that of this machine. */
  get ownHostNames(): boolean {
    return this.#ownHostNames;
  }

  /** Starts a node and waits until it takes tasks. */
  async startNode(name: string): Promise<void> {
    const args = ["-D", "-f", this.configuration, "-N", name];
    const environment = { LONGMEM_TEST_NODE: this.#mark(name) };
    if (this.#ownHostNames) {
      const daemon = (await findProgram("slurmd"))!;
      const script = 'hostname "$1"; shift; exec "$@"';
      const command = ["--uts", "bash", "-c", script, "bash", name, daemon, ...args];
      await this.#spawn("unshare", command, environment, name);
    } else {
      await this.#spawn("slurmd", args, environment, name);
    }
    await until(
      `${name} is up`,
      async () => /^(idle|allocated|mixed|completing)$/.test(await this.nodeState(name)),
      () => this.#said(),
    );
  }

  /**
   * Cuts off the power of a node: its daemon and everything that it has started are killed. Those that would report the end of
   * others are killed first: a batch script that is known to have been killed makes its task fail for good (JobLaunchFailure).
   */
  async stopNode(name: string): Promise<void> {
    const daemon = this.#daemons.get(name)!;
    signal(daemon.pid, "SIGKILL");
    await daemon.status;
    this.#daemons.delete(name);
    const all = await processes();
    const own = all.filter(({ environment }) =>
      environment.has(`LONGMEM_TEST_NODE=${this.#mark(name)}`) || this.#isOf(environment, name)
    );
    // The parent of a batch script writes its title over its environment.
    const steps = all.filter(({ pid, command }) =>
      command.startsWith("slurmstepd") && own.some(({ parent }) => parent === pid)
    );
    const killed = new Set([...steps, ...own].map(({ pid }) => pid));
    for (const pid of killed) signal(pid, "SIGKILL");
    await until(
      `nothing of ${name} runs`,
      async () => !(await processes()).some(({ pid }) => killed.has(pid)),
    );
  }

  /** Signals the runs that a node executes, and nothing else of it. */
  async signalRuns(name: string, wanted: Deno.Signal): Promise<void> {
    for (const { pid, command, environment } of await processes()) {
      if (this.#isOf(environment, name) && command.includes("src/main.ts")) signal(pid, wanted);
    }
  }

  /** State of a node in SLURM's words, as `idle`. */
  async nodeState(name: string): Promise<string> {
    const { stdout } = await this.execute("sinfo", "--noheader", "--nodes", name, "--format=%T");
    return stdout.trim();
  }

  /** Runs one of SLURM's commands. */
  async execute(
    name: string,
    ...args: string[]
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code, stdout, stderr } = await new Deno.Command(name, {
      args,
      env: { SLURM_CONF: this.configuration },
      signal: AbortSignal.timeout(1000 * patienceSeconds),
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** The same, which must succeed. */
  async succeed(name: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.execute(name, ...args);
    assert.equal(code, 0, `${name} ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Stops everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    const nodes = [...this.#daemons.keys()].filter((name) => /^node\d+$/.test(name));
    for (const name of nodes) await this.stopNode(name);
    for (const child of this.#daemons.values()) {
      signal(child.pid, "SIGKILL");
      await child.status;
    }
    this.#daemons.clear();
  }

  /** What the processes of a node have in their environment. */
  #mark(node: string): string {
    return `${this.#folder}/${node}`;
  }

  #isOf(environment: ReadonlySet<string>, node: string): boolean {
    return environment.has(`SLURM_CONF=${this.configuration}`) &&
      environment.has(`SLURMD_NODENAME=${node}`);
  }

  async #spawn(
    program: string,
    args: readonly string[],
    env: Record<string, string> = {},
    name = program,
  ): Promise<void> {
    const log = await Deno.open(join(this.#folder, `${name}.log`), { write: true, create: true });
    log.close();
    const child = new Deno.Command("bash", {
      args: [
        ...["-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null', "bash"],
        ...[join(this.#folder, `${name}.log`), await findProgram(program) ?? program, ...args],
      ],
      env: { ...env, SLURM_CONF: this.configuration },
    }).spawn();
    this.#daemons.set(name, child);
  }

  /** Ends of the daemons' logs, for errors. */
  async #said(): Promise<string> {
    const texts: string[] = [];
    for await (const { name } of Deno.readDir(this.#folder)) {
      if (!name.endsWith(".log")) continue;
      const text = await Deno.readTextFile(join(this.#folder, name));
      texts.push(`${name}:\n${text.split("\n").slice(-15).join("\n")}`);
    }
    return texts.join("\n");
  }
}

/**
 * Waits until something is so, and returns it.
 *
 * @param said What to say beside the error where it never is.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  said: () => Promise<string> = () => Promise.resolve(""),
): Promise<T> {
  const begun = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() - begun > 1000 * patienceSeconds) {
      assert.fail(`it never came to be that ${what}\n${await said()}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Ports that nobody listens on. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ port: 0, hostname: "127.0.0.1" }),
  );
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

async function succeeds(program: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** All processes that still run, except this one. */
async function processes(): Promise<Process[]> {
  const found: Process[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      const command = await Deno.readTextFile(`/proc/${name}/cmdline`);
      const environment = (await Deno.readTextFile(`/proc/${name}/environ`)).split("\0");
      const status = await Deno.readTextFile(`/proc/${name}/status`);
      if (/^State:\s*[ZX]/m.test(status)) continue; // it has ended
      found.push({
        pid: Number(name),
        parent: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]),
        command: command.replaceAll("\0", " "),
        environment: new Set(environment),
      });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

function signal(pid: number, wanted: Deno.Signal): void {
  try {
    Deno.kill(pid, wanted);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // it has ended
  }
}
