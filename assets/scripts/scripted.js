// Says that scripts run: the style sheet then shows what needs them and hides what stands in.
document.documentElement.classList.add("scripted");
