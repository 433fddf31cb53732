// Tables of runs: all or none of the boxes at once, a stretch of them with Shift, and how many are ticked.

import { onArrival } from "./swap.js";

onArrival((root) => root.querySelectorAll("form[data-select]").forEach(start));
// On the way back to a page the browser ticks boxes again, after the scripts have run, and tells nobody.
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-select]").forEach((form) => form.dispatchEvent(new Event("change")));
});

function start(form) {
  const boxes = [...form.querySelectorAll("tbody input[type=checkbox][name=runs]")];
  const all = form.querySelector("thead input[type=checkbox]");
  let last = -1;
  const count = () => {
    const n = boxes.filter((box) => box.checked).length;
    form.querySelectorAll("[data-count]").forEach((each) => (each.textContent = n ? `${n} selected` : "none selected"));
    form.querySelectorAll("button[data-needs]").forEach((each) => (each.disabled = n < +each.dataset.needs));
    if (all) {
      all.checked = n > 0 && n === boxes.length;
      all.indeterminate = n > 0 && n < boxes.length;
    }
  };
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      boxes.forEach((box) => (box.checked = all.checked && !box.closest("tr").hidden));
      count();
    });
  }
  form.addEventListener("click", (event) => {
    const now = boxes.indexOf(event.target);
    if (now < 0) return;
    if (event.shiftKey && last >= 0) {
      const [from, to] = [last, now].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((box) => (box.checked = event.target.checked));
    }
    last = now;
    count();
  });
  form.addEventListener("change", count);
  count();
}
