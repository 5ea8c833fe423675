//! Spreadsheets: the cells of each sheet as they were last calculated, row by row. An empty line
//! ends a sheet, and its name begins it.
//!
//! Cells are streamed. A table in memory would be as large as its farthest cell is away, and one
//! forgotten blank in the last column of the last row is enough for billions of cells.

use std::io::Cursor;

use calamine::{Cell, Data, DataRef, ExcelDateTime, Reader, Xls, XlsError, Xlsb, Xlsx};

use super::super::output::{Lost, Output, Stop};
use crate::extract::error::Refusal;
use crate::extract::format::Format;

const SHEETS_MAX: usize = 500;

pub fn extract(bytes: &[u8], format: Format, output: &mut Output) -> Result<(), Stop> {
    let broken = || Stop::from(Refusal::broken("its tables cannot be read"));
    if format == Format::Xlsb {
        let mut book = Xlsb::new(Cursor::new(bytes)).map_err(|_| broken())?;
        for name in book.sheet_names().into_iter().take(SHEETS_MAX) {
            output.push(&format!("{name}\n"))?;
            // Charts and macro sheets have no cells.
            let Ok(mut cells) = book.worksheet_cells_reader(&name) else { continue };
            push_cells(output, || cells.next_cell().ok().flatten())?;
        }
    } else {
        let mut book = Xlsx::new(Cursor::new(bytes)).map_err(|_| broken())?;
        for name in book.sheet_names().into_iter().take(SHEETS_MAX) {
            output.push(&format!("{name}\n"))?;
            let Ok(mut cells) = book.worksheet_cells_reader(&name) else { continue };
            push_cells(output, || cells.next_cell().ok().flatten())?;
        }
    }
    Ok(())
}

/// Excel 97 to 2003. The format ends at 65,536 rows and 256 columns, so its tables may be held.
pub fn extract_xls(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let mut book = Xls::new(Cursor::new(bytes)).map_err(|error| match error {
        XlsError::Password => Refusal::Encrypted,
        _ => Refusal::broken("its tables cannot be read"),
    })?;
    for name in book.sheet_names().into_iter().take(SHEETS_MAX) {
        output.push(&format!("{name}\n"))?;
        let Ok(table) = book.worksheet_range(&name) else { continue };
        for row in table.rows() {
            if row.iter().all(|cell| *cell == Data::Empty) {
                continue;
            }
            for cell in row {
                push_value(output, cell)?;
                output.end_cells(1)?;
            }
            if !output.push("\n")? {
                return Ok(());
            }
        }
        output.push("\n")?;
    }
    Ok(())
}

fn push_cells<'a>(
    output: &mut Output,
    mut next: impl FnMut() -> Option<Cell<DataRef<'a>>>,
) -> Result<(), Lost> {
    let mut before: Option<(u32, u32)> = None;
    while let Some(cell) = next() {
        let value = cell.get_value();
        if *value == DataRef::Empty {
            continue;
        }
        let (row, column) = cell.get_position();
        let cells_between = match before {
            // In one row each stands behind the other, also where a file says otherwise.
            Some((last_row, last)) if last_row == row => column.saturating_sub(last).max(1),
            Some(_) => {
                output.push("\n")?;
                column
            }
            None => column,
        };
        output.end_cells(cells_between)?;
        before = Some((row, column));
        push_value(output, &Data::from(value.clone()))?;
        if output.is_full() {
            break;
        }
    }
    output.push("\n\n")?;
    Ok(())
}

fn push_value(output: &mut Output, value: &Data) -> Result<(), Lost> {
    match value {
        Data::Empty | Data::Error(_) => {}
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => {
            push_line(output, text)?;
        }
        Data::Int(number) => {
            output.push(&number.to_string())?;
        }
        Data::Float(number) => {
            output.push(&number.to_string())?;
        }
        Data::Bool(value) => {
            output.push(if *value { "TRUE" } else { "FALSE" })?;
        }
        Data::DateTime(moment) => {
            output.push(&date(moment))?;
        }
    }
    Ok(())
}

/// A line end within a cell does not end its row.
fn push_line(output: &mut Output, text: &str) -> Result<(), Lost> {
    for line in text.lines() {
        output.push(line)?;
        output.push(" ")?;
    }
    Ok(())
}

fn date(moment: &ExcelDateTime) -> String {
    if !moment.is_datetime() {
        return moment.as_f64().to_string();
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    if (hour, minute, second) == (0, 0, 0) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
    }
}
