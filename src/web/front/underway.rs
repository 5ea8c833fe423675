//! Counts the requests that are under way on a connection, from their heads to the ends of their
//! answers.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::ConnectionType;
use actix_web::{
    Error,
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use bytes::Bytes;
use pin_project_lite::pin_project;
use prometheus_client::metrics::gauge::Gauge;

use super::State;
use crate::app::App;

/// While the server stops, an answer also says that it is the last one on its connection.
pub async fn underway(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let state = request.request().conn_data::<Rc<State>>().cloned();
    let in_flight = request.app_data::<Data<App>>().map(|app| app.metrics.http.in_flight.clone());
    let counted = Counted::begin(state.clone(), in_flight);
    let mut response = next.call(request).await?;
    if state.is_some_and(|state| state.gate.draining().is_cancelled()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response.map_body(|_, body| CountedBody { body, _counted: counted }))
}

struct Counted {
    state: Option<Rc<State>>,
    in_flight: Option<Gauge>,
}

impl Counted {
    fn begin(state: Option<Rc<State>>, in_flight: Option<Gauge>) -> Self {
        if let Some(state) = &state {
            state.begin_request();
        }
        if let Some(in_flight) = &in_flight {
            in_flight.inc();
        }
        Counted { state, in_flight }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.end_request();
        }
        if let Some(in_flight) = &self.in_flight {
            in_flight.dec();
        }
    }
}

pin_project! {
    struct CountedBody<B> {
        #[pin]
        body: B,
        _counted: Counted,
    }
}

impl<B: MessageBody> MessageBody for CountedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(cx)
    }
}
