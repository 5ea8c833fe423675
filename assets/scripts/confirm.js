// Asks once before an act that cannot be undone: <form data-confirm="Delete it?"
// data-confirm-detail="…" data-confirm-button="Delete">; a button's own attributes win over its
// form's. Says so to the server with `confirmed=1`, which otherwise shows a page that asks.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  const said = button?.dataset.confirm ? button.dataset : form.dataset;
  if (!said.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  ask(said).then((agreed) => {
    if (!agreed) return;
    form.dataset.confirmed = "1";
    const confirmed = document.createElement("input");
    confirmed.type = "hidden";
    confirmed.name = "confirmed";
    confirmed.value = "1";
    form.append(confirmed);
    form.requestSubmit(button);
  });
});

function ask({ confirm, confirmDetail, confirmButton }) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "confirm-heading");
  const heading = document.createElement("h2");
  heading.id = "confirm-heading";
  heading.textContent = confirm;
  const detail = document.createElement("p");
  detail.className = "muted";
  detail.textContent = confirmDetail ?? "";
  const form = document.createElement("form");
  form.method = "dialog";
  form.className = "button-row";
  form.append(
    choice("Cancel", "", "button"),
    choice(confirmButton ?? "Continue", "yes", "button button--danger-main"),
  );
  dialog.append(heading, detail, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => {
      answer(dialog.returnValue === "yes");
      dialog.remove();
    });
  });
}

function choice(text, value, className) {
  const button = document.createElement("button");
  button.textContent = text;
  button.value = value;
  button.className = className;
  return button;
}
