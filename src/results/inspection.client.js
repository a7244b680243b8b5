// Chooses tokens and shows what the position before each reads. Without it, the text and the tables are there all the same.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const list = document.getElementById("tokens"), options = list.children;
  const said = document.getElementById("said"), reads = document.getElementById("reads");
  const size = Math.max(1, data.texts.length);
  const number = (value) => value.toLocaleString("en-US");
  const percent = (p) => `${(100 * p).toPrecision(p < 0.001 ? 1 : 3)} %`;
  const nats = (i) => Math.log(data.with[i] / data.without[i]);
  let chosen = -1;

  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return withAttributes(made, attributes);
  }

  function withAttributes(made, attributes) {
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function passage([start, count]) {
    const cell = element("td", undefined, { class: "text" });
    const text = (from, to) => data.texts.slice(Math.max(0, from), to).join("");
    cell.append(text(start - 8, start), element("mark", text(start, start + count)));
    cell.append(text(start + count, start + count + 8));
    return cell;
  }

  function showReads(i) {
    const table = element("table");
    table.append(element("caption", "Passages, and each head's attention to them"));
    const head = element("tr");
    head.append(
      element("th", "tokens", { scope: "col" }),
      element("th", "passage", { scope: "col", class: "text" }),
    );
    data.gates.forEach((_, h) => head.append(element("th", `head ${h}`, { scope: "col" })));
    const gates = element("tr");
    gates.append(element("th", "gate", { scope: "row" }), element("td"));
    for (const gate of data.gates) gates.append(element("td", percent(gate)));
    const body = element("tbody");
    body.append(gates);
    for (const read of data.reads[i]) {
      const row = element("tr"), [start, count, ...weights] = read;
      row.append(
        element("th", `${number(start)}\u2013${number(start + count - 1)}`, { scope: "row" }),
      );
      row.append(passage(read));
      for (const weight of weights) {
        const cell = element("td", weight === 0 ? "" : percent(weight / 1000));
        cell.style.setProperty("--weight", weight / 1000);
        row.append(cell);
      }
      body.append(row);
    }
    const top = element("thead");
    top.append(head);
    table.append(top, body);
    reads.replaceChildren(...data.reads[i].length > 0 ? [table] : []);
  }

  function showStrip(i) {
    const place = (token) => token / size * 1000;
    document.getElementById("marks").replaceChildren(
      ...data.reads[i].map(([start, count, ...weights]) =>
        withAttributes(document.createElementNS("http://www.w3.org/2000/svg", "rect"), {
          x: place(start),
          y: 44,
          width: Math.max(3, place(count)),
          height: 16,
          "fill-opacity": Math.min(1, 0.15 + Math.max(...weights) / 1000),
        })
      ),
    );
    withAttributes(document.getElementById("here"), { x1: place(i), x2: place(i) });
    const end = Math.floor(Math.max(0, i - 1) / data.contextTokens) * data.contextTokens;
    const start = Math.max(0, end - data.capacityTokens);
    const width = place(end - start);
    withAttributes(document.getElementById("held"), { x: place(start), width });
  }

  function choose(i, scrolls = true) {
    i = Math.max(0, Math.min(size - 1, i));
    for (const marked of list.querySelectorAll(".read")) marked.classList.remove("read");
    options[chosen]?.setAttribute("aria-selected", "false");
    chosen = i;
    const option = options[i];
    option.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", option.id);
    for (const [start, count] of data.reads[i]) {
      for (let j = start; j < start + count; j++) options[j]?.classList.add("read");
    }
    const name = `Token ${number(i)}, \u201c${data.texts[i].trim() || "white space"}\u201d`;
    const first = data.reads[i][0];
    said.textContent = data.with[i] === null
      ? `${name}: nothing comes before it.`
      : `${name}: ${percent(data.with[i])} with the memory, ${percent(data.without[i])} without.` +
        (first
          ? ` Reads tokens ${number(first[0])} to ${number(first[0] + first[1] - 1)} most.`
          : " The memory is empty.");
    showReads(i);
    showStrip(i);
    if (scrolls) option.scrollIntoView({ block: "nearest" });
  }

  /** The token of the line above (-1) or below (1) that is nearest to the chosen one. */
  function inLine(direction) {
    const { left, top, height } = options[chosen].getBoundingClientRect();
    let best = chosen, distance = Infinity, line;
    for (let i = chosen + direction; i >= 0 && i < size; i += direction) {
      const box = options[i].getBoundingClientRect();
      if (Math.abs(box.top - top) < height / 2) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) >= height / 2) break;
      if (Math.abs(box.left - left) < distance) {
        distance = Math.abs(box.left - left);
        best = i;
      }
    }
    return best;
  }

  /** The next token before or behind the chosen one whose probability changes by a nat or more. */
  function changed(direction) {
    for (let i = chosen + direction; i >= 0 && i < size; i += direction) {
      if (Math.abs(nats(i)) >= 1) return i;
    }
    return chosen;
  }

  const keys = {
    ArrowLeft: () => chosen - 1,
    ArrowRight: () => chosen + 1,
    ArrowUp: () => inLine(-1),
    ArrowDown: () => inLine(1),
    PageUp: () => chosen - data.contextTokens,
    PageDown: () => chosen + data.contextTokens,
    Home: () => 0,
    End: () => size - 1,
    n: () => changed(1),
    p: () => changed(-1),
  };
  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    choose(chosen < 0 ? 0 : keys[event.key]());
  });
  list.addEventListener("focus", () => chosen < 0 && choose(0, false));
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose([...options].indexOf(option), false);
  });
  function fromAddress() {
    const [, token] = /^#t(\d+)$/.exec(location.hash) ?? [];
    if (token === undefined) return;
    choose(Number(token));
    list.focus({ preventScroll: true });
  }
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
