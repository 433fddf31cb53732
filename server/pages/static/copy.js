// Buttons that copy the text of another element: data-copy holds its id.

import { onArrival } from "./swap.js";

onArrival((root) => {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const label = button.textContent;
      button.textContent = (await write(text)) ? "Copied" : "Select and copy by hand";
      setTimeout(() => (button.textContent = label), 2000);
    });
  }
});

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // browsers allow this on loopback and https only
  }
}
