//! Who may use which endpoint. One line for each; see the module.

use appliance::{
    domain::{
        access::Action::{self, Curate, Govern, Operate, Upload},
        organizations::Organization,
    },
    id::Id,
};
use serde_json::{Value, json};

/// Who is let through.
#[derive(Clone, Copy)]
pub enum Rule {
    /// Everybody.
    Open,
    /// Nobody: the password is wrong.
    Nobody,
    /// Who has signed in and is at work in an organization.
    Member,
    /// Whoever may do this in the organization where they are at work.
    May(fn(Id<Organization>) -> Action<'static>),
    /// Who may read the document.
    Read,
    /// Who may see the versions that the document had before.
    ReadHistory,
    /// Who may change the document.
    Edit,
    /// The same for whoever is at work in an organization at all.
    EditAtWork,
    /// Who may read the document and belongs to its organization.
    ReadAsMember,
    /// Everybody, if the whole world may read the document; else nobody, not even who else may.
    Media,
}

impl Rule {
    pub fn is_about_a_document(self) -> bool {
        matches!(
            self,
            Rule::Read
                | Rule::ReadHistory
                | Rule::Edit
                | Rule::EditAtWork
                | Rule::ReadAsMember
                | Rule::Media
        )
    }
}

#[derive(Clone)]
pub enum Body {
    None,
    Json(Value),
    Form(&'static str),
    /// A form with a file.
    File,
}

pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub rule: Rule,
    pub body: Body,
    /// The address names something of the first organization; others do not know of it.
    pub names_something_of_ours: bool,
    /// The address names something that is not there: 404 for who is let through.
    pub names_nothing: bool,
    /// Whoever asks is signed out by it.
    pub ends_sessions: bool,
}

impl Row {
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub fn is_api(&self) -> bool {
        self.path.starts_with("/api/") && self.path != "/api/docs"
    }

    pub fn is_unsafe(&self) -> bool {
        self.method != "GET"
    }

    /// Nobody needs to have signed in, so there is no session that a token would belong to: a
    /// password or the link of the setup is the proof.
    pub fn is_for_anybody_without_a_token(&self) -> bool {
        ["/api/login", "/setup/{token}/restore"].contains(&self.path)
    }

    fn json(mut self, json: Value) -> Row {
        self.body = Body::Json(json);
        self
    }

    fn form(mut self, form: &'static str) -> Row {
        self.body = Body::Form(form);
        self
    }

    fn file(mut self) -> Row {
        self.body = Body::File;
        self
    }

    fn ours(mut self) -> Row {
        self.names_something_of_ours = true;
        self
    }

    fn nothing(mut self) -> Row {
        self.names_nothing = true;
        self
    }

    fn last(mut self) -> Row {
        self.ends_sessions = true;
        self
    }
}

fn row(name: &'static str, rule: Rule) -> Row {
    let (method, path) = name.split_once(' ').expect("a method and a path");
    Row {
        method,
        path,
        rule,
        body: Body::None,
        names_something_of_ours: false,
        names_nothing: false,
        ends_sessions: false,
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(files());
    rows.extend(api());
    rows.extend(document_api());
    rows.extend(administration_api());
    rows.extend(pages());
    rows.extend(account_pages());
    rows.extend(admin_pages());
    rows.extend(users_pages());
    rows
}

fn operate(_: Id<Organization>) -> Action<'static> {
    Operate
}

use Rule::{Edit, EditAtWork, May, Media, Member, Nobody, Open, Read, ReadAsMember, ReadHistory};

fn files() -> Vec<Row> {
    vec![
        row("GET /static/{path:.*}", Open),
        row("GET /favicon.ico", Open),
        row("GET /apple-touch-icon.png", Open),
        row("GET /robots.txt", Open),
        row("GET /logo/{hash}", Open).nothing(),
        row("GET /healthz", Open),
        row("GET /readyz", Open),
        row("GET /metrics", Open),
        row("GET /media/{id}/{filename}", Media),
    ]
}

fn api() -> Vec<Row> {
    let wrong = json!({ "username": "nobody", "password": "nothing" });
    let password = json!({ "current_password": "wrong", "new_password": "a short blue kettle" });
    vec![
        row("GET /api/", Open),
        row("GET /api/openapi.json", Open),
        row("POST /api/login", Nobody).json(wrong),
        row("POST /api/logout", Member).last(),
        row("GET /api/users/me", Member),
        row("PATCH /api/users/me", Member).json(json!({})),
        row("POST /api/users/me/password", Member).json(password),
        row("GET /api/users/me/sessions", Member),
        row("DELETE /api/users/me/sessions", Member).last(),
        row("DELETE /api/users/me/sessions/{id}", Member),
        row("GET /api/users/me/tokens", Member),
        row("POST /api/users/me/tokens", Member).json(json!({ "name": "A script" })),
        row("DELETE /api/users/me/tokens/{id}", Member).nothing(),
        row("GET /api/documents", Member),
        row("GET /api/designs/", Member),
        row("GET /api/suggestions", Member),
        row("GET /api/statistics", Member),
        row("GET /api/trash", Member),
        row("POST /api/documents/bulk", Member)
            .json(json!({ "documents": [], "change": "archive" })),
        row("POST /api/admin/documents/upload", May(Upload)).file(),
        row("POST /api/admin/documents/link", May(Upload))
            .json(json!({ "url": "https://example.com" })),
    ]
}

fn document_api() -> Vec<Row> {
    vec![
        row("GET /api/documents/{id}", Read),
        row("PATCH /api/documents/{id}", Edit).json(json!({ "description": "Changed" })),
        row("DELETE /api/documents/{id}", Edit),
        row("PUT /api/documents/{id}/visibility", Edit)
            .json(json!({ "visibility": "organization" })),
        row("POST /api/documents/{id}/publish", Edit),
        row("POST /api/documents/{id}/withdraw", Edit),
        row("POST /api/documents/{id}/archive", Edit),
        row("POST /api/documents/{id}/trash", Edit),
        row("POST /api/documents/{id}/restore", Edit),
        row("DELETE /api/trash/{id}", Edit),
        row("GET /api/documents/{id}/download", Read),
        row("GET /api/documents/{id}/content", Read),
        row("GET /api/documents/{id}/thumbnail", Read),
        row("GET /api/documents/{id}/pages/{number}", Read),
        row("GET /api/documents/{id}/text", Read),
        row("GET /api/documents/{id}/versions", Read),
        row("POST /api/documents/{id}/versions", Edit).file(),
        row("GET /api/documents/{id}/versions/{version_id}/download", ReadHistory),
        row("POST /api/documents/{id}/versions/{version_id}/current", Edit),
        row("GET /api/documents/{id}/activity", ReadAsMember),
    ]
}

fn administration_api() -> Vec<Row> {
    let bob = json!({ "username": "bob", "email": "bob@", "password": "a short blue kettle" });
    let member = json!({ "user": "00000000-0000-7000-8000-000000000000" });
    vec![
        row("GET /api/people", May(Upload)),
        row("GET /api/admin/users", May(Govern)),
        row("POST /api/admin/users", May(Govern)).json(bob),
        row("GET /api/admin/users/{id}", May(Govern)).ours(),
        row("PATCH /api/admin/users/{id}", May(Govern)).ours().json(json!({ "role": "viewer" })),
        row("DELETE /api/admin/users/{id}", May(Govern)).ours(),
        row("POST /api/admin/users/{id}/disable", May(Govern)).ours(),
        row("POST /api/admin/users/{id}/enable", May(Govern)).ours(),
        row("POST /api/admin/users/{id}/password", May(Govern))
            .ours()
            .json(json!({ "password": "a short blue kettle" })),
        row("POST /api/admin/users/{id}/sign-out", May(Govern)).ours(),
        row("GET /api/admin/groups", May(Upload)),
        row("POST /api/admin/groups", May(Curate)).json(json!({ "name": "" })),
        row("GET /api/admin/groups/{id}", May(Upload)).ours(),
        row("PATCH /api/admin/groups/{id}", May(Curate)).ours().json(json!({})),
        row("DELETE /api/admin/groups/{id}", May(Curate)).ours(),
        row("GET /api/admin/groups/{id}/members", May(Curate)).ours(),
        row("POST /api/admin/groups/{id}/members", May(Curate)).ours().json(member),
        row("DELETE /api/admin/groups/{id}/members/{user_id}", May(Curate)).ours(),
        row("GET /api/admin/categories", May(Upload)),
        row("POST /api/admin/categories", May(Curate)).json(json!({ "name": "" })),
        row("PATCH /api/admin/categories/{id}", May(Curate)).ours().json(json!({})),
        row("DELETE /api/admin/categories/{id}", May(Curate)).ours(),
        row("POST /api/admin/categories/{id}/merge", May(Curate))
            .ours()
            .json(json!({ "into": "00000000-0000-7000-8000-000000000000" }))
            .nothing(),
        row("GET /api/admin/audit", May(Govern)),
        row("GET /api/admin/jobs", May(operate)),
        row("GET /api/admin/jobs/{id}", May(operate)),
        row("POST /api/admin/jobs/{id}/retry", May(operate)),
        row("POST /api/admin/jobs/{id}/cancel", May(operate)),
        row("GET /api/admin/system", May(operate)),
        row("GET /api/admin/system/log", May(operate)),
        row("GET /api/admin/storage", May(operate)),
        row("POST /api/admin/storage/check", May(operate)),
        row("POST /api/admin/storage/claim", May(operate)),
        row("POST /api/admin/storage/scrub", May(operate)).json(json!({})),
        row("POST /api/admin/storage/migrate", May(operate)).json(json!({ "to": "s3" })),
        row("GET /api/admin/backups", May(operate)),
        row("POST /api/admin/backups", May(operate)),
        row("GET /api/admin/backups/{id}/download", May(operate)).nothing(),
        row("DELETE /api/admin/backups/{id}", May(operate)).nothing(),
        row("GET /api/admin/settings", May(Govern)),
        row("PATCH /api/admin/settings", May(Govern)).json(json!({})),
        row("POST /api/admin/settings/logo", May(Govern)).file(),
        row("DELETE /api/admin/settings/logo", May(Govern)),
    ]
}

fn pages() -> Vec<Row> {
    vec![
        row("GET /", Open),
        row("GET /api/docs", Open),
        row("GET /setup/{token}", Open).nothing(),
        row("POST /setup/{token}", Open).form("organization=Ours").nothing(),
        row("GET /setup/{token}/restore", Open).nothing(),
        row("GET /setup/{token}/restore/state", Open).nothing(),
        row("POST /setup/{token}/restore", Open).file().nothing(),
        row("GET /sign-in", Open),
        row("POST /sign-in", Nobody).form("name=nobody&password=nothing"),
        row("POST /sign-out", Member).form("").last(),
        row("GET /documents", Member),
        row("GET /documents/results", Member),
        row("GET /documents/upload", May(Upload)),
        row("POST /documents/upload", May(Upload)).file(),
        row("GET /documents/link", May(Upload)),
        row("POST /documents/link", May(Upload)).form("url=https://example.com&title=Ours"),
        row("GET /documents/{id}", Read),
        row("GET /documents/{id}/preview", Read),
        row("GET /documents/{id}/download", Read),
        row("GET /documents/{id}/content", Read),
        row("GET /documents/{id}/thumbnail", Read),
        row("GET /documents/{id}/pages/{page}", Read),
        row("GET /documents/{id}/edit", EditAtWork),
        row("POST /documents/{id}/edit", EditAtWork).form("title=Changed"),
        row("GET /documents/{id}/visibility", EditAtWork),
        row("POST /documents/{id}/visibility", EditAtWork).form("visibility=organization"),
        row("POST /documents/{id}/publish", EditAtWork).form(""),
        row("POST /documents/{id}/withdraw", EditAtWork).form(""),
        row("POST /documents/{id}/archive", EditAtWork).form(""),
        row("POST /documents/{id}/unarchive", EditAtWork).form(""),
        row("POST /documents/{id}/trash", EditAtWork).form(""),
        row("POST /documents/{id}/restore", EditAtWork).form(""),
        row("POST /documents/{id}/delete", EditAtWork).form("confirmed=1"),
        row("POST /documents/{id}/versions", EditAtWork).file(),
        row("GET /documents/{id}/versions/{version}/download", ReadHistory),
        row("POST /documents/{id}/versions/{version}/current", EditAtWork).form(""),
    ]
}

fn account_pages() -> Vec<Row> {
    vec![
        row("GET /account", Member),
        row("POST /account", Member).form("username=&email=&full_name="),
        row("POST /account/appearance", Member).form("theme=dark"),
        row("GET /account/password", Member),
        row("POST /account/password", Member).form("current=wrong&password=&again="),
        row("GET /account/sessions", Member),
        row("POST /account/sessions/end-others", Member).form("").last(),
        row("POST /account/sessions/{id}/end", Member).form(""),
        row("GET /account/tokens", Member),
        row("POST /account/tokens", Member).form("name=A+script&days="),
        row("POST /account/tokens/{id}/revoke", Member).form(""),
        row("GET /trash", Member),
        row("POST /trash/empty", Member).form(""),
    ]
}

fn admin_pages() -> Vec<Row> {
    let nowhere = "into=00000000-0000-7000-8000-000000000000";
    vec![
        row("GET /admin", May(Curate)),
        row("GET /admin/", May(Curate)),
        row("GET /admin/categories", May(Curate)),
        row("POST /admin/categories", May(Curate)).form("name="),
        row("POST /admin/categories/{id}/rename", May(Curate)).ours().form("name=Plans"),
        row("POST /admin/categories/{id}/merge", May(Curate)).ours().form(nowhere).nothing(),
        row("POST /admin/categories/{id}/delete", May(Curate)).ours().form("confirmed=1"),
        row("GET /admin/documents", May(Curate)),
        row("POST /admin/documents/bulk", May(Curate)).form("change=archive"),
        row("POST /admin/documents/restore", May(Curate)).form(""),
        row("POST /admin/documents/visibility", May(Curate)).form("visibility=organization"),
        row("GET /admin/jobs", May(operate)),
        row("GET /admin/jobs/rows", May(operate)),
        row("POST /admin/jobs/retry-failed", May(operate)).form(""),
        row("POST /admin/jobs/{id}/retry", May(operate)).form(""),
        row("POST /admin/jobs/{id}/cancel", May(operate)).form(""),
        row("GET /admin/system", May(operate)),
        row("GET /admin/storage", May(operate)),
        row("GET /admin/storage/work", May(operate)),
        row("POST /admin/storage/check", May(operate)).form(""),
        row("POST /admin/storage/claim", May(operate)).form(""),
        row("POST /admin/storage/scrub", May(operate)).form(""),
        row("POST /admin/storage/migrate", May(operate)).form("to=s3"),
        row("GET /admin/backups", May(operate)),
        row("GET /admin/backups/state", May(operate)),
        row("POST /admin/backups/plan", May(operate)).form(
            "every_hours=24&at=03:00&keep_last=3&keep_daily=7&keep_weekly=5&keep_monthly=12&\
             encryption=none&ship_every_seconds=0&drill_every_days=7",
        ),
        row("POST /admin/backups/make", May(operate)).form(""),
        row("POST /admin/backups/drill", May(operate)).form(""),
        row("POST /admin/backups/verify", May(operate)).form(""),
        row("GET /admin/backups/{id}/download", May(operate)).nothing(),
        row("POST /admin/backups/{id}/download", May(operate)).form("confirmed=1").nothing(),
        row("POST /admin/backups/{id}/delete", May(operate)).form("confirmed=1").nothing(),
        row("GET /admin/audit", May(Govern)),
        row("GET /admin/settings", May(Govern)),
        row("POST /admin/settings", May(Govern)).form("name="),
        row("POST /admin/settings/logo", May(Govern)).file(),
        row("POST /admin/settings/logo/remove", May(Govern)).form(""),
        row("GET /admin/https", May(operate)),
        row("POST /admin/https", May(operate)).form("domains=&email="),
        row("POST /admin/https/fetch", May(operate)).form(""),
    ]
}

fn users_pages() -> Vec<Row> {
    vec![
        row("GET /admin/people", May(Govern)),
        row("GET /admin/people/new", May(Govern)),
        row("POST /admin/people/new", May(Govern)).form("username="),
        row("GET /admin/people/{id}", May(Govern)).ours(),
        row("POST /admin/people/{id}", May(Govern)).ours().form("username="),
        row("POST /admin/people/{id}/password", May(Govern)).ours().form("password=short"),
        row("POST /admin/people/{id}/sign-out", May(Govern)).ours().form(""),
        row("POST /admin/people/{id}/disable", May(Govern)).ours().form("confirmed=1"),
        row("POST /admin/people/{id}/enable", May(Govern)).ours().form(""),
        row("POST /admin/people/{id}/delete", May(Govern)).ours().form("confirmed=1"),
        row("GET /admin/groups", May(Curate)),
        row("POST /admin/groups", May(Curate)).form("name="),
        row("GET /admin/groups/{id}", May(Curate)).ours(),
        row("POST /admin/groups/{id}", May(Curate)).ours().form("name=Readers"),
        row("POST /admin/groups/{id}/members", May(Curate)).ours().form(""),
        row("POST /admin/groups/{id}/delete", May(Curate)).ours().form("confirmed=1"),
    ]
}
