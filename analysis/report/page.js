"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const FIRST = 12, MOST_WITH_TRAINING = 3;
const BOX = { left: 52, right: 534, top: 12, bottom: 284 };
const byId = (name) => document.getElementById(name);

function svg(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function ranges(models, quantity) {
  const values = models.flatMap((m) => splits(models).flatMap((s) => {
    const curve = m.curves[`${s}/${quantity}`];
    return [...curve.low, ...curve.high];
  })).filter((v) => v !== null && (quantity !== "loss" || v > 0));
  if (quantity === "iou") return [Math.floor(10 * Math.min(0.9, ...values)) / 10, 1];
  return values.length ? [Math.min(...values), Math.max(...values)] : [0.1, 1];
}

function ticks(quantity, [low, high]) {
  if (quantity === "iou") return Array.from({ length: Math.round(10 * (1 - low)) + 1 }, (_, i) => low + i / 10);
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  return found;
}

function scales(models, quantity) {
  const [low, high] = ranges(models, quantity);
  const last = Math.max(2, ...models.flatMap((m) => m.epochs));
  const part = quantity === "loss"
    ? (v) => (Math.log(v) - Math.log(low)) / (Math.log(high) - Math.log(low) || 1)
    : (v) => (v - low) / (high - low);
  return {
    x: (epoch) => BOX.left + ((epoch - 1) / (last - 1)) * (BOX.right - BOX.left - 20),
    y: (v) => BOX.bottom - part(v) * (BOX.bottom - BOX.top),
    epoch: (x) => 1 + ((x - BOX.left) / (BOX.right - BOX.left - 20)) * (last - 1),
    last, ticks: ticks(quantity, [low, high]),
  };
}

const drawable = (v, quantity) => v !== null && (quantity !== "loss" || v > 0);

function line(model, values, quantity, s) {
  let path = "", pen = "M";
  values.forEach((v, i) => {
    if (!drawable(v, quantity)) { pen = "M"; return; }
    path += `${pen}${s.x(model.epochs[i]).toFixed(1)} ${s.y(v).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

function band(model, curve, quantity, s) {
  const known = model.epochs.map((_, i) => i)
    .filter((i) => drawable(curve.low[i], quantity) && drawable(curve.high[i], quantity));
  const point = (values) => (i) => `${s.x(model.epochs[i]).toFixed(1)} ${s.y(values[i]).toFixed(1)}`;
  return known.length ? `M${[...known.map(point(curve.high)), ...known.reverse().map(point(curve.low))].join("L")}Z` : "";
}

function axes(canvas, quantity, s) {
  for (const value of s.ticks) {
    const y = s.y(value);
    canvas.append(svg("path", { d: `M${BOX.left} ${y}H${BOX.right}`, stroke: "currentColor", opacity: 0.2 }),
      svg("text", { x: BOX.left - 6, y: y + 4, "text-anchor": "end", "font-size": 12, fill: "currentColor" }, String(+value.toPrecision(3))));
  }
  const step = Math.max(1, Math.ceil(s.last / 8));
  for (let epoch = step; epoch <= s.last; epoch += step)
    canvas.append(svg("text", { x: s.x(epoch), y: BOX.bottom + 16, "text-anchor": "middle", "font-size": 12, fill: "currentColor" }, epoch));
  canvas.append(svg("path", { d: `M${BOX.left} ${BOX.bottom}H${BOX.right}`, stroke: "currentColor" }),
    svg("text", { x: (BOX.left + BOX.right) / 2, y: BOX.bottom + 32, "text-anchor": "middle", "font-size": 12, fill: "currentColor" }, "epoch"));
}

function spread(places) {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  for (let i = 1; i < order.length; i++)
    places[order[i]] = Math.max(places[order[i]], places[order[i - 1]] + 12);
  return places;
}

const splits = (chosen) => chosen.length > MOST_WITH_TRAINING ? ["val"] : ["train", "val"];

const both = (model) => `light-dark(${model.colours.join(", ")})`;

function chart(quantity, chosen, at) {
  const canvas = byId(quantity), models = chosen.map((i) => data.curves[i]), s = scales(models, quantity);
  canvas.replaceChildren();
  axes(canvas, quantity, s);
  const ends = [];
  chosen.forEach((i) => {
    const model = data.curves[i], [light] = model.colours, colour = both(model);
    for (const split of splits(chosen)) {
      const curve = model.curves[`${split}/${quantity}`];
      if (model.n > 1) canvas.append(svg("path", { d: band(model, curve, quantity, s), fill: light, style: `fill: ${colour}`, opacity: 0.13 }));
      canvas.append(svg("path", { d: line(model, curve.mean, quantity, s), fill: "none", stroke: light, style: `stroke: ${colour}`,
        "stroke-width": split === "val" ? 2.2 : 1.5, "stroke-dasharray": split === "val" ? "none" : "6 4" }));
    }
    const values = model.curves[`val/${quantity}`].mean;
    for (const epoch of model.best) {
      const value = values[model.epochs.indexOf(epoch)];
      if (value !== undefined && drawable(value, quantity))
        canvas.append(svg("circle", { cx: s.x(epoch), cy: s.y(value), r: 3.5, fill: light, style: `fill: ${colour}; stroke: var(--paper)` }));
    }
    const end = values.findLastIndex((v) => drawable(v, quantity));
    if (end >= 0) ends.push({ i, x: s.x(model.epochs[end]), y: s.y(values[end]) });
  });
  const places = spread(ends.map((end) => end.y + 4));
  ends.forEach((end, k) => canvas.append(svg("text",
    { x: end.x + 5, y: places[k], "font-size": 12, "font-weight": 700, style: "fill: var(--ink)" }, end.i + 1)));
  const x = s.x(at);
  canvas.append(svg("path", { d: `M${x} ${BOX.top}V${BOX.bottom}`, stroke: "currentColor", "stroke-dasharray": "2 3", class: "cursor" }));
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect();
    const epoch = Math.round(s.epoch(((event.clientX - box.left) / box.width) * 560));
    const slider = byId("epoch");
    const value = Math.min(Math.max(epoch, 1), s.last);
    if (Number(slider.value) !== value) { slider.value = value; draw(); }
  };
}

function cell(text, number) {
  const made = document.createElement("td");
  made.textContent = text;
  if (number) made.className = "number";
  return made;
}

function values(chosen, at) {
  byId("values").replaceChildren(...chosen.map((i) => {
    const model = data.curves[i], row = document.createElement("tr"), head = document.createElement("th");
    head.scope = "row";
    head.textContent = `${i + 1} ${model.name}`;
    const place = model.epochs.reduce((best, e, k) => (Math.abs(e - at) < Math.abs(model.epochs[best] - at) ? k : best), 0);
    const inside = at <= model.epochs.at(-1);
    const told = ["train/loss", "val/loss", "train/iou", "val/iou"].map((name) => {
      const value = inside ? model.curves[name].mean[place] : null;
      return cell(value === null ? "–" : value.toFixed(3), true);
    });
    row.append(head, cell(model.n, true), ...told);
    return row;
  }));
}

function draw() {
  const chosen = [...document.querySelectorAll("#models input:checked")].map((box) => Number(box.value));
  const at = Number(byId("epoch").value);
  byId("epoch-told").textContent = at;
  byId("training-key").hidden = !splits(chosen).includes("train");
  for (const quantity of ["loss", "iou"]) chart(quantity, chosen, at);
  values(chosen, at);
}

function startCurves() {
  const slider = byId("epoch"), last = Math.max(...data.curves.flatMap((m) => m.epochs));
  Object.assign(slider, { min: 1, max: last, value: last });
  data.curves.forEach((model, i) => {
    const label = document.createElement("label"), box = document.createElement("input"), name = document.createElement("span");
    Object.assign(box, { type: "checkbox", value: i, checked: i < FIRST });
    name.textContent = ` ${i + 1} ${model.name}`;
    name.style.borderBottom = `3px solid ${both(model)}`;
    box.addEventListener("change", draw);
    label.append(box, name);
    byId("models").append(label);
  });
  for (const [name, on] of [["all", true], ["none", false]])
    byId(name).addEventListener("click", () => {
      for (const box of document.querySelectorAll("#models input")) box.checked = on;
      draw();
    });
  slider.addEventListener("input", draw);
  byId("chart").hidden = false;
  draw();
}

function showModel() {
  const model = data.masks[Number(byId("model").value)];
  for (const figure of document.querySelectorAll("#stacks figure")) {
    const name = figure.dataset.image, picture = figure.querySelector(".errors"), shown = model.masks[name];
    picture.hidden = !shown;
    picture.src = shown ? shown.src : "data:,";
    picture.alt = shown ? `Errors of ${model.name} on ${name}: ${shown.alt}` : "";
    figure.querySelector(".told").textContent = shown ? shown.alt : "this model was not tested on it";
  }
}

function startMasks() {
  byId("mask-controls").hidden = false;
  byId("stacks").style.setProperty("--cut", "50%");
  byId("model").addEventListener("change", showModel);
  byId("cut").addEventListener("input", (event) => {
    byId("stacks").style.setProperty("--cut", `${100 - event.target.value}%`);
    byId("cut-told").textContent = `${event.target.value} %`;
  });
  for (const radio of document.querySelectorAll("input[name=below]"))
    radio.addEventListener("change", (event) => byId("stacks").classList.toggle("truth-below", event.target.value === "truth"));
}

if (data.curves.length) startCurves();
if (data.masks.length) startMasks();
