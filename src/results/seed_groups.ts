/**
 * Groups runs of an experiment: replicas, which differ only in their seed, and the settings of a sweep.
 */
import { formatSwept } from "./records.ts";
import { replicationKey, type RunFacts, seedOf } from "./read_runs.ts";

/** Runs that differ in nothing but their seed, by seed. */
export function replicaGroups<Run extends RunFacts>(runs: readonly Run[]): Run[][] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) {
    let key = replicationKey(run);
    // The same seed twice is not a replica.
    while (groups.get(key)?.some((other) => seedOf(other) === seedOf(run))) key += "+";
    groups.set(key, [...groups.get(key) ?? [], run]);
  }
  return [...groups.values()].map((group) => group.toSorted((a, b) => seedOf(a) - seedOf(b)));
}

/** Labels of groups that are no swept fields, so that nothing is drawn or compared by them. */
export const unsweptLabels: ReadonlySet<string> = new Set(["limit", "run"]);

/**
 * Variation between groups: the swept fields and, where these are not distinct, `--limit` or else the names of runs. No field is
 * inherited.
 */
export function variations(
  groups: readonly (readonly RunFacts[])[],
  headings: ReadonlyMap<string, string>,
): Record<string, string>[] {
  if (groups.length === 1) return [{}];
  const varied = groups.map(([{ summary }]) =>
    ownFields(
      sweptFields(summary).map(([field, value]) => [headings.get(field)!, sweptLabel(value)]),
    )
  );
  const labelled = (name: string, label: (summary: RunFacts["summary"]) => string) =>
    groups.map(([{ summary }], i) =>
      ownFields([...Object.entries(varied[i]), [name, label(summary)]])
    );
  const areDistinct = (labels: readonly object[]) =>
    new Set(labels.map((fields) => JSON.stringify(fields))).size === groups.length;
  if (areDistinct(varied)) return varied;
  const limited = labelled("limit", ({ limit }) => String(limit ?? "none"));
  return areDistinct(limited) ? limited : labelled("run", ({ run }) => run);
}

/** A record in which a name such as "constructor" is missing where it was not given. */
function ownFields(entries: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.setPrototypeOf(Object.fromEntries(entries), null);
}

function sweptFields({ variation }: RunFacts["summary"]): [string, unknown][] {
  return Object.entries(variation ?? {}).filter(([field]) => field !== "seed");
}

/** Headings of swept fields by their paths: the last name of each, `capacityTokens`, but where two have the same. */
export function sweptHeadings(runs: readonly RunFacts[]): Map<string, string> {
  const fields = [
    ...new Set(runs.flatMap(({ summary }) => sweptFields(summary).map(([field]) => field))),
  ];
  const last = (field: string) => field.split(".").at(-1)!;
  return new Map(fields.map((field) => {
    const isAlone = fields.filter((other) => last(other) === last(field)).length === 1;
    return [field, isAlone ? last(field) : field];
  }));
}

/** A swept value as tables show it: a variant by its kind, `blocks [0,2]`. */
function sweptLabel(value: unknown): string {
  if (typeof value !== "object" || value === null || !("kind" in value)) return formatSwept(value);
  const { kind, ...fields } = value;
  return [kind, ...Object.values(fields)].map(formatSwept).join(" ");
}

/** Orders runs of a sweep by the values of its fields, numbers by size; others as they are. */
export function bySweptValues(
  [{ summary: { variation: a = {} } }]: readonly RunFacts[],
  [{ summary: { variation: b = {} } }]: readonly RunFacts[],
): number {
  for (const [field, first] of Object.entries(a)) {
    const second = b[field];
    if (field === "seed" || second === undefined) continue;
    const order = typeof first === "number" && typeof second === "number"
      ? first - second
      : formatSwept(first) < formatSwept(second)
      ? -1
      : formatSwept(first) > formatSwept(second)
      ? 1
      : 0;
    if (order !== 0) return order;
  }
  return 0;
}
