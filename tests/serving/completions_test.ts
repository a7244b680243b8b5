// deno-lint-ignore-file camelcase -- names of OpenAI's interface
import { generateTokens } from "../../src/longmem/generation.ts";
import { textIds } from "../../src/text/text_ids.ts";
import { TokenTexts } from "../../src/text/token_texts.ts";
import { tokenName } from "../../src/serving/token_scores.ts";
import type { ServedModel } from "../../src/serving/served_model.ts";
import { tinyText } from "../commands/tiny_run.ts";
import { assert, assertClose, test } from "../testing.ts";
import { modelWith, tinyModel, withServer } from "./served.ts";

/** A choice as lm-evaluation-harness reads it. */
interface Choice {
  readonly index: number;
  readonly text: string;
  readonly finish_reason: string;
  readonly logprobs: {
    readonly tokens: string[];
    readonly token_logprobs: (number | null)[];
    readonly top_logprobs: (Record<string, number> | null)[];
    readonly text_offset: number[];
  };
}

/** Body of the request by which lm-evaluation-harness (`local-completions`) scores a batch. */
function scoringBody(prompt: unknown) {
  return {
    model: "tiny/run",
    prompt,
    temperature: 0,
    max_tokens: 1,
    logprobs: 1,
    seed: 1234,
    echo: true,
  };
}

/** Log-likelihood of what follows a context, and whether it is what the model finds likeliest, as the harness reads them. */
function harnessScore(
  choices: readonly Choice[],
  contextLengths: readonly number[],
): { sum: number; isGreedy: boolean }[] {
  return choices.toSorted((a, b) => a.index - b.index).map(({ logprobs }, i) => {
    const scored = logprobs.token_logprobs.slice(contextLengths[i], -1) as number[];
    const top = logprobs.top_logprobs.slice(contextLengths[i], -1);
    return {
      sum: scored.reduce((sum, logprob) => sum + logprob, 0),
      isGreedy: scored.every((logprob, t) => logprob === Math.max(...Object.values(top[t]!))),
    };
  });
}

/** The same of a model's own passes, for a prompt that fits the window. */
async function ownScore({ model }: ServedModel, ids: readonly number[], contextLength: number) {
  const tokens = Int32Array.from(ids.slice(0, -1)), targets = Int32Array.from(ids.slice(1));
  const { nll, choices } = await model.choose(tokens, targets, { readOnly: true });
  const scored = Array.from(targets.keys()).slice(contextLength - 1);
  return {
    sum: -scored.reduce((sum, t) => sum + nll[t], 0),
    isGreedy: scored.every((t) => choices[t] === targets[t]),
  };
}

test("a client like lm-evaluation-harness scores batches as the model itself does", () =>
  withServer({}, async ({ served, post, url }) => {
    const { tokenizer } = served;
    // As its remote tokenizer asks, before it sends ids.
    const info = await (await fetch(`${url}/tokenizer_info`)).json();
    const encode = async (prompt: string) =>
      (await post("/tokenize", { prompt, add_special_tokens: false })).body.tokens as number[];
    const { bos, eos } = tokenizer.specialIds;
    assert.deepEqual([await encode(info.bos_token), await encode(info.eos_token)], [[bos], [eos]]);
    const texts = ["The cat sat on", " the mat, and the", "", " hat of the cat"];
    const encoded = await Promise.all(texts.map(encode));
    assert.deepEqual(encoded, texts.map((text) => tokenizer.encode(text)));
    assert.equal((await post("/detokenize", { tokens: encoded[0] })).body.prompt, texts[0]);

    // A context that is empty is one token, that of the beginning.
    const contexts = [encoded[0], [bos], encoded[3]];
    const continuations = [encoded[1], encoded[3], encoded[1].slice(0, 2)];
    const greedy = await post("/v1/completions", {
      ...{ prompt: encoded[0], max_tokens: 3, temperature: 0, logprobs: 0 },
    });
    const names: string[] = greedy.body.choices[0].logprobs.tokens;
    contexts.push(encoded[0]);
    const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
    const tokenTexts = new TokenTexts(tokenizer);
    const idOf = (name: string) => ids.find((id) => tokenName(tokenTexts, id) === name)!;
    continuations.push(names.map(idOf));
    const prompts = contexts.map((context, i) => [...context, ...continuations[i]]);
    const { status, body } = await post("/v1/completions", scoringBody(prompts));
    assert.equal(status, 200, JSON.stringify(body));
    for (const [i, prompt] of prompts.entries()) {
      const { logprobs } = body.choices[i] as Choice;
      // One token is generated whatever it is, also that of the end: the harness leaves the last one out.
      assert.equal(logprobs.tokens.length, prompt.length + 1);
      assert.equal(logprobs.token_logprobs[0], null);
      assert.equal(logprobs.top_logprobs[0], null);
    }
    const found = harnessScore(body.choices, contexts.map(({ length }) => length));
    for (const [i, prompt] of prompts.entries()) {
      const expected = await ownScore(served, prompt, contexts[i].length);
      assertClose([found[i].sum], [expected.sum], { tolerance: 1e-4, name: `sum ${i}` });
      assert.equal(found[i].isGreedy, expected.isGreedy, `greedy ${i}`);
    }
    assert.deepEqual(found.map(({ isGreedy }) => isGreedy), [false, false, false, true]);
    // Without a tokenizer it sends text, which is read after the token of the beginning.
    const one = await post("/v1/completions", scoringBody(texts[0] + texts[1]));
    const whole = [bos, ...tokenizer.encode(texts[0] + texts[1])];
    const [{ sum }] = harnessScore(one.body.choices, [encoded[0].length]);
    const expected = await ownScore(served, whole, encoded[0].length + 1);
    assertClose([sum], [expected.sum], { tolerance: 1e-4 });
    assert.equal(one.body.usage.prompt_tokens, whole.length - 1);
    // Older versions ask for no token.
    const none = await post("/v1/completions", { ...scoringBody(prompts[0]), max_tokens: 0 });
    const { tokens } = none.body.choices[0].logprobs;
    assert.equal(tokens.length, prompts[0].length);
    assert.equal(none.body.usage.completion_tokens, 0);
  }));

test("the token that ends a text is among the probabilities, and not in the text", async () => {
  const tiny = await tinyModel(), { eos } = tiny.tokenizer.specialIds;
  const ending = modelWith(tiny.model, {
    async forward(...args) {
      const { logits } = await tiny.model.forward(...args);
      for (let i = eos; i < logits.length; i += tiny.tokenizer.vocabSize) logits[i] = 50;
      return { logits };
    },
  });
  await withServer({ served: { ...tiny, model: ending } }, async ({ post }) => {
    const { body } = await post("/v1/completions", {
      ...scoringBody("The cat"),
      ...{ logprobs: 2, max_tokens: 9 },
    });
    const [{ text, finish_reason, logprobs }] = body.choices as Choice[];
    assert.equal(text, "The cat");
    assert.equal(finish_reason, "stop");
    const ids = tiny.tokenizer.encode("The cat");
    assert.equal(logprobs.tokens.length, ids.length + 1);
    assert.equal(logprobs.tokens.at(-1), "</s>");
    assert.equal(logprobs.text_offset.at(-1), text.length);
    assertClose([logprobs.token_logprobs.at(-1)!], [0], { tolerance: 1e-9 });
    assert.equal(Object.keys(logprobs.top_logprobs.at(-1)!).length, 2);
    assert.equal(body.usage.completion_tokens, 1);
  });
});

test("what of a prompt does not fit the window goes through the memory, which is left as it was", () =>
  withServer({}, async ({ served, post }) => {
    const { tokenizer, model, contextTokens: C } = served;
    const ids = tokenizer.encode(tinyText.slice(0, 200)).slice(0, 2 * C + 7);
    const { body } = await post("/v1/completions", { ...scoringBody(ids), max_tokens: 3 });
    const [{ logprobs }] = body.choices as Choice[];
    // 39 tokens are too many: 40 of them, which fill chunks, are remembered in segments of 32.
    const own = await model.withOwnMemory();
    const expected: number[] = [];
    for (const [start, end] of [[0, C], [C, C + 8], [C + 8, 2 * C + 7]]) {
      const targets = ids.slice(start + 1, end + 1), isLast = end === ids.length;
      const tokens = Int32Array.from(ids.slice(start, isLast ? end - 1 : end));
      expected.push(
        ...await own.score(tokens, Int32Array.from(targets), { readOnly: isLast }),
      );
    }
    assert.deepEqual(own.memoryFillChunks, [10]);
    const found = logprobs.token_logprobs.slice(1, ids.length).map((logprob) => -logprob!);
    assertClose(found, expected, { tolerance: 1e-4 });
    const allows = textIds(tokenizer), prompt = ids.slice(C + 8);
    const options = { prompt, tokens: 3, contextTokens: C, temperature: 0, allows };
    const generated = await Array.fromAsync(generateTokens(own, options));
    const text = tokenizer.decode(generated.map(({ id }) => id));
    assert.equal(body.choices[0].text, tokenizer.decode(ids) + text);
    await own.close();
    // Without scores it is read the same way.
    const plain = await post("/v1/completions", { prompt: ids, max_tokens: 3, temperature: 0 });
    assert.equal(plain.body.choices[0].text, text);
    assert.equal(model.memoryFillChunks[0] ?? 0, 0);
  }));

test("a stream has the parts of the same completion", () =>
  withServer({}, async ({ post, url }) => {
    const asked = {
      prompt: ["The cat", "the hat of"],
      max_tokens: 12,
      seed: 3,
      top_p: 0.9,
      logprobs: 2,
      echo: true,
    };
    const { body } = await post("/v1/completions", asked);
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ ...asked, stream: true, stream_options: { include_usage: true } }),
    });
    assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
    const events = (await response.text()).split("\n\n").filter(Boolean);
    assert.equal(events.at(-1), "data: [DONE]");
    const parts = events.slice(0, -1).map((event) => JSON.parse(event.replace(/^data: /, "")));
    assert.ok(parts.length > 20, `${parts.length} parts`);
    assert.deepEqual(parts.at(-1).usage, body.usage);
    assert.equal(body.usage.completion_tokens, 24);
    for (const choice of body.choices as Choice[]) {
      const own = parts.flatMap(({ choices }) => choices as Choice[])
        .filter(({ index }) => index === choice.index);
      assert.equal(own.map(({ text }) => text).join(""), choice.text);
      const joined = (name: keyof Choice["logprobs"]) =>
        own.flatMap((one) => one.logprobs[name] as unknown[]);
      for (const name of Object.keys(choice.logprobs) as (keyof Choice["logprobs"])[]) {
        assert.deepEqual(joined(name), choice.logprobs[name], name);
      }
      assert.deepEqual(
        own.map(({ finish_reason }) => finish_reason).filter(Boolean),
        [choice.finish_reason],
      );
      // Pieces of the text stand where they are said to be; one may complete a character that others began.
      const { tokens, text_offset } = choice.logprobs;
      tokens.forEach((token, i) => {
        if (token.startsWith("token_id:") || token === "</s>") return;
        const piece = choice.text.slice(text_offset[i], text_offset[i + 1]);
        assert.ok(token !== "" && piece.endsWith(token), `${token} ${piece}`);
      });
    }
  }));

test("a completion ends before a stop text, and is drawn by its seed", () =>
  withServer({}, async ({ post }) => {
    const complete = async (more: object) =>
      (await post("/v1/completions", { prompt: "The", max_tokens: 40, ...more }))
        .body.choices[0];
    const seed = 8, whole = await complete({ seed });
    assert.equal(whole.finish_reason, "length");
    assert.deepEqual(await complete({ seed }), whole);
    assert.notEqual((await complete({ seed: 6 })).text, whole.text);
    const stop = whole.text.slice(6, 9);
    for (const stops of [[stop], ["\0", whole.text.slice(15, 21), stop]]) {
      const end = Math.min(
        ...stops.map((one) => whole.text.indexOf(one)).filter((start) => start >= 0),
      );
      assert.ok(end > 0 && end <= 6, `${end}`);
      const ended = await complete({ seed, stop: stops.length > 1 ? stops : stop });
      assert.deepEqual([ended.text, ended.finish_reason], [whole.text.slice(0, end), "stop"]);
    }
    // null is as left out.
    assert.deepEqual(await complete({ seed, stop: null, user: "me", n: 1 }), whole);
    const few = await complete({ seed, top_p: 1e-9 });
    assert.deepEqual(few, await complete({ temperature: 0 }));
  }));
