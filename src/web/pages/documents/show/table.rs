//! The rows of a table that was written as text (RFC 4180), for its preview.

/// More would make the page heavy; who needs them downloads the file.
const ROWS_MAX: usize = 500;
const COLUMNS_MAX: usize = 50;

/// What parts the fields, the likeliest first: many countries write a comma in their numbers.
const SEPARATORS: [char; 2] = [',', ';'];

/// The first rows, each with as many fields as the longest, and whether there are more. `None` for
/// what is no table: a single row, or a single column.
pub fn rows_of(text: &str) -> Option<(Vec<Vec<String>>, bool)> {
    let head = text.lines().next()?;
    let count = |separator: &char| head.matches(*separator).count();
    let separator = SEPARATORS.into_iter().rev().max_by_key(count)?;
    let mut rows = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && rows.len() <= ROWS_MAX {
        let (row, after) = row(rest, separator);
        if row.iter().any(|field| !field.is_empty()) {
            rows.push(row);
        }
        rest = after;
    }
    let is_cut = rows.len() > ROWS_MAX || rows.iter().any(|row| row.len() > COLUMNS_MAX);
    rows.truncate(ROWS_MAX);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).min(COLUMNS_MAX);
    rows.iter_mut().for_each(|row| row.resize(columns, String::new()));
    (rows.len() > 1 && columns > 1).then_some((rows, is_cut))
}

/// The fields of the first row, and what follows it. A quote that is never closed takes the rest.
fn row(text: &str, separator: char) -> (Vec<String>, &str) {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut is_quoted = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' if is_quoted && characters.next_if(|(_, next)| *next == '"').is_some() => {
                field.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                is_quoted = true;
            }
            '\n' if !is_quoted => {
                fields.push(field.trim().to_owned());
                return (fields, &text[at + 1..]);
            }
            _ if character == separator && !is_quoted => {
                fields.push(field.trim().to_owned());
                field.clear();
            }
            _ => field.push(character),
        }
    }
    fields.push(field.trim().to_owned());
    (fields, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_parted_where_no_quote_holds_them_together() {
        let (rows, is_cut) = rows_of("Name,Note\nAda,\"a, \"\"b\"\"\nc\"\n\nBob\n").unwrap();
        assert_eq!(rows, [["Name", "Note"], ["Ada", "a, \"b\"\nc"], ["Bob", ""]]);
        assert!(!is_cut);
    }

    #[test]
    fn semicolons_part_where_numbers_have_commas() {
        let (rows, _) = rows_of("Jahr;Summe\n2025;1,5\n").unwrap();
        assert_eq!(rows, [["Jahr", "Summe"], ["2025", "1,5"]]);
    }

    #[test]
    fn long_tables_are_cut_and_others_are_none() {
        let (rows, is_cut) = rows_of(&"a,b\n".repeat(600)).unwrap();
        assert_eq!((rows.len(), is_cut), (500, true));
        assert_eq!(rows_of("one line, no more"), None);
        assert_eq!(rows_of("no\nseparator"), None);
        assert_eq!(rows_of(""), None);
    }
}
