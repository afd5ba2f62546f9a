// Tables sort by a click on a head; what is under the pointer in a chart says its figure; how to
// read a chart is open where there is room beside it, and on paper.
"use strict";

function sortValue(row, column) {
  const cell = row.cells[column];
  return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent.trim();
}

// Numbers before names, names in their natural order.
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === typeof b) return a.localeCompare(b, "en", { numeric: true });
  return typeof a === "number" ? -1 : 1;
}

function sortBy(head) {
  const table = head.closest("table");
  const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const rows = [...table.tBodies[0].rows].map((row) => [sortValue(row, head.cellIndex), row]);
  rows.sort(([a], [b]) => (typeof a === typeof b ? sign : 1) * compare(a, b));
  table.tBodies[0].append(...rows.map(([, row]) => row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
}

function makeSortable(table) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(head));
    head.append(button);
  }
}

const REACH = 14; // pixels from a mark at which it still speaks
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
let shown = null;

function distance(mark, event) {
  const box = mark.getBoundingClientRect();
  const x = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
  const y = Math.max(box.top - event.clientY, 0, event.clientY - box.bottom);
  return Math.hypot(x, y);
}

function markAt(marks, event) {
  const hit = event.target.closest("[data-tip]");
  if (hit) return hit;
  const far = marks.map((mark) => [distance(mark, event), mark]).filter(([d]) => d <= REACH);
  return far.length ? far.reduce((best, next) => (next[0] < best[0] ? next : best))[1] : null;
}

function unfold(isOpen, where = "") {
  for (const part of document.querySelectorAll(`${where} details`)) part.open = isOpen;
}

function hide() {
  shown?.classList.remove("shown");
  shown = null;
  tip.hidden = true;
}

function show(mark, event) {
  if (mark !== shown) hide();
  if (!mark) return;
  shown = mark;
  mark.classList.add("shown");
  tip.textContent = mark.dataset.tip;
  tip.hidden = false;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4);
  const below = event.clientY + 16;
  const isLow = below + tip.offsetHeight > innerHeight;
  const top = isLow ? event.clientY - tip.offsetHeight - 12 : below;
  tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}

function makeTelling(chart) {
  const marks = [...chart.querySelectorAll("g > title")].map((title) => {
    const mark = title.parentNode;
    mark.dataset.tip = title.textContent;
    title.remove();
    return mark;
  });
  const tell = (event) => show(markAt(marks, event), event);
  for (const kind of ["pointermove", "pointerdown"]) chart.addEventListener(kind, tell);
  chart.addEventListener("pointerleave", hide);
}

document.body.append(tip);
document.querySelectorAll("table").forEach(makeSortable);
document.querySelectorAll("figure svg").forEach(makeTelling);
addEventListener("scroll", hide, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hide());
addEventListener("beforeprint", () => unfold(true));
unfold(matchMedia("(min-width: 75rem)").matches, "figure");
