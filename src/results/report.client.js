// Runs in the reader's browser: headings of tables become buttons by which rows are sorted.
for (const table of document.querySelectorAll("table")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].map((row) => ({ row, cell: row.cells[column] }));
      rows.sort((a, b) => compareCells(a.cell, b.cell, descending ? -1 : 1));
      table.tBodies[0].append(...rows.map(({ row }) => row));
    });
  });
}

/** Cells without a value come last in either direction. */
function compareCells(a, b, direction) {
  const [first, second] = [a, b].map((cell) => cell.dataset.value);
  if (first !== undefined && second !== undefined) return direction * (first - second);
  if (first !== undefined || second !== undefined) return first !== undefined ? -1 : 1;
  const [text, other] = [a, b].map((cell) => cell.textContent);
  if (text === "" || other === "") return (text === "" ? 1 : 0) - (other === "" ? 1 : 0);
  return direction * text.localeCompare(other, "en", { numeric: true });
}

// What is folded is printed, too.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
