// Choosing rows of a table: all at once, a range with Shift, and how many are chosen.
for (const form of document.querySelectorAll("form[data-selection]")) {
  const boxes = () => [...form.querySelectorAll("tbody input[type=checkbox]")];
  // One in the head of the table, one in the bar on a phone.
  const alls = [...form.querySelectorAll("[data-select-all]")];
  const bar = form.querySelector("[data-selection-bar]");
  const count = form.querySelector("[data-selected-count]");
  let last = null;

  form.addEventListener("click", (event) => {
    const box = event.target.closest("tbody input[type=checkbox]");
    if (!box) return;
    const list = boxes();
    if (event.shiftKey && last && list.includes(last)) {
      const [from, to] = [list.indexOf(last), list.indexOf(box)].sort((a, b) => a - b);
      for (const between of list.slice(from, to + 1)) between.checked = box.checked;
    }
    last = box;
    refresh();
  });
  for (const all of alls) {
    all.addEventListener("change", () => {
      for (const box of boxes()) box.checked = all.checked;
      refresh();
    });
  }
  // The browser may have kept the boxes from before.
  addEventListener("pageshow", refresh);
  refresh();

  function refresh() {
    const list = boxes();
    const chosen = list.filter((box) => box.checked).length;
    count.textContent = chosen === 0 ? "None selected" : `${chosen} selected`;
    bar.classList.toggle("is-active", chosen > 0);
    for (const button of bar.querySelectorAll("button, select")) button.disabled = chosen === 0;
    for (const all of alls) {
      all.checked = chosen > 0 && chosen === list.length;
      all.indeterminate = chosen > 0 && chosen < list.length;
    }
  }
}
