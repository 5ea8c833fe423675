//! Reads HTML tag by tag and says what is wrong with it. No more of a parser than our own templates
//! need: attributes in double quotes, no optional end tags.

use std::collections::BTreeSet;

use appliance::web::assets;

/// Elements without an end tag (HTML standard, "Void elements").
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"];

#[derive(Clone, Debug)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    is_end: bool,
    is_self_closing: bool,
    /// The text between this tag and the next.
    text: String,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str) -> bool {
        self.name == name && !self.is_end
    }
}

pub fn faults(html: &str, is_fragment: bool, icons: &[String]) -> Vec<String> {
    let tags = match tags_of(html) {
        Ok(tags) => tags,
        Err(fault) => return vec![fault],
    };
    let mut faults = Vec::new();
    faults.extend(nesting(&tags));
    faults.extend(inline_code(&tags));
    faults.extend(references(&tags, icons, is_fragment));
    faults.extend(labels(&tags));
    faults.extend(forms(&tags));
    faults.extend(order_of_focus(&tags));
    if !is_fragment {
        faults.extend(outline(&tags));
        faults.extend(landmarks(&tags));
    }
    faults
}

fn tags_of(html: &str) -> Result<Vec<Tag>, String> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        if let Some(last) = tags.last_mut() {
            last.text = rest[..start].trim().to_owned();
        }
        rest = &rest[start + 1..];
        if rest.starts_with('!') {
            rest = &rest[rest.find('>').ok_or("a comment does not end")? + 1..];
            continue;
        }
        let is_end = rest.starts_with('/');
        rest = rest.strip_prefix('/').unwrap_or(rest);
        let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..name_end].to_ascii_lowercase();
        rest = &rest[name_end..];
        let mut attributes = Vec::new();
        let is_self_closing = loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("/>") {
                rest = after;
                break true;
            }
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break false;
            }
            let end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
                .filter(|end| *end > 0)
                .ok_or(format!("<{name}> does not end: {:.40}", rest))?;
            let key = rest[..end].to_owned();
            rest = &rest[end..];
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.strip_prefix('"').ok_or(format!("{key}= lacks its quotes"))?;
                let close = after.find('"').ok_or(format!("{key}= does not end"))?;
                value = after[..close].to_owned();
                rest = &after[close + 1..];
                if !rest.starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/')) {
                    return Err(format!("something sticks to the end of {key}=\"{value}\""));
                }
            }
            if attributes.iter().any(|(known, _)| *known == key) {
                return Err(format!("<{name}> has {key} twice"));
            }
            attributes.push((key, value));
        };
        tags.push(Tag { name, attributes, is_end, is_self_closing, text: String::new() });
    }
    Ok(tags)
}

/// Every element ends, in the order it began.
fn nesting(tags: &[Tag]) -> Vec<String> {
    let mut open: Vec<&Tag> = Vec::new();
    for tag in tags {
        if tag.is_self_closing || VOID.contains(&tag.name.as_str()) {
            continue;
        }
        if !tag.is_end {
            // A paragraph ends where a block begins, which nobody means who writes </p>.
            let in_paragraph = open.last().is_some_and(|parent| parent.name == "p");
            if in_paragraph && ["p", "div", "ul", "ol", "form", "section"].contains(&&*tag.name) {
                return vec![format!("<{}> inside <p>", tag.name)];
            }
            open.push(tag);
            continue;
        }
        match open.pop() {
            Some(start) if start.name == tag.name => {}
            Some(start) => return vec![format!("</{}> closes <{}>", tag.name, start.name)],
            None => return vec![format!("</{}> closes nothing", tag.name)],
        }
    }
    let unclosed = open.iter().map(|tag| format!("<{}> does not end", tag.name));
    // One is enough: the rest follow from it.
    unclosed.take(1).collect()
}

fn inline_code(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    for tag in tags.iter().filter(|tag| !tag.is_end) {
        for (key, value) in &tag.attributes {
            if key == "style" || key.starts_with("on") {
                faults.push(format!("<{}> has an inline {key}", tag.name));
            }
            if value.trim_start().to_ascii_lowercase().starts_with("javascript:") {
                faults.push(format!("<{}> has a javascript: address", tag.name));
            }
        }
        if tag.is("style") {
            faults.push("<style> is inline".to_owned());
        }
        if tag.is("script") && (tag.get("src").is_none() || !tag.text.is_empty()) {
            faults.push("<script> is inline".to_owned());
        }
    }
    faults
}

/// What is named exists: ids, assets, icons; and nothing is loaded from elsewhere.
fn references(tags: &[Tag], icons: &[String], is_fragment: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    for id in tags.iter().filter_map(|tag| tag.get("id")) {
        if !ids.insert(id) {
            faults.push(format!("id {id} occurs twice"));
        }
    }
    let known_assets: BTreeSet<&str> = assets::all().map(|(_, path)| path).collect();
    for tag in tags.iter().filter(|tag| !tag.is_end) {
        let referring =
            ["for", "aria-labelledby", "aria-describedby", "popovertarget", "list", "form"];
        for key in referring {
            for id in tag.get(key).unwrap_or_default().split_whitespace() {
                // A fragment may refer to the page around it.
                if !ids.contains(id) && !is_fragment {
                    faults.push(format!("{key}={id} leads nowhere"));
                }
            }
        }
        let on_page = tag.get("href").and_then(|href| href.strip_prefix('#'));
        if on_page.is_some_and(|id| !ids.contains(id)) && tag.name == "a" && !is_fragment {
            faults.push(format!("href={:?} leads nowhere", tag.get("href")));
        }
        for key in ["src", "href", "data", "poster"] {
            let Some(address) = tag.get(key) else { continue };
            let (path, fragment) = address.split_once('#').unwrap_or((address, ""));
            if tag.name == "use" && !icons.iter().any(|icon| icon == fragment) {
                faults.push(format!("there is no icon {fragment}"));
            } else if path.starts_with("/static/") && !path.starts_with("/static/accent-") {
                if tag.name != "use" && !known_assets.contains(path) {
                    faults.push(format!("there is no asset {path}"));
                }
            } else if tag.name != "a" && !path.is_empty() && !path.starts_with('/') {
                faults.push(format!("<{}> loads {path}", tag.name));
            }
        }
    }
    faults
}

/// Everything that people fill in, press or look at says what it is.
fn labels(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    let labelled: BTreeSet<&str> = tags.iter().filter_map(|tag| tag.get("for")).collect();
    let mut labels_open = 0;
    for (index, tag) in tags.iter().enumerate() {
        if tag.name == "label" {
            labels_open += if tag.is_end { -1 } else { 1 };
        }
        if tag.is_end {
            continue;
        }
        let is_named = ["aria-label", "aria-labelledby"]
            .iter()
            .any(|key| tag.get(key).is_some_and(|value| !value.trim().is_empty()));
        let has_label =
            is_named || labels_open > 0 || tag.get("id").is_some_and(|id| labelled.contains(id));
        // Nobody fills in the name of the field: a macro's parameter hides the page's value.
        if tag.name == "input" && tag.get("value").is_some() && tag.get("value") == tag.get("name")
        {
            faults.push(format!("the value of an input is its name: {:?}", tag.get("name")));
        }
        match tag.name.as_str() {
            "input" if tag.get("type") == Some("hidden") => {}
            "input" | "select" | "textarea" | "meter" | "progress"
                // Progress inside <template> gets its name from the script.
                if !has_label && (tag.name != "progress" || tag.get("hidden").is_none()) =>
            {
                faults.push(format!("<{}> has no label: {:?}", tag.name, tag.attributes));
            }
            "button" | "a" | "summary"
                if !is_named && text_within(tags, index).is_empty()
                // The script names the cancel button of a transfer.
                && tag.get("data-cancel").is_none() =>
            {
                faults.push(format!("<{}> has no text: {:?}", tag.name, tag.attributes));
            }
            // Who speaks to the device says what stands on the button.
            "button" | "a" | "summary"
                if !tag.get("aria-label").unwrap_or_default().to_lowercase().contains(
                    text_within(tags, index).to_lowercase().trim(),
                ) && tag.get("aria-label").is_some() =>
            {
                faults.push(format!("<{}> is called otherwise: {:?}", tag.name, tag.attributes));
            }
            "img" if tag.get("alt").is_none() => faults.push("<img> lacks alt".to_owned()),
            "object" | "iframe" if !is_named => faults.push(format!("<{}> has no name", tag.name)),
            _ => {}
        }
    }
    faults
}

/// The text of an element, the alternatives of its pictures included.
fn text_within(tags: &[Tag], start: usize) -> String {
    let mut text = String::new();
    let mut depth = 0;
    for tag in &tags[start..] {
        let is_void = tag.is_self_closing || VOID.contains(&tag.name.as_str());
        if tag.is_end {
            depth -= 1;
        } else if !is_void {
            depth += 1;
        }
        if depth == 0 {
            break;
        }
        text += tag.get("alt").unwrap_or_default();
        text += &tag.text;
    }
    text
}

/// A form that changes something carries the token, first of all: the server reads a file behind it
/// only after it has seen the token.
fn forms(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, tag) in tags.iter().enumerate().filter(|(_, tag)| tag.is("form")) {
        let first_input = tags[index..].iter().find(|tag| tag.is("input"));
        let has_token = first_input.is_some_and(|input| input.get("name") == Some("csrf"));
        if tag.get("method") == Some("post") && !has_token {
            faults.push(format!("the form to {:?} lacks the token", tag.get("action")));
        }
    }
    faults
}

/// The keyboard goes through the page as it is written, and begins at one place.
fn order_of_focus(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    for tag in tags {
        if tag.get("tabindex").is_some_and(|index| index != "0" && index != "-1") {
            faults.push(format!("<{}> jumps the queue of the keyboard", tag.name));
        }
    }
    let begin = tags.iter().filter(|tag| tag.get("autofocus").is_some()).count();
    if begin > 1 {
        faults.push(format!("{begin} places want the focus"));
    }
    faults
}

/// The parts of a page that a screen reader lists: one main part, and no two others that it would
/// announce alike.
fn landmarks(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    let mains = tags.iter().filter(|tag| tag.is("main")).count();
    if mains != 1 {
        faults.push(format!("{mains} <main>"));
    }
    let mut known = BTreeSet::new();
    for tag in tags.iter().filter(|tag| !tag.is_end) {
        let is_region = tag.name == "section" || tag.get("role") == Some("region");
        let name = tag.get("aria-label").or(tag.get("aria-labelledby"));
        match (tag.name.as_str(), name) {
            ("nav" | "aside", None) => faults.push(format!("<{}> has no name", tag.name)),
            ("nav" | "aside", Some(name)) if !known.insert(name) => {
                faults.push(format!("two parts are called {name}"));
            }
            (_, Some(name)) if is_region && !known.insert(name) => {
                faults.push(format!("two parts are called {name}"));
            }
            _ => {}
        }
    }
    faults
}

fn outline(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    let count = |name: &str| tags.iter().filter(|tag| tag.is(name)).count();
    if count("h1") != 1 {
        faults.push(format!("{} <h1>", count("h1")));
    }
    if tags.first().and_then(|tag| tag.get("lang")).is_none() {
        faults.push("<html> has no lang".to_owned());
    }
    if !tags.iter().any(|tag| tag.is("title") && !tag.text.is_empty()) {
        faults.push("<title> is empty".to_owned());
    }
    let mut level = 1;
    for tag in tags.iter().filter(|tag| !tag.is_end && tag.name.len() == 2) {
        if let Some(next) = tag.name.strip_prefix('h').and_then(|digit| digit.parse::<u32>().ok()) {
            if next > level + 1 {
                faults.push(format!("<h{next}> follows <h{level}>"));
            }
            level = next;
        }
    }
    faults
}
