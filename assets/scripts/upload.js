// The upload form: files by button or by dropping them, each sent by itself, two at a time, with
// progress, cancel and retry. Without it the form sends all of them in one go.
import { flash } from "./flash.js";
import { send } from "./sending.js";

const LANES = 2;

for (const form of document.querySelectorAll("form[data-upload]")) enhance(form);

/// Takes a form over. `onDone` is called with the answers when every file is stored; without it the
/// page goes to the new document, or to the library. Returns whether it is busy, how to stop (and how
/// many that stopped), and how to say something in the form.
export function enhance(form, { files = [], onDone = leave } = {}) {
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  const list = form.querySelector("[data-transfers]");
  const status = form.querySelector("[data-upload-status]");
  const title = form.querySelector("[name=title]");
  const label = form.querySelector("[data-upload-label]");
  const submit = label.closest("button");
  const cancel = form.querySelector("[data-upload-cancel]");
  const template = form.querySelector("template[data-transfer]");
  const limit = Number(form.dataset.fileSizeMax);
  const filesMax = Number(form.dataset.filesMax);
  const transfers = [];
  let proposed = "";

  add(files);
  input.addEventListener("change", () => {
    add(input.files);
    // They are in the list now; the field is free to take more.
    input.value = "";
  });
  onDrop(drop, add);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const transfer of transfers) {
      if (transfer.state === "ready" || transfer.state === "failed") set(transfer, "waiting");
    }
    pump();
  });
  addEventListener("beforeunload", (event) => {
    if (isBusy()) event.preventDefault();
  });

  return {
    isBusy,
    stop() {
      const stopped = transfers.filter(is_under_way);
      for (const transfer of stopped) {
        if (transfer.state === "waiting") set(transfer, "ready");
        else transfer.sending.abort();
      }
      return stopped.length;
    },
    say,
  };

  function isBusy() {
    return transfers.some(is_under_way);
  }

  function add(more) {
    for (const file of more) {
      if (transfers.length >= filesMax) {
        say(`No more than ${filesMax} files at a time. Upload these first.`);
        break;
      }
      const row = template.content.firstElementChild.cloneNode(true);
      const transfer = { file, row, state: "ready", sending: null };
      row.querySelector("[data-name]").textContent = file.name;
      row.querySelector("progress").setAttribute("aria-label", `Progress of ${file.name}`);
      const drop_button = row.querySelector("[data-cancel]");
      drop_button.setAttribute("aria-label", `Cancel ${file.name}`);
      drop_button.addEventListener("click", () => drop_out(transfer));
      row.querySelector("[data-retry]").addEventListener("click", () => {
        set(transfer, "waiting");
        pump();
      });
      transfers.push(transfer);
      list.append(row);
      set(transfer, "ready");
      refuse(transfer);
    }
    refresh();
  }

  /// What would fail anyway is said before it is sent.
  function refuse(transfer) {
    if (transfer.file.size === 0) set(transfer, "refused", "This file is empty.");
    if (transfer.file.size > limit) {
      const sizes = `${human(transfer.file.size)}; the limit is ${human(limit)}`;
      set(transfer, "refused", `This file has ${sizes}. Ask an administrator to raise it.`);
    }
  }

  function drop_out(transfer) {
    if (transfer.state === "sending") {
      transfer.sending.abort();
      return;
    }
    transfers.splice(transfers.indexOf(transfer), 1);
    transfer.row.remove();
    refresh();
    finish();
  }

  function pump() {
    const sending = transfers.filter(({ state }) => state === "sending").length;
    const waiting = transfers.filter(({ state }) => state === "waiting");
    for (const transfer of waiting.slice(0, Math.max(0, LANES - sending))) start(transfer);
    refresh();
    if (isBusy() || transfers.length === 0) return;
    const done = transfers.filter(({ state }) => state === "done").length;
    const failed = transfers.length - done;
    say(`${done} of ${transfers.length} uploaded${failed ? `, ${failed} not` : ""}.`);
    finish();
  }

  /// Goes on when every file in the list is stored: also when the last that was not is taken out.
  function finish() {
    const is_done = transfers.every(({ state }) => state === "done");
    if (is_done && transfers.length > 0) onDone(transfers.map(({ answer }) => answer));
  }

  async function start(transfer) {
    set(transfer, "sending");
    const progress = transfer.row.querySelector("progress");
    const state = transfer.row.querySelector("[data-state]");
    transfer.sending = send(form.action, body(transfer.file), (share) => {
      progress.value = Math.round(share * 100);
      state.textContent =
        share < 1 ? `${Math.floor(share * 100)}% of ${human(transfer.file.size)}` : "Storing…";
    });
    try {
      transfer.answer = await transfer.sending.done;
      set(transfer, "done");
    } catch (error) {
      const cancelled = error.name === "AbortError";
      set(transfer, "failed", cancelled ? "Cancelled." : error.message);
    }
    pump();
  }

  /// The form as it stands, with this one file at the end: the server reads the details first.
  function body(file) {
    const data = new FormData(form);
    data.delete("file");
    if (transfers.length > 1) data.delete("title");
    data.append("file", file, file.name);
    return data;
  }

  function set(transfer, state, message = "") {
    transfer.state = state;
    const { row, file } = transfer;
    row.className = `transfer transfer--${state === "refused" ? "failed" : state}`;
    row.querySelector("progress").hidden = state !== "sending";
    row.querySelector("[data-retry]").hidden = state !== "failed";
    row.querySelector("[data-cancel]").hidden = state === "done";
    row.querySelector("[data-state]").textContent =
      { ready: human(file.size), waiting: "Waiting", sending: "0%", done: "Uploaded" }[state] ?? "";
    const icon = row.querySelector("use");
    const name = { done: "check-circle", failed: "alert", refused: "alert" }[state] ?? "file";
    icon.setAttribute("href", icon.getAttribute("href").replace(/#.*/, `#${name}`));
    const text = row.querySelector("[data-message]");
    text.hidden = !message;
    text.textContent = message;
    if (message) say(`${file.name}: ${message}`);
    if (state === "done" && transfer.answer?.url) {
      const link = document.createElement("a");
      link.href = transfer.answer.url;
      link.textContent = transfer.answer.title ?? file.name;
      row.querySelector("[data-name]").replaceChildren(link);
    }
  }

  function refresh() {
    list.hidden = transfers.length === 0;
    input.required = transfers.length === 0;
    const open = transfers.filter(({ state }) => state === "ready" || state === "failed").length;
    const busy = isBusy();
    label.textContent = busy ? "Uploading…" : open > 1 ? `Upload ${open} files` : "Upload";
    // With an empty list the field itself says that a file is missing.
    const has_nothing_to_send = transfers.length > 0 && open === 0;
    submit.setAttribute("aria-disabled", String(busy || has_nothing_to_send));
    const has_stored = transfers.some(({ state }) => state === "done");
    cancel.textContent = has_stored && !busy ? "Done" : "Cancel";
    // A title of its own only for a single file; proposed until somebody writes another.
    title.disabled = transfers.length > 1;
    const proposal = transfers.length === 1 ? title_of(transfers[0].file.name) : "";
    if (title.value === proposed) title.value = proposal;
    proposed = proposal;
  }

  function say(text) {
    status.textContent = text;
  }
}

/// `annual_report-2025.pdf` → `annual report-2025`, as the server proposes it.
function title_of(filename) {
  const stem = filename.replace(/(?<=.)\.(?=[0-9]*[a-z])[a-z0-9]{1,8}$/i, "");
  return stem.replace(/[_\s]+/g, " ").trim() || filename;
}

/// Calls `take` with the files that are dropped on an element.
function onDrop(element, take) {
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, depth + change);
    element.classList.toggle("is-over", depth > 0);
  };
  element.addEventListener("dragenter", () => over(1));
  element.addEventListener("dragleave", () => over(-1));
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    take(filesOf(event.dataTransfer));
  });
}

/// The files of a drop. A folder cannot be read as one, so it is left out, and said.
export function filesOf(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (folders.length > 0) {
    const detail = "Folders cannot be uploaded. Open the folder and drop the files in it.";
    document.dispatchEvent(new CustomEvent("say", { detail }));
  }
  const files = items.filter((item) => !folders.includes(item)).map((item) => item.getAsFile());
  return files.filter((file) => file !== null);
}

/// `2400000` → `2.4 MB`, as `bytes` in src/web/pages/format.rs.
/// As the server writes sizes: cut and not rounded, so that a file never looks larger than a limit
/// that it keeps.
function human(bytes) {
  if (bytes < 1000) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  const unit = Math.min(Math.floor(Math.log10(bytes) / 3), units.length) - 1;
  const value = Math.floor(bytes / 10 ** (3 * unit + 2)) / 10;
  return `${value < 10 ? value : Math.floor(value)} ${units[unit]}`;
}

function is_under_way({ state }) {
  return state === "sending" || state === "waiting";
}

/// What is said when every file is stored, as the server does without this script.
export function stored(answers) {
  if (answers.length === 1) return answers[0].message ?? "The document is in the library.";
  return `${answers.length.toLocaleString("en")} documents are in the library.`;
}

function leave(answers) {
  flash(stored(answers));
  location.assign(answers.length === 1 && answers[0].url ? answers[0].url : "/documents");
}
