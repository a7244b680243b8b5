import { byteCharacters } from "../../src/text/byte_level_bpe.ts";
import { type ChatTemplate, readChatTemplate, renderChat } from "../../src/text/chat_template.ts";
import { parseTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { isForeseen } from "../../src/errors.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

/** A template in the way of ChatML, which refuses a system's message. */
const source = "{{ bos_token }}{% for message in messages %}" +
  "{% if message.role == 'system' %}{{ raise_exception('No system messages') }}{% endif %}" +
  "<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

test("renderChat() writes a conversation up to where the answer begins", async () => {
  const template = { path: "x", source, tokens: { "bos_token": "<s>" } };
  const messages = [
    { role: "user", content: " Who? " },
    { role: "assistant", content: "I." },
    { role: "user", content: "{{ Why? }}" },
  ] as const;
  assert.equal(
    await renderChat(template, messages),
    "<s><|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\nI.<|im_end|>\n" +
      "<|im_start|>user\n{{ Why? }}<|im_end|>\n<|im_start|>assistant\n",
  );
  const fails = (template: ChatTemplate, role: "user" | "system", message: RegExp) =>
    assert.rejects(renderChat(template, [{ role, content: "a" }]), (error: Error) => {
      assert.match(error.message, message);
      return isForeseen(error);
    });
  await fails(
    template,
    "system",
    /Cannot use the chat template of "x" as it fails: .*No system messages/,
  );
  await fails(
    { ...template, source: "{% for %}" },
    "user",
    /Cannot use the chat template of "x" as it fails/,
  );
});

test("readChatTemplate() finds the template beside a tokenizer, and its special tokens", () =>
  withFolder(async (folder) => {
    const tokenizer = `${folder}/tokenizer.json`;
    const write = (fields: object) =>
      Deno.writeTextFile(`${folder}/tokenizer_config.json`, JSON.stringify(fields));
    assert.equal(await readChatTemplate(tokenizer), undefined);
    await write({ "bos_token": "<s>" });
    assert.equal(await readChatTemplate(tokenizer), undefined);
    const path = `${folder}/tokenizer_config.json`;
    await write({ "bos_token": { content: "<s>" }, "eos_token": "</s>", "chat_template": "a" });
    const tokens = { "bos_token": "<s>", "eos_token": "</s>" };
    assert.deepEqual(await readChatTemplate(tokenizer), { path, source: "a", tokens });
    const named = ["tool_use", "default"].map((name) => ({ name, template: `of ${name}` }));
    await write({ "chat_template": named });
    assert.equal((await readChatTemplate(tokenizer))!.source, "of default");
    await write({ "chat_template": named.slice(0, 1) });
    assert.equal(await readChatTemplate(tokenizer), undefined);
    await write({ "chat_template": 3 });
    await assert.rejects(
      readChatTemplate(tokenizer),
      /tokenizer_config.json" as chat_template must be a template/,
    );
    const own = `${folder}/chat_template.jinja`;
    await Deno.writeTextFile(own, "b");
    await write({ "chat_template": "a" });
    assert.deepEqual(await readChatTemplate(tokenizer), { path: own, source: "b", tokens: {} });
  }));

test("encodeMarked() takes special tokens for themselves, encode() for text", () => {
  const part = { type: "ByteLevel", "add_prefix_space": false };
  const special = ["<|im_start|>", "<|im_end|>"];
  const vocab = Object.fromEntries([...byteCharacters, ...special].map((token, id) => [token, id]));
  const tokenizer = parseTokenizerJson(
    JSON.stringify({
      normalizer: null,
      "added_tokens": special.map((content) => ({ id: vocab[content], content, special: true })),
      "pre_tokenizer": part,
      decoder: part,
      model: { type: "BPE", vocab, merges: [] },
    }),
    { declared: { bos: special[0], eos: special[1] } },
  );
  const bytes = (text: string) => tokenizer.encode(text);
  assert.deepEqual(
    tokenizer.encodeMarked!("<|im_start|>user\n\u00e4 <|im_end|><|im_end|> x"),
    [256, ...bytes("user\n\u00e4 "), 257, 257, ...bytes(" x")],
  );
  assert.equal(bytes("<|im_end|>").length, 10);
  assert.deepEqual(tokenizer.encodeMarked!(""), []);
});
