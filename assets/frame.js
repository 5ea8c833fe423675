// What every page can do; build.rs puts the parts in here, so that it is one request.
import "./scripted.js";
import "./menus.js";
import "./theme.js";
import "./messages.js";
import "./times.js";
import "./shortcuts.js";
import "./faults.js";
import "./confirm.js";
import "./copy.js";
import "./once.js";
