"use strict";
// The page is whole without this; here are the filter, the order of tables and the way from the map to the table.
(() => {
  const table = document.getElementById("list");
  const box = document.getElementById("filter");
  const count = document.getElementById("count");
  if (table && box) {
    const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent.trim().toLowerCase());
    const rows = Array.from(table.tBodies[0].rows, (row) => ({
      row,
      text: row.textContent.toLowerCase(),
      cells: Array.from(row.cells, (cell) => cell.textContent.trim().toLowerCase()),
    }));
    const matches = ({ text, cells }, word) => {
      const at = word.indexOf("=");
      const column = at > 0 ? heads.indexOf(word.slice(0, at)) : -1;
      return column < 0 ? text.includes(word) : cells[column] === word.slice(at + 1);
    };
    const show = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const yes = words.every((word) => matches(row, word));
        row.row.hidden = !yes;
        shown += yes;
      }
      count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    };
    let timer;
    box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(show, 120);
    });
    document.querySelector(".controls").hidden = false;
    show();
    for (const leaf of document.querySelectorAll("[data-q]")) {
      leaf.addEventListener("click", () => {
        box.value = leaf.dataset.q;
        show();
        box.focus();
      });
    }
  }

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
  };
  for (const sortable of document.querySelectorAll("table.sortable")) {
    const heads = Array.from(sortable.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        // Numbers are looked at from the largest on.
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const body = sortable.tBodies[0];
        const sign = order === "ascending" ? 1 : -1;
        const keyed = Array.from(body.rows, (row) => [value(row, column), row]);
        keyed.sort(([a], [b]) => sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en")));
        body.append(...keyed.map(([, row]) => row));
      });
    });
  }

  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
