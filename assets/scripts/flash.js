/// Leaves a sentence for the next page, which shows it as after an ordinary form: the cookie is that
/// of src/web/pages/frame.rs.
export function flash(text) {
  const json = JSON.stringify({ is_bad: false, text, undo: null });
  const bytes = String.fromCharCode(...new TextEncoder().encode(json));
  const value = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  document.cookie = `flash=${value}; path=/; samesite=lax`;
}
