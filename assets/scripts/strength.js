// How hard a new password is to guess, roughly, while it is typed. The server decides.
const WORDS = ["", "Easy to guess", "Could be better", "Good", "Very good"];
const COMMON = /pass?w|passwor|qwert|asdf|12345|letmein|welcome|admin|iloveyou|monkey|dragon/i;

for (const input of document.querySelectorAll("[data-strength]")) {
  const place = document.getElementById(input.dataset.strength);
  const meter = place.querySelector("meter");
  const words = place.querySelector("p");
  input.addEventListener("input", () => {
    const score = input.value ? strength(input.value) : 0;
    meter.value = score;
    words.textContent = WORDS[score];
  });
}

/// 1 to 4, from the bits of an attacker who knows the kinds of characters.
function strength(password) {
  const kinds = [[/\p{Ll}/u, 26], [/\p{Lu}/u, 26], [/\d/, 10], [/[^\p{L}\d]/u, 30]];
  const alphabet = kinds.reduce((sum, [kind, size]) => sum + (kind.test(password) ? size : 0), 0);
  // Repeated and neighbouring characters add little: "aaaa", "abcd", "4321".
  let length = 0;
  for (let at = 0; at < password.length; at += 1) {
    const step = password.charCodeAt(at) - password.charCodeAt(at - 1);
    length += at > 0 && Math.abs(step) <= 1 ? 0.3 : 1;
  }
  if (COMMON.test(password)) length = Math.max(1, length - 6);
  const bits = length * Math.log2(Math.max(alphabet, 2));
  if (password.length < 10 || bits < 45) return 1;
  return bits < 60 ? 2 : bits < 80 ? 3 : 4;
}
