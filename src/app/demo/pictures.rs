//! The designs of the sample studio, drawn pixel by pixel.

use std::io::Cursor;

use anyhow::Context;
use image::{ImageFormat, Rgb, RgbImage};

use crate::error::Result;

const FJORD: [u8; 3] = [0x1f, 0x4e, 0x5f];
const SKY: [u8; 3] = [0x8f, 0xb8, 0xc4];
const LINEN: [u8; 3] = [0xe9, 0xe2, 0xd0];
const SAFFRON: [u8; 3] = [0xe2, 0xa3, 0x3b];
const BRICK: [u8; 3] = [0xb4, 0x53, 0x3a];
const MOSS: [u8; 3] = [0x6b, 0x7f, 0x4e];
const CHARCOAL: [u8; 3] = [0x2d, 0x30, 0x33];

/// Waves below a low sun.
pub(super) fn tidal() -> Result<Vec<u8>> {
    draw(600, 800, |x, y| {
        let (from_sun_x, from_sun_y) = (x - 430.0, y - 190.0);
        let is_sun = from_sun_x.hypot(from_sun_y) < 90.0;
        let depth = (y - 300.0 + 26.0 * (x / 62.0 + y / 180.0).sin()) / 62.0;
        match depth {
            depth if depth < 0.0 => {
                if is_sun {
                    SAFFRON
                } else {
                    LINEN
                }
            }
            depth => {
                mixed(SKY, FJORD, ((depth.floor() * 0.37).sin() * 0.5 + 0.5 + depth / 16.0) / 1.5)
            }
        }
    })
}

/// Discs in rows, some bitten by a leaf.
pub(super) fn orchard() -> Result<Vec<u8>> {
    draw(600, 800, |x, y| {
        let (column, row) = ((x / 120.0).floor(), (y / 120.0).floor());
        let shift = if row % 2.0 == 0.0 { 0.0 } else { 60.0 };
        let column = if shift > 0.0 { ((x - shift) / 120.0).floor() } else { column };
        let (dx, dy) = (x - shift - column * 120.0 - 60.0, y - row * 120.0 - 60.0);
        let is_leaf = (dx - 26.0).hypot(dy + 34.0) < 22.0 && (dx - 40.0).hypot(dy + 20.0) < 26.0;
        match dx.hypot(dy) {
            _ if is_leaf => MOSS,
            distance if distance < 44.0 && (column + row) % 3.0 == 0.0 => BRICK,
            distance if distance < 44.0 => SAFFRON,
            _ => LINEN,
        }
    })
}

/// A herringbone.
pub(super) fn herringbone() -> Result<Vec<u8>> {
    draw(900, 300, |x, y| {
        let lane = (x / 75.0).floor();
        let along = if lane % 2.0 == 0.0 { x + y } else { y - x };
        let stripe = (along / 15.0).floor().rem_euclid(3.0);
        if stripe == 0.0 {
            CHARCOAL
        } else if stripe == 1.0 {
            MOSS
        } else {
            mixed(MOSS, LINEN, 0.5)
        }
    })
}

/// Three threads over three threads in a ring.
pub(super) fn logo() -> Result<Vec<u8>> {
    draw(512, 512, |x, y| {
        let distance = (x - 256.0).hypot(y - 256.0);
        if distance > 240.0 {
            return [0xff, 0xff, 0xff];
        }
        if distance > 218.0 {
            return FJORD;
        }
        // Threads as wide as the gaps between them; where two cross, they take turns.
        let thread =
            |at: f32| (((at - 46.0) / 120.0).floor(), (at - 46.0).rem_euclid(120.0) < 60.0);
        let ((column, is_upright), (row, is_level)) = (thread(x), thread(y));
        let is_upright_above = (column + row).rem_euclid(2.0) == 0.0;
        match (is_upright, is_level) {
            (true, true) if is_upright_above => FJORD,
            (true, false) => FJORD,
            (_, true) => SAFFRON,
            (false, false) => LINEN,
        }
    })
}

fn mixed(from: [u8; 3], to: [u8; 3], share: f32) -> [u8; 3] {
    let share = share.clamp(0.0, 1.0);
    std::array::from_fn(|part| {
        let (from, to) = (f32::from(from[part]), f32::from(to[part]));
        (from + (to - from) * share).round() as u8
    })
}

fn draw(width: u32, height: u32, color: impl Fn(f32, f32) -> [u8; 3]) -> Result<Vec<u8>> {
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb(color(x as f32, y as f32)));
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).context("drawing a sample picture")?;
    Ok(png.into_inner())
}
