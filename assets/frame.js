// What every page can do; build.rs puts the parts in here, so that it is one request.
import "./scripted.js";
