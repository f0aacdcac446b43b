// A click on the heading of a column sorts the table by it; another click turns the order round.
document$.subscribe(() => {
  for (const heading of document.querySelectorAll("article table th")) {
    heading.tabIndex = 0;
    heading.style.cursor = "pointer";
    const sort = () => {
      const table = heading.closest("table");
      const column = [...heading.parentElement.children].indexOf(heading);
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const text = (row) => row.cells[column]?.textContent.trim() ?? "";
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => text(a).localeCompare(text(b), undefined, { numeric: true }));
      table.tBodies[0].append(...(up ? rows : rows.reverse()));
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  }
});
