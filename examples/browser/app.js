/**
 * The page: reads a book into the memory of a model, completes sentences with it and without, and shows what was read.
 *
 * `deno task browser` bundles it with the library; a program of your own imports the npm package.
 */
import {
  explainToken,
  loadLongMem,
  openTokenizer,
  rememberDocument,
  totalShare,
} from "@longmem/lab";
import { writeBook } from "../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";

/** Tokens that the model sees at once. */
const contextTokens = 128;
/** Passages shown of an answer. */
const shownPassages = 4;

const element = (id) => document.getElementById(id);
const status = element("status"), problem = element("problem"), answer = element("answer");
const controls = ["device", "read", "another", "forget", "ask", "save", "open"].map(element);

let tokenizer, model;
/** Seed of the book that is shown. */
let seed = 1;
/** Sentences of that book that it has completed before, with the word that completes them. */
let asked = [];

/** Makes an element with a text or children. */
function make(name, content = [], attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
}

function percent(probability) {
  return `${(100 * probability).toFixed(1)}\u00a0%`;
}

/** Runs one task at a time, and shows its error. */
async function work(task) {
  for (const control of controls) control.disabled = true;
  problem.hidden = true;
  problem.textContent = "";
  try {
    await task();
  } catch (error) {
    problem.textContent = error instanceof Error ? error.message : String(error);
    problem.hidden = false;
  }
  for (const control of controls) control.disabled = !model && control.id !== "device";
  if (model) element("save").disabled = !(model.memoryFillChunks[0] > 0);
}

async function load(device) {
  status.textContent = "Loading the model ...";
  await model?.close();
  model = undefined;
  tokenizer ??= await openTokenizer({ kind: "chronicle" });
  model = await loadLongMem({
    backbone: "model/backbone",
    sidenet: "model/sidenet",
    memory: { capacityTokens: 8192 },
    device,
  });
  element("progress").value = 0;
  status.textContent = `Ready, on ${model.device.description}. Nothing has been read yet.`;
}

/** Writes a book of its own facts, and sentences that its end completes by what its beginning tells. */
function writeAnother() {
  const { tokens, recalls } = writeBook(defaultChronicle, seed);
  element("book").value = tokenizer.decode(tokens.slice(1, -1)).replaceAll(" . ", " .\n");
  const full = tokenizer.encode(".")[0], known = new Set();
  asked = recalls
    .filter(({ kind, distance }) => kind === "person" && distance > contextTokens)
    .filter(({ answer }) => !known.has(answer) && known.add(answer))
    .map(({ position, answer, distance }) => {
      const start = tokens.lastIndexOf(full, position - 1) + 1;
      return { text: tokenizer.decode(tokens.slice(start, position)), answer, distance };
    })
    .filter(({ text }) => text.includes(" "))
    .slice(-12);
  const options = asked.map(({ text }) => make("option", text, { value: text }));
  element("examples").replaceChildren(...options);
  element("question").value = asked[0]?.text ?? "";
}

async function read() {
  const text = element("book").value;
  const ids = Int32Array.from(tokenizer.encode(text)), progress = element("progress");
  progress.max = Math.max(1, ids.length);
  await rememberDocument(model, ids, {
    contextTokens,
    progress: (tokens) => progress.value = tokens,
  });
  status.textContent = `${model.rememberedTokens[0]} words have been read; the memory holds ${
    model.memoryFillChunks[0] * model.memory.chunkTokens
  }.`;
}

/** Probabilities of the word after a sentence, by a part of the model. */
async function nextWord(ids, network) {
  const { logits } = await model.forward(ids, { readOnly: true, network });
  const last = logits.slice(-model.backboneShape.vocabSize);
  const largest = last.reduce((a, b) => Math.max(a, b));
  const weights = last.map((logit) => Math.exp(logit - largest));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

function best(probabilities, count) {
  return [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a])
    .slice(0, count);
}

async function ask() {
  const question = element("question").value.trim();
  const { unk } = tokenizer.specialIds;
  const all = tokenizer.encode(question), ids = Int32Array.from(all).slice(-contextTokens);
  if (ids.length === 0) throw new Error("There is no sentence to complete.");
  const words = question.split(/\s+/), unknown = words.filter((_, i) => all[i] === unk);
  const withMemory = await nextWord(ids, "longmem"), without = await nextWord(ids, "backbone");
  const [answered] = best(withMemory, 1);
  const rows = [...new Set([...best(withMemory, 3), ...best(without, 2)])];
  const { passages } = model.memoryFillChunks[0] > 0
    ? await explainToken(model, answered, ids, { contextTokens, passages: shownPassages })
    : { passages: [] };

  const word = tokenizer.decode([answered]);
  const sentence = make("p", [`${question} `, make("strong", word)], { id: "sentence" });
  const head = ["next word", "with the memory", "by the backbone alone"]
    .map((text, i) => make("th", text, { scope: "col", ...(i > 0 && { class: "number" }) }));
  const body = rows.map((id) =>
    make("tr", [
      make("th", tokenizer.decode([id]), { scope: "row" }),
      make("td", percent(withMemory[id]), { class: "number" }),
      make("td", percent(without[id]), { class: "number" }),
    ])
  );
  const table = make("table", [
    make("caption", "Probability of the next word"),
    make("thead", make("tr", head)),
    make("tbody", body),
  ]);
  const expected = asked.find(({ text }) => text === question);
  answer.replaceChildren(
    sentence,
    ...(expected ? [make("p", `The book says: ${tokenizer.decode([expected.answer])}.`)] : []),
    ...(unknown.length > 0
      ? [make("p", `The model does not know: ${unknown.join(", ")}.`, { class: "quiet" })]
      : []),
    table,
    ...describe(passages, word),
  );
  status.textContent = `With the memory: ${word}, ${percent(withMemory[answered])}. ` +
    `By the backbone alone: ${percent(without[answered])}.`;
}

/** What the heads read, as a strip of the memory and as passages in words. */
function describe(passages, word) {
  if (passages.length === 0) return [make("p", "The memory is empty.", { class: "quiet" })];
  const [total] = model.rememberedTokens;
  const heading = make("h3", "Passages that were read from the memory");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 1000 10");
  svg.setAttribute("preserveAspectRatio", "none");
  for (const { start, end } of passages) {
    const bar = document.createElementNS(svg.namespaceURI, "rect");
    const width = Math.max(4, 1000 * (end - start) / total);
    const sizes = { x: Math.min(1000 - width, 1000 * start / total), y: 0, width, height: 10 };
    for (const [key, value] of Object.entries(sizes)) bar.setAttribute(key, value);
    svg.append(bar);
  }
  const strip = make("div", svg, {
    class: "strip",
    role: "img",
    "aria-label": `Where the passages lie among ${total} words: ${
      passages.map(({ start }) => percent(start / total)).join(", ")
    }`,
  });
  const items = passages.map(({ start, end, without, ...passage }) => {
    const words = (from, to) =>
      tokenizer.decode(model.rememberedIds({ start: Math.max(0, from), end: Math.min(to, total) }));
    const text = words(start - 12, end + 8), before = text.indexOf(words(start, end));
    const read = words(start, end);
    const shown = before < 0
      ? [make("mark", read)]
      : [text.slice(0, before), make("mark", read), text.slice(before + read.length)];
    const share = percent(totalShare(passage) / model.backboneShape.heads);
    const effect = `Word ${start} of ${total}; ${share} of what the heads put out. ` +
      `Without it, "${word}" has ${percent(without)}.`;
    return make("li", [make("div", shown), make("div", effect, { class: "quiet" })]);
  });
  return [heading, strip, make("ol", items)];
}

async function save() {
  const bytes = await model.memoryBytes({ tokenizer });
  const link = make("a", [], {
    href: URL.createObjectURL(new Blob([bytes])),
    download: "book.memory",
  });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function open(input) {
  const [file] = input.files;
  await model.restoreMemory(new Uint8Array(await file.arrayBuffer()), { tokenizer });
  status.textContent = `The memory of ${file.name} is open: ${model.rememberedTokens[0]} words.`;
}

/** Lets a service worker keep what is loaded from now on; pages from a disk or an insecure address have none. */
async function keepForOffline() {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  await workers.register("service_worker.js");
  await workers.ready;
  if (!workers.controller) {
    await new Promise((resolve) => workers.addEventListener("controllerchange", resolve));
  }
}

function on(id, type, task) {
  element(id).addEventListener(type, (event) => {
    event.preventDefault();
    work(() => task(event.target));
  });
}
on("device", "change", ({ value }) => load(value));
on("book-form", "submit", read);
on("ask-form", "submit", ask);
on("another", "click", () => {
  seed++;
  writeAnother();
});
on("forget", "click", async () => {
  await model.resetMemory();
  element("progress").value = 0;
  status.textContent = "Nothing has been read.";
});
on("save", "click", save);
on("open", "change", (input) => open(input).finally(() => input.value = "")); // so that it may be chosen again
element("examples").addEventListener("change", ({ target }) => {
  element("question").value = target.value;
});

await keepForOffline().catch(() => {}); // the page works without
await work(async () => {
  await load("auto");
  writeAnother();
});
document.body.dataset.ready = "";
