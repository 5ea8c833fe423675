//! Events: who did what to what, when and from where. The audit log of an organization, and the
//! activity of a document.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    access::{Action, Actor, decide},
    documents::Document,
    organizations::Organization,
    users::User,
};
use crate::{
    error::Result,
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

const STRANGERS_NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Events about a document among which the last download of a stranger is looked for.
const DOWNLOADS_LOOKED_AT_MAX: usize = 500;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    pub id: Id<Event>,
    /// `None` for what belongs to the whole instance.
    pub organization: Option<Id<Organization>>,
    pub at: Timestamp,
    /// `None` when the program or the command line did it.
    pub user: Option<Id<User>>,
    /// The names are those of that moment: they stay when the person or the thing is gone.
    pub actor_name: String,
    #[serde(default)]
    pub address: Option<String>,
    pub verb: Verb,
    pub subject: Uuid,
    pub subject_name: String,
    #[serde(default)]
    pub detail: Option<String>,
}

impl Record for Event {
    const TABLE: Table = Table { number: 14, name: "events" };

    type Key = Id<Event>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_ORGANIZATION, &self.organization.unwrap_or(INSTANCE));
        entries.add(&BY_SUBJECT, &self.subject);
    }
}

/// Stands for "no organization" in the index.
const INSTANCE: Id<Organization> = Id::from_uuid(Uuid::nil());

// Ids sort by time, so both indexes do within their key.
const BY_ORGANIZATION: Index<Event, Id<Organization>> = Index::new(1);
const BY_SUBJECT: Index<Event, Uuid> = Index::new(2);

macro_rules! verbs {
    ($($verb:ident $name:literal $phrase:literal,)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Verb { $($verb,)* }

        impl Verb {
            pub const ALL: &[Verb] = &[$(Verb::$verb,)*];

            /// The word in JSON and in filters.
            pub fn name(self) -> &'static str {
                match self { $(Verb::$verb => $name,)* }
            }

            /// The words between the actor's name and the subject's.
            pub fn phrase(self) -> &'static str {
                match self { $(Verb::$verb => $phrase,)* }
            }
        }
    };
}

verbs! {
    DocumentAdded "document_added" "added",
    DocumentChanged "document_changed" "edited",
    DocumentDownloaded "document_downloaded" "downloaded",
    VersionAdded "version_added" "uploaded a new version of",
    VersionMadeCurrent "version_made_current" "went back to an older version of",
    VisibilityChanged "visibility_changed" "changed who sees",
    DocumentPublished "document_published" "published",
    DocumentWithdrawn "document_withdrawn" "made a draft of",
    DocumentArchived "document_archived" "archived",
    DocumentUnarchived "document_unarchived" "brought back from the archive",
    DocumentTrashed "document_trashed" "moved to the trash",
    DocumentRestored "document_restored" "restored",
    DocumentDeleted "document_deleted" "deleted for good",
    FilesMoved "files_moved" "began to move the files of",
    CategoryCreated "category_created" "added the category",
    CategoryChanged "category_changed" "changed the category",
    CategoryMerged "category_merged" "merged the category",
    CategoryDeleted "category_deleted" "deleted the category",
    GroupCreated "group_created" "added the group",
    GroupChanged "group_changed" "changed the group",
    GroupDeleted "group_deleted" "deleted the group",
    GroupJoined "group_joined" "added somebody to the group",
    GroupLeft "group_left" "took somebody out of the group",
    PersonAdded "person_added" "added",
    PersonChanged "person_changed" "edited the account of",
    PersonDisabled "person_disabled" "disabled the account of",
    PersonEnabled "person_enabled" "enabled the account of",
    PersonDeleted "person_deleted" "deleted the account of",
    RoleChanged "role_changed" "set the role of",
    MembershipEnded "membership_ended" "ended the membership of",
    PasswordChanged "password_changed" "changed the password of",
    SignedIn "signed_in" "signed in as",
    SignInFailed "sign_in_failed" "failed to sign in as",
    SignedOutEverywhere "signed_out_everywhere" "ended all sessions of",
    TokenCreated "token_created" "made the API token",
    TokenRevoked "token_revoked" "revoked the API token",
    SettingsChanged "settings_changed" "changed the settings of",
    StorageClaimed "storage_claimed" "took over the files in",
    BackupStarted "backup_started" "started",
    BackupDownloaded "backup_downloaded" "downloaded the backup",
    BackupDeleted "backup_deleted" "deleted the backup",
    PortalSetUp "portal_set_up" "set up",
}

impl Verb {
    pub fn from_name(name: &str) -> Option<Self> {
        Verb::ALL.iter().copied().find(|verb| verb.name() == name)
    }
}

/// Writes an event about `subject` in the transaction of its cause, into the log of the
/// organization that the subject belongs to: not of the one where the actor is at work, or an
/// administrator of the instance would carry names from one tenant's log into another's.
pub fn record<T>(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: impl Into<Option<Id<Organization>>>,
    verb: Verb,
    subject: Id<T>,
    subject_name: &str,
    detail: Option<&str>,
) -> Result<()> {
    let event = Event {
        id: tx.new_id(),
        organization: organization.into(),
        at: tx.now(),
        user: actor.user,
        actor_name: actor.name.clone(),
        address: actor.address.clone(),
        verb,
        subject: subject.uuid(),
        subject_name: subject_name.into(),
        detail: detail.map(Into::into),
    };
    tx.put(&event)
}

/// Notes a download. Strangers have no name, so how often they come says little: theirs are noted
/// once for each document and hour.
pub fn record_download(
    tx: &mut WriteTx,
    actor: &Actor,
    document: &Document,
    version: u32,
) -> Result<()> {
    if is_noted_download(tx, actor, document.id)? {
        return Ok(());
    }
    let detail = format!("version {version}");
    record(
        tx,
        actor,
        document.organization,
        Verb::DocumentDownloaded,
        document.id,
        &document.title,
        Some(&detail),
    )
}

/// True when [`record_download`] would not note one more: a look that costs no place among the
/// writers.
pub fn is_noted_download(tx: &ReadTx, actor: &Actor, document: Id<Document>) -> Result<bool> {
    if !actor.is_stranger() {
        return Ok(false);
    }
    let since = tx.now() - STRANGERS_NOTED_EVERY;
    let last = tx.index(&BY_SUBJECT).within(&document.uuid()).backward().records()?;
    for event in last.take(DOWNLOADS_LOOKED_AT_MAX) {
        let event = event?;
        if event.at <= since {
            break;
        }
        if event.verb == Verb::DocumentDownloaded && event.user.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets what happened before `before`, at most `limit` events.
pub fn sweep(tx: &mut WriteTx, before: Timestamp, limit: usize) -> Result<usize> {
    let mut old = Vec::new();
    for event in tx.records::<Event>().iter()?.take(limit) {
        let event = event?;
        if event.at >= before {
            break;
        }
        old.push(event.id);
    }
    for id in &old {
        tx.remove::<Event>(id)?;
    }
    Ok(old.len())
}

/// What the audit log is asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub verb: Option<Verb>,
    pub user: Option<Id<User>>,
    /// What it was done to.
    pub subject: Option<Uuid>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Only events older than this one.
    pub after: Option<Id<Event>>,
}

/// How many events are looked at for one page, of a filtered log or of a document's activity.
const LOOKED_AT_MAX: usize = 20_000;

/// A page of the audit log, newest first, and where the next begins.
pub fn list(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    filter: &Filter,
    limit: usize,
) -> Result<(Vec<Event>, Option<Id<Event>>)> {
    decide(actor, Action::Govern(organization))?;
    let events = matching(tx, organization, filter)?;
    let mut page: Vec<Event> = Vec::new();
    let mut last_seen = None;
    for (looked_at, event) in events.enumerate() {
        let event = event?;
        if filter.from.is_some_and(|from| event.at < from) {
            break;
        }
        if page.len() == limit || looked_at == LOOKED_AT_MAX {
            return Ok((page, last_seen));
        }
        last_seen = Some(event.id);
        if event.organization == Some(organization) && filter.admits(&event) {
            page.push(event);
        }
    }
    Ok((page, None))
}

/// The events that come into question, the latest first: those about one subject, or all.
fn matching<'tx>(
    tx: &'tx ReadTx,
    organization: Id<Organization>,
    filter: &Filter,
) -> Result<Box<dyn Iterator<Item = Result<Event>> + 'tx>> {
    if let Some(subject) = filter.subject {
        let mut scan = tx.index(&BY_SUBJECT).within(&subject).backward();
        if let Some(after) = filter.after {
            scan = scan.after(&(subject, after));
        }
        return Ok(Box::new(scan.records()?));
    }
    let mut scan = tx.index(&BY_ORGANIZATION).within(&organization).backward();
    if let Some(after) = filter.after {
        scan = scan.after(&(organization, after));
    }
    Ok(Box::new(scan.records()?))
}

impl Filter {
    fn admits(&self, event: &Event) -> bool {
        self.verb.is_none_or(|verb| event.verb == verb)
            && self.user.is_none_or(|user| event.user == Some(user))
            && self.until.is_none_or(|until| event.at < until)
    }
}

/// What happened to a document, newest first. Who downloaded it is told to those who may edit it.
///
/// # Errors
/// As [`decide`] for those outside of its organization, however public the document.
pub fn of_document(
    tx: &ReadTx,
    actor: &Actor,
    document: &Document,
    limit: usize,
) -> Result<Vec<Event>> {
    decide(actor, Action::ReadHistory(document))?;
    let may_edit = decide(actor, Action::Edit(document)).is_ok();
    let events = tx.index(&BY_SUBJECT).within(&document.id.uuid()).backward().records()?;
    events
        .take(LOOKED_AT_MAX)
        .filter(|event| {
            may_edit || !matches!(event, Ok(event) if event.verb == Verb::DocumentDownloaded)
        })
        .take(limit)
        .collect()
}

/// The last events about one subject, newest first. The caller has decided that it may be read.
pub fn about<T>(tx: &ReadTx, subject: Id<T>, limit: usize) -> Result<Vec<Event>> {
    tx.index(&BY_SUBJECT).within(&subject.uuid()).backward().records()?.take(limit).collect()
}
