//! The fields of the index and what each is for.
//!
//! `text` and `stem` hold everything an entry can be found by and decide *whether* it is found.
//! `title`, `names` and `description` hold parts of it once more and only decide *how well*.
//! The rest filters, sorts and counts.

use tantivy::{
    Index, IndexSettings,
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
    },
    store::Compressor,
};

use super::analyzers;

/// Raised whenever an index made by an older version of this program must be made anew: another
/// field, another way to cut or fold words. Changed fields are noticed without it.
pub(super) const FORMAT: u32 = 2;

/// The fields, by the name they have in the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// The 16 bytes of the entry's id; what is removed and replaced is found by it.
    pub id: Field,
    /// One term per tenant and access term: who may see the entry.
    pub access: Field,
    pub status: Field,
    /// ISO 639-1 code of the language in which the entry was stemmed.
    pub language: Field,

    /// Every word of the entry with its position.
    pub text: Field,
    /// The stem of every word that is not its own.
    pub stem: Field,
    pub title: Field,
    /// Category, tags, file name and person.
    pub names: Field,
    pub description: Field,

    pub category: Field,
    pub kind: Field,
    pub tag: Field,
    pub person: Field,
    pub media_type: Field,
    pub file_type: Field,

    pub id_high: Field,
    pub id_low: Field,
    pub created: Field,
    pub updated: Field,
    /// Calendar year of `created` (UTC).
    pub year: Field,
    pub size: Field,
    /// The title in a form whose bytes sort as people expect.
    pub title_order: Field,

    pub stored_title: Field,
    pub stored_description: Field,
    pub stored_filename: Field,
    /// The beginning of the body, for snippets.
    pub stored_body: Field,
}

/// Columns are read by name.
pub(super) mod column {
    pub const ID_HIGH: &str = "id_high";
    pub const ID_LOW: &str = "id_low";
    pub const CREATED: &str = "created_ms";
    pub const UPDATED: &str = "updated_ms";
    pub const YEAR: &str = "year";
    pub const SIZE: &str = "size_bytes";
    pub const TITLE_ORDER: &str = "title_order";
    pub const CATEGORY: &str = "category";
    pub const KIND: &str = "kind";
    pub const TAG: &str = "tag";
    pub const PERSON: &str = "person";
    pub const FILE_TYPE: &str = "file_type";
}

pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let id = schema.add_bytes_field("id", INDEXED);
    let exact = exactly();
    let counted = exactly().set_fast("raw");
    let fields = Fields {
        id,
        access: schema.add_text_field("access", exact.clone()),
        status: schema.add_text_field("status", exact.clone()),
        language: schema.add_text_field("language", exact.clone()),
        text: schema.add_text_field(
            "text",
            cut_by(analyzers::WORDS, IndexRecordOption::WithFreqsAndPositions),
        ),
        stem: schema.add_text_field("stem", cut_by(analyzers::STEMS, IndexRecordOption::WithFreqs)),
        title: schema.add_text_field("title", weighed()),
        names: schema.add_text_field("names", weighed_as_a_list()),
        description: schema.add_text_field("description", weighed()),
        category: schema.add_text_field(column::CATEGORY, counted.clone()),
        kind: schema.add_text_field(column::KIND, counted.clone()),
        tag: schema.add_text_field(column::TAG, counted.clone()),
        person: schema.add_text_field(column::PERSON, counted.clone()),
        file_type: schema.add_text_field(column::FILE_TYPE, counted),
        media_type: schema.add_text_field("media_type", exact),
        id_high: schema.add_u64_field(column::ID_HIGH, FAST),
        id_low: schema.add_u64_field(column::ID_LOW, FAST),
        created: schema.add_i64_field(column::CREATED, FAST),
        updated: schema.add_i64_field(column::UPDATED, FAST),
        year: schema.add_u64_field(column::YEAR, FAST),
        size: schema.add_u64_field(column::SIZE, FAST),
        title_order: schema
            .add_text_field(column::TITLE_ORDER, TextOptions::default().set_fast("raw")),
        stored_title: schema.add_text_field("stored_title", STORED),
        stored_description: schema.add_text_field("stored_description", STORED),
        stored_filename: schema.add_text_field("stored_filename", STORED),
        stored_body: schema.add_text_field("stored_body", STORED),
    };
    (schema.build(), fields)
}

/// How an index is laid out on disk.
pub(super) fn settings() -> IndexSettings {
    IndexSettings {
        // A page of hits opens as many blocks as it has rows: what opens quickly counts for more
        // than what is small.
        docstore_compression: Compressor::Lz4,
        // A thread more for every commit of a single entry is not worth it.
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// Whether this index has the fields that this version of the program expects.
pub(super) fn is_ours(index: &Index) -> bool {
    index.schema() == schema().0
}

/// A value that is found as a whole or not at all.
fn exactly() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    TextOptions::default().set_indexing_options(indexing)
}

fn weighed() -> TextOptions {
    cut_by(analyzers::WORDS_AND_STEMS, IndexRecordOption::WithFreqs)
}

/// A list in which a word weighs the same however long the list is.
fn weighed_as_a_list() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(analyzers::WORDS_AND_STEMS)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::WithFreqs);
    TextOptions::default().set_indexing_options(indexing)
}

fn cut_by(tokenizer: &str, records: IndexRecordOption) -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(records);
    TextOptions::default().set_indexing_options(indexing)
}
