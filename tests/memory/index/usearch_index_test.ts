import type { ChunkIndex } from "../../../src/memory/index/chunk_index.ts";
import { FlatIndex } from "../../../src/memory/index/flat_index.ts";
import { createUsearchIndex } from "../../../src/memory/index/usearch_index.ts";
import { Random } from "../../../src/random.ts";
import { assert, repositoryPath, test } from "../../testing.ts";
import { keySource, ringSlots } from "./keys.ts";
import { recallAt } from "./recall.ts";

const n = 16, R = 64, D = 32;

function search(index: ChunkIndex, queries: Float32Array, n: number): Int32Array {
  const found = new Int32Array(queries.length / D * n);
  index.search(queries, n, found);
  return found;
}

for (const keys of ["float32", "float16"] as const) {
  test(`UsearchIndex of ${keys} keeps its recall while half of the chunks leave again and again`, async () => {
    const capacityChunks = 1024, half = capacityChunks / 2, random = new Random("rounds");
    const flat = new FlatIndex({ headDim: D, capacityChunks });
    const create = () =>
      createUsearchIndex({ headDim: D, capacityChunks, keys, exactChunks: half });
    const index = await create(), same = await create();
    for (let round = 0; round < 6; round++) {
      const draw = keySource("clustered", D, random);
      const slots = ringSlots(round * half, half, capacityChunks), drawn = draw(half);
      for (const one of [flat, index, same]) {
        if (round >= 2) one.remove(slots);
        one.add(slots, drawn);
      }
      const queries = draw(R), found = search(index, queries, n);
      const recall = recallAt(n, found, search(flat, queries, n));
      assert.ok(recall >= (round === 0 ? 1 : 0.95), `round ${round}: recall@${n} is ${recall}`);
      assert.deepEqual(search(same, queries, n), found);
      // One query, and several.
      assert.deepEqual(search(index, queries.subarray(D, 2 * D), n), found.subarray(n, 2 * n));
    }
  });
}

test("UsearchIndex returns -1 where there are fewer chunks than asked for", async () => {
  const index = await createUsearchIndex({ headDim: D, capacityChunks: 40, exactChunks: 0 });
  const draw = keySource("gaussian", D, new Random("few"));
  index.add(Int32Array.of(7, 30, 2), draw(3));
  index.remove(Int32Array.of(30));
  for (const queries of [draw(1), draw(3)]) {
    const found = search(index, queries, 4);
    for (let r = 0; r < queries.length / D; r++) {
      const row = found.subarray(r * 4, (r + 1) * 4);
      assert.deepEqual([[...row.subarray(0, 2)].sort(), ...row.subarray(2)], [[2, 7], -1, -1]);
    }
  }
});

test("USearch loads with the permissions of the tasks that open a model", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(repositoryPath("deno.json")));
  const program = `
    import { createUsearchIndex } from "./src/memory/index/usearch_index.ts";
    const index = await createUsearchIndex({ headDim: 2, capacityChunks: 4, exactChunks: 0 });
    index.add(Int32Array.of(3), Float32Array.of(1, 2));
    console.log(index.size);`;
  for (const task of ["run", "generate"]) {
    const permissions = tasks[task].command.split(" ")
      .filter((word: string) => word.startsWith("--allow-") && word !== "--allow-write");
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", ...permissions, "--ext=ts", "-"],
      ...{ cwd: repositoryPath("."), stdin: "piped", stdout: "piped", stderr: "piped" } as const,
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(program));
    await writer.close();
    const { stdout, stderr } = await child.output();
    assert.equal(new TextDecoder().decode(stdout), "1\n", new TextDecoder().decode(stderr));
  }
});

test("UsearchIndex searches whatever the threads of the engine", async () => {
  const name = "LONGMEM_THREADS", earlier = Deno.env.get(name);
  try {
    const found = [];
    for (const threads of ["1", "3"]) {
      Deno.env.set(name, threads);
      const index = await createUsearchIndex({ headDim: D, capacityChunks: 64, exactChunks: 0 });
      const draw = keySource("gaussian", D, new Random("threads"));
      index.add(Int32Array.from({ length: 64 }, (_, slot) => slot), draw(64));
      found.push(search(index, draw(R), n));
    }
    assert.deepEqual(found[1], found[0]);
  } finally {
    if (earlier === undefined) Deno.env.delete(name);
    else Deno.env.set(name, earlier);
  }
});
