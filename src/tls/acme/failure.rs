//! Why no certificate came, in words that say what to do.

use instant_acme::{Error, Problem};
use jiff::Timestamp;

use super::Challenge;

/// An attempt that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// A sentence.
    pub message: String,
    pub remedy: String,
    /// The authority wants to be left alone until then.
    pub retry_after: Option<Timestamp>,
    /// The challenge was not passed: the other one may be.
    pub is_about_challenge: bool,
    /// The server does not know the account any more.
    pub is_about_account: bool,
}

const WAIT: &str = "Nothing needs to be done: the portal tries again by itself, and goes on with the \
                    certificate that it has.";

impl Failure {
    pub fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            remedy: remedy.into(),
            retry_after: None,
            is_about_challenge: false,
            is_about_account: false,
        }
    }

    pub fn too_slow() -> Self {
        Failure::new("The certificate authority took too long.", WAIT)
    }

    /// There is no way to prove a domain.
    pub fn no_door() -> Self {
        Failure::new(
            "The server does not listen where the certificate authority would look.",
            "Listen on ports 80 and 443, or set https.challenge to \"auto\".",
        )
    }

    /// Before anything was asked.
    pub(super) fn of_setting(fault: &anyhow::Error) -> Self {
        let message = format!("The certificate authority cannot be asked: {fault:#}.");
        Failure::new(message, "Correct the section [https] of the configuration, and restart.")
    }

    /// Of what we do ourselves, such as making a key.
    pub fn of_us(doing: &str, fault: &dyn std::fmt::Display) -> Self {
        Failure::new(format!("A fault while {doing}: {fault}."), "Look at the log.")
    }

    pub(super) fn of(error: &Error, server: &str) -> Self {
        match error {
            Error::Api(problem) => Failure::of_problem(problem, server),
            Error::Timeout(_) => Failure::new(
                format!("The certificate authority {server} did not decide in time."),
                WAIT,
            ),
            Error::Json(_) | Error::Str(_) | Error::Unsupported(_) => Failure::new(
                format!("{server} does not answer as an ACME server: {error}."),
                "Look at https.acme in the configuration. If it is right, the server is out of \
                 order: the portal tries again by itself.",
            ),
            other => Failure::of_connection(other, server),
        }
    }

    fn of_connection(error: &Error, server: &str) -> Self {
        let chain = causes(error);
        let message = format!("The certificate authority {server} cannot be reached: {chain}.");
        let remedy = if chain.contains("certificate") || chain.contains("UnknownIssuer") {
            "Its own certificate is not trusted here. On a bare system: apt-get install \
             ca-certificates. For an authority of your own, name its root in https.ca_file."
        } else {
            "Let this machine open connections to it (outgoing port 443, and DNS). The portal tries \
             again by itself."
        };
        Failure::new(message, remedy)
    }

    fn of_problem(problem: &Problem, server: &str) -> Self {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let kind = kind.rsplit(':').next().unwrap_or_default();
        let detail = detail(problem);
        let message = format!("The certificate authority refused: {detail}");
        let remedy = match kind {
            "rateLimited" => {
                "Too many attempts were made with this domain or from this address. The portal waits \
                 as long as the authority asks. Try things out with https.acme = \"staging\"."
            }
            "rejectedIdentifier" | "malformed" => {
                "Look at the name: it must be public, and spelled as in the DNS."
            }
            "caa" => {
                "A CAA record of the domain does not allow this authority. Change it in the DNS."
            }
            "invalidContact" | "unsupportedContact" => "Correct the e-mail address for HTTPS.",
            "externalAccountRequired" => {
                "This authority wants an account that is made on its site, which Appliance cannot \
                 use. Take another one in https.acme."
            }
            "accountDoesNotExist" => "The account is made anew with the next attempt.",
            "serverInternal" => WAIT,
            _ => {
                return Failure::of_proof(kind, &detail, None)
                    .unwrap_or_else(|| Failure::new(message, WAIT));
            }
        };
        let mut failure = Failure::new(message, remedy);
        failure.is_about_account = kind == "accountDoesNotExist";
        failure.retry_after = in_detail(&detail);
        if kind == "serverInternal" {
            failure.message = format!("The certificate authority {server} has a fault: {detail}");
        }
        failure
    }

    /// The authority looked at the domain, and did not find us there.
    pub(super) fn of_challenge(problem: Option<&Problem>, challenge: Challenge) -> Self {
        let kind = problem.and_then(|problem| problem.r#type.as_deref()).unwrap_or_default();
        let kind = kind.rsplit(':').next().unwrap_or_default();
        let detail = problem.map(detail).unwrap_or_else(|| "it gives no reason.".into());
        let failure = Failure::of_proof(kind, &detail, Some(challenge));
        failure.unwrap_or_else(|| Failure {
            is_about_challenge: true,
            ..Failure::new(
                format!("The certificate authority did not find the portal: {detail}"),
                WAIT,
            )
        })
    }

    fn of_proof(kind: &str, detail: &str, challenge: Option<Challenge>) -> Option<Self> {
        let port = match challenge {
            Some(Challenge::Http01) => "port 80",
            Some(Challenge::TlsAlpn01) => "port 443",
            None => "ports 80 and 443",
        };
        let (message, remedy) = match kind {
            "dns" => (
                format!("The certificate authority does not find the domain in the DNS: {detail}"),
                "Make an A record (and an AAAA record only if this machine has IPv6) with the public \
                 address of this machine, and wait until it is known.".to_owned(),
            ),
            "connection" | "tls" => (
                format!("The certificate authority does not reach this machine on {port}: {detail}"),
                format!(
                    "Open {port} for everybody (security group, firewall), and see that the domain \
                     points to this machine."
                ),
            ),
            "unauthorized" | "incorrectResponse" => (
                format!("Another server answers for the domain: {detail}"),
                "Let the domain's A and AAAA records point to this machine alone. A proxy in front \
                 must pass /.well-known/acme-challenge/ on.".to_owned(),
            ),
            _ => return None,
        };
        Some(Failure { is_about_challenge: true, ..Failure::new(message, remedy) })
    }
}

/// What the server says, as a sentence, with what it says about single names.
fn detail(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_else(|| "it gives no reason".into());
    for below in problem.subproblems.iter().filter_map(|below| below.detail.as_deref()).take(3) {
        text = format!("{}; {below}", text.trim_end_matches('.'));
    }
    let text: String = text.chars().take(500).collect();
    format!("{}.", text.trim_end_matches('.'))
}

/// `… retry after 2026-11-21 12:00:00 UTC …`, as Let's Encrypt writes it.
fn in_detail(detail: &str) -> Option<Timestamp> {
    let (_, after) = detail.split_once("retry after ")?;
    let text: String = after.chars().take("2026-11-21 12:00:00".len()).collect();
    format!("{}Z", text.replace(' ', "T")).parse().ok()
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let words = deeper.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = deeper.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_a_refusal_is_found() {
        let detail = "too many new orders (300) from this account in the last 3h0m0s, retry after \
                      2026-11-21 12:30:00 UTC: see https://example.com";
        assert_eq!(in_detail(detail), "2026-11-21T12:30:00Z".parse().ok());
        assert_eq!(in_detail("no"), None);
    }
}
