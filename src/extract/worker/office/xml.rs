//! A small face over the XML reader: UTF-8 or UTF-16 in, elements and text out.
//!
//! Entities that a document declares itself are never expanded, so they cannot multiply.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::ControlFlow;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;
use quick_xml::{Reader, XmlVersion};

/// What the readers of office formats care about.
pub enum Node<'a> {
    Open(Element<'a>),
    /// The local name of an element that ends; an empty element opens and closes.
    Close(&'a str),
    Text(&'a str),
}

pub struct Element<'a> {
    start: &'a BytesStart<'a>,
}

impl Element<'_> {
    /// Without its prefix.
    pub fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }

    /// The value of the attribute of this local name.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.find(|key| key.local_name().into_inner() == name)
    }

    /// The same, only where the name has a prefix: `r:id`, not `id`.
    pub fn prefixed_attribute(&self, name: &str) -> Option<String> {
        self.find(|key| key.prefix().is_some() && key.local_name().into_inner() == name)
    }

    fn find(&self, is_wanted: impl Fn(QName<'_>) -> bool) -> Option<String> {
        const ATTRIBUTES_MAX: usize = 100;
        self.start
            .attributes()
            .take(ATTRIBUTES_MAX)
            .filter_map(Result::ok)
            .find(|attribute| is_wanted(attribute.key))
            .and_then(|attribute| {
                Some(attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
            })
    }
}

/// Calls `visit` for each node until it breaks, fails, or the document ends. A damaged document is
/// read up to the damage.
pub fn read<E>(
    bytes: &[u8],
    mut visit: impl FnMut(Node<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let source = decoded(bytes);
    let mut reader = Reader::from_str(&source);
    reader.config_mut().check_end_names = false;
    loop {
        let flow = match reader.read_event() {
            Ok(Event::Start(start)) => visit(Node::Open(Element { start: &start }))?,
            Ok(Event::Empty(start)) => match visit(Node::Open(Element { start: &start }))? {
                ControlFlow::Continue(()) => visit(Node::Close(start.local_name().into_inner()))?,
                stop => stop,
            },
            Ok(Event::End(end)) => visit(Node::Close(end.local_name().into_inner()))?,
            Ok(Event::Text(text)) => visit(Node::Text(&text))?,
            Ok(Event::CData(text)) => visit(Node::Text(&text))?,
            Ok(Event::GeneralRef(reference)) => {
                if let Ok(Some(character)) = reference.resolve_char_ref() {
                    visit(Node::Text(character.encode_utf8(&mut [0; 4])))?
                } else if let Some(known) = resolve_xml_entity(&reference) {
                    visit(Node::Text(known))?
                } else {
                    CONTINUE
                }
            }
            Ok(Event::Eof) | Err(_) => ControlFlow::Break(()),
            Ok(_) => CONTINUE,
        };
        if flow.is_break() {
            return Ok(());
        }
    }
}

/// Looks at every element as it opens; for small parts that list things.
pub fn each_element(bytes: &[u8], mut visit: impl FnMut(&Element<'_>)) {
    const ELEMENTS_MAX: usize = 200_000;
    let mut count = 0;
    let Ok(()) = read::<Infallible>(bytes, |node| {
        if let Node::Open(element) = node {
            visit(&element);
            count += 1;
        }
        Ok(if count < ELEMENTS_MAX { CONTINUE } else { ControlFlow::Break(()) })
    });
}

pub const CONTINUE: ControlFlow<()> = ControlFlow::Continue(());

/// Name and text of every element that contains only text; for small parts with properties.
pub fn leaves(bytes: &[u8]) -> Vec<(String, String)> {
    const LEAVES_MAX: usize = 1000;
    let mut leaves = Vec::new();
    let mut open: Option<(String, String)> = None;
    let Ok(()) = read::<Infallible>(bytes, |node| {
        match node {
            Node::Open(element) => open = Some((element.name().to_owned(), String::new())),
            Node::Text(text) => {
                if let Some((_, value)) = &mut open {
                    value.push_str(text);
                }
            }
            Node::Close(_) => leaves.extend(open.take()),
        }
        Ok(if leaves.len() < LEAVES_MAX { CONTINUE } else { ControlFlow::Break(()) })
    });
    leaves
}

fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    // XML without a mark is UTF-8 in all these formats; UTF-16 must have one.
    encoding_rs::UTF_8.decode(bytes).0
}
