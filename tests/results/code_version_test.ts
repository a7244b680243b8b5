import { readCodeVersion } from "../../src/results/code_version.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

async function git(folder: string, ...args: string[]): Promise<string> {
  const settings = ["user.name=n", "user.email=e", "gc.auto=0", "init.defaultBranch=main"];
  const { success, stdout, stderr } = await new Deno.Command("git", {
    args: [...settings.flatMap((setting) => ["-c", setting]), ...args],
    cwd: folder,
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  }).output();
  assert.ok(success, `git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}

/** A repository with a few files, one of which git packs as a difference from its earlier state. */
async function withRepository(use: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (parent) => {
    const folder = `${parent}/code`;
    for (const path of ["src/deep", "results", "data"]) {
      await Deno.mkdir(`${folder}/${path}`, { recursive: true });
    }
    await git(folder, "init", "-q");
    const lines = Array.from({ length: 400 }, (_, i) => `const line${i} = ${Math.sin(i)};`);
    await Deno.writeTextFile(`${folder}/src/long.ts`, lines.join("\n"));
    await Deno.writeTextFile(`${folder}/src/deep/a b.ts`, "export const a = 1;\n");
    await Deno.writeTextFile(`${folder}/results/summary.json`, "{}");
    await Deno.writeTextFile(`${folder}/data/list.json`, "[]");
    await Deno.writeTextFile(`${folder}/.gitignore`, "/data/texts/\n*.tmp\n");
    await Deno.symlink("deep/a b.ts", `${folder}/src/link.ts`);
    await git(folder, "add", ".");
    await git(folder, "commit", "-qm", "one");
    await Deno.writeTextFile(`${folder}/src/long.ts`, `${lines.join("\n")}\nlast();\n`);
    await git(folder, "commit", "-qam", "two");
    await use(folder);
  });
}

/** Asserts that the version is what git itself says. */
async function assertAsGit(folder: string, dirty: boolean, what: string): Promise<void> {
  const version = await readCodeVersion(folder, ["results"]); // before git writes the index again
  const commit = await git(folder, "rev-parse", "HEAD");
  const status = await git(folder, "status", "--porcelain", "--", ".", ":!results");
  assert.equal(status !== "", dirty, `git, ${what}: ${status}`);
  assert.deepEqual(version, { commit, dirty }, what);
}

test("readCodeVersion() finds what git finds: changed, staged, removed and new files", async () => {
  const changes: [string, boolean, (folder: string) => Promise<unknown>][] = [
    ["nothing", false, () => Promise.resolve()],
    [
      "a longer file",
      true,
      (f) => Deno.writeTextFile(`${f}/src/long.ts`, "more", { append: true }),
    ],
    ["another content of the same size", true, async (f) => {
      await Deno.writeTextFile(`${f}/src/deep/a b.ts`, "export const a = 2;\n");
    }],
    ["the same content at another time", false, async (f) => {
      await Deno.utime(`${f}/src/deep/a b.ts`, 1, 1);
    }],
    ["a change in the moment in which the file was tracked", true, async (f) => {
      const path = `${f}/src/deep/a b.ts`, moment = 1_700_000_000;
      await Deno.utime(path, moment, moment);
      await git(f, "add", ".");
      await Deno.writeTextFile(path, "export const a = 3;\n");
      for (const written of [path, `${f}/.git/index`]) await Deno.utime(written, moment, moment);
    }],
    ["a file that is gone", true, (f) => Deno.remove(`${f}/src/long.ts`)],
    ["a link to elsewhere", true, async (f) => {
      await Deno.remove(`${f}/src/link.ts`);
      await Deno.symlink("long.ts", `${f}/src/link.ts`);
    }],
    ["a staged change", true, async (f) => {
      await Deno.writeTextFile(`${f}/src/long.ts`, "short");
      await git(f, "add", ".");
    }],
    ["a staged file", true, async (f) => {
      await Deno.writeTextFile(`${f}/notes`, "short");
      await git(f, "add", ".");
    }],
    ["a staged removal", true, (f) => git(f, "rm", "-q", "-r", "src/deep")],
    ["a removal that is staged alone", true, (f) => git(f, "rm", "-q", "--cached", "src/link.ts")],
    ["an intention to add", true, async (f) => {
      await Deno.writeTextFile(`${f}/src/new.ts`, "");
      await git(f, "add", "-N", "src/new.ts");
    }],
    ["new source", true, (f) => Deno.writeTextFile(`${f}/src/deep/new.ts`, "")],
    ["new source in a new folder", true, async (f) => {
      await Deno.mkdir(`${f}/src/other`);
      await Deno.writeTextFile(`${f}/src/other/new.wgsl`, "");
    }],
    ["new source beside all folders", true, (f) => Deno.writeTextFile(`${f}/new.ts`, "")],
    ["changed and new results", false, async (f) => {
      await Deno.writeTextFile(`${f}/results/summary.json`, "{ }");
      await Deno.writeTextFile(`${f}/results/new.json`, "{}");
    }],
    ["ignored data", false, async (f) => {
      await Deno.mkdir(`${f}/data/texts`);
      await Deno.writeTextFile(`${f}/data/texts/new.json`, "{}");
    }],
    ["a file that is to be taken as unchanged", false, async (f) => {
      await git(f, "update-index", "--assume-unchanged", "src/long.ts");
      await Deno.writeTextFile(`${f}/src/long.ts`, "short");
    }],
    ["a file left out of the work tree", false, async (f) => {
      await git(f, "update-index", "--skip-worktree", "src/long.ts");
      await Deno.remove(`${f}/src/long.ts`);
    }],
    ["a conflict", true, async (f) => {
      await git(f, "checkout", "-q", "-b", "other", "HEAD~1");
      await Deno.writeTextFile(`${f}/src/long.ts`, "theirs");
      await git(f, "commit", "-qam", "three");
      await git(f, "merge", "main").catch(() => undefined);
    }],
  ];
  await withRepository(async (original) => {
    const folder = `${original}/../copy`;
    for (const [what, dirty, change] of changes) {
      await new Deno.Command("cp", { args: ["-a", original, folder] }).output();
      await change(folder);
      await assertAsGit(folder, dirty, what);
      await Deno.remove(folder, { recursive: true });
    }
  });
});

test("readCodeVersion() reads packs, packed branches, all index versions and linked work trees", async () => {
  await withRepository(async (folder) => {
    const change = (path = folder) => Deno.writeTextFile(`${path}/src/long.ts`, "short");
    const restore = (path = folder) => git(path, "checkout", "-q", "--", ".");
    await git(folder, "repack", "-q", "-a", "-d", "-f", "--depth=50");
    await git(folder, "pack-refs", "--all");
    await assert.rejects(Deno.stat(`${folder}/.git/refs/heads/main`), "the branch is packed");
    for (const version of ["2", "3", "4"]) {
      await git(folder, "update-index", "--index-version", version, "--force-write-index");
      await assertAsGit(folder, false, `version ${version}`);
      await change();
      await assertAsGit(folder, true, `version ${version}, changed`);
      await restore();
    }
    const linked = `${folder}/../linked`;
    await git(folder, "worktree", "add", "-q", "--detach", linked, "HEAD~1");
    await assertAsGit(linked, false, "a linked work tree");
    await change(linked);
    await assertAsGit(linked, true, "a linked work tree, changed");
    await assertAsGit(folder, false, "the main work tree beside it");
    const shared = `${folder}/../shared`;
    await git(folder, "clone", "-q", "-s", folder, shared);
    await assertAsGit(shared, false, "a clone that borrows its objects");
    // A commit that is stored as the difference from another one.
    for (let i = 0; i < 8; i++) {
      const long = `${"the same words again ".repeat(100)}${i}`;
      await git(folder, "commit", "-q", "--allow-empty", "-m", long);
    }
    await git(folder, "repack", "-q", "-a", "-d", "-f", "--depth=50");
    for (let i = 0; i < 8; i++) {
      await assertAsGit(folder, false, `commit ${i} of a pack`);
      await git(folder, "reset", "-q", "--hard", "HEAD~1");
    }
  });
});

test("readCodeVersion() of a folder in a repository looks at that folder alone", async () => {
  await withRepository(async (folder) => {
    await Deno.writeTextFile(`${folder}/data/list.json`, "[1]");
    await Deno.writeTextFile(`${folder}/new.ts`, "");
    const commit = await git(folder, "rev-parse", "HEAD");
    assert.deepEqual(await readCodeVersion(`${folder}/src`), { commit, dirty: false });
    await Deno.writeTextFile(`${folder}/src/deep/new.ts`, "");
    assert.deepEqual(await readCodeVersion(`${folder}/src`), { commit, dirty: true });
  });
});

test("readCodeVersion() records nothing where there is no commit, or none that can be read", async () => {
  await withFolder(async (folder) => {
    assert.deepEqual(await readCodeVersion(folder), {});
    await git(folder, "init", "-q");
    assert.deepEqual(await readCodeVersion(folder), {}, "no commit yet");
  });
  await withRepository(async (folder) => {
    const commit = await git(folder, "rev-parse", "HEAD");
    await Deno.writeTextFile(`${folder}/.git/index`, "DIRCnothing of the kind");
    assert.deepEqual(await readCodeVersion(folder), { commit }, "a damaged index");
    await Deno.writeTextFile(`${folder}/.git/HEAD`, "nothing of the kind\n");
    assert.deepEqual(await readCodeVersion(folder), {}, "a damaged HEAD");
  });
});
