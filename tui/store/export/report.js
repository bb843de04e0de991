(() => {
  "use strict";
  const table = document.getElementById("rows");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const search = document.getElementById("search");
  const outcome = document.getElementById("outcome");
  const shown = document.getElementById("shown");
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      const fits =
        (!outcome.value || row.dataset.outcome === outcome.value) &&
        words.every((word) => texts[at].includes(word));
      row.hidden = !fits;
      count += fits;
    });
    shown.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  };
  const value = (row, column, numeric) => {
    const text = row.cells[column].dataset.value ?? row.cells[column].textContent;
    return numeric ? (text === "" ? NaN : Number(text)) : text;
  };
  const sort = (head) => {
    const column = head.cellIndex;
    const numeric = head.classList.contains("n");
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keys = new Map(rows.map((row, at) => [row, [value(row, column, numeric), at]]));
    const sign = down ? -1 : 1;
    const sorted = [...rows].sort((one, other) => {
      const [a, first] = keys.get(one);
      const [b, second] = keys.get(other);
      const lacks = numeric ? Number.isNaN(a) - Number.isNaN(b) : (a === "") - (b === "");
      if (lacks) return lacks;
      if (a === b || (numeric && Number.isNaN(a))) return first - second;
      return sign * (numeric ? a - b : a < b ? -1 : 1);
    });
    body.append(...sorted);
  };
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(head));
  }
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 120);
  });
  outcome.addEventListener("change", filter);
  document.getElementById("controls").hidden = false;
  filter();
})();
