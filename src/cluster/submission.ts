/**
 * Jobs that were submitted for a folder of results, `results/.cluster/`:
 *
 *     NAME.sh          the batch script
 *     JOB.json         the submission and its time, written once SLURM has given its number
 *     JOB_TASK.log     output of each task, of all its turns
 */
import { join } from "node:path";
import { z } from "zod";
import { ifThere, makeFolderOf, readJson, writeAtomically } from "../files.ts";
import { InputSyntaxError } from "../errors.ts";

/** A submitted job. */
export interface Submission {
  /** SLURM's number of it. */
  readonly job: string;
  /** When it was submitted, ISO 8601. */
  readonly submittedAt: string;
  readonly tasks: number;
  /** The files that declare its runs. */
  readonly files: readonly string[];
  /** Its runs that were not completed then, as `<experiment>/<run>`. */
  readonly runs: readonly string[];
}

const submissionSchema: z.ZodType<Submission> = z.looseObject({
  job: z.string(),
  submittedAt: z.string(),
  tasks: z.number(),
  files: z.array(z.string()),
  runs: z.array(z.string()),
});

/** The folder of a results folder that has scripts, submissions and logs. */
export function submissionsFolder(results: string): string {
  return join(results, ".cluster");
}

/** Writes the script of a job that is to be submitted. */
export async function writeScript(path: string, script: string): Promise<void> {
  await makeFolderOf(path);
  await writeAtomically(path, script);
}

/** A path for the script of a job, which no other has. */
export function newScriptPath(results: string): string {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return join(submissionsFolder(results), `${time}-${crypto.randomUUID().slice(0, 8)}.sh`);
}

/** Records a job that was submitted. */
export async function recordSubmission(results: string, submission: Submission): Promise<void> {
  const path = join(submissionsFolder(results), `${submission.job}.json`);
  await writeAtomically(path, JSON.stringify(submission, null, 2) + "\n");
}

/** Where a task writes. */
export function logPath(results: string, job: string, task: string): string {
  return join(submissionsFolder(results), `${job}_${task}.log`);
}

/**
 * The jobs that were submitted for a folder of results, the latest last.
 *
 * @throws {SyntaxError} Where a record of one is damaged.
 */
export async function readSubmissions(results: string): Promise<Submission[]> {
  const folder = submissionsFolder(results);
  const entries = await ifThere(Array.fromAsync(Deno.readDir(folder))) ?? [];
  const names = entries.map(({ name }) => name).filter((name) => /^\d+\.json$/.test(name));
  const submissions = await Promise.all(names.map(async (name) => {
    const path = join(folder, name);
    const record = await readJson(path);
    const parsed = submissionSchema.safeParse(record);
    if (parsed.success) return parsed.data;
    throw new InputSyntaxError(
      `Cannot read "${path}" as ${parsed.error.issues[0].path.join(".")} is missing or wrong; ` +
        "without the file, its job is not listed",
    );
  }));
  return submissions.sort((a, b) => a.submittedAt < b.submittedAt ? -1 : 1);
}
