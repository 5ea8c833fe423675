//! Requests: how many, how they ended, how long they took.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// From a static file to a page that nobody should wait for.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// The route of what leads nowhere.
const NOWHERE: &str = "none";

#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
    /// From the head of a request to the end of its answer.
    pub in_flight: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: &'static str,
}

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = HttpMetrics {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            in_flight: Gauge::default(),
        };
        registry.register(
            "http_requests",
            "Requests by method, pattern of the route, and class of the status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its answer, by pattern of the route",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests under way, to the ends of their answers",
            metrics.in_flight.clone(),
        );
        metrics
    }

    /// Counts an answer. `route` is a pattern such as `/documents/{id}`, never what was asked for.
    pub fn count(&self, method: &str, route: Option<&'static str>, status: u16, took: Duration) {
        let route = route.unwrap_or(NOWHERE);
        let (method, status) = (known_method(method), class(status));
        self.requests.get_or_create(&Answered { method, route, status }).inc();
        self.seconds.get_or_create(&Asked { route }).observe(took.as_secs_f64());
    }
}

/// Anybody may make up a method.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
