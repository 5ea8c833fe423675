// Files dropped anywhere on the library: the upload form opens in a dialog with the files in it.
// The form comes from the upload page, so that there is only one.
import { enhance, filesOf, stored } from "./upload.js";
import { narrow } from "./picker.js";

const veil = document.querySelector("[data-drop-veil]");
let depth = 0;

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
const isOpen = () => document.querySelector("dialog[open]") !== null;

document.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event) || isOpen()) return;
  depth += 1;
  veil.hidden = false;
});

document.addEventListener("dragleave", (event) => {
  if (!carriesFiles(event) || isOpen()) return;
  depth = Math.max(0, depth - 1);
  veil.hidden = depth === 0;
});

document.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});

document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  veil.hidden = true;
  const files = filesOf(event.dataTransfer);
  if (files.length > 0 && !isOpen()) open(files);
});

async function open(files) {
  const form = await fetchForm();
  if (!form) {
    location.assign("/documents/upload");
    return;
  }
  const dialog = document.createElement("dialog");
  dialog.className = "dialog--wide";
  dialog.setAttribute("aria-labelledby", "upload-heading");
  const heading = document.createElement("h2");
  heading.id = "upload-heading";
  heading.textContent = "Upload";
  dialog.append(heading, form);
  document.body.append(dialog);
  const cancel = form.querySelector("[data-upload-cancel]");
  cancel.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.close();
  });
  // Escape must not throw away what is under way; the button does, because it says so. Browsers let
  // `cancel` be prevented only once, so the key is caught before.
  const stay = (event) => {
    if (!upload.isBusy() || (event.key ?? "Escape") !== "Escape") return;
    event.preventDefault();
    upload.say("The upload goes on. “Cancel” stops it.");
  };
  dialog.addEventListener("cancel", stay);
  document.addEventListener("keydown", stay);
  // What is stored is stored: the list shows it, however the dialog ends.
  dialog.addEventListener("close", () => {
    document.removeEventListener("keydown", stay);
    const stopped = upload.stop();
    if (stopped > 0) {
      const detail = stopped === 1 ? "1 upload was stopped." : `${stopped} uploads were stopped.`;
      document.dispatchEvent(new CustomEvent("say", { detail }));
    }
    dialog.remove();
    document.dispatchEvent(new CustomEvent("library-changed"));
  });
  const upload = enhance(form, {
    files,
    onDone(answers) {
      dialog.close();
      document.dispatchEvent(new CustomEvent("say", { detail: stored(answers) }));
    },
  });
  narrow(form);
  dialog.showModal();
}

async function fetchForm() {
  try {
    const answer = await fetch("/documents/upload");
    if (!answer.ok || answer.redirected) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const form = page.querySelector("form[data-upload]");
    return form && document.adoptNode(form);
  } catch {
    return null;
  }
}
