//! Tables for their preview: one that was written as text (RFC 4180), and the sheets of a spreadsheet.

/// More would make the page heavy; who needs them downloads the file. Of all sheets together.
const ROWS_MAX: usize = 500;
const COLUMNS_MAX: usize = 50;

/// What parts the fields, the likeliest first: many countries write a comma in their numbers.
const SEPARATORS: [char; 2] = [',', ';'];

/// Its rows have the same number of fields each; the first is its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Empty where it has none.
    pub name: String,
    pub rows: Vec<Vec<String>>,
    /// For each column, whether all that stands in it below the head are numbers.
    pub numeric: Vec<bool>,
}

impl Table {
    pub fn new(name: &str, rows: Vec<Vec<String>>) -> Self {
        let columns = rows.first().map_or(0, Vec::len);
        let is_numeric = |column: usize| {
            let fields = rows.iter().skip(1).map(|row| row[column].as_str());
            let mut fields = fields.filter(|field| !field.is_empty()).peekable();
            fields.peek().is_some() && fields.all(is_number)
        };
        Table { name: name.to_owned(), numeric: (0..columns).map(is_numeric).collect(), rows }
    }
}

/// Whether a column of such fields is read from its right end: `1,204.50`, `−12 %`, `3'000`.
fn is_number(field: &str) -> bool {
    let field = field.strip_prefix(['-', '−', '+']).unwrap_or(field);
    let field = field.strip_suffix('%').unwrap_or(field);
    field.starts_with(|first: char| first.is_ascii_digit())
        && field.chars().all(|one| one.is_ascii_digit() || ",.'’ \u{a0}\u{202f}".contains(one))
}

/// The sheets of a spreadsheet from what was read of it, and whether there is more. `None` for other
/// texts, and where no sheet has two columns.
///
/// In such a text an empty line follows each sheet, its name stands first, and tabs part the cells.
pub fn sheets_of(text: &str) -> Option<(Vec<Table>, bool)> {
    let (mut sheets, mut is_cut, mut rows_left) = (Vec::new(), false, ROWS_MAX);
    for sheet in text.split("\n\n") {
        let mut lines = sheet.lines();
        let name = lines.next().unwrap_or_default();
        let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
        let mut rows: Vec<Vec<String>> = lines.map(cells).collect();
        is_cut |= rows.len() > rows_left || rows.iter().any(|row| row.len() > COLUMNS_MAX);
        rows.truncate(rows_left);
        rows_left -= rows.len();
        drop_margin(&mut rows);
        square(&mut rows);
        if !rows.is_empty() {
            sheets.push(Table::new(name, rows));
        }
    }
    let is_wide = |sheet: &Table| sheet.rows.iter().any(|row| row.len() > 1);
    sheets.iter().any(is_wide).then_some((sheets, is_cut))
}

/// Takes the columns away in which nothing stands, before the first in which something does.
fn drop_margin(rows: &mut [Vec<String>]) {
    let margin = |row: &Vec<String>| row.iter().take_while(|field| field.is_empty()).count();
    let margin = rows.iter().map(margin).min().unwrap_or(0);
    rows.iter_mut().for_each(|row| drop(row.drain(..margin)));
}

/// Gives each row as many fields as the longest has.
fn square(rows: &mut [Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).min(COLUMNS_MAX);
    rows.iter_mut().for_each(|row| row.resize(columns, String::new()));
}

/// The first rows, and whether there are more. `None` for what is no table: a single row, or a
/// single column.
pub fn table_of(text: &str) -> Option<(Table, bool)> {
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
    square(&mut rows);
    let is_table = rows.len() > 1 && rows[0].len() > 1;
    is_table.then(|| (Table::new("", rows), is_cut))
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
        let (Table { rows, .. }, is_cut) =
            table_of("Name,Note\nAda,\"a, \"\"b\"\"\nc\"\n\nBob\n").unwrap();
        assert_eq!(rows, [["Name", "Note"], ["Ada", "a, \"b\"\nc"], ["Bob", ""]]);
        assert!(!is_cut);
    }

    #[test]
    fn semicolons_part_where_numbers_have_commas() {
        let (Table { rows, .. }, _) = table_of("Jahr;Summe\n2025;1,5\n").unwrap();
        assert_eq!(rows, [["Jahr", "Summe"], ["2025", "1,5"]]);
    }

    #[test]
    fn columns_of_numbers_are_known() {
        let (table, _) =
            table_of("Day;Sum;Share;Note\n2025-03-14;1,5;−4 %;7\n;3'000;;seven\n;;12%;\n").unwrap();
        assert_eq!(table.numeric, [false, true, true, false]);
    }

    #[test]
    fn long_tables_are_cut_and_others_are_none() {
        let (Table { rows, .. }, is_cut) = table_of(&"a,b\n".repeat(600)).unwrap();
        assert_eq!((rows.len(), is_cut), (500, true));
        assert_eq!(table_of("one line, no more"), None);
        assert_eq!(table_of("no\nseparator"), None);
        assert_eq!(table_of(""), None);
    }

    #[test]
    fn sheets_are_told_apart_and_begin_where_something_stands() {
        let text = "Positions\n\t\tName\tPrice\n\t\tSteel\t\tsold\n\nEmpty\n\nNotes\nfar away";
        let (sheets, is_cut) = sheets_of(text).unwrap();
        assert!(!is_cut);
        let [positions, notes] = sheets.try_into().unwrap();
        assert_eq!(positions.name, "Positions");
        assert_eq!(positions.rows, [["Name", "Price", ""], ["Steel", "", "sold"]]);
        assert_eq!((notes.name.as_str(), notes.rows), ("Notes", vec![vec!["far away".to_owned()]]));
    }

    #[test]
    fn many_rows_are_cut_over_all_sheets_and_a_text_has_none() {
        let sheet = format!("One\n{}", "a\tb\n".repeat(400));
        let (sheets, is_cut) = sheets_of(&format!("{sheet}\n{sheet}")).unwrap();
        assert_eq!(sheets.iter().map(|sheet| sheet.rows.len()).collect::<Vec<_>>(), [400, 100]);
        assert!(is_cut);
        assert_eq!(sheets_of("One line\nanother\n\na third"), None);
        assert_eq!(sheets_of(""), None);
    }
}
