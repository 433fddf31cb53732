// Line charts that the server drew: names the lines under the pointer, zooms, and shows or hides lines by the legend.
// data-edges of a figure holds the values at the four edges of its area, or their exponents where data-log or data-log-x
// says so. A zoom is the address with from= and to=, for charts in data-zoom, whose page draws that stretch alone; hidden
// lines are in the address as hide=, or as only= if most are hidden.

import { load, onArrival, own, setOwn } from "./swap.js";

const MOST = 12; // lines in a tip

function makeToggle(swatch) {
  const button = document.createElement("button");
  button.type = "button";
  swatch.replaceWith(button);
  button.append(swatch);
  button.addEventListener("click", (event) => {
    const key = swatch.dataset.key;
    hide(event.altKey || event.shiftKey ? allBut(key) : without(key));
    showLines();
  });
  button.title = "show or hide; with Shift, this one only";
}

/** Of all legends of the page. */
function keys() {
  return [...new Set([...document.querySelectorAll(".legend [data-key]")].map((each) => each.dataset.key))];
}

function hiddenKeys() {
  const all = keys();
  const only = own("only").filter((key) => all.includes(key));
  return new Set(only.length ? all.filter((key) => !only.includes(key)) : own("hide"));
}

function without(key) {
  const hidden = hiddenKeys();
  if (!hidden.delete(key)) hidden.add(key);
  return hidden;
}

/** The keys to hide so that this one is alone; none if it is alone already. */
function allBut(key) {
  const hidden = hiddenKeys();
  const others = keys().filter((each) => each !== key);
  return new Set(!hidden.has(key) && others.every((each) => hidden.has(each)) ? [] : others);
}

function hide(hidden) {
  const shown = keys().filter((key) => !hidden.has(key));
  const isShort = shown.length && shown.length < hidden.size;
  setOwn({ hide: isShort ? [] : [...hidden], only: isShort ? shown : [] });
}

function showLines() {
  const hidden = hiddenKeys();
  for (const each of document.querySelectorAll("[data-key]")) {
    const off = hidden.has(each.dataset.key);
    if (each.matches(".line")) each.classList.toggle("off", off);
    each.closest("button")?.setAttribute("aria-pressed", String(!off));
  }
}

/** [[x, y], …] of a path that the server wrote: `M` absolute, `l` from the last point. */
export function pointsOf(path) {
  const points = [];
  let x = 0;
  let y = 0;
  for (const [, command, first, second] of path.matchAll(/([Ml])(-?\d+) ?(-?\d+)/g)) {
    x = command === "M" ? +first : x + +first;
    y = command === "M" ? +second : y + +second;
    points.push([x, y]);
  }
  return points;
}

/** The value at a share of an axis: its values at both ends, or their exponents if it is logarithmic. */
export function valueAt(share, [low, high, isLog]) {
  const value = low + share * (high - low);
  return isLog ? 10 ** value : value;
}

/** How far an axis reaches; a logarithmic one, if it were everywhere as it is at `value`. */
export function rangeAt(value, [low, high, isLog]) {
  return (high - low) * (isLog ? value * Math.LN10 : 1);
}

/** The number with as many digits as a thousandth of `range` needs; 0 if it cannot be told from 0 in a drawing. */
export function write(value, range) {
  if (!Number.isFinite(value)) return "?";
  const parts = Math.abs(value) / (range / 2000);
  if (parts < 0.2) return "0";
  return String(+value.toPrecision(Math.min(Math.max(Math.ceil(Math.log10(parts)), parts < 1 ? 1 : 2), 12)));
}

/** A bound to a thousandth of `range`, with `round` down or up, so that no value of the stretch is left out. */
export function writeBound(value, range, round) {
  const exponent = Math.floor(Math.log10(range / 1000));
  const rounded = Number(`${round(value / 10 ** exponent)}e${exponent}`);
  return String(Number.isFinite(rounded) ? rounded : value);
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.svg = figure.querySelector("svg");
    this.area = figure.querySelector("svg.area");
    const [left, right, bottom, top] = figure.dataset.edges.split(" ").map(Number);
    this.xs = [left, right, figure.dataset.logX === "1"];
    this.ys = [bottom, top, figure.dataset.log === "1"];
    this.values = JSON.parse(figure.dataset.values || "[]"); // of a vertical axis of categories
    this.svg.setAttribute("tabindex", "0");
    this.svg.addEventListener("pointermove", (event) => this.follow(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.svg.addEventListener("pointerdown", (event) => this.press(event));
    this.svg.addEventListener("pointerup", (event) => this.release(event));
    this.svg.addEventListener("lostpointercapture", () => this.drop());
    this.svg.addEventListener("dblclick", () => zoomOut());
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("blur", () => this.leave());
    this.zooms = Boolean(figure.closest("[data-zoom]"));
    if (this.zooms && new URLSearchParams(location.search).has("from")) this.offerWhole();
  }

  /** The lines with their points, read when they are first needed. */
  get lines() {
    this.read ??= [...this.area.querySelectorAll("g.line:not(.raw)")].map((group) => {
      const dots = [...group.querySelectorAll("circle")];
      const path = group.querySelector("path:not(.band)");
      const points = path
        ? pointsOf(path.getAttribute("d"))
        : dots.map((dot) => [+dot.getAttribute("cx"), +dot.getAttribute("cy")]);
      const names = group.dataset.names && JSON.parse(group.dataset.names);
      if (names) return { group, names, points };
      points.sort((a, b) => a[0] - b[0]);
      return { group, name: group.dataset.name || this.figure.querySelector("figcaption").firstChild.textContent, points };
    });
    return this.read;
  }

  get size() {
    return this.area.viewBox.baseVal;
  }

  /** The pointer's place in units of the paths. */
  place(event) {
    const box = this.svg.getBoundingClientRect();
    const whole = this.svg.viewBox.baseVal;
    const x = ((event.clientX - box.left) / box.width) * whole.width - this.area.x.baseVal.value;
    const y = ((event.clientY - box.top) / box.height) * whole.height - this.area.y.baseVal.value;
    const fine = this.size.width / this.area.width.baseVal.value;
    return [x * fine, y * fine];
  }

  x(at) {
    return valueAt(at / this.size.width, this.xs);
  }

  y(at) {
    return valueAt(1 - at / this.size.height, this.ys);
  }

  /** Once a frame, however often the pointer moves. */
  follow(event) {
    this.frame ??= requestAnimationFrame(() => this.move(this.last));
    this.last = event;
  }

  move(event) {
    this.frame = undefined;
    const [x, y] = this.place(event);
    if (this.start !== undefined) this.stretch(this.clamp(x));
    if (x < -this.size.width * 0.03 || x > this.size.width * 1.03) return this.leave();
    this.point(x, y);
  }

  /** Names the lines that reach x, from the highest to the lowest, and marks the one nearest to y. */
  point(x, y) {
    const near = [];
    for (const line of this.lines) {
      if (line.group.classList.contains("off") || !line.points.length) continue;
      const point = line.names ? closest(line.points, x, y) : nearest(line.points, x);
      const name = line.names ? line.names[line.points.indexOf(point)] : line.name;
      near.push({ line, name, point, distance: Math.abs(point[1] - y) + 2 * Math.abs(point[0] - x) });
    }
    if (!near.length) return this.leave();
    near.sort((a, b) => a.distance - b.distance);
    this.light(near[0].line.group, near[0].point);
    this.tell(near.filter(({ line }) => line.names || reaches(line.points, near[0].point[0])));
    this.at = near[0].point;
  }

  /** A layer of its own for marks that follow the pointer: hundreds of lines below it are not painted anew. */
  get over() {
    if (!this.layer) {
      this.layer = this.svg.cloneNode(false);
      for (const name of ["tabindex", "role", "aria-label"]) this.layer.removeAttribute(name);
      this.layer.setAttribute("class", "over");
      this.layer.setAttribute("aria-hidden", "true");
      this.inside = this.layer.appendChild(this.area.cloneNode(false));
      this.line = this.inside.appendChild(element("g", {})).appendChild(element("path", {}));
      this.mark = this.inside.appendChild(element("path", { class: "cross" }));
      this.figure.append(this.layer);
    }
    const [box, outer] = [this.svg.getBoundingClientRect(), this.figure.getBoundingClientRect()];
    Object.assign(this.layer.style, { left: `${box.left - outer.left}px`, top: `${box.top - outer.top}px`, width: `${box.width}px` });
    return this.layer;
  }

  light(group, [x, y]) {
    this.over.classList.remove("hidden");
    this.mark.setAttribute("d", `M${x} 0V${this.size.height}M0 ${y}H${this.size.width}`);
    if (this.lit === group) return;
    this.lit = group;
    this.line.parentNode.setAttribute("class", `${group.getAttribute("class")} lit`);
    this.line.setAttribute("d", group.querySelector("path:not(.band)")?.getAttribute("d") ?? "");
  }

  tell(near) {
    if (!this.tip) {
      this.tip = this.figure.appendChild(document.createElement("div"));
      this.tip.className = "tip";
      this.tip.setAttribute("role", "status");
    }
    const [{ point }] = near;
    const head = document.createElement("div");
    const place = this.x(point[0]);
    head.textContent = `${this.figure.dataset.x} ${write(place, rangeAt(place, this.xs))}`;
    const rows = near.slice(0, MOST).sort((a, b) => a.point[1] - b.point[1]).map((each) => {
      const value = this.y(each.point[1]);
      const row = document.createElement("div");
      const text = document.createElement(each === near[0] ? "b" : "span");
      const written = this.values.length ? this.values[Math.round(value)] : write(value, rangeAt(value, this.ys));
      text.textContent = `${each.name}  ${written}${each === near[0] ? " ◂" : ""}`;
      row.append(text);
      row.className = `swatch ${[...each.line.group.classList].filter((name) => !/^(line|lit|off|dots)$/.test(name)).join(" ")}`;
      return row;
    });
    if (near.length > MOST) {
      rows.push(document.createElement("div"));
      rows.at(-1).textContent = `the nearest ${MOST} of ${near.length}`;
    }
    this.tip.hidden = false;
    this.tip.replaceChildren(head, ...rows);
    const box = this.svg.getBoundingClientRect();
    const outer = this.figure.getBoundingClientRect();
    const [left, top] = [this.area.x.baseVal.value, this.area.y.baseVal.value];
    const scale = box.width / this.svg.viewBox.baseVal.width;
    const fine = this.area.width.baseVal.value / this.size.width;
    const x = box.left - outer.left + (left + point[0] * fine) * scale;
    const y = box.top - outer.top + (top + point[1] * fine) * scale;
    const across = x > outer.width / 2 ? Math.max(x - this.tip.offsetWidth - 14, 0) : x + 14;
    const down = Math.max(y - this.tip.offsetHeight / 2, 0);
    this.tip.style.transform = `translate(${Math.round(across)}px, ${Math.round(down)}px)`;
  }

  leave() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    this.lit = undefined;
    this.layer?.classList.add("hidden");
    if (this.tip) this.tip.hidden = true;
  }

  press(event) {
    if (!this.zooms || event.button || event.pointerType === "touch" || event.target.closest("a")) return;
    this.start = this.clamp(this.place(event)[0]);
    this.svg.setPointerCapture(event.pointerId);
  }

  clamp(x) {
    return Math.min(Math.max(x, 0), this.size.width);
  }

  stretch(x) {
    this.rectangle ??= this.area.appendChild(element("rect", { class: "pick", y: 0, height: this.size.height }));
    this.rectangle.setAttribute("x", Math.min(x, this.start));
    this.rectangle.setAttribute("width", Math.abs(x - this.start));
  }

  release(event) {
    const [from, to] = [this.start, this.clamp(this.place(event)[0])].sort((a, b) => a - b);
    this.drop();
    if (to - from > this.size.width * 0.02) this.zoom(from, to);
  }

  drop() {
    this.start = undefined;
    this.rectangle?.remove();
    this.rectangle = undefined;
  }

  zoom(from, to) {
    const query = new URLSearchParams(location.search);
    for (const [name, at, round] of [["from", from, Math.floor], ["to", to, Math.ceil]]) {
      const x = this.x(this.clamp(at));
      query.set(name, writeBound(x, rangeAt(x, this.xs), round));
    }
    load(`${location.pathname}?${query}`);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const width = this.size.width;
    if (step) {
      const xs = [...new Set(this.lines.flatMap((line) => line.points.map((point) => point[0])))].sort((a, b) => a - b);
      const now = this.lit ? xs.findIndex((x) => x >= this.at[0]) : step > 0 ? -1 : xs.length;
      this.point(xs[Math.min(Math.max(now + step, 0), xs.length - 1)] ?? 0, this.lit ? this.at[1] : 0);
    } else if (!this.zooms) return;
    else if (event.key === "+") this.zoom((this.at?.[0] ?? width / 2) - width / 4, (this.at?.[0] ?? width / 2) + width / 4);
    else if (event.key === "-" || event.key === "Escape") zoomOut();
    else return;
    event.preventDefault();
  }

  offerWhole() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "whole";
    button.textContent = "whole";
    button.title = "the whole axis again";
    button.addEventListener("click", zoomOut);
    this.figure.append(button);
  }
}

function zoomOut() {
  const query = new URLSearchParams(location.search);
  if (!query.has("from") && !query.has("to")) return;
  query.delete("from");
  query.delete("to");
  load(`${location.pathname}?${query}`);
}

function nearest(points, x) {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle + 1;
    else high = middle;
  }
  return low && x - points[low - 1][0] < points[low][0] - x ? points[low - 1] : points[low];
}

function reaches(points, x) {
  return points[0][0] <= x && x <= points.at(-1)[0];
}

function closest(points, x, y) {
  const distance = (point) => Math.hypot(point[0] - x, point[1] - y);
  return points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
}

function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

onArrival((root) => {
  root.querySelectorAll(".legend [data-key]").forEach(makeToggle);
  root.querySelectorAll("figure.chart[data-edges]").forEach((figure) => new Chart(figure));
  showLines();
});
