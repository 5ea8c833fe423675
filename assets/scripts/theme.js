// Switches between light and dark at once; without it the form asks the server to set the cookie.
const YEAR_S = 365 * 24 * 60 * 60;

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-theme-switch]");
  const theme = event.submitter?.value;
  if (!form || !theme) return;
  event.preventDefault();
  document.documentElement.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=${YEAR_S}; samesite=lax`;
  for (const button of document.querySelectorAll("form[data-theme-switch] button[name=theme]")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
});
