import { loadCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { isForeseen } from "../../src/errors.ts";
import { checkDataSet, dataSetList, isComplete, readDataSets } from "../../src/data/data_set.ts";
import type { Obtaining } from "../../src/data/data_set_source.ts";
import { fetchDataSet, takeDataSet } from "../../src/data/obtain.ts";
import { paperModel, releasedModel } from "../../src/data/sets/longmem_558m.ts";
import { type HubServer, startHub } from "../checkpoint/hub_server.ts";
import {
  backboneShape,
  backboneWeights,
  fairseqBackboneBytes,
  fairseqLongMemBytes,
  sideNetShape,
  sideNetWeights,
} from "../checkpoint/tiny_models.ts";
import { backboneTensorShapes } from "../../src/backbone/architectures.ts";
import { parameterCount } from "../../src/checkpoint/parameter_count.ts";
import { sideNetTensorShapes } from "../../src/longmem/sidenet_shape.ts";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const repo = "authors/Released", first = "1".repeat(40), second = "2".repeat(40);
const released = releasedModel({
  repository: { reference: { repo } },
  backbone: backboneShape,
  sideNetLayers: sideNetShape.layers,
});
const files = [
  { path: "gpt2_medium/checkpoint_last.pt" },
  { path: "longmem_gpt2_medium/checkpoint_last.pt" },
];
const dataSet = { name: "longmem_558m", what: "", licence: "", origin: "", files };

const lfs = (bytes: Uint8Array) => ({ bytes: Uint8Array.from(bytes), lfs: true });
const text = (content: string) => ({ bytes: new TextEncoder().encode(content) });

/** A repository as it might be, with names that nobody would guess. */
const repository = () =>
  new Map<string, { bytes: Uint8Array<ArrayBuffer>; lfs?: boolean }>([
    ["README.md", text("# Released")],
    ["gpt2_medium/checkpoint_last.pt", lfs(fairseqBackboneBytes())],
    ["models/long.pt", lfs(fairseqLongMemBytes())],
    // As large as a checkpoint, and none.
    ["data/store.bin", lfs(new Uint8Array(50_000))],
  ]);

interface Released {
  readonly server: HubServer;
  readonly folder: string;
  readonly obtaining: Obtaining;
  readonly notes: string[];
  readonly fetch: (options?: { token?: string; limits?: Obtaining["limits"] }) => Promise<void>;
}

/** A server with the repository, and a folder for what is fetched. */
const withReleased = (use: (released: Released) => Promise<void>) =>
  withFolder(async (folder) => {
    await using server = startHub(repo);
    server.commits.set(first, repository());
    server.branches.set("main", first);
    const notes: string[] = [];
    const obtaining = {
      dataSet,
      folder: `${folder}/data/longmem_558m`,
      limits: { answerMs: 5_000, stallMs: 300, busyMs: 2_000 },
      hub: { url: server.url },
      progress: () => {},
      note: (text: string) => void notes.push(text),
    };
    await use({
      server,
      folder,
      obtaining,
      notes,
      fetch: ({ token, limits = {} } = {}) =>
        fetchDataSet({
          ...obtaining,
          hub: { url: server.url, ...(token === undefined ? {} : { token }) },
          limits: { ...obtaining.limits, ...limits },
        }, released),
    });
  });

/** Asserts that both checkpoints lie where experiments look, with the right weights. */
async function assertReleased({ folder, dataSet }: Obtaining): Promise<void> {
  const state = await checkDataSet(dataSet, folder);
  assert.ok(isComplete(state));
  assert.deepEqual(state.whole.map(({ path }) => path), files.map(({ path }) => path));
  const backbone = await loadCheckpoint(`${folder}/${files[0].path}`);
  assert.ok("weights" in backbone);
  assert.equal(hashTensors(backbone.weights), hashTensors(backboneWeights));
  const longMem = await loadCheckpoint(`${folder}/${files[1].path}`);
  assert.ok("sideNet" in longMem);
  assert.equal(hashTensors(longMem.sideNet.weights), hashTensors(sideNetWeights));
}

async function refuses(what: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(what, (error: Error) => {
    assert.match(error.message, message);
    assert.ok(isForeseen(error), error.stack);
    return true;
  });
}

test("the released checkpoints are found by size and content, and fetched alone", () =>
  withReleased(async ({ server, obtaining, notes, fetch }) => {
    await fetch({ token: "hf_x" });
    await assertReleased(obtaining);
    assert.equal(notes.length, 2);
    assert.match(
      notes[1],
      /^fetching models\/long.pt of authors\/Released, 0\.00 GB, to longmem_gpt2_medium\/checkpoint_last.pt$/,
    );
    const receipt = JSON.parse(await Deno.readTextFile(`${obtaining.folder}/fetched.json`));
    assert.equal(receipt.from, `hf:${repo}@${first}`);
    // Of what is no checkpoint only its beginning was read, and of small files nothing.
    const whole = server.requests.filter(({ path, range }) =>
      path.startsWith("/store/") && range === null
    );
    assert.deepEqual(whole.map(({ path }) => path.split("/").at(-1)), [
      "checkpoint_last.pt",
      "long.pt",
    ]);
    assert.ok(
      server.requests.some(({ path, range }) =>
        path.endsWith("store.bin") && range === "bytes=0-3"
      ),
    );
    assert.ok(!server.requests.some(({ path }) => path.endsWith("README.md")));
    // The token stays with the Hub.
    for (const { path, authorization } of server.requests) {
      assert.equal(authorization, path.startsWith("/store/") ? null : "Bearer hf_x", path);
    }
    const asked = server.requests.length;
    await fetchDataSet(obtaining, released);
    assert.equal(server.requests.length, asked, "what is there is not asked for again");
  }));

test("the released model has the paper's sizes and the listed repository", async () => {
  const { repository, backbone, sideNetLayers } = paperModel;
  assert.equal(parameterCount(backboneTensorShapes(backbone)), 407_072_768);
  const shape = { layers: sideNetLayers, reductionFactor: 2, memoryBlock: 17 };
  assert.equal(parameterCount(sideNetTensorShapes(shape, backbone)), 151_083_024);
  const listed = (await readDataSets(dataSetList)).find(({ name }) => name === "longmem_558m")!;
  assert.ok(listed.origin.endsWith(repository.reference.repo));
  assert.deepEqual(listed.files, files);
});

test("a repository without the checkpoints, or with several, is refused with its large files", () =>
  withReleased(async ({ server, fetch }) => {
    const files = server.commits.get(first)!;
    files.set("other.pt", lfs(fairseqLongMemBytes()));
    await refuses(
      fetch(),
      /Cannot find the LongMem of the released model in "hf:authors\/Released@1{40}" as "models\/long.pt" and "other.pt" might be it: take one of them with --from/,
    );
    files.delete("other.pt");
    files.set(
      "models/long.pt",
      lfs(fairseqLongMemBytes({ config: { "decoder_layers": 4, "layer_reduction_factor": 1 } })),
    );
    await refuses(
      fetch(),
      /Cannot find the LongMem .* as of its 4 files, 3 are large enough \(0\.00 GB\); "models\/long.pt" is a longmem of other sizes; "data\/store.bin": Cannot read ".*" as it is not a torch checkpoint/,
    );
    // Of two the one that a training ended with.
    files.set("models/checkpoint_last.pt", lfs(fairseqLongMemBytes()));
    files.set("models/long.pt", lfs(fairseqLongMemBytes()));
    await fetch();
    assert.ok(
      server.requests.some(({ path, range }) =>
        path.endsWith("models/checkpoint_last.pt") && range === null
      ),
    );
  }));

test("refusals of the Hub, busy servers and parts that are not sent are told", () =>
  withReleased(async ({ server, obtaining, fetch }) => {
    const status = (status: number, place: string, headers = {}) => {
      server.behaviour.answer = (_, path) =>
        path.includes(place) ? Response.json({ error: "no" }, { status, headers }) : undefined;
    };
    // Not as files that are no checkpoints.
    for (const place of ["/revision/", "/tree/", "/resolve/"]) {
      status(401, place);
      await refuses(fetch(), /^Cannot (fetch|read) .*status 401/);
      status(403, place);
      await refuses(
        fetch(),
        /gated \(status 403\): accept its conditions at http:.*\/authors\/Released/,
      );
      status(404, place);
      await refuses(fetch(), /no model "authors\/Released" with revision "main" \(status 404\)/);
    }
    status(404, "/store/");
    await refuses(fetch(), /status 404/);
    // A server that sends the whole file where a part was asked for.
    server.behaviour.answer = (_, path) =>
      path.startsWith("/store/") ? new Response(new Uint8Array(4)) : undefined;
    await refuses(fetch(), /as a part of it was asked for: its status is 200/);
    server.behaviour.answer = (_, path) =>
      path.startsWith("/store/")
        ? new Response(new Uint8Array(4), {
          status: 206,
          headers: { "content-range": "bytes 9-12/99" },
        })
        : undefined;
    await refuses(fetch(), /bytes 0 to 3 were asked for: the server sent 4, of "bytes 9-12\/99"/);
    await assert.rejects(Deno.stat(obtaining.folder), Deno.errors.NotFound);
    for (const place of ["/revision/", "/resolve/", "/store/"]) {
      status(429, place, { "retry-after": "3600" });
      await refuses(fetch(), /its server is busy: its status is 429, and it asks to wait 3600 s/);
      await Deno.remove(obtaining.folder, { recursive: true }).catch(() => {});
    }
  }));

test("a server that is busy for a moment is asked again", () =>
  withReleased(async ({ server, obtaining, fetch }) => {
    server.behaviour.answer = (_, _path, count) =>
      count === 0
        ? new Response("later", { status: 429, headers: { "retry-after": "0" } })
        : undefined;
    await fetch();
    await assertReleased(obtaining);
  }));

test("a body that stalls or is cut off is continued, and other bytes are not kept", () =>
  withReleased(async ({ server, obtaining, fetch }) => {
    const { bytes } = server.commits.get(first)!.get("models/long.pt")!;
    const whole = (request: Request, path: string) =>
      path.startsWith("/store/") && path.endsWith("long.pt") &&
      request.headers.get("range") === null;
    for (const ends of [true, false]) {
      server.behaviour.answer = (request, path) =>
        whole(request, path)
          ? new Response(
            new ReadableStream({
              start: (controller) => controller.enqueue(bytes.subarray(0, 3_000)),
              pull: (controller) => ends ? controller.close() : new Promise(() => {}),
            }),
            { headers: { "content-length": `${bytes.length}` } },
          )
          : undefined;
      await refuses(
        fetch({ limits: { retries: 0 } }),
        ends ? /the connection was cut off/ : /fewer than 1000 bytes came in 0\.3 s/,
      );
      const target = `${obtaining.folder}/${files[1].path}`;
      await assert.rejects(Deno.stat(target), Deno.errors.NotFound);
      assert.equal((await Deno.stat(`${target}.download`)).size, 3_000);
      delete server.behaviour.answer;
      await fetch();
      await assertReleased(obtaining);
      assert.ok(
        server.requests.some(({ path, range }) =>
          path.endsWith("long.pt") && range === "bytes=3000-"
        ),
      );
      await Deno.remove(obtaining.folder, { recursive: true });
    }
    server.behaviour.answer = (request, path) =>
      whole(request, path) ? new Response(bytes.with(bytes.length >> 1, 99)) : undefined;
    await refuses(
      fetch(),
      /Cannot keep ".*long.pt" as it is not the file that it was: expected SHA-256/,
    );
    await assert.rejects(Deno.stat(`${obtaining.folder}/${files[1].path}`), Deno.errors.NotFound);
  }));

test("a part of another revision is not continued to a mixture", () =>
  withReleased(async ({ server, obtaining, fetch }) => {
    const target = `${obtaining.folder}/${files[1].path}`;
    await Deno.mkdir(target.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeFile(`${target}.download`, new Uint8Array(5_000).fill(7));
    server.commits.set(second, repository());
    server.branches.set("main", second);
    await fetch();
    await assertReleased(obtaining);
    const receipt = JSON.parse(await Deno.readTextFile(`${obtaining.folder}/fetched.json`));
    assert.equal(receipt.from, `hf:${repo}@${second}`);
    // What was fetched stays what it is: a file that has changed is noticed.
    await Deno.writeTextFile(target, "other");
    const state = await checkDataSet(dataSet, obtaining.folder);
    assert.deepEqual(state.different.map(({ path }) => path), [files[1].path]);
  }));

test("the checkpoints are taken from a folder, also through links, by their content", () =>
  withReleased(async ({ folder, obtaining, server }) => {
    const own = `${folder}/own`;
    await Deno.mkdir(`${own}/snapshots`, { recursive: true });
    await Deno.writeFile(`${own}/blob`, fairseqLongMemBytes());
    await Deno.symlink("../blob", `${own}/snapshots/checkpoint_last.pt`);
    await Deno.writeFile(`${own}/a.pt`, fairseqBackboneBytes());
    await takeDataSet(own, obtaining, released);
    await assertReleased(obtaining);
    assert.equal(server.requests.length, 0);
    await Deno.remove(`${own}/a.pt`);
    await refuses(
      takeDataSet(own, obtaining, released),
      /Cannot find the backbone of the released model in ".*own"/,
    );
  }));
