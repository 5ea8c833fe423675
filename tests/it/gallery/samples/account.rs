use actix_web::http::StatusCode;
use appliance::{
    error::Error,
    web::pages::{
        Choice, FormErrors, HiddenField, Page, Pager, Place,
        account::{
            CreatedToken, PasswordPage, ProfilePage, SessionRow, SessionsPage, TokenRow, TokensPage,
        },
        confirm::ConfirmPage,
        documents::FileFace,
        failure::{Failure, FailurePage, PlainFailurePage},
        setup::{
            SetupExpiredPage, SetupPage,
            restore::{RestorePage, RestoreState, RestoreStateFragment},
        },
        trash::{TrashPage, TrashedDocument},
    },
};

use super::{super::Exhibit, admin, fragment, minutes_ago, page, reader, stranger};

pub fn all() -> Vec<Exhibit> {
    let mut exhibits = account();
    exhibits.extend(trash());
    exhibits.extend(setup());
    exhibits.extend(failures());
    exhibits
}

fn account() -> Vec<Exhibit> {
    let session = |id: &str, device: &str, is_this_one| SessionRow {
        id: id.to_owned(),
        device: device.to_owned(),
        address: "2001:db8:85a3::8a2e:370:7334".to_owned(),
        signed_in: minutes_ago(60 * 24 * 3),
        last_seen: minutes_ago(2),
        is_this_one,
    };
    let token = |id: &str, name: &str, is_expired: bool| TokenRow {
        id: id.to_owned(),
        name: name.to_owned(),
        created: minutes_ago(60 * 24 * 100),
        last_used: (!is_expired).then(|| minutes_ago(14)),
        expires: is_expired.then(|| minutes_ago(60 * 24 * 10)),
        is_expired,
    };
    let tokens = TokensPage {
        page: admin(Place::Tokens),
        errors: FormErrors::none(),
        name: String::new(),
        lifetimes: vec![
            Choice::new("30", "30 days", false),
            Choice::new("365", "1 year", true),
            Choice::new("", "Until it is revoked", false),
        ],
        tokens: vec![
            token("t1", "Nightly import from the accounting system", false),
            token("t2", "Old script", true),
        ],
        created: None,
    };
    vec![
        page(
            "account",
            &ProfilePage {
                page: admin(Place::Profile),
                errors: FormErrors::of(&Error::invalid_field(
                    "email",
                    "Somebody else uses this address. Choose another.",
                )),
                username: "ana".to_owned(),
                full_name: "Ana María López".to_owned(),
                email: "ana.lopez@halden.example".to_owned(),
                role: "Admin".to_owned(),
                groups: vec!["Investment committee".to_owned(), "Board".to_owned()],
                member_since: minutes_ago(60 * 24 * 400),
            },
        ),
        page(
            "account-password",
            &PasswordPage {
                page: Page { place: Place::Password, ..reader() },
                errors: FormErrors::of(&Error::invalid_field(
                    "current",
                    "This is not your current password.",
                )),
                username: "thorunn".to_owned(),
                is_required: true,
            },
        ),
        page(
            "account-sessions",
            &SessionsPage {
                page: admin(Place::Sessions),
                sessions: vec![
                    session("s1", "Firefox on Windows", true),
                    session("s2", "Safari on iPhone", false),
                ],
            },
        ),
        page("account-tokens", &tokens),
        page(
            "account-tokens-created",
            &TokensPage {
                created: Some(CreatedToken {
                    name: "Website".to_owned(),
                    secret: "apl_3f9a0c7d5b1e4f6a8c2d9e0b7f5a3c1d6e8f0a2b4c6d8e0f".to_owned(),
                    origin: "https://docs.halden.example".to_owned(),
                }),
                tokens: Vec::new(),
                ..tokens
            },
        ),
    ]
}

fn trash() -> Vec<Exhibit> {
    let document = |id: &str, title: &str| TrashedDocument {
        id: id.to_owned(),
        title: title.to_owned(),
        face: FileFace::of("", "minutes.docx"),
        thumbnail_url: None,
        size_bytes: Some(88_000),
        trashed_by: "Ana María López".to_owned(),
        trashed_at: minutes_ago(60 * 24 * 3),
        gone: minutes_ago(-60 * 24 * 27),
    };
    let full = TrashPage {
        page: admin(Place::Trash),
        documents: vec![
            document("d1", "Board minutes, March"),
            document(
                "d2",
                "A title that somebody pasted from a whole paragraph of an e-mail because nobody told them that titles are short",
            ),
        ],
        total: 2,
        days: 30,
        pager: Pager::default(),
    };
    vec![
        page("trash", &full),
        page("trash-empty", &TrashPage { documents: Vec::new(), total: 0, ..full }),
        page(
            "confirm",
            &ConfirmPage {
                page: admin(Place::Trash),
                question: "Delete “Board minutes, March” for good?".to_owned(),
                detail: "The document and all its versions are removed. This cannot be undone."
                    .to_owned(),
                button: "Delete for good".to_owned(),
                action: "/documents/d1/delete".to_owned(),
                fields: vec![HiddenField::new("next", "/trash")],
                back_href: "/trash".to_owned(),
            },
        ),
    ]
}

fn setup() -> Vec<Exhibit> {
    let mut errors = FormErrors::none();
    errors.add("password", "This password is among the most common ones. Choose another.");
    let failed = RestoreState::Form { failed: Some("The passphrase is wrong.".to_owned()) };
    let running = RestoreState::Running {
        step: "Restoring files: 1,204 of 88,120".to_owned(),
        percent: Some(1),
    };
    let restore = |state| RestorePage {
        page: stranger(),
        errors: FormErrors::none(),
        token: "2fA8kQ".to_owned(),
        source: "/srv/backups".to_owned(),
        signer: String::new(),
        state,
    };
    let blank = SetupPage {
        page: Page { organization: "Appliance".to_owned(), ..Page::default() },
        errors: FormErrors::none(),
        token: "one-time".to_owned(),
        organization: String::new(),
        full_name: String::new(),
        username: String::new(),
        email: String::new(),
    };
    vec![
        page("setup", &blank),
        page("setup-restore", &restore(RestoreState::Form { failed: None })),
        page("setup-restore-failed", &restore(failed)),
        page("setup-restore-running", &restore(running.clone())),
        page("setup-restore-done", &restore(RestoreState::Done)),
        fragment(
            "setup-restore-state",
            &RestoreStateFragment { token: "2fA8kQ".to_owned(), state: running },
        ),
        page("setup-wrong", &SetupPage { errors, username: "ana".to_owned(), ..blank.clone() }),
        page("setup-expired", &SetupExpiredPage { page: blank.page }),
    ]
}

fn failures() -> Vec<Exhibit> {
    let failure = |status: StatusCode, message: &str, retry_after_s| {
        Failure::told(status, message, retry_after_s, Some("0193510e-7b52"))
    };
    let fail = |page: Page, status: StatusCode, message: &str| FailurePage {
        page,
        failure: failure(status, message, None),
    };
    let fault = "Something went wrong on our side.";
    let missing = "This document does not exist, or you do not have access to it.";
    vec![
        page(
            "failure-403",
            &fail(reader(), StatusCode::FORBIDDEN, "Only managers may change categories."),
        ),
        page("failure-404", &fail(admin(Place::Elsewhere), StatusCode::NOT_FOUND, missing)),
        page("failure-401", &fail(stranger(), StatusCode::UNAUTHORIZED, "Sign in to continue.")),
        page(
            "failure-413",
            &fail(
                admin(Place::Elsewhere),
                StatusCode::PAYLOAD_TOO_LARGE,
                "This file has 3.1 GB; the limit is 2 GB.",
            ),
        ),
        page(
            "failure-503",
            &FailurePage {
                page: stranger(),
                failure: failure(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server is starting.",
                    Some(170),
                ),
            },
        ),
        page(
            "failure-500",
            &fail(admin(Place::Elsewhere), StatusCode::INTERNAL_SERVER_ERROR, fault),
        ),
        page(
            "failure-plain",
            &PlainFailurePage { failure: failure(StatusCode::INTERNAL_SERVER_ERROR, fault, None) },
        ),
    ]
}
