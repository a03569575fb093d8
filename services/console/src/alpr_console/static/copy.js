// A button that copies a text which is shown only once.

import { say } from "./shell.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.textContent = "Copied";
      say("Copied.");
    } catch {
      say("It could not be copied. Select it and copy it by hand.", { urgent: true });
    }
  });
}
