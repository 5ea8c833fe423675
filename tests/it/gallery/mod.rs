//! Every template, rendered with rich samples and checked: what a browser, a screen reader or the
//! content security policy would stumble over is an error here.
//!
//! To look at the pages, name a folder and serve it:
//! `GALLERY=/tmp/gallery cargo nextest run gallery && python3 -m http.server -d /tmp/gallery`.

mod checks;
mod contrast;
mod samples;

use std::{fs, path::Path};

use appliance::web::{assets, pages::accent::Accent};

/// One rendered template.
pub struct Exhibit {
    /// The name of the file in the gallery.
    pub name: &'static str,
    pub html: String,
    /// A piece of a page, not a whole one.
    pub is_fragment: bool,
}

#[test]
fn every_page_is_well_formed_labelled_and_free_of_inline_code() {
    let exhibits = samples::all();
    let icons = icon_names();
    let mut faults = Vec::new();
    for exhibit in &exhibits {
        for fault in checks::faults(&exhibit.html, exhibit.is_fragment, &icons) {
            faults.push(format!("{}: {fault}", exhibit.name));
        }
    }
    if let Some(folder) = std::env::var_os("GALLERY") {
        hang(Path::new(&folder), &exhibits);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_checks_find_faults() {
    let find = |body: &str| {
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><title>T</title></head><body><main><h1>T</h1>{body}\
             </main></body></html>"
        );
        checks::faults(&html, false, &icon_names())
    };
    assert_eq!(find("<p>Fine</p>"), Vec::<String>::new());
    for body in [
        "<p style=\"color: red\">Red</p>",
        "<p onclick=\"act()\">Act</p>",
        "<script>act()</script>",
        "<script src=\"https://elsewhere.example/x.js\"></script>",
        "<a href=\"javascript:act()\">Act</a>",
        "<input name=\"x\">",
        "<label for=\"x\">X</label>",
        "<p id=\"x\"></p><p id=\"x\"></p>",
        "<h1>Again</h1>",
        "<p>Never closed",
        "<p></div>",
        "<button></button>",
        "<img src=\"/x.png\">",
        "<link rel=\"stylesheet\" href=\"/static/none.css\">",
        "<svg><use href=\"/static/icons.svg#no-such-icon\"/></svg>",
        "<form method=\"post\" action=\"/x\"></form>",
        "<p aria-describedby=\"nowhere\"></p>",
        "<input aria-label=\"Title\" name=\"title\" value=\"title\">",
        "<button aria-label=\"Remove\">Delete</button>",
        "<a href=\"#nowhere\">Down</a>",
        "<nav><a href=\"/\">Start</a></nav>",
        "<nav aria-label=\"A\"></nav><nav aria-label=\"A\"></nav>",
        "<main></main>",
        "<p tabindex=\"3\">Third</p>",
        "<p autofocus></p><p autofocus></p>",
    ] {
        assert_eq!(find(body).len(), 1, "{body}: {:?}", find(body));
    }
}

/// The names in the sprite.
fn icon_names() -> Vec<String> {
    let sprite = assets::content("icons.svg").expect("the sprite is an asset");
    let sprite = String::from_utf8(sprite.to_vec()).expect("the sprite is text");
    let symbols = sprite.split("<symbol id=\"").skip(1);
    symbols.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

/// Writes the pages and everything they load into a folder.
fn hang(folder: &Path, exhibits: &[Exhibit]) {
    fs::create_dir_all(folder.join("static")).expect("making the gallery's folder");
    fs::create_dir_all(folder.join("samples")).expect("making the gallery's folder");
    let mut links = String::new();
    for exhibit in exhibits {
        let file = format!("{}.html", exhibit.name);
        links += &format!("<li><a href=\"/{file}\">{}</a></li>", exhibit.name);
        fs::write(folder.join(file), &exhibit.html).expect("writing a page");
    }
    let index =
        format!("<!doctype html><meta charset=utf-8><title>Gallery</title><ul>{links}</ul>");
    fs::write(folder.join("index.html"), index).expect("writing the index");
    for (name, path) in assets::all() {
        let content = assets::content(name).expect("an asset has content");
        fs::write(folder.join(path.trim_start_matches('/')), content).expect("writing an asset");
    }
    for color in samples::ACCENTS {
        let accent = Accent::parse(color).expect("a color");
        let path = assets::accent_sheet(accent);
        fs::write(folder.join(path.trim_start_matches('/')), accent.style_sheet())
            .expect("writing an accent");
    }
    for (name, svg) in samples::pictures() {
        fs::write(folder.join("samples").join(name), svg).expect("writing a picture");
    }
}
