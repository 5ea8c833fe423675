// The library without reloading: results while typing, filters and pages in place. The address
// always says what is shown; whatever goes wrong, the browser goes there the ordinary way.
const PAUSE_MS = 120;
const input = document.querySelector("[data-search]");
const results = document.querySelector("[data-results]");
const status = document.querySelector("[data-results-status]");
/// What follows the results' own part of the document's title: the name of the organization.
const title_end = document.title.slice(results.firstElementChild.dataset.title.length);
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
  show(new URL(link.href), { focus: place_of(link) });
});

results.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-results-form]");
  if (!form) return;
  event.preventDefault();
  const address = new URL(form.action);
  for (const [name, value] of new FormData(form)) {
    if (value) address.searchParams.append(name, value);
  }
  show(address, { focus: place_of(form) });
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

async function show(address, { replace = false, stay = false, focus = null } = {}) {
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
    put(html);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
    return;
  }
  results.removeAttribute("aria-busy");
  if (replace) history.replaceState(null, "", address);
  else if (!stay) history.pushState(null, "", address);
  const fragment = results.firstElementChild;
  status.textContent = `${fragment?.dataset.summary ?? ""} found`;
  document.title = `${fragment?.dataset.title ?? ""}${title_end}`;
  keep(address);
  if (focus) refocus(focus);
  results.dispatchEvent(new CustomEvent("replaced", { bubbles: true }));
}

/// Puts the new results in place. Filters that were open stay open: the sheet on a phone, and the
/// lists of more.
function put(html) {
  const sheet = results.querySelector("#filters");
  const was_open = sheet?.matches(":popover-open");
  const scrolled = sheet?.scrollTop ?? 0;
  const open = [...results.querySelectorAll(".facet details[open]")].map(section_of);
  results.innerHTML = html;
  const fresh = results.querySelector("#filters");
  for (const details of results.querySelectorAll(".facet details")) {
    if (open.includes(section_of(details))) details.open = true;
  }
  if (was_open) fresh?.showPopover();
  if (fresh) fresh.scrollTop = scrolled;
}

const section_of = (element) => element.closest(".facet")?.getAttribute("aria-labelledby");
const label_of = (link) => link.getAttribute("aria-label") ?? link.querySelector("span")?.textContent;

/// Where a link stands, to find its like in the new results.
function place_of(link) {
  return { section: section_of(link), label: label_of(link) };
}

/// The same filter has the focus again, so that the next is one key away; for any other link the
/// count of the results has it.
function refocus({ section, label }) {
  const filters = section ? [...results.querySelectorAll(".facet a[data-results-link]")] : [];
  const same = filters.find((it) => section_of(it) === section && label_of(it) === label);
  if (same?.checkVisibility()) {
    same.focus({ preventScroll: true });
    return;
  }
  const count = results.querySelector(".results-count, .empty h3");
  const target = count?.checkVisibility() ? count : results.querySelector("#results-heading");
  target?.setAttribute("tabindex", "-1");
  target?.focus({ preventScroll: true });
  if (results.getBoundingClientRect().top < 0) scrollTo({ top: 0 });
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
