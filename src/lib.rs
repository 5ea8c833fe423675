//! Appliance: a document and media portal in one file.
//!
//! One process serves an organization's documents: accounts, a searchable library, versions, who
//! sees what, an administration, an API. This page is the map. Read it, and you know where
//! everything is.
//!
//! # Layers
//!
//! Imports go one way, from the edges down; `tests/it/tidy.rs` names who breaks this.
//!
//! ```text
//! edges     cli  control         a person at a shell; the socket to the running server
//!           web                  HTTP: pages, JSON, files
//! flows     app                  what crosses engines: upload, download, search, jobs
//! meaning   domain               records, verbs, the access decision
//! engines   store                typed tables in transactions over redb
//!           blobs                files by their SHA-256: spool, disk, S3
//!           search               the index: words, filters, facets, snippets
//!           extract              bytes to text and images, in a sandboxed child
//!           backup               archives and repositories: bytes, hashes, encryption
//!           tls                  certificates: shown, read, made, and fetched by ACME
//!           host                 the machine: services, users, firewall, ports
//!           s3                   how S3 is reached, for blobs and backup
//!           release              what is published: signed, fetched, unpacked
//! base      config error together id hash size space clock blocking log_tail version glibc heap
//! ```
//!
//! An engine knows no noun of the domain and no other engine, but for `s3`, which is a client and no
//! more. `domain` is plain synchronous Rust inside a transaction: no HTTP, no files, no index, no
//! waiting. One noun has one name in every layer: `domain/documents`, `web/api/documents`,
//! `web/pages/documents`, `templates/documents`; only the addresses of pages speak as people do
//! (`/admin/people` for users, `/admin/audit` for events).
//!
//! Beside `src/`: `templates/` are the pages, one folder per noun; `assets/` the style sheet, small
//! scripts and icons, which `build.rs` names, compresses and embeds; `tests/it/` the one test binary, a
//! folder per layer (`domain`, `api`, `pages`) or concern, over `tests/it/support`; `tests/host/` bare
//! machines with a systemd; `tests/fixtures/` files that others made and backups of every format there
//! was; `benches/` the measurements beside other programs; `data/` what a running portal keeps.
//! `clippy.toml` bans what would break a promise, with the reason.
//!
//! # What always holds
//!
//! - **A closure is a transaction.** `store.write(|tx| …)` answers when the disk has it; after an
//!   `Err` nothing of it happened. `put` writes the record, its index entries and one entry of the
//!   change log: nobody can forget one of them.
//! - **One decision.** [`domain::access::decide`] says who may do what, and every verb asks it. The
//!   terms that indexes carry say the same. What an index finds passes the decision once more before
//!   it is shown; totals and counts are the index's own. What one may not see is answered like what does
//!   not exist.
//! - **Bytes before records.** A record names a file only after the file is on the disk. A crash
//!   between the two leaves bytes without a record, which the keeper removes; never a record
//!   without its bytes.
//! - **A bucket has one owner.** Only the portal that it names brings files there and removes them, and
//!   that one not in its first minutes; so a copy of a portal, or one that was restored, can neither take
//!   the files of the other nor lose its own to it.
//! - **HTTPS never stops the portal.** What is wrong with a certificate is told, and the best one
//!   there is goes on being shown; `app::https` exchanges it while connections are open.
//! - **The last of the disk is for making room.** When the reserve is touched nothing large begins;
//!   when half of it is gone only verbs that say so ([`store::WriteTx::draw_on_reserve`]) are written.
//! - **The index is derived.** It follows the change log, its cursor moves in the same commit as
//!   its content, and it can be deleted at any time.
//! - **Rights are read anew** for every request, and once more by `App::write_as` in the
//!   transaction that writes: a session, a role, a group or an account that is gone counts on the
//!   next one, and for a request whose body is still on its way.
//! - **Files of users are never parsed here**, only in a child process without network, files or
//!   much memory, and not at all where the kernel does not lock it in; and they are served so that
//!   they can never run as us. (The beginning of a Markdown file is text like any description, and
//!   is shown like one.)
//! - **One time and one source of ids for each transaction**: `tx.now()`, `tx.new_id()`.
//!
//! Deliberately absent: no global state; no second process, cache server or queue to install; no
//! default password; no build step for the pages and no request to another host; no code that
//! guesses after an error.
//!
//! # Five walks through the code
//!
//! **An upload.** `POST /documents/upload` or `/api/admin/documents/upload` (`web::routes`) reaches
//! its handler, and `web::body::receive` streams each file through `App::receive` (`app::upload`)
//! into `blobs`: hashed while it comes, synced, renamed into the spool. One transaction in
//! `domain::documents` then writes the document, its first version, the blob's record, an event
//! and two jobs. The indexer (`app::indexer`) sees the change and makes the title findable; the
//! worker (`app::worker`) moves the bytes to where files rest (the disk, or S3: while that is away
//! the job is put off, see [`blobs`]) and has them read in the sandbox
//! (`app::extraction`); the blob's record changes, so the indexer comes by again, now with text.
//!
//! **A download.** `GET /documents/{id}/download` → `App::content`: one read transaction in which
//! `domain::documents::readable` decides. `web::content` answers conditional and range requests,
//! opens the bytes wherever they are, and sets the headers under which no file can run as us.
//!
//! **Signing in.** `POST /sign-in` or `/api/login` → `app::sign_in`: the throttle, the password
//! check (which takes the same time for somebody who does not exist), a row in
//! `domain::sessions`. The cookie or the token names that row. On every later request `web::auth`
//! reads session, user, role and groups in one transaction and makes the `Actor` of them.
//!
//! **A backup.** `appliance backup`, the plan or the page `/admin/backups` reach `App::back_up`. It
//! holds a pin, so that no file is removed meanwhile; one read transaction gives the records part
//! by part and the files that they name (`app::backup::gathering`). They go into an archive or into
//! a repository, a folder or a bucket ([`backup`]), signed with the portal's key, and are read
//! again. Marks that no user can know stand in an archive, so that after damage nothing in a file
//! passes for a record. `appliance restore` builds a portal beside what is there (`staging`), puts
//! every record by its `TableAccess`, and swaps it in with renames that any later start can finish
//! (`swap`).
//!
//! **An update.** `appliance update` (`cli::update`) fetches a release ([`release`]), has the new
//! program rehearse on a copy of the records, and asks systemd for a restart, in the middle of which
//! `cli::update::exchange` keeps the records and renames the new program into its place. That program
//! is on trial ([`app::Changeover`]): `cli::serve` lets requests in and starts work only after it has
//! passed. What does not pass goes back, whoever is still there to see it: each stage is written down
//! before its effect, and a table in `cli::update::journal` says what becomes of one that is cut off.
//!
//! # Recipes
//!
//! - **A noun:** a file in `domain` with its record (a new table number, listed in
//!   [`domain::EVERY_TABLE`]) and verbs; `web/api/<noun>.rs` and `web/pages/<noun>.rs`; their lines in
//!   `web/routes/`; `templates/<noun>/`; `tests/it/{domain,api,pages}/<noun>.rs`.
//! - **A page:** a template and its struct with handlers in `web/pages`, a line in
//!   `web/routes/pages.rs`, a sample in `tests/it/gallery/`, a line in the oracle (`tests/it/oracle`),
//!   which fails until there is one.
//! - **A form:** a struct as it was typed; its checks in [`together::together`], so that all that is
//!   wrong is said at once; `FormErrors` and the macros of `templates/parts/macros.html`, where a
//!   field's `id` is the name that its error carries. A case in `tests/it/pages/forms.rs`.
//! - **A job:** a variant of [`domain::jobs::Task`], a file in `app/tasks/` that may run twice, its
//!   line in `app/tasks/mod.rs`; enqueue it in the transaction of its cause.
//! - **A setting** that is changed while the portal runs: a field of
//!   [`domain::settings::Settings`] with a default, and its place on the settings page. One that
//!   must be known before: a field of [`config::Config`] and its lines in the template.
//! - **A figure for monitoring:** what happens, as a counter of the engine it happens in (`store::Figures`)
//!   or in `app/metrics/http.rs`; what is, in `app/metrics/now.rs`. Then the board in `assets/grafana`.
//! - **A step of the installation:** a `Step` in `cli/install`, with its undoing, and its line
//!   in `plan::steps`; a test on a bare machine in `tests/it/installed/`.
//! - **A field of a record:** add it with `#[serde(default)]`. **Any other change of records** that an
//!   earlier version could not live with: a higher number in [`version`] and a conversion in
//!   [`domain::records`].

// base
pub mod blocking;
pub mod clock;
pub mod config;
pub mod error;
mod glibc;
pub mod hash;
pub mod heap;
pub mod id;
pub mod log_tail;
pub mod size;
pub mod space;
pub mod together;
pub mod version;

// engines
pub mod backup;
pub mod blobs;
pub mod extract;
pub mod host;
pub mod release;
pub mod s3;
pub mod search;
pub mod store;
pub mod tls;

// meaning
pub mod domain;

// flows
pub mod app;

// edges
pub mod cli;
pub mod control;
pub mod web;
