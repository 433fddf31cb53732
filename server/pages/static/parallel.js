// Brushing on parallel coordinates: a stretch of an axis becomes terms of the filter, which is part of the address; the
// table, the plots and the lines then show the runs that pass. A click on an axis takes its terms out again.

import { rangeAt, valueAt, writeBound } from "./chart.js";
import { load, onArrival } from "./swap.js";

const NEAR = 4; // an end of an axis, in units of the drawing

const quoted = (text) => (/[,"|<>=!~]|^\s|\s$|^$/.test(text) ? `"${text.replace(/(["\\])/g, "\\$1")}"` : text);

/** The terms of a filter, apart at commas outside of quotes. */
export function termsOf(text) {
  return (text.match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? []).map((term) => term.trim()).filter(Boolean);
}

/** The filter without its terms on `key`, and with `terms`. */
export function withTerms(text, key, terms) {
  const own = new RegExp(`^${quoted(key).replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}\\s*(<=|>=|=)`);
  return [...termsOf(text).filter((term) => !own.test(term)), ...terms].join(", ");
}

class Brushes {
  constructor(svg) {
    this.svg = svg;
    svg.querySelectorAll(".axis").forEach((axis) => {
      axis.addEventListener("pointerdown", (event) => this.press(event, axis));
    });
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.release(event));
    svg.addEventListener("lostpointercapture", () => this.drop());
    const lines = svg.querySelector(".lines");
    lines.addEventListener("pointerover", ({ target }) => target.dataset.name !== undefined && this.name(target));
    lines.addEventListener("pointerleave", () => this.tip && (this.tip.hidden = true));
  }

  height(event) {
    const box = this.svg.getBoundingClientRect();
    return ((event.clientY - box.top) / box.height) * this.svg.viewBox.baseVal.height;
  }

  press(event, axis) {
    if (event.button) return;
    this.axis = axis;
    this.start = this.height(event);
    this.svg.setPointerCapture(event.pointerId);
    this.mark = axis.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    this.mark.setAttribute("class", "pick");
    this.mark.setAttribute("x", +axis.dataset.x - 10);
    this.mark.setAttribute("width", 20);
  }

  move(event) {
    if (!this.axis) return;
    const now = this.height(event);
    this.mark.setAttribute("y", Math.min(now, this.start));
    this.mark.setAttribute("height", Math.abs(now - this.start));
  }

  release(event) {
    if (!this.axis) return;
    const [top, bottom] = [this.start, this.height(event)].sort((a, b) => a - b);
    const axis = this.axis;
    this.drop();
    const query = new URLSearchParams(location.search);
    query.set("q", withTerms(query.get("q") ?? "", axis.dataset.key, bottom - top > 4 ? terms(axis, top, bottom) : []));
    query.delete("page");
    load(`${location.pathname}?${query}`);
  }

  drop() {
    this.axis = undefined;
    this.mark?.remove();
  }

  name(line) {
    const figure = this.svg.closest("figure");
    this.tip ??= figure.appendChild(Object.assign(document.createElement("div"), { className: "tip" }));
    this.tip.textContent = line.dataset.name;
    this.tip.hidden = false;
    line.parentNode.append(line);
  }
}

/** Terms that the values of a stretch of an axis pass; an end of the stretch that is one of the axis bounds nothing. */
export function terms(axis, top, bottom) {
  const scale = [...axis.dataset.edges.split(" ").map(Number), axis.dataset.kind === "log"];
  const [first, last] = [+axis.dataset.top, +axis.dataset.bottom];
  const at = (y) => valueAt((last - Math.min(Math.max(y, first), last)) / (last - first), scale);
  const name = quoted(axis.dataset.key);
  if (axis.dataset.kind === "category") {
    const chosen = JSON.parse(axis.dataset.values).filter((_, i) => i >= at(bottom) && i <= at(top));
    return chosen.length ? [`${name} = ${chosen.map(quoted).join("|")}`] : [];
  }
  const bound = (y, round) => writeBound(at(y), rangeAt(at(y), scale), round);
  const low = bottom < last - NEAR ? [`${name} >= ${bound(bottom, Math.floor)}`] : [];
  const high = top > first + NEAR ? [`${name} <= ${bound(top, Math.ceil)}`] : [];
  return [...low, ...high];
}

onArrival((root) => root.querySelectorAll("figure.parallel svg").forEach((svg) => new Brushes(svg)));
