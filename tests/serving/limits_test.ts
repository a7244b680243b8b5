// deno-lint-ignore-file camelcase -- names of OpenAI's interface
import { Admission } from "../../src/serving/admission.ts";
import { eventStream } from "../../src/serving/event_stream.ts";
import { StopText } from "../../src/serving/stop_text.ts";
import { assert, test } from "../testing.ts";
import { modelWith, type TestedServer, tinyModel, withServer } from "./served.ts";

/** Waits until something is so; a test that waits forever fails by its time. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setTimeout(done, 2));
}

/** The tiny model with windows whose passes are counted, and wait at a gate where there is one: from the pass of a number on. */
async function countedModel(gate: { promise?: Promise<void>; from?: number } = {}) {
  const tiny = await tinyModel(), counted = { tokens: 0 };
  const model = modelWith(tiny.model, {
    openWindow(options) {
      const window = tiny.model.openWindow(options);
      return {
        async append(tokens) {
          if (++counted.tokens >= (gate.from ?? 0)) await gate.promise;
          return await window.append(tokens);
        },
        close: () => window.close(),
      };
    },
  });
  return { served: { ...tiny, model }, counted };
}

test("bodies that are wrong are refused with the field, its value and the allowed ones", () =>
  withServer({ limits: { promptTokens: 40 } }, async ({ post, url, reported }) => {
    const refused: [unknown, string | null, RegExp][] = [
      ["{", null, /^Cannot read the body as it is not JSON in UTF-8: /],
      ["", null, /^Cannot read the body as it is not JSON/],
      ["[1]", null, /as the body must be a JSON object: current value is \[1\]$/],
      ["null", null, /as the body must be a JSON object: current value is null$/],
      [{}, "prompt", /as prompt is missing: allowed are text, a list of texts/],
      [{ prompt: 3 }, "prompt", /prompt has a wrong value: current value is 3, allowed are text/],
      [{ prompt: [] }, "prompt", /current value is \[\], allowed are text/],
      [{ prompt: ["a", 1] }, "prompt", /current value is \["a",1\]/],
      [{ prompt: [[]] }, "prompt", /current value is \[\[\]\]/],
      [{ prompt: [1.5] }, "prompt", /current value is \[1\.5\]/],
      [
        { prompt: [3, 280] },
        "prompt",
        /token id at position 1 must be an integer in 0 \.\. 279: .*280$/,
      ],
      [{ prompt: [[3], [-1]] }, "prompt.1", /token id at position 0 .* -1$/],
      [
        { prompt: Array(41).fill(3) },
        "prompt",
        /prompt has 41 tokens: allowed are 1 to 40$/,
      ],
      [{ prompt: "", add_special_tokens: false }, "prompt", /prompt has 0 tokens/],
      [
        { prompt: "a", max_tokens: 201 },
        "max_tokens",
        /is 201, allowed are integers from 0 to 200/,
      ],
      [{ prompt: "a", max_tokens: -1 }, "max_tokens", /current value is -1/],
      [{ prompt: "a", max_tokens: "9" }, "max_tokens", /current value is "9"/],
      [{ prompt: "a", temperature: -0.1 }, "temperature", /is -0.1, allowed are numbers from 0/],
      [{ prompt: "a", top_p: 0 }, "top_p", /is 0, allowed are numbers above 0, at most 1/],
      [{ prompt: "a", seed: 1.5 }, "seed", /is 1.5, allowed are integers from 0/],
      [{ prompt: "a", n: 2 }, "n", /current value is 2, allowed are 1$/],
      [{ prompt: "a", suffix: "b" }, "suffix", /current value is "b", allowed are "" or null$/],
      [
        { prompt: "a", logit_bias: { 7: 1 } },
        "logit_bias",
        /current value is \{"7":1\}, allowed are \{\} or null$/,
      ],
      [{ prompt: "a", session: ".." }, "session", /is "\.\.", allowed are .*, but not "\." or /],
      [{ prompt: "a", stop: "" }, "stop", /current value is "", allowed are text, or a list/],
      [{ prompt: "a", stop: Array(17).fill("x") }, "stop", /at most 16 texts/],
      [{ prompt: "a", logprobs: 21 }, "logprobs", /is 21, allowed are integers from 0 to 20/],
      [{ prompt: "a", echo: "yes" }, "echo", /current value is "yes", allowed are true, false/],
      [{ prompt: "a", presence_penalty: 1 }, "presence_penalty", /is 1, allowed are 0$/],
      [{ prompt: "a", session: "a/b" }, "session", /is "a\/b", allowed are letters, digits/],
      [{ prompt: "a", max_token: 1 }, "max_token", /is unknown: .*did you mean "max_tokens"/],
      [
        { prompt: "a", seed: "1".repeat(5000) },
        "seed",
        /"1{99}\.\.\. \(5002 characters\), allowed/,
      ],
    ];
    for (const [sent, param, message] of refused) {
      const { status, body } = await post("/v1/completions", sent);
      assert.equal(status, 400, `${JSON.stringify(sent)} ${JSON.stringify(body)}`);
      assert.match(body.error.message, message);
      assert.deepEqual([body.error.param, body.error.type], [param, "invalid_request_error"]);
      assert.ok(body.error.message.length < 600);
    }
    const bytes = await fetch(`${url}/v1/completions`, {
      method: "POST",
      body: Uint8Array.of(0x22, 0xff, 0x22),
    });
    assert.equal(bytes.status, 400);
    await bytes.body?.cancel();
    const { status, body } = await post("/v1/completions", { prompt: "a", model: "gpt-4" });
    assert.deepEqual([status, body.error.code, body.error.param], [
      404,
      "model_not_found",
      "model",
    ]);
    assert.match(body.error.message, /current value is "gpt-4", allowed is "tiny\/run"$/);
    const feed = await post("/v1/sessions/a/memory", { text: "" });
    assert.deepEqual([feed.status, feed.body.error.param], [400, "text"]);
    const both = await post("/v1/completions", { prompt: "a", session: "a" }, {
      "x-session-id": "b",
    });
    assert.match(both.body.error.message, /X-Session-Id and session differ.*"b" and "a"$/);
    const id = await post(`/v1/sessions/${"%20".repeat(3)}/memory`, { text: "a" });
    assert.match(id.body.error.message, /^Cannot use session " {3}" as its id is not allowed/);
    assert.deepEqual(reported, []);
  }));

test("paths, methods, hosts and pages of others are refused", () =>
  withServer({}, async ({ url, port }) => {
    const models = await (await fetch(`${url}/v1/models`)).json();
    assert.deepEqual(models.data.map(({ id }: { id: string }) => id), ["tiny/run"]);
    const model = await fetch(`${url}/v1/models/tiny%2Frun`);
    assert.deepEqual(await model.json(), models.data[0]);
    const refuse = async (path: string, init: RequestInit, status: number, message: RegExp) => {
      const response = await fetch(url + path, init);
      assert.equal(response.status, status);
      assert.match((await response.json()).error.message, message);
      return response;
    };
    await refuse("/v1/chat/completions", {}, 404, /no "\/v1\/chat\/completions": allowed are \/v1/);
    await refuse("/v1/models/x", {}, 404, /no model "x": allowed is "tiny\/run"/);
    const wrong = await refuse("/v1/completions", {}, 405, /is GET, allowed are POST/);
    assert.equal(wrong.headers.get("allow"), "POST");
    for (const method of ["constructor", "toString"]) { // what every object has
      await refuse("/v1/models", { method }, 405, new RegExp(`is ${method}, allowed are GET`));
    }
    const origin = { headers: { origin: "http://evil.example" } };
    await refuse("/v1/models", origin, 403, /Origin is "http:\/\/evil.example"/);
    const own = await fetch(`${url}/v1/models`, { headers: { origin: url } });
    assert.equal(own.status, 200);
    await own.body?.cancel();
    // A name that somebody lets point to this machine.
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const head = "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    await connection.write(new TextEncoder().encode(head));
    const answer = await new Response(connection.readable).text();
    assert.match(answer, /^HTTP\/1.1 403 [^]*"current value is \\"evil.example\\"|403[^]*evil/);
  }));

test("a body that is too large is refused, also where its size is not declared", () =>
  withServer({ limits: { bodyBytes: 1000 } }, async ({ post, url }) => {
    const text = "a".repeat(1001);
    const { status, body } = await post("/v1/sessions/a/memory", { text });
    assert.equal(status, 413);
    assert.match(body.error.message, /current size is \d+ bytes, allowed are 1000$/);
    const parts = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 30; i++) controller.enqueue(new TextEncoder().encode("a".repeat(50)));
        controller.close();
      },
    });
    const response = await fetch(`${url}/v1/completions`, { method: "POST", body: parts });
    assert.equal(response.status, 413);
    assert.match(
      (await response.json()).error.message,
      /is more than 1000 bytes, allowed are 1000/,
    );
  }));

test("text with too many characters is refused before it becomes tokens", () =>
  withServer({ limits: { characters: 1000 } }, async ({ post }) => {
    const half = "cat ".repeat(125), most = [half, half];
    const tooMany = async (path: string, body: object, param: string) => {
      const { status, body: { error } } = await post(path, body);
      assert.deepEqual([status, error.param], [400, param]);
      assert.equal(
        error.message,
        `Cannot read ${param} as its text has 1001 characters: allowed are 1000 in a request`,
      );
    };
    const text = `${half}${half}.`;
    await tooMany("/v1/completions", { prompt: [half, `${half}.`] }, "prompt");
    await tooMany("/v1/sessions/a/memory", { text }, "text");
    await tooMany("/tokenize", { prompt: text }, "prompt");
    assert.equal((await post("/v1/completions", { prompt: most, max_tokens: 1 })).status, 200);
    assert.equal((await post("/tokenize", { prompt: most.join("") })).status, 200);
  }));

test("requests beyond those that may wait are refused, and told to come again", async () => {
  const gate = Promise.withResolvers<void>();
  const { served } = await countedModel(gate);
  await withServer({ served, limits: { concurrent: 1, waiting: 2 } }, async ({ post, server }) => {
    const ask = () => post("/v1/completions", { prompt: "The", max_tokens: 2 });
    const admitted = [ask(), ask(), ask()];
    await until(() => server.admitted === 3);
    const { status, headers, body } = await ask();
    assert.equal(status, 429);
    assert.equal(headers.get("retry-after"), "1");
    assert.match(body.error.message, /too many requests wait: current number is 2, the most/);
    gate.resolve();
    assert.deepEqual((await Promise.all(admitted)).map(({ status }) => status), [200, 200, 200]);
    assert.equal(server.admitted, 0);
    assert.equal((await ask()).status, 200);
  });
});

test("a request that is cancelled generates no more, streamed or not, computing or waiting", async () => {
  for (const stream of [true, false]) {
    const { promise, resolve: open } = Promise.withResolvers<void>();
    const { served, counted } = await countedModel({ promise, from: 4 });
    await withServer({ served, limits: { concurrent: 1 } }, async ({ url, post, server }) => {
      const body = { prompt: "The", max_tokens: 20, temperature: 0 };
      const ask = (signal: AbortSignal) =>
        fetch(`${url}/v1/completions`, {
          method: "POST",
          signal,
          body: JSON.stringify({ ...body, stream }),
        }).then((response) => response.text());
      const computing = new AbortController(), waiting = new AbortController();
      const first = assert.rejects(ask(computing.signal), { name: "AbortError" });
      await until(() => counted.tokens === 4);
      const second = assert.rejects(ask(waiting.signal), { name: "AbortError" });
      await until(() => server.admitted === 2);
      waiting.abort();
      await second;
      await until(() => server.admitted === 1);
      computing.abort();
      await first;
      await until(() => server.admitted === 0);
      const next = post("/v1/completions", body);
      await until(() => server.admitted === 1);
      assert.equal(counted.tokens, 4, "the place is free once the pass has ended");
      open();
      assert.equal((await next).body.usage.completion_tokens, 20);
      assert.equal(counted.tokens, 24, "nothing was computed besides");
    });
  }
});

test("a request is refused that asks for more log-likelihoods than the server has room for", () =>
  withServer({ limits: { bodyBytes: 2 ** 20 } }, async ({ post }) => {
    const prompt = Array(256).fill(Array(200).fill(3));
    const { status, body: { error } } = await post("/v1/completions", {
      ...{ prompt, max_tokens: 200, echo: true, logprobs: 20 },
    });
    assert.deepEqual([status, error.param], [400, "logprobs"]);
    assert.match(
      error.message,
      /logprobs is 20 for up to 102400 tokens: current number of .* is 2150400, allowed are 2097152/,
    );
  }));

test("a client that goes away while its body is read is no fault of the server", () =>
  withServer({}, async ({ server, url, reported }) => {
    const body = new ReadableStream({
      pull: (controller) => controller.error(new Deno.errors.BadResource("it is gone")),
    });
    const request = new Request(`${url}/v1/completions`, { method: "POST", body });
    const response = await server.answer(request);
    const { error: { message } } = await response.json();
    assert.match(message, /^Cannot read the body as the connection has ended: it is gone$/);
    assert.deepEqual([response.status, reported], [499, []]);
  }));

test("a request that takes too long is ended, whatever it waits for", async () => {
  const gate = Promise.withResolvers<void>();
  const { served } = await countedModel(gate);
  await withServer({ served, limits: { requestMs: 80 } }, async ({ post, url, port, server }) => {
    const { status, body } = await post("/v1/completions", { prompt: "The", max_tokens: 9 });
    assert.deepEqual([status, body.error.type], [504, "timeout_error"]);
    assert.match(body.error.message, /^Cannot answer in time: allowed are 0.08 s$/);
    // Of a stream that has begun the error is its last event.
    const stream = await fetch(`${url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ prompt: "The", max_tokens: 9, echo: true, stream: true }),
    });
    const events = (await stream.text()).split("\n\n").filter(Boolean);
    assert.equal(events.length, 2);
    assert.match(events[1], /^data: \{"error":\{"message":"Cannot answer in time/);
    // A body that does not come.
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const head = "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{";
    await connection.write(new TextEncoder().encode(head));
    const answer = new Uint8Array(4096);
    const length = await connection.read(answer);
    assert.match(new TextDecoder().decode(answer.subarray(0, length!)), /^HTTP\/1.1 504 /);
    connection.close();
    assert.equal(server.admitted, 0);
  });
  gate.resolve();
});

/** Begins a stream over a connection that is not read. */
async function unreadStream({ port }: TestedServer, body: object): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const text = JSON.stringify({ ...body, stream: true });
  await connection.write(
    new TextEncoder().encode(
      "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" +
        `Content-Length: ${text.length}\r\n\r\n${text}`,
    ),
  );
  return connection;
}

test("clients that do not read hold up nobody, and get everything once they do", async () => {
  const { served, counted } = await countedModel();
  await withServer({ served, limits: { concurrent: 2 } }, async (tested) => {
    const body = { prompt: "The", max_tokens: 60, logprobs: 20, temperature: 0 };
    const slow = await Promise.all([1, 2, 3].map(() => unreadStream(tested, body)));
    const { status, body: answer } = await tested.post("/v1/completions", {
      ...{ prompt: "The", max_tokens: 3 },
    });
    assert.equal(status, 200);
    assert.equal(answer.usage.completion_tokens, 3);
    await until(() => tested.server.admitted === 0);
    assert.equal(counted.tokens, 3 * 60 + 3, "they have computed without being read");
    const { body: whole } = await tested.post("/v1/completions", body);
    for (const connection of slow) {
      const text = await new Response(connection.readable).text();
      const parts = [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json));
      const joined = parts.map(({ choices: [{ text }] }) => text).join("");
      assert.equal(joined, whole.choices[0].text);
      assert.match(text, /data: \[DONE\]/);
    }
  });
});

test("eventStream() ends with its data, and a second after its request", async () => {
  const events = (failure?: Error) => {
    const ended: string[] = [], request = new AbortController();
    const stream = eventStream(
      (async function* () {
        for (let i = 0; i < 1000; i++) yield await Promise.resolve(`${i}`);
        if (failure) throw failure;
      })(),
      {
        failure: (error) => (error as Error).message,
        signal: request.signal,
        onEnd: () => void ended.push("ended"),
      },
    );
    return { stream, ended, request };
  };
  const whole = events(new Error("failed"));
  const text = await new Response(whole.stream).text();
  const all = [...Array(1000).keys(), "failed"].map((data) => `data: ${data}\n\n`);
  assert.equal(text, all.join(""));
  assert.deepEqual(whole.ended, ["ended"]);
  whole.request.abort();

  const unread = events(), reader = unread.stream.getReader();
  await reader.read();
  unread.request.abort(new Error("too late"));
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value), "data: 1\n\n");
  await until(() => unread.ended.length > 0);
  await assert.rejects(reader.read(), /too late/);
  assert.deepEqual(unread.ended, ["ended"]);

  const left = events();
  await left.stream.cancel();
  assert.deepEqual(left.ended, ["ended"]);
});

test("StopText returns what comes before the first stop text, however it is cut", () => {
  const cases: [string, string[], string][] = [
    ["one two three", ["two"], "one "],
    ["aaab", ["aab"], "a"],
    ["abcabd", ["abd", "zz"], "abc"],
    ["abcab", ["abd"], "abcab"],
    ["xy", [], "xy"],
    ["first\n\nsecond\n", ["\n\n", "second"], "first"],
  ];
  for (const [text, stops, expected] of cases) {
    for (let size = 1; size <= text.length; size++) {
      const found = new StopText(stops);
      let said = "";
      for (let i = 0; i < text.length; i += size) {
        said += found.add(text.slice(i, i + size));
        assert.ok(expected.startsWith(said), `${text} by ${size}: ${said}`);
      }
      assert.equal(said + found.end(), expected, `${text} by ${size}`);
      assert.equal(found.isStopped, expected !== text);
    }
  }
});

test("Admission lets those compute first that came first, and forgets those that leave", async () => {
  const admission = new Admission({ concurrent: 1, waiting: 9 }), order: number[] = [];
  const never = new AbortController().signal, leaving = new AbortController();
  const first = await admission.turn(never);
  const turns = [1, 2, 3].map(async (i) => {
    using _turn = await admission.turn(i === 2 ? leaving.signal : never);
    order.push(i);
  });
  leaving.abort(new Error("left"));
  await assert.rejects(turns[1], /left/);
  first[Symbol.dispose]();
  await Promise.all([turns[0], turns[2]]);
  assert.deepEqual(order, [1, 3]);
  using _again = await admission.turn(never);
});
