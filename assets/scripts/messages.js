// Takes a message away when its cross is pressed, and shows messages that other scripts bring:
// `document.dispatchEvent(new CustomEvent("say", { detail: "Copied." }))`.
const SHOWN_MS = 6000;

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest("[data-flash]")?.remove();
});

const toasts = document.createElement("div");
toasts.className = "toasts";
toasts.setAttribute("role", "status");
document.body.append(toasts);

document.addEventListener("say", (event) => {
  const toast = document.createElement("p");
  toast.className = "toast";
  toast.textContent = event.detail;
  toasts.replaceChildren(toast);
  setTimeout(() => toast.remove(), SHOWN_MS);
});
