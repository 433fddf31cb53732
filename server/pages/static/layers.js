// Masks over pictures, in the colour of each class: filled or as outlines, as strong as wanted, or only where two differ.
// Without this module each mask is one colour, and the boxes of the page still switch layers on and off.

import { onArrival, own, setOwn } from "./swap.js";

const NAMES = ["style", "opacity", "errors", "off"];
const chosen = { style: "fill", opacity: "0.45", errors: "0" };

function listen(viewer) {
  viewer.querySelectorAll("[data-script]").forEach((each) => (each.hidden = false));
  viewer.addEventListener("input", () => paint(viewer));
  viewer.addEventListener("change", ({ target: { name } }) => NAMES.includes(name) && setOwn({ [name]: differing(viewer, name) }));
  window.addEventListener("popstate", () => set(viewer));
  set(viewer);
}

function controls(viewer, name) {
  return [...viewer.querySelectorAll(`input[name="${name}"]`)];
}

/** What controls of one name say together; `checked` and `value`: of them as they are, or as the page has them at first. */
function valueOf(inputs, checked = "checked", value = "value") {
  if (inputs[0]?.type === "checkbox") return String(+inputs[0][checked]);
  return (inputs.length > 1 ? inputs.find((each) => each[checked]) : inputs[0])?.[value];
}

/** The controls of one name in the address: none if they are as at first. Each layer is on its own. */
function differing(viewer, name) {
  const inputs = controls(viewer, name);
  if (name === "off") return inputs.filter((each) => !each.checked).map((each) => each.value);
  const value = valueOf(inputs);
  return value === valueOf(inputs, "defaultChecked", "defaultValue") ? [] : [value];
}

/** Sets the controls as the address says. */
function set(viewer) {
  controls(viewer, "off").forEach((each) => (each.checked = !own("off").includes(each.value)));
  for (const name of ["style", "opacity", "errors"]) {
    const inputs = controls(viewer, name);
    const value = own(name)[0] ?? valueOf(inputs, "defaultChecked", "defaultValue");
    for (const each of inputs) {
      if (each.type === "range") each.value = value;
      else each.checked = value === (each.type === "radio" ? each.value : "1");
    }
  }
  paint(viewer);
}

function paint(viewer) {
  for (const name of Object.keys(chosen)) chosen[name] = valueOf(controls(viewer, name)) ?? chosen[name];
  viewer.style.setProperty("--opacity", chosen.opacity);
  viewer.querySelectorAll("[data-errors]").forEach((each) => (each.hidden = chosen.errors !== "1"));
  viewer.querySelectorAll("[data-layers]").forEach((each) => (each.hidden = chosen.errors === "1"));
  viewer.querySelectorAll(".stack").forEach(paintStack);
}

async function paintStack(stack) {
  const masks = [...stack.querySelectorAll("img.mask")];
  const { truth, prediction } = stack.dataset;
  const pair = [truth, prediction].map((name) => masks.find((mask) => mask.dataset.mask === name));
  const errors = chosen.errors === "1" && pair.every(Boolean);
  try {
    if (errors) show(pair[1], await differences(...pair, "several" in stack.dataset));
    for (const mask of masks) {
      if (errors && mask !== pair[1]) hide(mask);
      else if (!errors) show(mask, await classes(mask));
    }
  } catch {
    masks.forEach((mask) => mask.classList.remove("painted")); // one that cannot be read stays as the server drew it
  }
}

function show(mask, pixels) {
  const canvas = canvasOf(mask);
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.hidden = false;
  canvas.classList.toggle("outline", chosen.style === "outline");
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  mask.classList.add("painted");
}

function hide(mask) {
  mask.classList.add("painted");
  canvasOf(mask).hidden = true;
}

function canvasOf(mask) {
  if (mask.nextElementSibling?.tagName === "CANVAS") return mask.nextElementSibling;
  const canvas = document.createElement("canvas");
  canvas.dataset.layer = mask.dataset.layer;
  mask.after(canvas);
  return canvas;
}

const numbers = new WeakMap();

/** The class of each pixel of a mask, read once. */
async function read(mask) {
  if (!numbers.has(mask)) {
    mask.loading = "eager";
    await mask.decode();
    const canvas = new OffscreenCanvas(mask.naturalWidth, mask.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(mask, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    numbers.set(mask, { of: Uint8Array.from({ length: width * height }, (_, i) => data[4 * i]), width, height });
  }
  return numbers.get(mask);
}

async function classes(mask) {
  const { of, width, height } = await read(mask);
  const colours = new Map();
  for (const pair of mask.dataset.classes.trim().split(" ")) {
    const [id, number] = pair.split(":");
    colours.set(+id, colourOf(`s${number}`));
  }
  const rest = [...colours.values()][0];
  return drawn(width, height, (i) => of[i] && (colours.get(of[i]) ?? rest), (i, j) => of[i] !== of[j]);
}

/** Where two masks differ; of `several` classes, also where both show a piece, but not of the same class. */
async function differences(truth, prediction, several) {
  const [a, b] = await Promise.all([read(truth), read(prediction)]);
  if (a.width !== b.width || a.height !== b.height) throw new Error("the masks differ in size");
  const colours = [null, ...["false-positive", "false-negative", "wrong-class"].map(colourOf)];
  const kind = (i) => (!several && a.of[i] && b.of[i]) || a.of[i] === b.of[i] ? 0 : (a.of[i] ? 2 : 0) + (b.of[i] ? 1 : 0);
  return drawn(a.width, a.height, (i) => colours[kind(i)], (i, j) => kind(i) !== kind(j));
}

/** Pixels with the colour of each; in outline, only those beside another one that `differs`. */
function drawn(width, height, colour, differs) {
  const pixels = new ImageData(width, height);
  const words = new Uint32Array(pixels.data.buffer);
  const outline = chosen.style === "outline";
  for (let i = 0; i < width * height; i++) {
    const own = colour(i);
    if (own && !(outline && isInside(i, width, height, differs))) words[i] = own;
  }
  return pixels;
}

function isInside(i, width, height, differs) {
  const x = i % width;
  const y = (i - x) / width;
  if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return false;
  return !(differs(i, i - 1) || differs(i, i + 1) || differs(i, i - width) || differs(i, i + width));
}

/** A colour of the style sheet as four bytes, red first. */
function colourOf(name) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.className = name;
  const [red, green, blue] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
  probe.remove();
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

onArrival((root) => {
  const viewer = document.querySelector("[data-viewer]");
  if (!viewer) return;
  if (root === document) listen(viewer);
  else paint(viewer);
});
