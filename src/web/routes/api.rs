//! What programs ask for. Addresses below `/api/admin` are those of the systems that this one replaces:
//! the access decision alone says who may use them.

use crate::web::{
    api::{
        account, backups, categories, documents as docs, events, groups, health as front_door,
        jobs, openapi, people, sessions, settings, sign_in, storage, system, tokens, users,
    },
    endpoint::{Endpoint, delete, get, patch, post, put},
};

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = Vec::new();
    all.extend(sign_in_api());
    all.extend(account_api());
    all.extend(documents_api());
    all.extend(one_document_api());
    all.extend(library_api());
    all.extend(users_api());
    all.extend(administration_api());
    all
}

fn sign_in_api() -> Vec<Endpoint> {
    const GROUP: &str = "Signing in";
    vec![
        get("/api/", front_door::show)
            .about(GROUP, "Ask whether the portal answers")
            .gives::<front_door::Health>(200)
            .for_anybody(),
        get("/api/openapi.json", openapi::serve),
        post("/api/login", sign_in::login)
            .about(GROUP, "Sign in")
            .detail(
                "Send the token as `Authorization: Bearer …`. It ends with its session: when you \
                 sign out, when the password changes, when the account is disabled. Whoever was \
                 given their password chooses their own first, with POST /api/users/me/password: \
                 until then everything else answers 403.",
            )
            .json::<sign_in::LoginForm>()
            .gives::<sign_in::TokenView>(200)
            .for_anybody(),
        post("/api/logout", sign_in::logout).about(GROUP, "Sign out").gives_nothing(204),
    ]
}

fn account_api() -> Vec<Endpoint> {
    const GROUP: &str = "Your account";
    vec![
        get("/api/users/me", account::show)
            .about(GROUP, "Show your account and what it may do")
            .gives::<account::AccountView>(200),
        patch("/api/users/me", account::edit)
            .about(GROUP, "Change your account")
            .json::<account::AccountEdit>()
            .gives::<account::AccountView>(200),
        post("/api/users/me/password", account::change_password)
            .about(GROUP, "Change your password")
            .detail("Ends all other sessions.")
            .json::<account::PasswordChange>()
            .gives_nothing(204),
        get("/api/users/me/sessions", sessions::list)
            .about(GROUP, "List your sessions")
            .gives::<sessions::SessionList>(200),
        delete("/api/users/me/sessions", sessions::end_others)
            .about(GROUP, "End all sessions but this one")
            .gives_nothing(204),
        delete("/api/users/me/sessions/{id}", sessions::end)
            .about(GROUP, "End a session")
            .gives_nothing(204),
        get("/api/users/me/tokens", tokens::list)
            .about(GROUP, "List your API tokens")
            .gives::<tokens::ApiTokenList>(200),
        post("/api/users/me/tokens", tokens::create)
            .about(GROUP, "Make an API token")
            .detail("It acts as you. It is shown in this answer and never again.")
            .json::<tokens::NewApiToken>()
            .gives::<tokens::ApiTokenView>(201),
        delete("/api/users/me/tokens/{id}", tokens::revoke)
            .about(GROUP, "Revoke an API token")
            .gives_nothing(204),
    ]
}

fn documents_api() -> Vec<Endpoint> {
    const GROUP: &str = "Documents";
    vec![
        get("/api/documents", docs::list)
            .about(GROUP, "Find documents")
            .detail("What you may read, the newest first, or by a search. Long texts are left out.")
            .query::<docs::DocumentsWanted>()
            .gives::<docs::DocumentList>(200),
        get("/api/designs/", docs::designs)
            .about(GROUP, "Find designs")
            .detail(
                "As finding documents, among posters, banners, flyers, business cards, logos and \
                 catalogs.",
            )
            .query::<docs::DocumentsWanted>()
            .gives::<docs::DocumentList>(200),
        post("/api/admin/documents/upload", docs::upload)
            .about(GROUP, "Upload a file")
            .multipart::<docs::UploadForm>()
            .gives::<docs::DocumentView>(201),
        post("/api/admin/documents/link", docs::link)
            .about(GROUP, "Add a link")
            .json::<docs::LinkForm>()
            .gives::<docs::DocumentView>(201),
        post("/api/documents/bulk", docs::bulk)
            .about(GROUP, "Change many documents at once")
            .detail("Each by itself: the answer says which were refused, and why.")
            .json::<docs::BulkForm>()
            .gives::<docs::BulkAnswer>(200),
        get("/api/documents/{id}", docs::show)
            .about(GROUP, "Show a document")
            .tagged()
            .gives::<docs::DocumentView>(200)
            .for_anybody(),
        patch("/api/documents/{id}", docs::edit)
            .about(GROUP, "Change what is said about a document")
            .conditional()
            .detail("With `If-Match`, only if nobody has changed it since you read that `ETag`.")
            .json::<docs::DocumentChange>()
            .gives::<docs::DocumentView>(200),
        put("/api/documents/{id}/visibility", docs::set_visibility)
            .about(GROUP, "Decide who sees a document")
            .conditional()
            .json::<docs::VisibilityForm>()
            .gives::<docs::DocumentView>(200),
        post("/api/documents/{id}/publish", docs::publish)
            .about(GROUP, "Publish a document, or bring it back from the archive")
            .conditional()
            .gives::<docs::DocumentView>(200),
        post("/api/documents/{id}/withdraw", docs::withdraw)
            .about(GROUP, "Make a document a draft")
            .conditional()
            .detail("Its creator and the managers see it.")
            .gives::<docs::DocumentView>(200),
        post("/api/documents/{id}/archive", docs::archive)
            .about(GROUP, "Archive a document")
            .conditional()
            .detail("It leaves the lists. Who may see it still finds it with `status=archived`.")
            .gives::<docs::DocumentView>(200),
        post("/api/documents/{id}/trash", docs::trash)
            .about(GROUP, "Move a document to the trash")
            .conditional()
            .detail("From where it can be restored for 30 days.")
            .gives::<docs::DocumentView>(200),
        delete("/api/documents/{id}", docs::trash_with_delete)
            .about(GROUP, "Move a document to the trash (as POST …/trash)")
            .conditional()
            .gives_nothing(204),
        post("/api/documents/{id}/restore", docs::restore)
            .about(GROUP, "Restore a document from the trash")
            .conditional()
            .gives::<docs::DocumentView>(200),
        get("/api/trash", docs::list_trash)
            .about(GROUP, "List the trash")
            .query::<docs::TrashWanted>()
            .gives::<docs::TrashList>(200),
        delete("/api/trash/{id}", docs::delete_for_good)
            .about(GROUP, "Delete a document for good")
            .conditional()
            .detail("Only from the trash.")
            .gives_nothing(204),
    ]
}

fn one_document_api() -> Vec<Endpoint> {
    use crate::web::pages::documents::files;
    const GROUP: &str = "Inside a document";
    vec![
        get("/api/documents/{id}/download", files::download)
            .about(GROUP, "Download the file")
            .detail("`Range`, `If-Range` and `If-None-Match` are understood.")
            .gives_file("*/*")
            .for_anybody(),
        get("/api/documents/{id}/content", files::content)
            .about(GROUP, "Show the file")
            .detail("As the download, but to be shown where its type is known to be harmless.")
            .gives_file("*/*")
            .for_anybody(),
        get("/api/documents/{id}/thumbnail", files::thumbnail)
            .about(GROUP, "Show a small image")
            .gives_image("image/*")
            .for_anybody(),
        get("/api/documents/{id}/pages/{number}", files::page_image)
            .about(GROUP, "Show a page as an image")
            .detail("Pages count from 1.")
            .gives_image("image/*")
            .for_anybody(),
        get("/api/documents/{id}/text", docs::text)
            .about(GROUP, "Show the text of the file")
            .gives::<docs::TextView>(200)
            .for_anybody(),
        get("/api/documents/{id}/versions", docs::list_versions)
            .about(GROUP, "List the versions")
            .gives::<docs::VersionList>(200)
            .for_anybody(),
        post("/api/documents/{id}/versions", docs::add_version)
            .about(GROUP, "Upload a new version")
            .conditional()
            .detail("It becomes the current one.")
            .multipart::<docs::VersionUpload>()
            .gives::<docs::DocumentView>(201),
        get("/api/documents/{id}/versions/{version_id}/download", files::download_version)
            .about(GROUP, "Download a version")
            .gives_file("*/*")
            .for_anybody(),
        post("/api/documents/{id}/versions/{version_id}/current", docs::make_current)
            .about(GROUP, "Make a version the current one")
            .conditional()
            .gives::<docs::DocumentView>(200),
        get("/api/documents/{id}/activity", docs::activity)
            .about(GROUP, "List what happened to a document")
            .query::<docs::ActivityWanted>()
            .gives::<docs::ActivityList>(200),
    ]
}

fn library_api() -> Vec<Endpoint> {
    const GROUP: &str = "Library";
    vec![
        get("/api/suggestions", docs::suggestions)
            .about(GROUP, "Suggest titles as you type")
            .query::<docs::SuggestionsWanted>()
            .gives::<docs::SuggestionList>(200),
        get("/api/statistics", docs::statistics)
            .about(GROUP, "Show the figures above the library")
            .gives::<docs::Statistics>(200),
        get("/api/admin/categories", categories::list)
            .about(GROUP, "List the categories")
            .gives::<categories::CategoryList>(200),
        post("/api/admin/categories", categories::create)
            .about(GROUP, "Add a category")
            .json::<categories::NewCategory>()
            .gives::<categories::CategoryView>(201),
        patch("/api/admin/categories/{id}", categories::edit)
            .about(GROUP, "Rename a category")
            .json::<categories::CategoryChange>()
            .gives::<categories::CategoryView>(200),
        delete("/api/admin/categories/{id}", categories::delete)
            .about(GROUP, "Delete an empty category")
            .gives_nothing(204),
        post("/api/admin/categories/{id}/merge", categories::merge)
            .about(GROUP, "Move a category's documents to another one, and delete it")
            .detail("By a job: the answer does not wait for it.")
            .json::<categories::MergeForm>()
            .gives_nothing(202),
    ]
}

fn users_api() -> Vec<Endpoint> {
    const GROUP: &str = "People and groups";
    vec![
        get("/api/people", people::list)
            .about(GROUP, "Find people to show a document to")
            .query::<people::PeopleWanted>()
            .gives::<people::PeopleList>(200),
        get("/api/admin/users", users::list)
            .about(GROUP, "List the accounts")
            .query::<users::UsersWanted>()
            .gives::<users::UserList>(200),
        post("/api/admin/users", users::create)
            .about(GROUP, "Add an account")
            .detail("Before anything else its owner chooses a password of their own.")
            .json::<users::NewUserForm>()
            .gives::<users::UserView>(201),
        get("/api/admin/users/{id}", users::show)
            .about(GROUP, "Show an account")
            .gives::<users::UserView>(200),
        patch("/api/admin/users/{id}", users::edit)
            .about(GROUP, "Change an account or its role")
            .json::<users::UserChange>()
            .gives::<users::UserView>(200),
        delete("/api/admin/users/{id}", users::delete)
            .about(GROUP, "Delete an account and hand its documents over")
            .detail(
                "By a job: the account is locked at once and gone when its documents have moved.",
            )
            .query::<users::Heir>()
            .gives_nothing(202),
        post("/api/admin/users/{id}/disable", users::disable)
            .about(GROUP, "Lock an account out")
            .gives::<users::UserView>(200),
        post("/api/admin/users/{id}/enable", users::enable)
            .about(GROUP, "Let an account in again")
            .gives::<users::UserView>(200),
        post("/api/admin/users/{id}/password", users::set_password)
            .about(GROUP, "Give an account another password")
            .detail("Ends all of its sessions and revokes its tokens.")
            .json::<users::NewPassword>()
            .gives_nothing(204),
        post("/api/admin/users/{id}/sign-out", users::sign_out)
            .about(GROUP, "End all sessions of an account and revoke its tokens")
            .gives_nothing(204),
        get("/api/admin/groups", groups::list)
            .about(GROUP, "List the groups")
            .gives::<groups::GroupList>(200),
        post("/api/admin/groups", groups::create)
            .about(GROUP, "Add a group")
            .json::<groups::NewGroup>()
            .gives::<groups::GroupView>(201),
        get("/api/admin/groups/{id}", groups::show)
            .about(GROUP, "Show a group")
            .gives::<groups::GroupView>(200),
        patch("/api/admin/groups/{id}", groups::edit)
            .about(GROUP, "Change a group")
            .json::<groups::GroupChange>()
            .gives::<groups::GroupView>(200),
        delete("/api/admin/groups/{id}", groups::delete)
            .about(GROUP, "Delete a group")
            .gives_nothing(204),
        get("/api/admin/groups/{id}/members", groups::members)
            .about(GROUP, "List the members of a group")
            .gives::<groups::GroupMemberList>(200),
        post("/api/admin/groups/{id}/members", groups::add_member)
            .about(GROUP, "Add somebody to a group")
            .json::<groups::NewGroupMember>()
            .gives_nothing(204),
        delete("/api/admin/groups/{id}/members/{user_id}", groups::remove_member)
            .about(GROUP, "Take somebody out of a group")
            .gives_nothing(204),
    ]
}

fn administration_api() -> Vec<Endpoint> {
    const GROUP: &str = "Administration";
    vec![
        get("/api/admin/audit", events::list)
            .about(GROUP, "Read the audit log")
            .query::<events::EventsWanted>()
            .gives::<events::EventList>(200),
        get("/api/admin/jobs", jobs::list)
            .about(GROUP, "List the jobs")
            .query::<jobs::JobsWanted>()
            .gives::<jobs::JobList>(200),
        get("/api/admin/jobs/{id}", jobs::show)
            .about(GROUP, "Show a job")
            .gives::<jobs::JobView>(200),
        post("/api/admin/jobs/{id}/retry", jobs::retry)
            .about(GROUP, "Start a job over")
            .gives::<jobs::JobView>(200),
        post("/api/admin/jobs/{id}/cancel", jobs::cancel)
            .about(GROUP, "Cancel a job that waits")
            .detail("Reading files again and moving them can be cancelled while they run, too.")
            .gives::<jobs::JobView>(200),
        get("/api/admin/system", system::show)
            .about(GROUP, "Show how the program and its machine are")
            .gives::<system::SystemView>(200),
        get("/api/admin/system/log", system::log)
            .about(GROUP, "Read the last lines of the log")
            .detail("As far back as the memory of the process goes: a thousand lines, and as many errors and warnings.")
            .query::<system::LogQuery>()
            .gives::<system::LogView>(200),
        get("/api/admin/storage", storage::show)
            .about(GROUP, "Show where files rest, what waits, and what is damaged")
            .gives::<storage::StorageView>(200),
        post("/api/admin/storage/check", storage::check)
            .about(GROUP, "Try everything that is needed of S3")
            .detail("Writes, reads, lists and deletes a file of its own.")
            .gives::<storage::CheckView>(200),
        post("/api/admin/storage/claim", storage::claim)
            .about(GROUP, "Make this portal the owner of the files in its bucket")
            .detail(
                "Only the owner removes files there. Make sure that no other portal uses the same \
                 bucket and prefix.",
            )
            .gives_nothing(204),
        post("/api/admin/storage/scrub", storage::scrub)
            .about(GROUP, "Read files again, and heal what is damaged")
            .json::<storage::ScrubForm>()
            .gives::<jobs::JobView>(202),
        post("/api/admin/storage/migrate", storage::migrate)
            .about(GROUP, "Copy all files to S3 or to the disk")
            .detail("The old copies stay, unless `remove_old` is set and everything was copied.")
            .json::<storage::MigrationForm>()
            .gives::<jobs::JobView>(202),
        get("/api/admin/backups", backups::list)
            .about(GROUP, "Show how backups stand and which there are")
            .gives::<backups::BackupList>(200),
        post("/api/admin/backups", backups::make)
            .about(GROUP, "Back up now")
            .detail("By a job: the answer does not wait for it.")
            .gives_nothing(202),
        get("/api/admin/backups/{id}/download", backups::download)
            .about(GROUP, "Download an archive")
            .detail("It holds everything. What is not encrypted, anybody who has it can read.")
            .gives_file("application/octet-stream"),
        delete("/api/admin/backups/{id}", backups::delete)
            .about(GROUP, "Delete a backup")
            .gives_nothing(204),
        get("/api/admin/settings", settings::show)
            .about(GROUP, "Show the settings")
            .gives::<settings::SettingsView>(200),
        patch("/api/admin/settings", settings::edit)
            .about(GROUP, "Change the settings")
            .json::<settings::SettingsChange>()
            .gives::<settings::SettingsView>(200),
        post("/api/admin/settings/logo", settings::set_logo)
            .about(GROUP, "Upload the organization's logo")
            .multipart::<settings::LogoForm>()
            .gives::<settings::SettingsView>(200),
        delete("/api/admin/settings/logo", settings::remove_logo)
            .about(GROUP, "Remove the organization's logo")
            .gives::<settings::SettingsView>(200),
    ]
}
