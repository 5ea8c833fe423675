//! The texts of the sample documents: a few marks on lines, set as PDF or as a Word file.
//!
//! `# Title`, `## Heading`, `- item`, `---` for a new page, `bars: 2024 5.1, 2025 7.3` for a chart,
//! `swatches: Fjord #1f4e5f` for colors; every other line belongs to a paragraph.

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    Title(String),
    Heading(String),
    Paragraph(String),
    Item(String),
    Bars(Vec<(String, f32)>),
    Swatches(Vec<(String, [u8; 3])>),
    NewPage,
}

pub(super) fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut paragraph = String::new();
    for line in text.lines().map(str::trim) {
        let block = special(line);
        if !paragraph.is_empty() && (line.is_empty() || block.is_some()) {
            blocks.push(Block::Paragraph(std::mem::take(&mut paragraph)));
        }
        match block {
            Some(block) => blocks.push(block),
            None if paragraph.is_empty() => paragraph.push_str(line),
            None => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
        }
    }
    if !paragraph.is_empty() {
        blocks.push(Block::Paragraph(paragraph));
    }
    blocks
}

fn special(line: &str) -> Option<Block> {
    let text = |text: &str| text.trim().to_owned();
    if line == "---" {
        return Some(Block::NewPage);
    }
    if let Some(rest) = line.strip_prefix("## ") {
        return Some(Block::Heading(text(rest)));
    }
    if let Some(rest) = line.strip_prefix("# ") {
        return Some(Block::Title(text(rest)));
    }
    if let Some(rest) = line.strip_prefix("- ") {
        return Some(Block::Item(text(rest)));
    }
    if let Some(rest) = line.strip_prefix("bars:") {
        return Some(Block::Bars(pairs(rest).filter_map(bar).collect()));
    }
    let rest = line.strip_prefix("swatches:")?;
    Some(Block::Swatches(pairs(rest).filter_map(swatch).collect()))
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',').filter_map(|pair| pair.trim().rsplit_once(' '))
}

fn bar((name, value): (&str, &str)) -> Option<(String, f32)> {
    Some((name.into(), value.parse().ok()?))
}

fn swatch((name, color): (&str, &str)) -> Option<(String, [u8; 3])> {
    let [_, red, green, blue] =
        u32::from_str_radix(color.strip_prefix('#')?, 16).ok()?.to_be_bytes();
    Some((name.into(), [red, green, blue]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_blocks() {
        let blocks = parse("# A\nb\nc\n\n- d\n---\nbars: x 1.5, y -2\nswatches: Fjord #1f4e5f");
        let expected = [
            Block::Title("A".into()),
            Block::Paragraph("b c".into()),
            Block::Item("d".into()),
            Block::NewPage,
            Block::Bars(vec![("x".into(), 1.5), ("y".into(), -2.0)]),
            Block::Swatches(vec![("Fjord".into(), [0x1f, 0x4e, 0x5f])]),
        ];
        assert_eq!(blocks, expected);
    }
}
