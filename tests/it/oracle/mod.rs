//! The access oracle: every endpoint, asked by everybody about every sort of document, answers as
//! [`access::decide`](appliance::domain::access::decide) says. An endpoint that its table does not
//! list fails the test with its name: whoever adds one adds a line there.

mod asking;
mod lists;
mod table;
mod world;

use appliance::{
    domain::access::{Action, decide},
    error::Error,
    web::routes,
};
use asking::{Asked, Verdict};
use table::{Row, Rule};
use world::World;

#[actix_web::test]
async fn every_page_answers_as_the_decision_says() {
    ask_everything(|row| !row.is_api()).await;
}

#[actix_web::test]
async fn every_endpoint_of_the_api_answers_as_the_decision_says() {
    ask_everything(Row::is_api).await;
}

async fn ask_everything(is_asked: fn(&Row) -> bool) {
    let mut world = World::build().await;
    let mut faults = Vec::new();
    let mut asked_count = 0;
    for (number, row) in rows_in_order().into_iter().filter(is_asked).enumerate() {
        let documents = if row.rule.is_about_a_document() { world.shown.len() } else { 1 };
        // What a request changes must be made again: each changes every third document, and three
        // requests that follow each other have been to all.
        let (first, step) = if row.is_unsafe() && documents > 1 { (number % 3, 3) } else { (0, 1) };
        for place in (first..documents).step_by(step) {
            for who in 0..world.people.len() {
                let asked = Asked::of(&world, &row, who, place);
                let expected = expected(&world, &row, who, place);
                let verdict = asked.send(&world).await;
                asked_count += 1;
                if verdict != expected {
                    let shown =
                        if documents > 1 { world.shown[place].name() } else { String::new() };
                    faults.push(format!(
                        "{} by {} {shown}: {verdict:?}, and the decision is {expected:?}",
                        row.name(),
                        world.people[who].name,
                    ));
                }
                if verdict == Verdict::Yes && row.is_unsafe() {
                    world.mend(place, &row, who).await;
                }
            }
        }
    }
    assert!(asked_count > 2_000, "only {asked_count} questions were asked");
    assert!(faults.is_empty(), "{} of {asked_count}:\n{}", faults.len(), faults.join("\n"));
    world.app.stop().await;
}

#[test]
fn every_endpoint_is_in_the_table_of_the_oracle() {
    let mounted: Vec<String> =
        routes::endpoints().iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    let listed: Vec<String> = table::rows().iter().map(Row::name).collect();
    let unlisted: Vec<&String> = mounted.iter().filter(|name| !listed.contains(name)).collect();
    let gone: Vec<&String> = listed.iter().filter(|name| !mounted.contains(name)).collect();
    assert!(unlisted.is_empty(), "tests/it/oracle/table.rs does not list {unlisted:#?}");
    assert!(gone.is_empty(), "tests/it/oracle/table.rs lists what is not mounted: {gone:#?}");
    let mut once = listed.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), listed.len(), "tests/it/oracle/table.rs lists something twice");
}

#[actix_web::test]
async fn a_browser_changes_nothing_for_another_site_or_without_the_token_of_a_form() {
    let mut world = World::build().await;
    let ada = world.person("ada");
    let mut faults = Vec::new();
    for row in table::rows().into_iter().filter(Row::is_unsafe) {
        let place = world.fresh_place().await;
        for attack in asking::ATTACKS {
            if row.is_for_anybody_without_a_token() && attack.lacks_token {
                continue;
            }
            let asked = Asked::of(&world, &row, ada, place).made_by_attack(&world, ada, attack);
            let verdict = asked.send(&world).await;
            if verdict != Verdict::Forbidden {
                faults.push(format!("{} {}: {verdict:?}", row.name(), attack.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    world.app.stop().await;
}

#[actix_web::test]
async fn whatever_can_be_got_can_be_asked_for_its_headers() {
    let world = World::build().await;
    let ada = world.person("ada");
    for row in table::rows().into_iter().filter(|row| !row.is_unsafe()) {
        let asked = Asked::of(&world, &row, ada, 0);
        let got = asked.response(&world).await.status();
        let head = asked.for_its_headers().response(&world).await;
        assert_eq!(head.status(), got, "{}", row.name());
        assert!(head.bytes().await.expect("no body").is_empty(), "{}", row.name());
    }
    world.app.stop().await;
}

/// What ends the sessions of who asks comes last.
fn rows_in_order() -> Vec<Row> {
    let mut rows = table::rows();
    rows.sort_by_key(|row| row.ends_sessions);
    rows
}

fn expected(world: &World, row: &Row, who: usize, place: usize) -> Verdict {
    let actor = &world.people[who].actor;
    let document = &world.shown[place].document;
    let decision = match row.rule {
        Rule::Open => Ok(()),
        Rule::Nobody => Err(Error::SignInRequired),
        Rule::Member => actor.at_work().map(|_| ()),
        Rule::May(action) => {
            actor.at_work().and_then(|organization| decide(actor, action(organization)))
        }
        Rule::Read => decide(actor, Action::Read(document)),
        Rule::ReadHistory => decide(actor, Action::ReadHistory(document)),
        Rule::Edit => decide(actor, Action::Edit(document)),
        Rule::EditAtWork => actor.at_work().and_then(|_| decide(actor, Action::Edit(document))),
        Rule::ReadAsMember => actor
            .at_work()
            .and_then(|_| decide(actor, Action::Read(document)))
            .and_then(|()| decide(actor, Action::Browse(document.organization))),
        Rule::Media => match world.shown[place].is_for_the_world() {
            true => Ok(()),
            false => Err(Error::not_found("file")),
        },
    };
    let is_elsewhere = actor.organization != Some(world.app.organization);
    match decision {
        Ok(()) if row.names_nothing => Verdict::Missing,
        Ok(()) if row.names_something_of_ours && is_elsewhere => Verdict::Missing,
        Ok(()) => Verdict::Yes,
        Err(Error::SignInRequired) => Verdict::SignIn,
        Err(Error::Forbidden(_)) => Verdict::Forbidden,
        Err(Error::NotFound(_)) => Verdict::Missing,
        Err(other) => panic!("the decision failed: {other}"),
    }
}
