// Tells all that is missing or wrong in a form at once, each at its field and all of them above the
// form, before it is sent: browsers alone stop at the first. What only the server can know, it says in
// the same way (templates/parts/macros.html).
for (const form of document.querySelectorAll("form[method=post]")) form.noValidate = true;

// Before the form's own scripts hear of it.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!form.noValidate) return;
    forget(form);
    const wrong = [...form.elements].filter(is_first_wrong);
    if (wrong.length === 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (wrong.some((field) => !place_of(field))) {
      wrong[0].reportValidity();
      return;
    }
    const faults = wrong.map((field) => tell(field, message(field)));
    // A menu has no room for a list, and not much to correct.
    if (form.closest("[data-menu]")) {
      faults[0].target.focus();
      return;
    }
    const summary = summary_of(faults);
    form.before(summary);
    summary.focus();
    summary.scrollIntoView({ block: "center" });
  },
  { capture: true },
);

// What is corrected is not complained about any longer.
document.addEventListener("input", ({ target }) => {
  const field = target.type === "radio" ? place_of(target) : target;
  if (!field?.hasAttribute?.("aria-invalid") || !target.validity.valid) return;
  const error = document.getElementById(`${field.id}-error`);
  if (error) withdraw(error, target.form);
  for (const summary of document.querySelectorAll(".faults")) {
    summary.querySelector(`a[href="#${field.id}"]`)?.closest("li").remove();
    const left = summary.querySelectorAll("li").length;
    if (left === 0) summary.remove();
    else summary.querySelector("strong").textContent = heading_of(left);
  }
});

/// Of the buttons of one choice, only the first counts.
function is_first_wrong(field) {
  if (!field.willValidate || field.validity.valid) return false;
  return field.type !== "radio" || field.form.elements[field.name][0] === field;
}

function message(field) {
  const { valueMissing, typeMismatch, tooShort, patternMismatch } = field.validity;
  const label = `“${label_of(field)}”`;
  if (valueMissing && field.type === "file") return "Choose a file.";
  if (valueMissing && field.type === "radio") return `Choose one for ${label}.`;
  if (valueMissing) return `Fill in ${label}.`;
  if (typeMismatch && field.type === "email") return `${label} looks like name@example.com.`;
  if (typeMismatch && field.type === "url") return `${label} begins with https:// or http://.`;
  if (tooShort) return `${label} has at least ${field.minLength} characters.`;
  if (patternMismatch && field.inputMode === "numeric") return `${label} must be a whole number.`;
  return `${label}: ${field.validationMessage}`;
}

function label_of(field) {
  const legend = field.type === "radio" && field.closest("fieldset")?.querySelector("legend");
  const label = (legend || field.labels?.[0])?.cloneNode(true);
  label?.querySelector(".field-optional")?.remove();
  return label?.textContent.trim() || field.getAttribute("aria-label") || field.name;
}

function place_of(field) {
  return field.type === "radio" ? field.closest("fieldset") : field.closest(".field, .drop");
}

/// Puts the message at the field; returns it with the way there.
function tell(field, text) {
  const target = field.type === "radio" ? place_of(field) : field;
  const error = document.createElement("p");
  error.className = "field-error";
  error.id = `${target.id || field.name}-error`;
  const said = document.createElement("span");
  said.textContent = text;
  error.append(icon("alert"), said);
  place_of(field).append(error);
  const hints = target.getAttribute("aria-describedby");
  target.setAttribute("aria-invalid", "true");
  target.setAttribute("aria-describedby", [error.id, hints].filter(Boolean).join(" "));
  return { text, target };
}

function summary_of(faults) {
  const summary = document.createElement("div");
  summary.className = "flash flash--bad faults";
  summary.setAttribute("role", "alert");
  summary.setAttribute("aria-labelledby", "faults");
  summary.tabIndex = -1;
  const heading = document.createElement("p");
  heading.id = "faults";
  const strong = document.createElement("strong");
  strong.textContent = heading_of(faults.length);
  heading.append(strong);
  const list = document.createElement("ul");
  for (const { text, target } of faults) {
    const link = document.createElement("a");
    link.href = `#${target.id}`;
    link.textContent = text;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      target.focus();
    });
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  }
  const said = document.createElement("div");
  said.className = "flash-text";
  said.append(heading, list);
  summary.append(icon("alert"), said);
  return summary;
}

function heading_of(count) {
  return `${count === 1 ? "1 thing needs" : `${count} things need`} to be corrected`;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${document.querySelector("meta[name=icons]").content}#${name}`);
  svg.append(use);
  return svg;
}

/// What was wrong the last time may be right now.
function forget(form) {
  for (const summary of document.querySelectorAll(".faults")) summary.remove();
  for (const error of form.querySelectorAll(".field-error[id]")) withdraw(error, form);
}

function withdraw(error, form) {
  for (const field of form.querySelectorAll(`[aria-describedby~="${error.id}"]`)) {
    const hints = field.getAttribute("aria-describedby").split(" ");
    const left = hints.filter((id) => id !== error.id).join(" ");
    if (left) field.setAttribute("aria-describedby", left);
    else field.removeAttribute("aria-describedby");
    field.removeAttribute("aria-invalid");
  }
  error.remove();
}
