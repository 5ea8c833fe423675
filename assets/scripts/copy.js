// Copies the text of another element: <button data-copy="its-id">.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  const source = button && document.getElementById(button.dataset.copy);
  if (!source) return;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    document.dispatchEvent(new CustomEvent("say", { detail: "Copied." }));
  } catch {
    // No permission, or not HTTPS: select it, so that the keyboard can copy it.
    getSelection().selectAllChildren(source);
    document.dispatchEvent(
      new CustomEvent("say", { detail: "Selected. Press Ctrl+C or ⌘C to copy it." }),
    );
  }
});
