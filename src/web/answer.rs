//! The last step of every failed request: a body for whoever asked. Programs get a problem document,
//! people a page, and strangers who need to sign in are shown where.

use actix_web::{
    Error as ActixError, HttpMessage, HttpRequest, HttpResponse,
    body::{BodySize, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
};

use super::{
    fault::{Fault, FieldProblem, Problem},
    guard::RequestId,
    pages,
};
use crate::error::{Complaint, Error};

/// Gives every answer that failed and has no body one.
pub async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, ActixError> {
    let response = next.call(request).await?;
    let is_failure = response.status().is_client_error() || response.status().is_server_error();
    let is_empty = matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0));
    let is_range = response.status() == StatusCode::RANGE_NOT_SATISFIABLE;
    // What actix refuses by itself (a broken path, say) comes with a body of plain text.
    let is_foreign = response.response().error().is_some_and(|it| it.as_error::<Fault>().is_none());
    if !is_failure || is_range || !(is_empty || is_foreign) {
        return Ok(response.map_into_left_body());
    }
    let (request, response) = response.into_parts();
    let refusal = Refusal::of(&request, &response);
    let mut answered = refusal.respond(&request).await;
    for name in [header::RETRY_AFTER, header::ALLOW, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            answered.headers_mut().insert(name, value.clone());
        }
    }
    Ok(ServiceResponse::new(request, answered).map_into_right_body())
}

/// Why a request failed, in words.
struct Refusal {
    status: StatusCode,
    message: String,
    complaints: Vec<Complaint>,
    retry_after_s: Option<u64>,
    needs_sign_in: bool,
    needs_own_password: bool,
    request_id: String,
}

impl Refusal {
    fn of<B>(request: &HttpRequest, response: &HttpResponse<B>) -> Self {
        let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
        let request_id = request_id.unwrap_or_default();
        let status = response.status();
        let mut refusal = Refusal {
            message: by_status(status).into(),
            complaints: Vec::new(),
            retry_after_s: None,
            needs_sign_in: status == StatusCode::UNAUTHORIZED,
            needs_own_password: false,
            status,
            request_id,
        };
        if let Some(Fault(error)) = response.error().and_then(|error| error.as_error::<Fault>()) {
            refusal.message = error.to_string();
            refusal.retry_after_s = error.retry_after_s();
            match error {
                Error::Invalid { .. } | Error::Taken { .. } => {
                    refusal.complaints = error.complaints();
                }
                Error::OwnPasswordRequired => refusal.needs_own_password = true,
                Error::Internal(chain) => {
                    tracing::error!(id = refusal.request_id, "a request failed: {chain:#}");
                }
                _ => {}
            }
        }
        refusal
    }

    async fn respond(self, request: &HttpRequest) -> HttpResponse {
        let path = request.path();
        // The reference is a page for people, whatever its address.
        if path.starts_with("/api/") && path != "/api/docs" || wants_json(request) {
            return self.problem();
        }
        if self.needs_own_password {
            return pages::Go::to("/account/password").response();
        }
        if self.needs_sign_in && matches!(*request.method(), Method::GET | Method::HEAD) {
            return pages::to_sign_in(request);
        }
        let (message, wait) = (&self.message, self.retry_after_s);
        match pages::error_page(request, self.status, message, wait, &self.request_id).await {
            Ok(page) => {
                HttpResponse::build(self.status).content_type("text/html; charset=utf-8").body(page)
            }
            // The page itself may be what fails.
            Err(fault) => {
                tracing::error!(id = self.request_id, "no error page: {}", fault.0.chain());
                HttpResponse::build(self.status)
                    .content_type("text/plain; charset=utf-8")
                    .body(self.message)
            }
        }
    }

    fn problem(self) -> HttpResponse {
        let mut problem = Problem::new(self.status, self.message, self.request_id);
        let field = |field: Option<&str>| field.map(str::to_owned);
        problem.field = self.complaints.first().and_then(|(name, _)| field(*name));
        if self.complaints.len() > 1 {
            let each = self.complaints.into_iter();
            let each = each.map(|(name, detail)| FieldProblem { field: field(name), detail });
            problem.errors = each.collect();
        }
        let mut response = HttpResponse::build(self.status);
        if self.needs_sign_in {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response
            .content_type("application/problem+json")
            .body(serde_json::to_string(&problem).unwrap_or_else(|_| "{}".into()))
    }
}

fn wants_json(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.starts_with("application/json"))
}

fn by_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "The request could not be understood.",
        StatusCode::NOT_FOUND => "There is nothing at this address.",
        StatusCode::METHOD_NOT_ALLOWED => "This address does not answer to this method.",
        StatusCode::FORBIDDEN => {
            "This request came from another site. Open the portal and repeat what you did there."
        }
        StatusCode::UNAUTHORIZED => "Sign in to continue.",
        _ => "The request could not be answered.",
    }
}
