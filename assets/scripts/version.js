// Uploads a new version with progress; without it the form is sent the ordinary way.
import { flash } from "./flash.js";
import { send } from "./sending.js";

for (const form of document.querySelectorAll("form[data-upload-one]")) {
  const progress = form.querySelector("progress");
  const status = form.querySelector("[data-upload-status]");
  const button = form.querySelector("button");
  const input = form.querySelector("input[type=file]");
  let sending = null;

  // A version of another type is mostly a slip: confirm.js asks.
  input.addEventListener("change", () => {
    const [before, after] = [form.dataset.uploadOne, input.files[0]?.name ?? ""].map(extension);
    delete form.dataset.confirmed;
    form.querySelector("[name=confirmed]")?.remove();
    if (!after || after === before) {
      delete form.dataset.confirm;
      return;
    }
    form.dataset.confirm = "Upload a file of another type?";
    form.dataset.confirmDetail =
      `The document is of the type ${before || "unknown"}, this file is of the type ${after}.`;
    form.dataset.confirmButton = "Upload it";
  });

  form.addEventListener("submit", async (event) => {
    if (form.dataset.confirm && !form.dataset.confirmed) return;
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
      const { url, message } = await sending.done;
      if (message) flash(message);
      location.assign(url ?? location.href);
    } catch (error) {
      status.textContent = error.name === "AbortError" ? "Cancelled." : error.message;
      progress.hidden = true;
      button.textContent = "Upload";
    }
    sending = null;
  });
}

/// `Report.pdf` → `PDF`; empty without an extension.
function extension(name) {
  const found = /\.([^.]{1,8})$/.exec(name);
  return found ? found[1].toUpperCase() : "";
}
