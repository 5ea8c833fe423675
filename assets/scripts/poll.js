// Asks for a piece of the page again while something in it is under way: <section data-poll="/url">
// as long as it holds an element with data-pending. Slower each time, and not in the background.
const FIRST_MS = 1500;
const LONGEST_MS = 15_000;

for (const section of document.querySelectorAll("[data-poll]")) follow(section);

function follow(section, pause_ms = FIRST_MS) {
  if (!section.querySelector("[data-pending]")) return;
  setTimeout(async () => {
    if (!document.hidden && !section.contains(document.activeElement)) await refresh(section);
    follow(section, Math.min(pause_ms * 1.3, LONGEST_MS));
  }, pause_ms);
}

async function refresh(section) {
  try {
    const answer = await fetch(section.dataset.poll);
    // What was looked at is over; the whole page says how.
    if (answer.status === 404) return location.reload();
    if (!answer.ok || answer.redirected) return;
    const html = await answer.text();
    if (html === section.innerHTML) return;
    section.innerHTML = html;
    section.dispatchEvent(new CustomEvent("replaced", { bubbles: true }));
  } catch {
    // Offline for a moment: the next round tries again.
  }
}
