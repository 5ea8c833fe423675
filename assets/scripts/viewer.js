// The strip of page images: buttons, the number of the page in view. Also tells the style sheet
// when the browser has no PDF viewer, so that the images come first.
if (navigator.pdfViewerEnabled === false) document.documentElement.classList.add("no-pdf-viewer");

enhanceAll(document);
document.addEventListener("replaced", (event) => enhanceAll(event.target));

function enhanceAll(root) {
  for (const pages of root.querySelectorAll("[data-pages]")) enhance(pages);
}

function enhance(pages) {
  const strip = pages.querySelector("[data-strip]");
  const number = pages.querySelector("[data-page]");
  const previous = pages.querySelector("[data-previous]");
  const next = pages.querySelector("[data-next]");
  const figures = [...strip.children];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let current = 0;

  const go = (to) => {
    const left = figures[Math.min(Math.max(to, 0), figures.length - 1)].offsetLeft;
    const behavior = calm.matches ? "instant" : "smooth";
    strip.scrollTo({ left: left - figures[0].offsetLeft, behavior });
  };
  previous.addEventListener("click", () => go(current - 1));
  next.addEventListener("click", () => go(current + 1));
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -1, PageDown: 1 }[event.key];
    const end = { Home: 0, End: figures.length - 1 }[event.key];
    if (step === undefined && end === undefined) return;
    event.preventDefault();
    go(end ?? current + step);
  });

  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) current = figures.indexOf(entry.target);
      }
      number.textContent = String(current + 1);
      previous.setAttribute("aria-disabled", String(current === 0));
      next.setAttribute("aria-disabled", String(current === figures.length - 1));
    },
    { root: strip, threshold: 0.6 },
  );
  for (const figure of figures) seen.observe(figure);
}
