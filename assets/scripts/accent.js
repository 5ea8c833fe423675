// Whoever picks a color wants it: the choice beside it follows.
for (const row of document.querySelectorAll("[data-accent]")) {
  const own = row.querySelector("input[type=radio][value='0']");
  row.querySelector("input[type=color]").addEventListener("input", () => {
    own.checked = true;
  });
}
