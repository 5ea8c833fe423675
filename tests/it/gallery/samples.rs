//! A made-up investment firm with everything that strains a page: long names, many languages,
//! empty lists, errors.

mod account;
mod administration;
mod api;
mod documents;
mod storage;
mod system;

use appliance::web::pages::{
    Flash, FormErrors, Moment, Page, Person, Place, SearchBox, Theme, Tone, Undo, accent::Accent,
    landing::LandingPage, sign_in::SignInPage,
};
use askama::Template;
use jiff::{SignedDuration, Timestamp};

use super::Exhibit;

pub const ACCENTS: &[&str] = &["b4232a", "f5d90a", "111111"];

pub fn all() -> Vec<Exhibit> {
    let mut exhibits = vec![
        page("landing", &LandingPage { page: stranger(), needs_setup: false }),
        page("landing-needs-setup", &LandingPage { page: stranger(), needs_setup: true }),
        page(
            "sign-in",
            &SignInPage {
                page: stranger(),
                errors: FormErrors::none(),
                name: String::new(),
                stay: true,
                next: "/documents".to_owned(),
            },
        ),
        page(
            "sign-in-limited",
            &SignInPage {
                page: stranger(),
                errors: FormErrors::of(&appliance::error::Error::Busy {
                    message: "Too many tries. Try again in 3 minutes.".to_owned(),
                    retry_after_s: 180,
                }),
                name: "ana".to_owned(),
                stay: true,
                next: String::new(),
            },
        ),
    ];
    exhibits.extend(documents::all());
    exhibits.extend(account::all());
    exhibits.extend(administration::all());
    exhibits.extend(storage::all());
    exhibits.extend(system::all());
    exhibits.extend(api::all());
    exhibits
}

pub fn page(name: &'static str, template: &impl Template) -> Exhibit {
    Exhibit { name, html: template.render().expect("a template renders"), is_fragment: false }
}

pub fn fragment(name: &'static str, template: &impl Template) -> Exhibit {
    Exhibit { is_fragment: true, ..page(name, template) }
}

pub fn stranger() -> Page {
    Page { organization: "Halden & Søn Capital".to_owned(), ..Page::default() }
}

/// The frame of an administrator.
pub fn admin(place: Place) -> Page {
    Page {
        person: Some(Person {
            name: "Ana María López".to_owned(),
            email: "ana.lopez@halden.example".to_owned(),
            can_upload: true,
            can_administer: true,
        }),
        csrf_token: "3f9a0c".to_owned(),
        place,
        ..stranger()
    }
}

/// The frame of somebody who only reads, in a dark theme with an accent of its own.
pub fn reader() -> Page {
    Page {
        organization: "The Extraordinarily Long-Named Institute for Textile Posters".to_owned(),
        accent: Accent::parse(ACCENTS[1]),
        theme: Theme::Dark,
        person: Some(Person {
            name: "Þórunn Hallgrímsdóttir-Fernández de la Vega".to_owned(),
            email: "thorunn.hallgrimsdottir.fernandez.de.la.vega@posters.example".to_owned(),
            can_upload: false,
            can_administer: false,
        }),
        search: SearchBox { text: "lärm & \"stille\" <b>".to_owned(), kept: Vec::new() },
        ..Page::default()
    }
}

pub fn flash(tone: Tone, text: &str, undo: Option<&str>) -> Option<Flash> {
    Some(Flash {
        tone,
        text: text.to_owned(),
        undo: undo.map(|action| Undo {
            label: "Undo".to_owned(),
            action: action.to_owned(),
            fields: Vec::new(),
        }),
    })
}

/// So many minutes ago; negative: in so many.
pub fn minutes_ago(minutes: i64) -> Moment {
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
    Moment::new(now - SignedDuration::from_mins(minutes), now)
}

/// Pictures that stand in for thumbnails and pages.
pub fn pictures() -> Vec<(&'static str, String)> {
    let lines = |count: u32| -> String {
        (0..count)
            .map(|line| {
                let width = 380 - (line * 67) % 150;
                let y = 190 + line * 26;
                format!("<rect x='60' y='{y}' width='{width}' height='9' rx='2' fill='#d4d4d0'/>")
            })
            .collect()
    };
    let sheet = |inner: &str| {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='500' height='700' viewBox='0 0 500 \
             700'><rect width='500' height='700' fill='#fff'/>{inner}</svg>"
        )
    };
    vec![
        (
            "report.svg",
            sheet(&format!(
                "<rect x='60' y='70' width='240' height='26' fill='#1b1c1e'/><rect x='60' y='112' \
                 width='160' height='12' fill='#8f8d87'/>{}",
                lines(17)
            )),
        ),
        (
            "chart.svg",
            sheet(&format!(
                "<rect x='60' y='70' width='180' height='22' fill='#1d6b5c'/><path d='M60 460 150 \
                 380 230 410 320 300 440 330' fill='none' stroke='#1d6b5c' \
                 stroke-width='6'/><path d='M60 500H440' stroke='#999'/>{}",
                lines(5)
            )),
        ),
        (
            "poster.svg",
            sheet(
                "<rect width='500' height='700' fill='#c2452d'/><circle cx='250' cy='300' r='170' \
                 fill='#f2d9a0'/><rect x='60' y='540' width='380' height='40' fill='#2b1a14'/>\
                 <rect x='60' y='600' width='220' height='20' fill='#2b1a14'/>",
            ),
        ),
    ]
}
