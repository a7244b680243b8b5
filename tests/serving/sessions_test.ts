// deno-lint-ignore-file camelcase -- names of OpenAI's interface
import { Sessions } from "../../src/serving/sessions.ts";
import { rememberDocument } from "../../src/longmem/generation.ts";
import { tokenizeDocument } from "../../src/text/document_tokens.ts";
import { tinyText } from "../commands/tiny_run.ts";
import { assert, assertClose, test } from "../testing.ts";
import { tinyModel, withServer } from "./served.ts";

/** Texts that differ, of a few chunks each. */
const texts = Array.from({ length: 64 }, (_, i) => `${i * i} ${tinyText.slice(7 * i, 7 * i + 60)}`);

/** A completion whose probabilities tell memories apart. */
const question = { prompt: "The cat", max_tokens: 2, temperature: 0, logprobs: 3, echo: true };

/** Log-likelihoods of the question's prompt, which a model that has read a text alone gives. */
async function ownScores(text: string): Promise<number[]> {
  const served = await tinyModel(), { model, tokenizer, contextTokens } = served;
  const own = await model.withOwnMemory();
  const document = { name: "text", text, sha256: "" };
  const { tokens } = tokenizeDocument(document, tokenizer, served);
  await rememberDocument(own, tokens, { contextTokens });
  const ids = tokenizer.encode(question.prompt);
  const { bos } = tokenizer.specialIds;
  const nll = await own.score(Int32Array.from([bos, ...ids.slice(0, -1)]), Int32Array.from(ids), {
    readOnly: true,
  });
  await own.close();
  return [...nll];
}

test("64 sessions at once answer as each does alone", () =>
  withServer({ limits: { waiting: 128 } }, async ({ post, server }) => {
    const fed = await Promise.all(
      texts.map((text, i) => post(`/v1/sessions/s${i}/memory`, { text, name: `text ${i}` })),
    );
    assert.deepEqual(fed.map(({ status }) => status), texts.map(() => 200));
    assert.equal(server.sessions, 64);
    const ask = (i: number) =>
      post("/v1/completions", question, { "x-session-id": `s${i}` })
        .then(({ body }) => body.choices[0]);
    // In another order than they were fed, all at once; and some streams that end early among them.
    const order = texts.map((_, i) => (37 * i) % 64);
    const together = await Promise.all(order.map(ask));
    const found = order.map((_, i) => together[order.indexOf(i)]);
    assert.equal(new Set(found.map(({ logprobs }) => `${logprobs.token_logprobs}`)).size, 64);
    for (const i of [0, 1, 17, 40, 63]) {
      const expected = await ownScores(texts[i]);
      const scored = found[i].logprobs.token_logprobs.slice(0, expected.length);
      assertClose(scored.map((logprob: number) => -logprob), expected, { tolerance: 2e-4 });
      // Bit by bit what it says when no other is under way.
      assert.deepEqual(await ask(i), found[i]);
    }
    // Without a session nothing is remembered.
    const { body: { choices: [fresh] } } = await post("/v1/completions", question);
    assert.ok(found.every(({ logprobs }) => `${logprobs.token_logprobs}` !== `${fresh.logprobs}`));
    const { body } = await post("/v1/completions", { ...question, session: "s3" });
    assert.deepEqual(body.choices[0], found[3], "the field is as the header");
  }));

test("a session is fed, described and deleted", () =>
  withServer({}, async ({ post, url }) => {
    const session = `${url}/v1/sessions/a`;
    const missing = await fetch(session);
    assert.equal(missing.status, 404);
    assert.match((await missing.json()).error.message, /^Cannot use session "a" as there is none/);
    const first = await post("/v1/sessions/a/memory", { text: texts[0], name: "first" });
    const { tokens_read: read, tokens_in_memory: held } = first.body;
    assert.equal(held, read - read % 4);
    const second = await post("/v1/sessions/a/memory", { text: texts[1] });
    assert.equal(second.body.texts.length, 2);
    assert.deepEqual(second.body.texts[0], { name: "first", tokens: read });
    assert.deepEqual(await (await fetch(session)).json(), second.body);
    const ask = () => post("/v1/completions", { ...question, session: "a" });
    assert.equal((await ask()).status, 200);
    const deleted = await fetch(session, { method: "DELETE" });
    assert.deepEqual(await deleted.json(), { id: "a", object: "session.deleted", deleted: true });
    const { status, body } = await ask();
    assert.deepEqual([status, body.error.code], [404, "session_not_found"]);
    assert.equal((await fetch(session, { method: "DELETE" })).status, 404);
  }));

test("a session begins with the server's memory, which it does not change", async () => {
  const tiny = await tinyModel(), model = await tiny.model.withOwnMemory();
  const ids = Int32Array.from(tiny.tokenizer.encode(texts[9]));
  await model.remember(ids.subarray(0, 16));
  await withServer({ served: { ...tiny, model } }, async ({ post }) => {
    const ask = async (more: object = {}) =>
      (await post("/v1/completions", { ...question, ...more })).body.choices[0];
    const start = await ask();
    const { body } = await post("/v1/sessions/a/memory", { text: texts[1] });
    assert.equal(body.tokens_read, 16 + body.texts[0].tokens);
    assert.notDeepEqual(await ask({ session: "a" }), start);
    assert.deepEqual(await ask(), start);
    assert.deepEqual(model.memoryFillChunks, [4]);
  });
  await model.close();
});

test("the session that was not used for longest makes room, and all end by time", () => {
  let time = 0;
  const limits = { sessions: 2, sessionMs: 60_000 };
  return withServer({ limits, now: () => time }, async ({ post, server }) => {
    const feed = (id: string) => post(`/v1/sessions/${id}/memory`, { text: texts[0] });
    const ask = async (session: string) =>
      (await post("/v1/completions", { ...question, max_tokens: 1, session })).status;
    await feed("a");
    await feed("b");
    assert.equal(await ask("a"), 200);
    await feed("c");
    assert.deepEqual([await ask("a"), await ask("b"), await ask("c")], [200, 404, 200]);
    time += 50_000;
    assert.equal(await ask("c"), 200);
    time += 20_000;
    assert.deepEqual([await ask("a"), await ask("c")], [404, 200]);
    assert.equal(server.sessions, 1);
    time += 60_001;
    await server.expire();
    assert.equal(server.sessions, 0);
  });
});

test("a session in use makes no room, and its memory is freed with it", async () => {
  const { model } = await tinyModel();
  const sessions = new Sessions(model, { sessions: 1, sessionMs: 1000 }, () => 0);
  const held = Promise.withResolvers<void>();
  let memory: typeof model | undefined;
  const use = sessions.use("a", { opens: true }, async (session) => {
    await session.change((changed) => changed.remember(Int32Array.from([3, 4, 5, 6])));
    memory = session.model;
    await held.promise;
    assert.equal(session.model, memory);
  });
  const other = () => sessions.use("b", { opens: true }, () => Promise.resolve("used"));
  await assert.rejects(other(), { status: 429, message: /session "b" as all others are in use/ });
  held.resolve();
  await use;
  assert.equal(await other(), "used");
  await assert.rejects(memory!.resetMemory(), /it has been closed/);
  await sessions.close();
});

test("a text that cannot be read to its end changes nothing", async () => {
  const { model } = await tinyModel();
  const sessions = new Sessions(model, { sessions: 2, sessionMs: 1000 });
  await sessions.use("a", { opens: true }, async (session) => {
    await session.change((changed) => changed.remember(Int32Array.from([3, 4, 5, 6])));
    const failing = session.change(async (changed) => {
      await changed.remember(Int32Array.from([7, 8, 9, 10]));
      throw new Error("gone");
    });
    await assert.rejects(failing, /gone/);
    assert.deepEqual(session.model.memoryFillChunks, [1]);
  });
  const failing = sessions.use("b", { opens: true }, () => Promise.reject(new Error("gone")));
  await assert.rejects(failing, /gone/);
  assert.equal(sessions.size, 1, "no session begins with it");
  await sessions.close();
});
