//! Outlook messages (MS-OXMSG): each property is a stream named by its number and type.

use super::super::output::{Output, Stop};
use super::{Compound, stream};

const SUBJECT: u16 = 0x0037;
const SENDER_NAME: u16 = 0x0c1a;
const SENDER_ADDRESS: u16 = 0x0c1f;
const RECIPIENTS: u16 = 0x0e04;
const BODY: u16 = 0x1000;
const ATTACHMENT_NAME: u16 = 0x3707;
const ATTACHMENT_SHORT_NAME: u16 = 0x3704;

pub fn extract(file: &mut Compound<'_>, output: &mut Output) -> Result<(), Stop> {
    const ATTACHMENTS_MAX: usize = 1000;
    let subject = property(file, "", SUBJECT);
    if let Some(subject) = &subject {
        output.title(subject)?;
    }
    let sender = [SENDER_NAME, SENDER_ADDRESS].map(|number| property(file, "", number));
    let sender = sender.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let lines = [
        ("Subject: ", subject),
        ("From: ", Some(sender)),
        ("To: ", property(file, "", RECIPIENTS)),
        ("\n", property(file, "", BODY)),
    ];
    for (label, value) in lines {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            output.push(label)?;
            output.push(&value)?;
            output.push("\n")?;
        }
    }
    let attachments: Vec<String> = file
        .read_root_storage()
        .map(|entry| entry.name().to_owned())
        .filter(|name| name.starts_with("__attach_version1.0_"))
        .take(ATTACHMENTS_MAX)
        .collect();
    for storage in attachments {
        let name = property(file, &format!("/{storage}"), ATTACHMENT_NAME)
            .or_else(|| property(file, &format!("/{storage}"), ATTACHMENT_SHORT_NAME));
        if let Some(name) = name {
            output.push(&format!("Attachment: {name}\n"))?;
        }
    }
    Ok(())
}

/// A text property in either of its two types.
fn property(file: &mut Compound<'_>, storage: &str, number: u16) -> Option<String> {
    if let Some(wide) = stream(file, &format!("{storage}/__substg1.0_{number:04X}001F")) {
        return Some(encoding_rs::UTF_16LE.decode_without_bom_handling(&wide).0.into_owned());
    }
    let narrow = stream(file, &format!("{storage}/__substg1.0_{number:04X}001E"))?;
    Some(super::super::plain::decode(&narrow, None).into_owned())
}
