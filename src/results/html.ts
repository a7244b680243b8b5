/**
 * The few pieces of HTML that tables and reports are made of.
 */
import type { TableText } from "./table_text.ts";

/** Text that shows as it is, in elements and in attributes. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]);
}

/** A table whose headings say what they head; `data-value` is what a column is sorted by. */
export function htmlTable({ caption, notes, headers, labels, rows, footer }: TableText): string {
  const kind = (i: number) => i < labels ? "" : ' class="number"';
  const head = headers.map((text, i) => `<th scope="col"${kind(i)}>${escapeHtml(text)}</th>`);
  const body = rows.map((row) => {
    const cells = row.map(({ text, value, best }, i) => {
      const shown = best ? `<strong>${escapeHtml(text)}</strong>` : escapeHtml(text);
      const sorted = value === undefined ? "" : ` data-value="${value}"`;
      return i < labels
        ? `<th scope="row"${sorted}>${shown}</th>`
        : `<td class="number"${sorted}>${shown}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  const foot = footer?.map((text, i) =>
    i < labels
      ? `<th scope="row">${escapeHtml(text)}</th>`
      : `<td class="number">${escapeHtml(text)}</td>`
  );
  return `<table>
<caption>${escapeHtml(caption)}</caption>
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${body.join("\n")}
</tbody>${foot ? `\n<tfoot><tr>${foot.join("")}</tr></tfoot>` : ""}
</table>${notes.length === 0 ? "" : `\n<p class="note">${escapeHtml(`${notes.join("; ")}.`)}</p>`}`;
}
