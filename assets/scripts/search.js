// The library without reloading: results while typing, filters and pages in place. The address
// always says what is shown; whatever goes wrong, the browser goes there the ordinary way.
const PAUSE_MS = 120;
const input = document.querySelector("[data-search]");
const results = document.querySelector("[data-results]");
const status = document.querySelector("[data-results-status]");
let under_way = null;
let timer = 0;

input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => show(searched(), { replace: true }), PAUSE_MS);
});

input.form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  show(searched(), { replace: true });
});

results.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-results-link]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(new URL(link.href), { focus: true });
});

results.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-results-form]");
  if (!form) return;
  event.preventDefault();
  const address = new URL(form.action);
  for (const [name, value] of new FormData(form)) {
    if (value) address.searchParams.append(name, value);
  }
  show(address, { focus: true });
});

addEventListener("popstate", () => {
  const address = new URL(location.href);
  input.value = address.searchParams.get("q") ?? "";
  show(address, { stay: true });
});

document.addEventListener("library-changed", () => show(new URL(location.href), { stay: true }));

// Down from the box into the results, and up and down through them.
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...results.querySelectorAll("a[data-result]")];
  const at = links.indexOf(document.activeElement);
  const in_box = document.activeElement === input;
  if (at < 0 && !in_box) return;
  if (in_box && event.key === "ArrowUp") return;
  event.preventDefault();
  const next = in_box ? 0 : at + (event.key === "ArrowDown" ? 1 : -1);
  (next < 0 ? input : (links[next] ?? links[at]))?.focus();
});

/// The address of the current filters with what is typed now, from the first page.
function searched() {
  const address = new URL(location.href);
  const text = input.value.trim();
  if (text) address.searchParams.set("q", text);
  else address.searchParams.delete("q");
  address.searchParams.delete("after");
  return address;
}

async function show(address, { replace = false, stay = false, focus = false } = {}) {
  under_way?.abort();
  const request = new AbortController();
  under_way = request;
  results.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`/documents/results${address.search}`, { signal: request.signal });
    // Signed out meanwhile: the ordinary way leads to signing in.
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
    const html = await answer.text();
    if (request.signal.aborted) return;
    results.innerHTML = html;
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
    return;
  }
  results.removeAttribute("aria-busy");
  if (replace) history.replaceState(null, "", address);
  else if (!stay) history.pushState(null, "", address);
  const fragment = results.firstElementChild;
  status.textContent = `${fragment?.dataset.summary ?? ""} found`;
  keep(address);
  if (focus) {
    const heading = results.querySelector("#results-heading");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
    if (results.getBoundingClientRect().top < 0) scrollTo({ top: 0 });
  }
  results.dispatchEvent(new CustomEvent("replaced", { bubbles: true }));
}

/// The form of the box carries the filters too, for those who leave the script behind.
function keep(address) {
  for (const hidden of input.form.querySelectorAll("input[type=hidden]")) hidden.remove();
  for (const [name, value] of address.searchParams) {
    if (name === "q" || name === "after") continue;
    const hidden = document.createElement("input");
    Object.assign(hidden, { type: "hidden", name, value });
    input.form.append(hidden);
  }
}
