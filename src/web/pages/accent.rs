//! One colour per organization, and every shade that the pages need of it.
//!
//! People choose any colour: a pale yellow, black, a neon green. Text and buttons must stay
//! readable in light and dark all the same, so the shades are computed here: the hue and chroma
//! stay, and the lightness moves until the contrast that WCAG 2.2 asks for is reached. Lightness is
//! moved in OKLCH, where equal steps look equal (Björn Ottosson, "A perceptual color space for
//! image processing").

use std::fmt;

/// Text on a surface: 4.5 is the rule; the rest is for rounding to 8 bits.
const TEXT_CONTRAST_MIN: f64 = 4.6;

/// Borders and focus rings: 3 is the rule.
const LINE_CONTRAST_MIN: f64 = 3.1;

/// The surfaces that accent text stands on: the canvas of `styles/tokens.css` and its raised
/// surfaces lie between these, per theme.
const LIGHT_SURFACE: Rgb = Rgb(0xff, 0xff, 0xff);
const LIGHT_CANVAS: Rgb = Rgb(0xf6, 0xf6, 0xf4);
const DARK_SURFACE: Rgb = Rgb(0x22, 0x24, 0x28);
const DARK_CANVAS: Rgb = Rgb(0x12, 0x13, 0x15);

const WHITE: Rgb = Rgb(0xff, 0xff, 0xff);
const INK: Rgb = Rgb(0x0a, 0x0b, 0x0d);

/// An organization's accent colour; shown as six hexadecimal digits without a `#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent(Rgb);

impl Accent {
    /// What an organization has until it chooses: `styles/tokens.css` carries its shades.
    pub const DEFAULT: Accent = Accent(Rgb(0x1d, 0x6b, 0x5c));

    /// Reads `#1d6b5c` or `1d6b5c`.
    pub fn parse(text: &str) -> Option<Accent> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Accent(Rgb(channel(0)?, channel(2)?, channel(4)?)))
    }

    /// The custom properties that `styles/tokens.css` gives for the default accent, for this one.
    pub fn style_sheet(self) -> String {
        let (light, dark) = (Shades::light(self.0), Shades::dark(self.0));
        let property = |name: &str, light: Rgb, dark: Rgb| {
            format!("  --accent-{name}: light-dark(#{light}, #{dark});\n")
        };
        let mut sheet = String::from(":root {\n");
        sheet += &property("fill", light.fill, dark.fill);
        sheet += &property("on-fill", light.on_fill, dark.on_fill);
        sheet += &property("text", light.text, dark.text);
        sheet += &property("line", light.line, dark.line);
        sheet += &property("soft", light.soft, dark.soft);
        sheet + "}\n"
    }
}

impl fmt::Display for Accent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What the pages use of an accent in one theme.
struct Shades {
    /// The main button.
    fill: Rgb,
    /// Text on the main button.
    on_fill: Rgb,
    /// Links and marked text, on any surface of the theme and on `soft`.
    text: Rgb,
    /// Focus rings and the borders of what is chosen.
    line: Rgb,
    /// A quiet background for what is chosen.
    soft: Rgb,
}

impl Shades {
    fn light(accent: Rgb) -> Shades {
        let soft = mix(accent, LIGHT_SURFACE, 0.09);
        // A white button on a white page would not be seen.
        let fill = moved_until(accent, -1.0, |shade| contrast(shade, LIGHT_CANVAS) >= 1.6);
        Shades {
            text: moved_until(accent, -1.0, |shade| {
                contrast(shade, LIGHT_CANVAS).min(contrast(shade, soft)) >= TEXT_CONTRAST_MIN
            }),
            line: moved_until(accent, -1.0, |shade| {
                contrast(shade, LIGHT_CANVAS) >= LINE_CONTRAST_MIN
            }),
            soft,
            ..Shades::filled(fill)
        }
    }

    fn dark(accent: Rgb) -> Shades {
        let soft = mix(accent, DARK_CANVAS, 0.2);
        let fill = moved_until(accent, 1.0, |shade| contrast(shade, DARK_SURFACE) >= 1.6);
        Shades {
            text: moved_until(accent, 1.0, |shade| {
                contrast(shade, DARK_SURFACE).min(contrast(shade, soft)) >= TEXT_CONTRAST_MIN
            }),
            line: moved_until(accent, 1.0, |shade| {
                contrast(shade, DARK_SURFACE) >= LINE_CONTRAST_MIN
            }),
            soft,
            ..Shades::filled(fill)
        }
    }

    /// A fill with readable text on it; the fill gives way where neither white nor ink is.
    fn filled(fill: Rgb) -> Shades {
        let prefers_white = contrast(fill, WHITE) >= 3.6;
        let on_fill = if prefers_white { WHITE } else { INK };
        let direction = if prefers_white { -1.0 } else { 1.0 };
        let fill =
            moved_until(fill, direction, |shade| contrast(shade, on_fill) >= TEXT_CONTRAST_MIN);
        Shades { fill, on_fill, text: fill, line: fill, soft: fill }
    }
}

/// The nearest shade, lighter (`direction` 1) or darker (-1), that is good enough. Ends at white
/// or black, which is why the number of steps is bounded.
fn moved_until(color: Rgb, direction: f64, is_good: impl Fn(Rgb) -> bool) -> Rgb {
    const STEPS: u32 = 200;
    let start = Oklch::from(color);
    let mut shade = color;
    for step in 0..=STEPS {
        if is_good(shade) {
            break;
        }
        let lightness = start.lightness + direction * f64::from(step) / f64::from(STEPS);
        shade = Oklch { lightness: lightness.clamp(0.0, 1.0), ..start }.to_rgb();
    }
    shade
}

/// A little of one colour in another, as `color-mix(in srgb, …)` does it.
fn mix(color: Rgb, into: Rgb, share: f64) -> Rgb {
    let channel = |one: u8, other: u8| {
        (f64::from(one) * share + f64::from(other) * (1.0 - share)).round() as u8
    };
    Rgb(channel(color.0, into.0), channel(color.1, into.1), channel(color.2, into.2))
}

/// The contrast ratio of WCAG 2.2, between 1 and 21.
fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (one.luminance(), other.luminance());
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

impl Rgb {
    fn linear(self) -> [f64; 3] {
        [self.0, self.1, self.2].map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn from_linear(linear: [f64; 3]) -> Rgb {
        let [red, green, blue] = linear.map(|value| {
            let value = value.clamp(0.0, 1.0);
            let encoded = if value <= 0.0031308 {
                value * 12.92
            } else {
                1.055 * value.powf(1.0 / 2.4) - 0.055
            };
            (encoded * 255.0).round() as u8
        });
        Rgb(red, green, blue)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.linear();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[derive(Clone, Copy)]
struct Oklch {
    lightness: f64,
    chroma: f64,
    /// Radians.
    hue: f64,
}

impl Oklch {
    /// Colours outside sRGB lose chroma, not lightness, until they fit.
    fn to_rgb(self) -> Rgb {
        const STEPS: u32 = 50;
        let mut linear = self.to_linear();
        for step in 1..=STEPS {
            if linear.iter().all(|value| (-0.0005..=1.0005).contains(value)) {
                break;
            }
            let chroma = self.chroma * (1.0 - f64::from(step) / f64::from(STEPS));
            linear = Oklch { chroma, ..self }.to_linear();
        }
        Rgb::from_linear(linear)
    }

    fn to_linear(self) -> [f64; 3] {
        let (a, b) = (self.chroma * self.hue.cos(), self.chroma * self.hue.sin());
        let long = (self.lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
        let medium = (self.lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
        let short = (self.lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ]
    }
}

impl From<Rgb> for Oklch {
    fn from(color: Rgb) -> Oklch {
        let [red, green, blue] = color.linear();
        let long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue).cbrt();
        let medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue).cbrt();
        let short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue).cbrt();
        let a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short;
        let b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short;
        Oklch {
            lightness: 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
            chroma: a.hypot(b),
            hue: b.atan2(a),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_accent_is_readable_in_light_and_dark() {
        // Every 15th value of each channel, the ends included: 5832 colours.
        let channel = || (0u8..=255).step_by(15);
        for red in channel() {
            for (green, blue) in channel().flat_map(|g| channel().map(move |b| (g, b))) {
                let accent = Rgb(red, green, blue);
                for (shades, surfaces) in [
                    (Shades::light(accent), [LIGHT_SURFACE, LIGHT_CANVAS]),
                    (Shades::dark(accent), [DARK_SURFACE, DARK_CANVAS]),
                ] {
                    assert!(contrast(shades.fill, shades.on_fill) >= 4.5, "fill of {accent}");
                    assert!(contrast(shades.text, shades.soft) >= 4.5, "text on soft of {accent}");
                    for surface in surfaces {
                        assert!(contrast(shades.text, surface) >= 4.5, "text of {accent}");
                        assert!(contrast(shades.line, surface) >= 3.0, "line of {accent}");
                        assert!(contrast(shades.fill, surface) >= 1.4, "button of {accent}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_style_sheet_carries_the_default_accent() {
        let tokens = include_str!("../../../assets/styles/tokens.css");
        let sheet = Accent::DEFAULT.style_sheet();
        let missing: Vec<&str> = sheet.lines().filter(|line| !tokens.contains(line)).collect();
        assert!(missing.is_empty(), "styles/tokens.css lacks:\n{}", missing.join("\n"));
    }

    #[test]
    fn the_words_of_the_pages_are_readable_on_every_surface() {
        let tokens = include_str!("../../../assets/styles/tokens.css");
        let pair = |name: &str| -> [Rgb; 2] {
            let start = tokens.find(&format!("--{name}: light-dark(")).unwrap();
            let colors = tokens[start..].split('#').skip(1).take(2);
            let colors: Vec<Rgb> =
                colors.map(|rest| Accent::parse(&rest[..6]).unwrap().0).collect();
            [colors[0], colors[1]]
        };
        let words = "text muted faint good warning bad red orange green blue purple gray";
        for name in words.split(' ') {
            for surface in ["canvas", "surface", "raised", "sunken", "hover"] {
                for (word, ground) in pair(name).into_iter().zip(pair(surface)) {
                    assert!(contrast(word, ground) >= 4.5, "--{name} on --{surface}: {word}");
                }
            }
        }
        for (name, ground) in [
            ("good", "good-soft"),
            ("warning", "warning-soft"),
            ("bad", "bad-soft"),
            ("text", "mark"),
            ("text", "bad-soft"),
            ("text", "warning-soft"),
            ("muted", "accent-soft"),
        ] {
            for (word, ground) in pair(name).into_iter().zip(pair(ground)) {
                assert!(contrast(word, ground) >= 4.5, "--{name} on {ground}");
            }
        }
        for surface in ["canvas", "surface", "raised"] {
            for (line, ground) in pair("control-line").into_iter().zip(pair(surface)) {
                assert!(contrast(line, ground) >= 3.0, "--control-line on --{surface}");
            }
        }
    }

    #[test]
    fn only_six_hexadecimal_digits_are_a_color() {
        assert_eq!(Accent::parse("#1D6B5C"), Some(Accent::DEFAULT));
        assert_eq!(Accent::DEFAULT.to_string(), "1d6b5c");
        for text in ["", "#fff", "red", "1d6b5c;", "#1d6b5g", "ééé"] {
            assert_eq!(Accent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_color_survives_the_way_through_oklch() {
        for color in [Rgb(29, 107, 92), Rgb(255, 0, 0), Rgb(0, 0, 255), Rgb(250, 240, 3)] {
            assert_eq!(Oklch::from(color).to_rgb(), color);
        }
    }
}
