// Lets the tables of a report be sorted: the button in a heading sorts the rows of its table, in
// the order that is of more use first, numbers from the highest and text from A.
"use strict";

for (const table of document.querySelectorAll("table:not(.fixed)")) {
  table.querySelectorAll("thead th:not(.unsorted)").forEach((heading) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
  });
}

function sortBy(table, heading) {
  const isNumber = heading.classList.contains("number");
  const first = isNumber ? "descending" : "ascending";
  const other = isNumber ? "ascending" : "descending";
  const order = heading.getAttribute("aria-sort") === first ? other : first;
  for (const one of table.querySelectorAll("thead th")) one.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);

  const sign = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = [...body.rows].filter((row) => !row.classList.contains("detail"));
  const keyed = rows.map((row) => [sortKey(row.cells[heading.cellIndex], isNumber), row]);
  keyed.sort(([a], [b]) => (a === null) - (b === null) || sign * compare(a, b));
  for (const [, row] of keyed) {
    const detail = row.nextElementSibling;
    body.append(row);
    if (detail?.classList.contains("detail")) body.append(detail);
  }
}

function sortKey(cell, isNumber) {
  const text = cell.dataset.value ?? cell.textContent.trim();
  if (!isNumber) return text;
  const number = parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? null : number;
}

function compare(a, b) {
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b));
}
