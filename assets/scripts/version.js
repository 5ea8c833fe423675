// Uploads a new version with progress; without it the form is sent the ordinary way.
import { send } from "./sending.js";

for (const form of document.querySelectorAll("form[data-upload-one]")) {
  const progress = form.querySelector("progress");
  const status = form.querySelector("[data-upload-status]");
  const button = form.querySelector("button");
  let sending = null;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) {
      sending.abort();
      return;
    }
    button.textContent = "Cancel";
    progress.hidden = false;
    status.hidden = false;
    sending = send(form.action, new FormData(form), (share) => {
      progress.value = Math.round(share * 100);
      status.textContent = share < 1 ? `${Math.floor(share * 100)}%` : "Storing…";
    });
    try {
      const { url } = await sending.done;
      location.assign(url ?? location.href);
    } catch (error) {
      status.textContent = error.name === "AbortError" ? "Cancelled." : error.message;
      progress.hidden = true;
      button.textContent = "Upload";
    }
    sending = null;
  });
}
