// The page of a running run or sweep asks for itself again and shows its news without a jump: places, open parts, ticked
// boxes and typed text stay, and nothing moves under a selection. The page of an ended one stops asking.

import { load } from "./swap.js";

const SLOWEST = 60;
let failures = 0;

function seconds() {
  return Number(document.getElementById("live")?.dataset.refresh || 0);
}

function wait() {
  const next = Math.min(seconds() * 2 ** failures, SLOWEST);
  if (next) setTimeout(look, next * 1000);
}

async function look() {
  if (!document.hidden && !isBusy()) {
    const keep = remember();
    try {
      await load(location.href, false, null);
      failures = 0;
    } catch {
      failures++;
    }
    keep();
    tell();
  }
  wait();
}

function tell() {
  const place = document.getElementById("live");
  if (place && failures) place.textContent = "the server does not answer";
}

/** Whether a person selects, types or is asked something. */
function isBusy() {
  const selection = getSelection();
  const active = document.activeElement;
  const typing = active?.matches("textarea, input:not([type=checkbox], [type=radio])") && active.closest("[data-region]");
  const selecting = selection && !selection.isCollapsed && document.getElementById("main")?.contains(selection.anchorNode);
  return Boolean(typing || selecting || document.querySelector("[data-region] .confirm[open]"));
}

/** What a fresh region would forget; the answer puts it back. */
function remember() {
  const boxes = () => [...document.querySelectorAll("[data-region] input[type=checkbox][name]")];
  const changed = boxes().filter((box) => box.checked !== box.defaultChecked);
  const closed = [...document.querySelectorAll("[data-region] details[id]:not([open])")].map((each) => each.id);
  const following = [...document.querySelectorAll("[data-follow]")].filter(isAtEnd).map((each) => each.id);
  return () => {
    for (const id of closed) document.getElementById(id)?.removeAttribute("open");
    for (const box of boxes()) {
      const old = changed.find(({ name, value }) => name === box.name && value === box.value);
      if (!old || box.checked === old.checked) continue;
      box.checked = old.checked;
      box.dispatchEvent(new Event("change", { bubbles: true }));
    }
    following.forEach((id) => toEnd(document.getElementById(id)));
  };
}

function isAtEnd(element) {
  return element.scrollHeight - element.scrollTop - element.clientHeight < 24;
}

function toEnd(element) {
  if (element) element.scrollTop = element.scrollHeight;
}

document.addEventListener("click", (event) => {
  const answer = event.target.closest?.("[data-close]");
  if (!answer || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const question = answer.closest("details");
  question.open = false;
  question.querySelector("summary").focus();
});

document.querySelectorAll("[data-follow]").forEach(toEnd);
wait();
