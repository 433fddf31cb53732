// A button beside each line that is there to be copied.

import { onArrival } from "./swap.js";

onArrival((root) => {
  if (!navigator.clipboard) return; // not over plain HTTP from another machine
  for (const line of root.querySelectorAll("[data-copy]")) {
    if (line.nextElementSibling?.matches(".copier")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copier";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(line.textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    line.after(button);
  }
});
