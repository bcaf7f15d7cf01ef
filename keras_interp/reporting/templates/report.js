"use strict";
/* Tables are sorted by their headings and filtered by words. Without scripts they are
   plain tables in a good order. */
(function () {
  const LONG = 8;

  /* A number to sort by; nothing where the cell holds none. */
  function number(text) {
    const found = text.replace("\u2212", "-").match(/^[+-]?[\d,]*\.?\d+/);
    return found ? parseFloat(found[0].replaceAll(",", "")) : null;
  }

  function compare(a, b) {
    /* What was not measured comes last, whichever way the others are sorted. */
    if (a.missing || b.missing) return a.missing - b.missing;
    return a.value < b.value ? -a.way : a.value > b.value ? a.way : 0;
  }

  function sort(table, heading, column, way) {
    const body = table.tBodies[0];
    const cells = Array.from(body.rows, (row) => row.cells[column].textContent.trim());
    const numbers = cells.map(number);
    const isNumeric = cells.every((text, place) =>
      text === "" || text === "\u2013" || numbers[place] !== null);
    way = way || (isNumeric && column > 0 ? -1 : 1);
    const keys = cells.map((text, place) => ({
      value: isNumeric ? numbers[place] : text.toLowerCase(),
      missing: text === "" || text === "\u2013" ? 1 : 0,
      row: body.rows[place],
      way: way,
    }));
    keys.sort(compare).forEach((key) => body.append(key.row));
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
    table.closest(".scroll").scrollTop = 0;
  }

  function sortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
      if (heading.classList.contains("picture")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const before = heading.getAttribute("aria-sort");
        sort(table, heading, column, { ascending: -1, descending: 1 }[before]);
      });
    });
  }

  function filterable(table) {
    const rows = Array.from(table.tBodies[0].rows);
    const label = document.createElement("label");
    const field = document.createElement("input");
    const count = document.createElement("output");
    label.className = "filter";
    field.type = "search";
    field.autocomplete = "off";
    count.textContent = rows.length + " rows";
    label.append("Show rows with ", field, count);
    table.closest(".scroll").before(label);
    const words = rows.map((row) => (row.textContent + " " + Array.from(
      row.querySelectorAll("img"), (image) => image.alt).join(" ")).toLowerCase());
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase();
      let shown = 0;
      rows.forEach((row, place) => {
        row.hidden = !words[place].includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      count.textContent = shown + " of " + rows.length + " rows";
    });
  }

  for (const table of document.querySelectorAll(".scroll > table")) {
    const rows = table.tBodies[0].rows.length;
    if (rows < LONG && !table.matches(".pictures")) continue;
    sortable(table);
    if (rows >= 2 * LONG || table.matches(".pictures")) filterable(table);
  }
  /* What is wider than the screen can be scrolled with the arrow keys. */
  for (const box of document.querySelectorAll(".paper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
})();
