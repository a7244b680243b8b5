/**
 * HTML whose text is escaped by construction.
 */
import type { TableText } from "./table_text.ts";

/** A piece of HTML. */
export class Html {
  /** @param text Its source, taken as it is. */
  constructor(readonly text: string) {}
}

/** Content of a piece of HTML: text, which shows as it is, pieces, or nothing. */
type Content = string | Html | undefined | readonly Content[];

/** A piece of HTML of a template, in which text shows as it is, in elements and in attributes. */
export function markup(source: TemplateStringsArray, ...contents: readonly Content[]): Html {
  // Sums of strings share their text, which join() would copy for every piece that another holds.
  return new Html(source.reduce((text, part, i) => text + sourceOf(contents[i - 1]) + part));
}

function sourceOf(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Html) return content.text;
  if (typeof content !== "string") {
    return content.reduce<string>((text, part) => text + sourceOf(part), "");
  }
  const entities: Record<string, string> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot" };
  return content.replaceAll(/[&<>"]/g, (character) => `&${entities[character]};`);
}

/**
 * A whole page.
 *
 * @param styles Style sheet, which the page contains.
 * @param refreshSeconds After how long browsers load it again; absent: never.
 * @param body The elements of its body, a line each.
 */
export function htmlPage(
  { title, styles, refreshSeconds, body }: {
    readonly title: string;
    readonly styles: string;
    readonly refreshSeconds?: number;
    readonly body: Html;
  },
): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
${
    refreshSeconds === undefined
      ? undefined
      : markup`<meta http-equiv="refresh" content="${String(refreshSeconds)}">\n`
  }<title>${title}</title>
<style>
${new Html(styles)}</style>
</head>
<body>
${body}</body>
</html>
`.text;
}

/** A table whose headings have a scope; `data-value` is the sort key of a column. */
export function htmlTable({ caption, notes, headers, labels, rows, footer }: TableText): Html {
  const head = headers.map((text, i) =>
    i < labels
      ? markup`<th scope="col">${text}</th>`
      : markup`<th scope="col" class="number">${text}</th>`
  );
  const cell = (i: number, content: Content, value?: number) => {
    const sorted = value === undefined ? undefined : markup` data-value="${String(value)}"`;
    return i < labels
      ? markup`<th scope="row"${sorted}>${content}</th>`
      : markup`<td class="number"${sorted}>${content}</td>`;
  };
  const body = rows.map((row) => {
    const cells = row.map(({ text, value, best }, i) =>
      cell(i, best ? markup`<strong>${text}</strong>` : text, value)
    );
    return markup`<tr>${cells}</tr>\n`;
  });
  const foot = footer?.map((text, i) => cell(i, text));
  return markup`<table>
<caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>${foot && markup`\n<tfoot><tr>${foot}</tr></tfoot>`}
</table>${notes.length > 0 ? markup`\n<p class="note">${notes.join("; ")}.</p>` : undefined}`;
}

/** Lines of text as a list. */
export function htmlList(lines: readonly string[]): Html {
  return markup`<ul>${lines.map((line) => markup`<li>${line}</li>`)}</ul>`;
}
