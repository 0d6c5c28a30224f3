"use strict";
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (element, type, action) => element.addEventListener(type, action);
on($("#theme"), "change", (event) => (document.documentElement.dataset.theme = event.target.value));

// tables: a heading sorts, first one way, then the other, then as it was
const leading = (text) => parseFloat(/[-−+]?\d[\d.]*(e[-+]?\d+)?/.exec(text)?.[0].replace("−", "-"));
const compared = (a, b) => {
  const [x, y] = [leading(a), leading(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a.localeCompare(b);
  return x - y;
};
const sortable = (table) => {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = $$("th", table.tHead);
  const sort = (head, column) => {
    const order = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort];
    heads.forEach((other) => (other.ariaSort = "none"));
    head.ariaSort = order;
    if (order === "none") return body.append(...original);
    const rows = original.filter((row) => !row.classList.contains("group"));
    const text = (row) => row.cells[column].textContent;
    rows.sort(column ? (a, b) => compared(text(a), text(b)) : (a, b) => text(a).localeCompare(text(b)));
    body.append(...(order === "ascending" ? rows : rows.reverse()));
    $$(".group", body).forEach((row) => row.remove());
  };
  heads.forEach((head, column) => on($("button", head), "click", () => sort(head, column)));
  const filter = $("input.rows", table.closest("figure"));
  if (filter) on(filter, "input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    let group = "";
    for (const row of original) {
      const heading = row.classList.contains("group");
      if (heading) group = row.textContent;
      const text = `${group} ${row.textContent}`.toLowerCase();
      row.hidden = !heading && !words.every((word) => text.includes(word));
    }
  });
};
$$("figure.table table").forEach(sortable);
