// Follows links and GET forms without a jump: fetches the page they lead to and puts its regions in place of these.
// A region is an element with data-region and an id. Without this module the same links and forms load whole pages.

const listeners = [];
let newest = 0;

// What a page shows of itself alone, which the server need not know. It stands in the address too, and goes along with
// every step to the same page: lines that are hidden, or the only ones that are not; how masks are drawn; layers.
const OWN = ["hide", "only", "errors", "style", "opacity", "off"];

/** Calls `start(element)` for the page, and for each region that comes in. */
export function onArrival(start) {
  listeners.push(start);
  start(document);
}

/** What the address says of one of OWN. */
export function own(name) {
  return new URLSearchParams(location.search).getAll(name);
}

/** Puts the values of some of OWN into the address, in place of those that it has, without a step of the history. */
export function setOwn(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, values] of Object.entries(changes)) {
    query.delete(name);
    values.forEach((value) => query.append(name, value));
  }
  history.replaceState(history.state, "", `${location.pathname}${String(query) && "?"}${query}${location.hash}`);
  showAddress();
}

function withOwn(address) {
  const url = new URL(address, location.href);
  for (const name of OWN) {
    url.searchParams.delete(name);
    own(name).forEach((value) => url.searchParams.append(name, value));
  }
  return url.href;
}

/** A form that saves the address, and a login that leads back to it, have the address as it is now. */
function showAddress() {
  const here = location.pathname + location.search;
  document.querySelectorAll("input[data-here]").forEach((each) => (each.value = here));
  document.querySelectorAll("a[data-here]").forEach((each) => (each.search = new URLSearchParams({ next: here })));
}

/**
 * Shows the regions of `address`; `push` makes it the address of this page. Resolves to whether they were shown.
 * `elsewhere` is called if the answer is another kind of page; without it, its regions of these names are shown.
 */
export async function load(address, push = true, elsewhere = () => location.assign(address)) {
  const mine = ++newest;
  if (elsewhere) document.documentElement.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(push ? withOwn(address) : address, { headers: { Accept: "text/html" } });
    const text = await answer.text();
    if (mine !== newest) return false;
    if (!elsewhere && !answer.ok) throw new Error(`the server answers ${answer.status}`);
    const page = new DOMParser().parseFromString(text, "text/html");
    const pairs = [...document.querySelectorAll("[data-region]")].map((each) => [each, page.getElementById(each.id)]);
    if (elsewhere && pairs.some(([, fresh]) => !fresh)) {
      elsewhere();
      return false;
    }
    if (push) history.pushState({}, "", withOwn(address));
    document.title = page.title;
    for (const [region, fresh] of pairs) if (fresh) replace(region, fresh);
    const used = push || !elsewhere ? document.activeElement : null; // a step back sets the field in use as well
    document.querySelectorAll("form[data-auto]").forEach((form) => fill(form, page, used));
    showAddress();
    return true;
  } finally {
    if (mine === newest) document.documentElement.removeAttribute("aria-busy");
  }
}

/** Sets the fields of a form as the page has them, but for the one in use. */
function fill(form, page, used) {
  for (const control of form.elements) {
    if (!control.name || control.type === "hidden" || control === used) continue;
    const fresh = page.querySelector(`form[data-auto] [name="${control.name}"]`);
    if (!fresh) continue;
    if (control.type === "checkbox") control.checked = fresh.checked;
    else control.value = fresh.value;
  }
}

function replace(region, fresh) {
  const focus = region.contains(document.activeElement) ? describe(document.activeElement) : null;
  const open = [...region.querySelectorAll("details[id][open]")].map((each) => each.id);
  const scrolled = [...region.querySelectorAll("[data-keep-scroll][id]")].map((e) => [e.id, e.scrollLeft, e.scrollTop]);
  const typed = [...region.querySelectorAll(".confirm[open] :is(input[type=text], textarea)")].map((e) => [e.name, e.value]);
  document.adoptNode(fresh);
  keepAlike(region, fresh);
  region.replaceWith(fresh);
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  for (const [name, value] of typed) fresh.querySelectorAll(`.confirm [name="${name}"]`).forEach((each) => (each.value = value));
  for (const [id, left, top] of scrolled) document.getElementById(id)?.scrollTo(left, top);
  listeners.forEach((start) => start(fresh));
  if (focus) find(fresh, focus)?.focus({ preventScroll: true });
}

const written = new WeakMap();
const kept = (root) => [...root.querySelectorAll("[data-keep]")];
kept(document).forEach((each) => written.set(each, each.outerHTML));

/** Pictures that the server writes as it did before stay as they are: neither loaded nor painted anew. */
function keepAlike(region, fresh) {
  const old = new Map(kept(region).map((each) => [written.get(each), each]));
  for (const each of kept(fresh)) {
    written.set(each, each.outerHTML);
    const same = old.get(each.outerHTML);
    if (same && old.delete(each.outerHTML)) each.replaceWith(same);
  }
}

function describe(element) {
  const { id, name, value, type } = element;
  const place = element.selectionStart ?? null;
  const [href, label] = ["href", "aria-label"].map((each) => element.getAttribute(each));
  return { id, name, value: /checkbox|radio/.test(type) ? value : null, href, label, place };
}

function find(region, { id, name, value, href, label, place }) {
  const isSame = (each) => {
    if (href) return each.getAttribute("href") === href;
    if (name) return each.name === name && (value === null || each.value === value);
    return label && each.getAttribute("aria-label") === label;
  };
  const found = id
    ? document.getElementById(id)
    : [...region.querySelectorAll("a, input, select, button, summary, [tabindex]")].find(isSame);
  if (found && place !== null && found.setSelectionRange && found.type !== "number") found.setSelectionRange(place, place);
  return found;
}

function addressOf(form, submitter) {
  const data = new FormData(form, submitter);
  const query = new URLSearchParams([...data].filter(([, value]) => value !== ""));
  return `${form.getAttribute("action") || location.pathname}?${query}`;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "get") return;
  document.documentElement.setAttribute("aria-busy", "true");
  if (!("swap" in form.dataset)) return;
  event.preventDefault();
  load(addressOf(form, event.submitter));
});

// A form with data-auto is sent at every change. data-ends of a field names others that a change of it makes void.
let waiting = 0;
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form || !("auto" in form.dataset)) return;
  for (const name of event.target.dataset.ends?.split(" ") ?? []) form.elements[name]?.remove();
  clearTimeout(waiting);
  waiting = setTimeout(() => form.isConnected && form.requestSubmit(), event.target.type === "search" ? 350 : 60);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || !link.closest("[data-swap-links]") || link.origin !== location.origin) return;
  if (link.pathname !== location.pathname || link.hash || link.hasAttribute("download")) return;
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  load(link.href);
});

window.addEventListener("popstate", () => {
  clearTimeout(waiting);
  load(location.href, false, () => location.reload());
});

// A page that takes long to come says so: see style.css.
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (event.target.closest?.("a.button:not([download])")) document.documentElement.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => document.documentElement.removeAttribute("aria-busy"));
