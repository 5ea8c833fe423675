//! The child's side: one process, one file, one answer.
//!
//! `main` maps the input, locks the process in, and hands the bytes to the reader of their format.
//! Readers are plain functions from `&[u8]` to calls on [`Output`], which sends each finding to the
//! parent at once. They need not be careful about time, memory or panics: the walls are around
//! them. They do bound what grows with the input, because a partial result is worth more than a
//! death.

mod budget;
mod html;
mod image;
mod input;
mod language;
mod legacy;
mod mail;
mod markdown;
mod normalize;
mod office;
mod output;
mod pdf;
mod plain;
mod probe;
mod rtf;
mod sandbox;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use super::error::Refusal;
use super::format::Format;
use super::protocol::{Frame, Request, Task};
use input::Input;
use output::{Lost, Output, Stop};

/// The exit code when the worker gave up before it looked at the file.
pub const EXIT_NOT_STARTED: i32 = 96;

/// The body of the hidden verb. Call it before anything else is set up: no thread may run yet.
pub fn main() -> ExitCode {
    match start() {
        Ok((request, input)) => match answer(&request, input) {
            Ok(()) => ExitCode::SUCCESS,
            // Nobody listens any more.
            Err(Lost) => ExitCode::FAILURE,
        },
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(EXIT_NOT_STARTED as u8)
        }
    }
}

fn start() -> Result<(Request, Input), String> {
    let request = std::env::args()
        .nth(2)
        .ok_or("This verb is for the program itself: it reads one untrusted file in a sandbox.")?;
    let request: Request =
        serde_json::from_str(&request).map_err(|error| format!("unreadable request: {error}"))?;
    sandbox::close_inherited_files();
    let input = Input::map_stdin().map_err(|error| format!("mapping the input: {error}"))?;
    Ok((request, input))
}

fn answer(request: &Request, input: Input) -> Result<(), Lost> {
    let walls = sandbox::lock_in(request, input.len());
    let mut output = Output::new(request);
    let may_go_on = walls.seccomp || request.allow_unsandboxed;
    output.send(&Frame::Walls(walls))?;
    // The probe reads nothing from the file, and tells what an open door means.
    if !may_go_on && !matches!(request.task, Task::Probe) {
        output.send(&Frame::Refused(Refusal::Unsandboxed))?;
        return output.send(&Frame::Done);
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| match &request.task {
        Task::Extract { format, text, thumbnail, previews_max } => {
            output.want_text = *text;
            let pictures = Pictures { thumbnail: *thumbnail, previews_max: *previews_max };
            extract(*format, &input, &pictures, request, &mut output)
        }
        Task::RenderPage { page_index, width_px } => {
            pdf::render_page(&input, *page_index, *width_px, &mut output)
        }
        Task::Probe => Ok(output.send(&Frame::Attempts(probe::attempts()))?),
    }));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(Stop::Lost)) => return Err(Lost),
        Ok(Err(Stop::Refused(refusal))) => output.send(&Frame::Refused(refusal))?,
        // The hook has told the operator where; the person needs no line number.
        Err(_) => output.send(&Frame::Refused(Refusal::broken("a part of it makes no sense")))?,
    }
    output.finish()
}

/// Which pictures are wanted.
struct Pictures {
    thumbnail: bool,
    previews_max: u32,
}

fn extract(
    format: Format,
    input: &Input,
    pictures: &Pictures,
    request: &Request,
    output: &mut Output,
) -> Result<(), Stop> {
    let bytes = input.as_bytes();
    match format {
        Format::Pdf => pdf::extract(input, pictures, request, output),
        Format::Docx | Format::Xlsx | Format::Xlsb | Format::Pptx => {
            office::extract(bytes, format, pictures, request, output)
        }
        Format::Odt | Format::Ods | Format::Odp | Format::Epub => {
            office::extract(bytes, format, pictures, request, output)
        }
        Format::Doc | Format::Xls | Format::Ppt | Format::Msg => legacy::extract(bytes, output),
        Format::Rtf => rtf::extract(bytes, output),
        Format::Html => html::extract(bytes, output),
        Format::Markdown => markdown::extract(bytes, output),
        Format::Svg => html::extract_svg(bytes, output),
        Format::Csv | Format::Text | Format::Json | Format::Xml => plain::extract(bytes, output),
        Format::Eml => mail::extract(bytes, output),
        Format::Jpeg
        | Format::Png
        | Format::Gif
        | Format::Webp
        | Format::Bmp
        | Format::Tiff
        | Format::Ico => image::extract(bytes, format, pictures, request, output),
        Format::Other => Err(Refusal::Unsupported.into()),
    }
}
