//! E-mail messages (RFC 5322, MIME): the headers people look for, the body, attachment names.

use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

use super::super::error::Refusal;
use super::html;
use super::output::{Output, Stop};

/// A message beyond this is read up to here; bodies come before attachments.
const MESSAGE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// A forwarded message within a forwarded message within the message, and no further.
const DEPTH_MAX: usize = 3;

pub fn extract(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        output.will_be_cut();
    }
    let message = MessageParser::default()
        .parse(&bytes[..bytes.len().min(MESSAGE_BYTES_MAX)])
        .ok_or_else(|| Refusal::broken("it is not an e-mail message"))?;
    if let Some(subject) = message.subject() {
        output.title(subject)?;
    }
    push_message(&message, 1, output)
}

fn push_message(message: &Message<'_>, depth: usize, output: &mut Output) -> Result<(), Stop> {
    if let Some(subject) = message.subject() {
        push_line(output, "Subject: ", subject)?;
    }
    let addresses = [("From: ", message.from()), ("To: ", message.to()), ("Cc: ", message.cc())];
    for (label, address) in addresses {
        if let Some(address) = address {
            push_line(output, label, &people(address))?;
        }
    }
    if let Some(date) = message.date() {
        push_line(output, "Date: ", &date.to_rfc3339())?;
    }
    output.push("\n")?;
    for part in message.text_bodies() {
        match &part.body {
            PartType::Text(text) => {
                output.push(text)?;
            }
            PartType::Html(html) => html::push(html, output)?,
            _ => {}
        }
        output.push("\n")?;
    }
    for attachment in message.attachments() {
        if let Some(name) = attachment.attachment_name() {
            push_line(output, "Attachment: ", name)?;
        }
        if let PartType::Message(forwarded) = &attachment.body
            && depth < DEPTH_MAX
        {
            output.push("\n")?;
            push_message(forwarded, depth + 1, output)?;
        }
    }
    Ok(())
}

fn push_line(output: &mut Output, label: &str, value: &str) -> Result<(), Stop> {
    output.push(label)?;
    output.push(value)?;
    output.push("\n")?;
    Ok(())
}

/// "Ada Lovelace ada@example.org, …"
fn people(address: &Address<'_>) -> String {
    const PEOPLE_MAX: usize = 200;
    let people: Vec<String> = address
        .iter()
        .take(PEOPLE_MAX)
        .map(|person| {
            let name = person.name().unwrap_or_default();
            let address = person.address().unwrap_or_default();
            format!("{name} {address}").trim().to_owned()
        })
        .collect();
    people.join(", ")
}
