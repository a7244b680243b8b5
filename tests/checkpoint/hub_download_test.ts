import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { findSnapshot, missingFiles, requireSnapshot } from "../../src/checkpoint/hub_cache.ts";
import { fetchModel, type HubOptions } from "../../src/checkpoint/hub_download.ts";
import { readHuggingFaceBackbone } from "../../src/checkpoint/huggingface.ts";
import { isForeseen } from "../../src/errors.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { type HubServer, startHub } from "./hub_server.ts";
import { huggingFaceTensors, writeHuggingFace } from "./huggingface_folder.ts";

const repo = "tellers/small", weightsFile = "model.safetensors";
const first = "1".repeat(40), second = "2".repeat(40);

const shape = {
  architecture: "gpt2",
  layers: 2,
  hiddenDim: 16,
  heads: 2,
  feedForwardDim: 64,
  vocabSize: 90,
  settings: { positions: 32 },
};
const config = {
  "model_type": "gpt2",
  "n_embd": 16,
  "n_layer": 2,
  "n_head": 2,
  "n_positions": 32,
  "vocab_size": 90,
};

/** The files of a model, and others that are not needed. */
async function filesOf(
  folder: string,
  { seed = 1, ...weights }: { seed?: number; shards?: number; pickled?: boolean },
) {
  const tensors = huggingFaceTensors({ shape, weights: initializeBackbone(shape, seed) });
  await writeHuggingFace(folder, config, tensors, weights);
  await Deno.writeTextFile(`${folder}/tokenizer_config.json`, '{"bos_token": "<s>"}');
  for (const name of [...weights.pickled ? [] : ["pytorch_model.bin"], "README.md"]) {
    await Deno.writeTextFile(`${folder}/${name}`, "not needed");
  }
  const files = new Map<string, { bytes: Uint8Array<ArrayBuffer>; lfs: boolean }>();
  for await (const { name } of Deno.readDir(folder)) {
    const lfs = /\.(safetensors|bin)$/.test(name);
    files.set(name, { bytes: await Deno.readFile(`${folder}/${name}`), lfs });
  }
  return files;
}

interface Hub {
  readonly server: HubServer;
  readonly cache: string;
  readonly fetch: (
    options?: Partial<HubOptions> & { readonly revision?: string },
  ) => ReturnType<typeof fetchModel>;
}

/** A model on a server whose main branch is at a commit of its own, and an empty cache. */
const withHub = (
  use: (hub: Hub) => Promise<void>,
  weights: { shards?: number; pickled?: boolean } = {},
) =>
  withFolder(async (folder) => {
    await using server = startHub(repo);
    server.commits.set(first, await filesOf(`${folder}/first`, weights));
    server.branches.set("main", first);
    const cache = `${folder}/cache`;
    const limits = { answerMs: 5_000, stallMs: 5_000, busyMs: 2_000 };
    await use({
      server,
      cache,
      fetch: ({ revision, ...options } = {}) =>
        fetchModel({ repo, revision }, { url: server.url, cache, ...limits, ...options }),
    });
  });

/** That something fails with one sentence for the user. */
async function refuses(what: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(what, (error: Error) => {
    assert.match(error.message, message);
    assert.ok(isForeseen(error), error.stack);
    return true;
  });
}

for (const [shards, pickled] of [[1, false], [3, false], [1, true], [2, true]] as const) {
  const [weightsFile, part] = pickled
    ? ["pytorch_model.bin", "pytorch_model-0000%.bin"]
    : ["model.safetensors", "model-0000%.safetensors"];
  test(`fetchModel() fills the Hub's cache with what a model in ${shards} files like ${weightsFile} needs`, () =>
    withHub(async ({ server, cache, fetch }) => {
      const progress: string[] = [];
      const { folder, commit } = await fetch({
        progress: (file, bytes, total) => {
          if (bytes === total) progress.push(file);
        },
      });
      assert.equal(commit, first);
      assert.equal(folder, `${cache}/models--tellers--small/snapshots/${first}`);
      assert.equal(await Deno.readTextFile(`${cache}/models--tellers--small/refs/main`), first);
      const names = (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
      const weights = shards === 1 ? [weightsFile] : [
        ...[1, 2, 3].slice(0, shards).map((i) => part.replace("%", `${i}-of-0000${shards}`)),
        `${weightsFile}.index.json`,
      ];
      assert.deepEqual(names, ["config.json", ...weights, "tokenizer_config.json"].sort());
      assert.ok(progress.includes(weights[0]), progress.join());
      const { weights: read } = await readHuggingFaceBackbone(folder);
      const expected = initializeBackbone(shape, 1);
      for (const [name, { data }] of expected) assert.deepEqual(read.get(name)!.data, data, name);
      const link = await Deno.readLink(`${folder}/${weights[0]}`);
      assert.match(link, /^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
      const blobs = await Array.fromAsync(Deno.readDir(`${cache}/models--tellers--small/blobs`));
      assert.ok(blobs.every(({ name }) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name)));

      const found = await findSnapshot({ repo }, cache);
      assert.deepEqual(found, { folder, commit });
      assert.deepEqual(await missingFiles(found!), []);
      const before = server.requests.length;
      await fetch();
      const again = server.requests.slice(before).map(({ path }) => path);
      assert.ok(again.every((path) => path.startsWith("/api/")), "no file is fetched twice");
    }, { shards, pickled }));
}

test("fetchModel() takes a token to the Hub, and not to where that leads", () =>
  withHub(async ({ server, fetch }) => {
    await fetch({ token: "hf_secret" });
    const stored = server.requests.filter(({ path }) => path.startsWith("/store/"));
    const others = server.requests.filter(({ path }) => !path.startsWith("/store/"));
    assert.ok(stored.length > 0 && stored.every(({ authorization }) => authorization === null));
    assert.ok(others.every(({ authorization }) => authorization === "Bearer hf_secret"));
    await refuses(fetch({ token: "secret" }), /token of HF_TOKEN as it must begin with "hf_"/);
  }));

test("fetchModel() follows a revision that has changed, and keeps one that is named", () =>
  withHub(async ({ server, cache, fetch }) => {
    const old = await fetch();
    const changed = new Map(server.commits.get(first));
    changed.set("config.json", {
      bytes: new TextEncoder().encode(JSON.stringify({ ...config, "use_cache": true })),
    });
    server.commits.set(second, changed);
    server.branches.set("main", second);
    const before = server.requests.length;
    const { commit } = await fetch();
    assert.equal(commit, second);
    const files = server.requests.slice(before).filter(({ path }) => path.includes("/resolve/"));
    assert.deepEqual(files.map(({ path }) => path.split("/").at(-1)), ["config.json"]);
    assert.equal((await findSnapshot({ repo }, cache))!.commit, second);
    const { folder } = await fetch({ revision: first });
    assert.equal(folder, old.folder);
    assert.equal((await findSnapshot({ repo, revision: first }, cache))!.commit, first);
    assert.equal((await findSnapshot({ repo }, cache))!.commit, second, "no branch is moved");
    const refs = await Array.fromAsync(Deno.readDir(`${cache}/models--tellers--small/refs`));
    assert.deepEqual(refs.map(({ name }) => name), ["main"]);
  }));

test("fetchModel() says who may not read a model, and how they might", () =>
  withHub(async ({ server, fetch }) => {
    const status = (status: number, only = "") => {
      server.behaviour.answer = (_, path) =>
        path.includes(only) ? Response.json({ error: "no" }, { status }) : undefined;
    };
    status(401);
    await refuses(fetch(), /knows no public model of this name \(status 401\): set HF_TOKEN/);
    await refuses(fetch({ token: "hf_x" }), /the token of HF_TOKEN may not read it \(status 401\)/);
    for (const place of ["/api/", "/resolve/"]) {
      status(403, place);
      await refuses(fetch(), /gated \(status 403\): accept its conditions at .*\/tellers\/small/);
    }
    status(404);
    await refuses(fetch(), /has no model "tellers\/small" with revision "main" \(status 404\)/);
    delete server.behaviour.answer;
    await refuses(fetch({ revision: "nowhere" }), /revision "nowhere" \(status 404\)/);
    status(500);
    await refuses(fetch(), /the Hub refuses: its status is 500/);
    server.behaviour.answer = () => new Response("<html>");
    await refuses(fetch(), /is not that of the Hub/);
    server.behaviour.answer = () => Response.json({ id: repo, sha: "../.." });
    await refuses(fetch(), /the commit that ".*" gives is malformed/);
    await refuses(fetch({ url: "http://127.0.0.1:1" }), /its server cannot be reached/);
    await refuses(fetch({ url: "huggingface.co" }), /its server cannot be reached: Invalid URL/);
  }));

for (const place of ["/api/", "/tree/", "/resolve/", "/store/"]) {
  test(`fetchModel() asks a busy server again, as long as it may: ${place}`, () =>
    withHub(async ({ server, fetch }) => {
      const busy = (seconds: number, times: number) => {
        server.behaviour.answer = (_, path, count) =>
          path.includes(place) && count < times
            ? new Response("later", { status: 429, headers: { "retry-after": `${seconds}` } })
            : undefined;
      };
      busy(3600, 1);
      await refuses(fetch(), /server is busy: its status is 429, and it asks to wait 3600 s/);
      busy(0, 2);
      await fetch();
    }));
}

test("fetchModel() continues a body that was cut off, and ends one that stalls", () =>
  withHub(async ({ server, cache, fetch }) => {
    // A body of a promised length that ends early: the connection is cut off.
    let requests = 0;
    const cut = (after: "cut" | "stall") => {
      server.behaviour.answer = (request, path) => {
        if (!path.startsWith("/store/") || ++requests > 1) return undefined;
        const { bytes } = server.commits.get(first)!.get(weightsFile)!;
        assert.equal(request.headers.get("range"), null);
        const body = new ReadableStream({
          start: (controller) => controller.enqueue(bytes.subarray(0, 4_000)),
          pull: (controller) => after === "cut" ? controller.close() : new Promise(() => {}),
        });
        return new Response(body, { headers: { "content-length": `${bytes.length}` } });
      };
    };
    cut("stall");
    await refuses(fetch({ stallMs: 200, retries: 0 }), /fewer than 1000 bytes came in 0\.2 s/);
    assert.equal(await findSnapshot({ repo }, cache), undefined, "what is not whole is not found");
    await fetch();
    const continued = server.requests.filter(({ path }) => path.startsWith("/store/")).at(-1)!;
    assert.match(String(continued.range), /^bytes=\d+-$/);
    await Deno.remove(cache, { recursive: true });
    requests = 0;
    cut("cut");
    const { folder } = await fetch();
    await readHuggingFaceBackbone(folder);
  }));

test("fetchModel() keeps no other bytes than the repository lists", () =>
  withHub(async ({ server, cache, fetch }) => {
    for (const name of ["config.json", weightsFile]) {
      const other = (change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) => {
        server.behaviour.sent = (path, bytes) => path.endsWith(name) ? change(bytes) : bytes;
      };
      other((bytes) => bytes.map((byte, i) => i === 5 ? byte ^ 1 : byte));
      await refuses(fetch(), /it is not the file that it was: expected (SHA-256|git's hash) /);
      other((bytes) => bytes.subarray(1));
      await refuses(fetch(), /it is not the file that it was/);
      other((bytes) => Uint8Array.of(...bytes, 0));
      await refuses(fetch(), /it is too large/);
      assert.equal(await findSnapshot({ repo }, cache), undefined);
      delete server.behaviour.sent;
    }
    await fetch();
  }));

test("fetchModel() refuses what it could not read before it fetches weights", () =>
  withHub(async ({ server, cache, fetch }) => {
    const files = server.commits.get(first)!, whole = new Map(files);
    const write = (name: string, value: unknown) =>
      files.set(name, { bytes: new TextEncoder().encode(JSON.stringify(value)) });
    files.delete(weightsFile);
    files.delete("pytorch_model.bin");
    files.set("model.gguf", whole.get("pytorch_model.bin")!);
    await refuses(
      fetch(),
      /has no "model\.safetensors" and no "pytorch_model\.bin": found "model\.gguf"/,
    );
    for (const name of ["../../evil.safetensors", "/evil", "a/b.safetensors", 7]) {
      write(`${weightsFile}.index.json`, { "weight_map": { x: name } });
      await refuses(fetch(), /weight_map of "model\.safetensors\.index\.json" must name files/);
    }
    write(`${weightsFile}.index.json`, { "weight_map": { x: "gone.safetensors" } });
    await refuses(fetch(), /"gone\.safetensors" is missing in its repository/);
    files.set(weightsFile, whole.get(weightsFile)!);
    write("config.json", { "model_type": "t5" });
    await refuses(fetch(), /model_type "t5" is not a known architecture/);
    files.delete("config.json");
    await refuses(fetch(), /"config\.json" is missing in its repository/);
    assert.ok(!server.requests.some(({ path }) => path.startsWith("/store/")), "no weights");
    assert.equal(await findSnapshot({ repo }, cache), undefined);
    files.set("config.json", whole.get("config.json")!);
    await refuses(fetch({ maxBytes: 1_000 }), /it is too large: allowed are up to 1000 bytes/);
  }));

test("fetchModel() takes vocab.json and merges.txt where there is no tokenizer.json", () =>
  withHub(async ({ server, cache, fetch }) => {
    const files = server.commits.get(first)!, parts = ["merges.txt", "vocab.json"];
    const names = async () =>
      (await Array.fromAsync(Deno.readDir((await fetch()).folder), ({ name }) => name)).sort();
    for (const name of [...parts, "tokenizer.json"]) {
      files.set(name, { bytes: new TextEncoder().encode(`{"${name}": 1}`) });
    }
    const usual = ["config.json", weightsFile, "tokenizer_config.json"];
    assert.deepEqual(await names(), ["tokenizer.json", ...usual].sort());
    files.delete("tokenizer.json");
    await Deno.remove(cache, { recursive: true });
    assert.deepEqual(await names(), [...parts, ...usual].sort());
  }));

test("requireSnapshot() gives the command that fetches what the cache lacks", () =>
  withHub(async ({ cache, fetch }) => {
    const before = Deno.env.get("HF_HUB_CACHE");
    Deno.env.set("HF_HUB_CACHE", cache);
    try {
      await refuses(
        requireSnapshot({ repo, revision: "v1" }),
        /"hf:tellers\/small@v1" as it is not in .*\n {2}deno task data hf:tellers\/small@v1$/,
      );
      const { folder } = await fetch();
      assert.equal((await requireSnapshot({ repo })).folder, folder);
      await Deno.remove(`${folder}/${weightsFile}`);
      await refuses(
        requireSnapshot({ repo }),
        /as "model\.safetensors" is not in .*\n {2}deno task data hf:tellers\/small$/,
      );
    } finally {
      if (before === undefined) Deno.env.delete("HF_HUB_CACHE");
      else Deno.env.set("HF_HUB_CACHE", before);
    }
  }));
