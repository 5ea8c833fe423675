//! The other way to begin: a backup comes back. Reached with the same one-time link.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use futures_util::TryStreamExt;

use super::expired;
use crate::{
    app::{App, Arriving, FirstRestore, FirstWanted},
    error::{Error, Result as AppResult},
    web::{
        auth::Visitor,
        body,
        fault::Result,
        pages::{FormErrors, Go, Html, Page, Place, filters, format, page},
    },
};

/// `GET` and `POST /setup/{token}/restore` (`multipart/form-data`): `secret`, `signer` and `source`,
/// and then the file `archive`.
#[derive(Clone, Debug, Template)]
#[template(path = "setup/restore.html")]
pub struct RestorePage {
    pub page: Page,
    pub errors: FormErrors,
    pub token: String,
    pub source: String,
    pub signer: String,
    pub state: RestoreState,
}

/// `GET /setup/{token}/restore/state`: how far it is, asked for until it is over.
#[derive(Clone, Debug, Template)]
#[template(path = "setup/restore_state.html")]
pub struct RestoreStateFragment {
    pub token: String,
    pub state: RestoreState,
}

#[derive(Clone, Debug)]
pub enum RestoreState {
    /// Nothing goes on: the form is shown. With the sentence about the last try.
    Form {
        failed: Option<String>,
    },
    /// `Restoring files: 1,204 of 3,000`.
    Running {
        step: String,
        percent: Option<u64>,
    },
    Done,
}

impl RestoreState {
    pub fn is_form(&self) -> bool {
        matches!(self, RestoreState::Form { .. })
    }

    fn of(found: FirstRestore) -> Self {
        match found {
            FirstRestore::None => RestoreState::Form { failed: None },
            FirstRestore::Failed(sentence) => RestoreState::Form { failed: Some(sentence) },
            FirstRestore::Arriving => {
                RestoreState::Running { step: "The archive is arriving".into(), percent: None }
            }
            FirstRestore::Running(step) => {
                let total = step.total.filter(|total| *total > 0);
                let done = format::number(step.done);
                RestoreState::Running {
                    percent: total.map(|total| step.done.min(total) * 100 / total),
                    step: match total {
                        _ if step.what.is_empty() => "Opening the backup".into(),
                        Some(total) => {
                            format!("{}: {done} of {}", step.what, format::number(total))
                        }
                        None => format!("{}: {done}", step.what),
                    },
                }
            }
            FirstRestore::Done => RestoreState::Done,
        }
    }
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    token: Path<String>,
) -> Result<HttpResponse> {
    if app.setup_link.check(&token).is_err() {
        return expired(&request, &visitor).await;
    }
    let shown = RestorePage {
        page: page(&request, &visitor, Place::Elsewhere).await?,
        errors: FormErrors::none(),
        token: token.into_inner(),
        source: String::new(),
        signer: String::new(),
        state: RestoreState::of(app.first_restore()),
    };
    Html(shown).with_status(StatusCode::OK)
}

pub async fn state(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    token: Path<String>,
) -> Result<HttpResponse> {
    let state = RestoreState::of(app.first_restore());
    // As long as something goes on and somebody looks, the link stays valid.
    let known = match state.is_form() {
        true => app.setup_link.check(&token),
        false => app.setup_link.renew(&token),
    };
    if known.is_err() {
        return expired(&request, &visitor).await;
    }
    Html(RestoreStateFragment { token: token.into_inner(), state }).with_status(StatusCode::OK)
}

/// Takes the archive and begins; how it goes on, the page shows.
pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    token: Path<String>,
    multipart: Multipart,
) -> Result<HttpResponse> {
    let mut form = RestoreForm::default();
    let begun = async {
        form.receive(&app, &request, &token, multipart).await?;
        let arriving = match form.arriving.take() {
            Some(arriving) => arriving,
            None => app.begin_first_restore(&token).await?,
        };
        arriving.run(&form.wanted).await
    };
    match begun.await {
        Ok(()) => Ok(Go::to(format!("/setup/{token}/restore")).response()),
        Err(Error::NotFound(_)) => expired(&request, &visitor).await,
        Err(error) => {
            // Given up before it is looked at: the form is shown again.
            form.arriving = None;
            let (errors, status) = FormErrors::refusing(error)?;
            let shown = RestorePage {
                page: page(&request, &visitor, Place::Elsewhere).await?,
                errors,
                token: token.into_inner(),
                source: form.wanted.source,
                signer: form.wanted.signer,
                state: RestoreState::of(app.first_restore()),
            };
            Html(shown).with_status(status)
        }
    }
}

#[derive(Default)]
struct RestoreForm {
    wanted: FirstWanted,
    /// The archive, when one was chosen.
    arriving: Option<Arriving>,
}

impl RestoreForm {
    /// The archive goes straight to the disk, whatever its size.
    async fn receive(
        &mut self,
        app: &Data<App>,
        request: &HttpRequest,
        token: &str,
        mut multipart: Multipart,
    ) -> AppResult<()> {
        // Another site cannot know the link, so it needs no further proof of where the form is from.
        app.setup_link.check(token)?;
        let declared = body::declared_length(request);
        while let Some(mut field) =
            app.arriving(multipart.try_next()).await?.map_err(body::broken_form)?
        {
            let filename = field.content_disposition().and_then(|it| it.get_filename());
            let is_chosen = filename.is_some_and(|name| !name.is_empty());
            match field.name().unwrap_or_default() {
                "archive" if is_chosen && self.arriving.is_none() => {
                    let mut arriving = app.clone().into_inner().begin_first_restore(token).await?;
                    arriving.begin_archive(declared).await?;
                    while let Some(piece) =
                        app.arriving(field.try_next()).await?.map_err(body::broken_form)?
                    {
                        arriving.write(&piece).await?;
                    }
                    self.arriving = Some(arriving);
                }
                "secret" => self.wanted.secret = app.arriving(body::read_field(field)).await??,
                "signer" => self.wanted.signer = app.arriving(body::read_field(field)).await??,
                "source" => self.wanted.source = app.arriving(body::read_field(field)).await??,
                _ => {}
            }
        }
        Ok(())
    }
}
