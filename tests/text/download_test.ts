import { createHash } from "node:crypto";
import { isForeseen } from "../../src/errors.ts";
import { downloadFile, type DownloadOptions, hashFile } from "../../src/text/download.ts";
import { gzipSync } from "node:zlib";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const content = Uint8Array.from({ length: 300_000 }, (_, i) => i * i % 251);
const sha256 = createHash("sha256").update(content).digest("hex");

/** How a server answers the n-th request, from 0, for bytes from an offset on. */
type Answer = (start: number, request: number, connection: Connection) => Promise<void>;

/** A connection on which a server answers byte by byte, whatever it has promised. */
interface Connection {
  head(status: string, headers?: Readonly<Record<string, string | number>>): Promise<void>;
  body(bytes: Uint8Array): Promise<void>;
}

/** A download from a server that answers so; `starts` are the offsets that were asked for. */
async function withServer(
  answer: Answer,
  use: (server: {
    target: string;
    url: string;
    starts: number[];
    fetch: (options?: DownloadOptions & { sha256?: string }) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const starts: number[] = [], open = new Set<Deno.Conn>();
  const serve = async (connection: Deno.Conn) => {
    open.add(connection);
    try {
      const bytes = new Uint8Array(10_000);
      const length = await connection.read(bytes) ?? 0;
      const text = new TextDecoder().decode(bytes.subarray(0, length));
      const start = Number(/^range: bytes=(\d+)-/im.exec(text)?.[1] ?? 0);
      starts.push(start);
      const write = async (part: Uint8Array) => {
        for (let at = 0; at < part.length;) at += await connection.write(part.subarray(at));
      };
      await answer(start, starts.length - 1, {
        head: (status, headers = {}) => {
          const lines = Object.entries({ connection: "close", ...headers });
          const head = [`HTTP/1.1 ${status}`, ...lines.map(([name, value]) => `${name}: ${value}`)];
          return write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
        },
        body: write,
      });
    } catch {
      // The client has gone away.
    }
    if (open.delete(connection)) connection.close();
  };
  const serving = (async () => {
    for await (const connection of listener) serve(connection);
  })().catch(() => {});
  try {
    await withFolder(async (folder) => {
      const url = `http://127.0.0.1:${listener.addr.port}/data.bin`;
      const target = `${folder}/set/data.bin`;
      await use({
        target,
        url,
        starts,
        fetch: ({ sha256: expected = sha256, ...options } = {}) =>
          downloadFile({ url, target, sha256: expected }, {
            answerMs: 2_000,
            stallMs: 300,
            ...options,
          }),
      });
      // Neither the file nor a part of it is there unless it is whole.
      const left = await Array.fromAsync(Deno.readDir(`${folder}/set`)).catch(() => []);
      for (const { name } of left) assert.match(name, /^data\.bin(\.download)?$/);
    });
  } finally {
    listener.close();
    for (const connection of open) if (open.delete(connection)) connection.close();
    await serving;
  }
}

const forever = (ms = 60_000) =>
  new Promise<void>((resolve) => {
    // A test does not wait for a server that says nothing.
    Deno.unrefTimer(setTimeout(resolve, ms) as unknown as number);
  });

const whole: Answer = async (_start, _request, { head, body }) => {
  await head("200 OK", { "content-length": content.length });
  await body(content);
};

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

test("downloadFile() writes the file and tells how far it is", async () => {
  await withServer(whole, async ({ target, fetch, starts }) => {
    const told: [number, number | undefined][] = [];
    await fetch({ progress: (bytes, total) => told.push([bytes, total]) });
    assert.deepEqual(await Deno.readFile(target), content);
    assert.deepEqual(starts, [0]);
    assert.deepEqual(told.at(-1), [content.length, content.length]);
    assert.equal(await exists(`${target}.download`), false);
  });
});

test("downloadFile() continues where a connection was cut off, or from the beginning where the server must", async () => {
  for (const allowsRanges of [true, false]) {
    const cut: Answer = async (start, request, { head, body }) => {
      const from = allowsRanges ? start : 0;
      await head(from > 0 ? "206 Partial Content" : "200 OK", {
        "content-length": content.length - from,
        ...(from > 0
          ? { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }
          : {}),
      });
      await body(content.subarray(from, request < 2 ? 100_000 * (request + 1) : content.length));
    };
    await withServer(cut, async ({ target, fetch, starts }) => {
      await fetch();
      assert.deepEqual(await Deno.readFile(target), content);
      assert.deepEqual(starts, [0, 100_000, 200_000]);
    });
  }
});

test("downloadFile() gives up a connection that is cut off again and again, naming the URL, and continues when called again", async () => {
  const cut: Answer = async (start, request, { head, body }) => {
    await head(start > 0 ? "206 Partial Content" : "200 OK", {
      "content-length": content.length - start,
      ...(start > 0 ? { "content-range": `bytes ${start}-` } : {}),
    });
    await body(request < 3 ? content.subarray(start, start + 50_000) : content.subarray(start));
  };
  await withServer(cut, async ({ target, url, fetch, starts }) => {
    await assert.rejects(fetch(), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(
          `^Cannot fetch "${url}" as the connection was cut off.*: current number of bytes is 150000; `,
        ),
      );
      return isForeseen(error);
    });
    assert.equal(await exists(target), false);
    await fetch();
    assert.deepEqual(await Deno.readFile(target), content);
    assert.deepEqual(starts, [0, 50_000, 100_000, 150_000]);
  });
});

test("downloadFile() does not wait for a server that says nothing, stalls or drips", async () => {
  const cases: [name: string, answer: Answer, message: RegExp][] = [
    ["silent", () => forever(), /as its server does not answer: it was waited for 0\.3 s$/],
    [
      "stalls",
      async (_start, _request, { head, body }) => {
        await head("200 OK", { "content-length": content.length });
        await body(content.subarray(0, 2_000));
        await forever();
      },
      /as fewer than 1000 bytes came in 0\.3 s: current number of bytes is 2000; /,
    ],
    [
      "says nothing after its headers",
      async (_start, _request, { head }) => {
        await head("200 OK", { "content-length": content.length });
        await forever();
      },
      /as fewer than 1000 bytes came in 0\.3 s: current number of bytes is 0; /,
    ],
    [
      "drips",
      async (_start, _request, { head, body }) => {
        await head("200 OK", { "content-length": content.length });
        for (let i = 0; i < 100; i++) {
          await body(content.subarray(i, i + 1));
          await forever(50);
        }
      },
      /as fewer than 1000 bytes came in 0\.3 s/,
    ],
  ];
  for (const [name, answer, message] of cases) {
    await withServer(answer, async ({ target, url, fetch }) => {
      await assert.rejects(fetch({ answerMs: 300, retries: 0 }), (error: Error) => {
        assert.ok(error.message.startsWith(`Cannot fetch "${url}"`), name);
        assert.match(error.message, message, name);
        return isForeseen(error);
      });
      assert.equal(await exists(target), false);
    });
  }
});

test("downloadFile() stops at a body that is too large, announced or endless, and keeps nothing of it", async () => {
  const endless: Answer = async (_start, _request, { head, body }) => {
    await head("200 OK");
    while (true) await body(content);
  };
  const announced: Answer = async (_start, _request, { head }) => {
    await head("200 OK", { "content-length": 10 ** 15 });
    await forever();
  };
  for (const answer of [endless, announced]) {
    await withServer(answer, async ({ target, url, fetch }) => {
      await assert.rejects(fetch({ maxBytes: 1_000_000 }), {
        name: "RangeError",
        message: new RegExp(
          `^Cannot fetch "${url}" as it is too large: allowed are up to 1000000 bytes, current number is \\d+ or more$`,
        ),
      });
      assert.equal(await exists(target), false);
      assert.equal(await exists(`${target}.download`), false);
    });
  }
});

test("downloadFile() keeps nothing with other bytes, and begins anew where those it continued were others", async () => {
  await withServer(whole, async ({ target, url, fetch }) => {
    await assert.rejects(fetch({ sha256: "0".repeat(64) }), {
      name: "RangeError",
      message:
        `Cannot keep "${url}" as it is not the file that it was: expected SHA-256 ${
          "0".repeat(64)
        }, found ${sha256} ` +
        "(300000 bytes)",
    });
    assert.equal(await exists(target), false);
    assert.equal(await exists(`${target}.download`), false);
  });
  const ranges: Answer = async (start, _request, { head, body }) => {
    await head(start > 0 ? "206 Partial Content" : "200 OK", {
      "content-length": content.length - start,
      ...(start > 0 ? { "content-range": `bytes ${start}-` } : {}),
    });
    await body(content.subarray(start));
  };
  await withServer(ranges, async ({ target, fetch, starts }) => {
    await Deno.mkdir(target.replace(/\/[^/]*$/, ""));
    await Deno.writeTextFile(`${target}.download`, "of an older file");
    await fetch();
    assert.deepEqual(await Deno.readFile(target), content);
    assert.deepEqual(starts, [16, 0]);
  });
  // A part that is longer than the file.
  const unsatisfiable: Answer = async (start, request, connection) =>
    start > 0
      ? await connection.head("416 Range Not Satisfiable")
      : await whole(0, request, connection);
  await withServer(unsatisfiable, async ({ target, fetch, starts }) => {
    await Deno.mkdir(target.replace(/\/[^/]*$/, ""));
    await Deno.writeFile(`${target}.download`, new Uint8Array(400_000));
    await fetch();
    assert.deepEqual(await Deno.readFile(target), content);
    assert.deepEqual(starts, [400_000, 0]);
  });
});

test("downloadFile() follows redirects, not in a circle, and names the URL of whatever a server refuses", async () => {
  const redirected: Answer = async (start, request, connection) =>
    request === 0
      ? await connection.head("302 Found", { location: "/elsewhere", "content-length": 0 })
      : await whole(start, request, connection);
  await withServer(redirected, async ({ target, fetch }) => {
    await fetch();
    assert.deepEqual(await Deno.readFile(target), content);
  });
  const cases: [status: string, headers: Record<string, string | number>, message: RegExp][] = [
    [
      "302 Found",
      { location: "/data.bin", "content-length": 0 },
      /as its server cannot be reached: .*redirect/i,
    ],
    ["404 Not Found", { "content-length": 0 }, /as the server refuses: its status is 404$/],
    ["500 Internal Server Error", {}, /as the server refuses: its status is 500$/],
    ["416 Range Not Satisfiable", {}, /its status is 416$/],
    ["HTTP nonsense", {}, /as its server cannot be reached: /],
  ];
  for (const [status, headers, message] of cases) {
    await withServer(
      (_start, _request, { head }) => head(status, headers),
      async ({ url, fetch }) => {
        await assert.rejects(fetch(), (error: Error) => {
          assert.ok(error.message.startsWith(`Cannot fetch "${url}"`), error.message);
          assert.match(error.message, message);
          assert.equal(error.message.split(url).length, 2, `names the URL once: ${error.message}`);
          return isForeseen(error);
        });
      },
    );
  }
});

test("hashFile() hashes what compressed files hold, and damaged ones as they are", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/a`, content);
    await Deno.writeFile(`${folder}/a.gz`, gzipSync(content));
    for (const name of ["a", "a.gz"]) {
      assert.deepEqual(await hashFile(`${folder}/${name}`), { hash: sha256, sizeBytes: 300_000 });
    }
    const damaged = gzipSync(content).subarray(0, 100);
    await Deno.writeFile(`${folder}/b.gz`, damaged);
    assert.deepEqual(await hashFile(`${folder}/b.gz`), {
      hash: createHash("sha256").update(damaged).digest("hex"),
      sizeBytes: 100,
    });
  });
});
