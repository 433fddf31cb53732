// Buttons that copy: with data-copy the text of the element with that id, with data-copy-address the address of the page.

import { onArrival } from "./swap.js";

const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;

onArrival((root) => {
  for (const button of root.querySelectorAll("button[data-copy], button[data-copy-address]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const { copy } = button.dataset;
      button.dataset.label ??= button.textContent;
      const done = copy || !LOOPBACK.test(location.hostname) ? "Copied" : "Copied, for this machine";
      button.textContent = (await write(copy ? document.getElementById(copy).textContent : location.href)) ? done : "Copy it by hand";
      setTimeout(() => (button.textContent = button.dataset.label), 2000);
    });
  }
});

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return select(text); // browsers allow the clipboard on loopback and https only
  }
}

function select(text) {
  const focus = document.activeElement;
  const field = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text, className: "unseen" }));
  field.select();
  const is = document.execCommand("copy");
  field.remove();
  focus?.focus();
  return is;
}
