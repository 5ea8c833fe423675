//! The colours against one another, computed as in WCAG 2.2 (1.4.3, 1.4.11), in light and in dark.

use std::collections::BTreeMap;

const TOKENS: &str = include_str!("../../../assets/styles/tokens.css");

const GROUNDS: [&str; 5] = ["canvas", "surface", "raised", "sunken", "hover"];

const INKS: [&str; 13] = [
    "text",
    "muted",
    "faint",
    "accent-text",
    "good",
    "warning",
    "bad",
    "red",
    "orange",
    "green",
    "blue",
    "purple",
    "gray",
];

/// Text on grounds of its own.
const PAIRS: [(&str, &str); 10] = [
    ("accent-on-fill", "accent-fill"),
    ("accent-on-fill", "bad-fill"),
    ("text", "mark"),
    ("text", "bad-soft"),
    ("text", "accent-soft"),
    ("muted", "accent-soft"),
    ("accent-text", "accent-soft"),
    ("good", "good-soft"),
    ("warning", "warning-soft"),
    ("bad", "bad-soft"),
];

/// What shows where a field or the focus is.
const EDGES: [&str; 3] = ["control-line", "accent-line", "bad"];

#[test]
fn every_text_and_every_edge_of_a_field_stands_out_from_its_ground() {
    let colors = colors();
    let mut faults = Vec::new();
    let mut look = |ink: &str, ground: &str, least: f64| {
        for (index, scheme) in ["light", "dark"].into_iter().enumerate() {
            let ratio = contrast(colors[ink][index], colors[ground][index]);
            if ratio < least {
                faults.push(format!("{ink} on {ground}, {scheme}: {ratio:.2} of {least}"));
            }
        }
    };
    for ground in GROUNDS {
        INKS.iter().for_each(|ink| look(ink, ground, 4.5));
    }
    for ground in &GROUNDS[..4] {
        EDGES.iter().for_each(|edge| look(edge, ground, 3.0));
    }
    PAIRS.iter().for_each(|(ink, ground)| look(ink, ground, 4.5));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn black_on_white_has_all_the_contrast_there_is() {
    assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 1e-9);
    assert!((contrast([119, 119, 119], [255, 255, 255]) - 4.478).abs() < 1e-3);
}

/// The tokens that are `light-dark(#rrggbb, #rrggbb)`.
fn colors() -> BTreeMap<&'static str, [[u8; 3]; 2]> {
    let declarations = TOKENS.lines().filter_map(|line| line.trim().strip_prefix("--"));
    declarations
        .filter_map(|declaration| {
            let (name, value) = declaration.split_once(": light-dark(#")?;
            let (light, dark) = value.strip_suffix(");")?.split_once(", #")?;
            Some((name, [bytes(light)?, bytes(dark)?]))
        })
        .collect()
}

fn bytes(digits: &str) -> Option<[u8; 3]> {
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some([byte(0)?, byte(2)?, byte(4)?])
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(color: [u8; 3]) -> f64 {
    let linear = color.map(|byte| {
        let share = f64::from(byte) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    linear[0] * 0.2126 + linear[1] * 0.7152 + linear[2] * 0.0722
}
