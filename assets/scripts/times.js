// Keeps "3 minutes ago" true while the page stays open, and says the local time on hover.
// The words and limits are those of `relative` in src/web/pages/format.rs.
const REFRESH_MS = 30_000;
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });

function relative(at, now) {
  const seconds = Math.trunc((at - now) / 1000);
  const away = Math.abs(seconds);
  if (away < 45) return "just now";
  const [value, one, many] =
    away < 3570 ? [Math.floor((away + 30) / 60), "minute", "minutes"]
    : away < 84_600 ? [Math.floor((away + 1800) / 3600), "hour", "hours"]
    : [Math.floor((away + 43_200) / 86_400), "day", "days"];
  if (one === "day" && value <= 1) return seconds < 0 ? "yesterday" : "tomorrow";
  const text = `${Math.max(1, value)} ${value <= 1 ? one : many}`;
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

function refresh() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    time.title = full.format(at);
    // Older ones show the date, which stays.
    if (Math.abs(at - now) < 2_592_000_000) time.textContent = relative(at, now);
  }
}

refresh();
setInterval(refresh, REFRESH_MS);
document.addEventListener("replaced", refresh);
