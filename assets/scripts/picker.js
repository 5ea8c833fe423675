// The box above a long list of checkboxes: shows only what matches, and what is chosen.
narrow(document);

export function narrow(root) {
  for (const picker of root.querySelectorAll("[data-picker]")) {
    const box = picker.querySelector("[data-picker-filter]");
    const none = picker.querySelector("[data-picker-none]");
    const options = [...picker.querySelectorAll(".picker-option")];
    const texts = options.map((option) => fold(option.textContent));
    box?.addEventListener("input", () => {
      const wanted = fold(box.value).trim();
      let shown = 0;
      options.forEach((option, index) => {
        const is_chosen = option.querySelector("input").checked;
        option.hidden = !texts[index].includes(wanted) && !is_chosen;
        shown += option.hidden ? 0 : 1;
      });
      none.hidden = shown > 0 || options.length === 0;
    });
    // Enter narrows; it does not send the form.
    box?.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
}

/// Lower case without accents, so that "lopez" finds López.
function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
