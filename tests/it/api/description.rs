//! The description of the API: complete, and true to itself.

use std::collections::BTreeSet;

use appliance::web::routes;
use serde_json::Value;

use crate::support::TestApp;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn served() -> Value {
    let app = TestApp::spawn().await;
    let document = app.stranger().get("/api/openapi.json").await;
    app.stop().await;
    document
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &'static str, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    paths.flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| Some((path, *method, item.get(method)?)))
    })
}

#[actix_web::test]
async fn every_operation_is_described_once_and_under_its_own_name() {
    let document = served().await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    let mut described = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an operationId");
        assert!(ids.insert(id.to_owned()), "{id} stands for two operations");
        described.insert(format!("{} {path}", method.to_uppercase()));
        let declared = operation["tags"][0].as_str().expect("a tag");
        let tags = document["tags"].as_array().expect("tags");
        assert!(tags.iter().any(|tag| tag["name"] == declared), "{id}: {declared} is not declared");
        assert!(operation["responses"].get("default").is_some(), "{id} says nothing of failure");
    }
    let unexplained = ["GET /api/openapi.json", "GET /api/docs"];
    let mounted: BTreeSet<_> = routes::endpoints()
        .iter()
        .filter(|endpoint| endpoint.path.starts_with("/api/"))
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .filter(|name| !unexplained.contains(&name.as_str()))
        .collect();
    assert_eq!(described, mounted);
}

#[actix_web::test]
async fn every_reference_leads_to_something() {
    let document = served().await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50, "only {} references", references.len());
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("a place in the document itself");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for name in schemas.keys() {
        let reference = format!("#/components/schemas/{name}");
        assert!(references.contains(&reference), "nobody refers to {name}");
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(is_plain && !name.ends_with("View") && !name.ends_with('2'), "{name} is no name");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.push(reference.clone());
            }
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[actix_web::test]
async fn the_parameters_of_a_path_are_those_that_are_declared() {
    let document = served().await;
    for (path, method, operation) in operations(&document) {
        let in_path: BTreeSet<&str> =
            path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let declared = operation["parameters"].as_array().expect("parameters");
        let mut names = BTreeSet::new();
        for parameter in declared {
            let name = parameter["name"].as_str().expect("a name");
            let place = parameter["in"].as_str().expect("a place");
            assert!(names.insert((place, name)), "{method} {path} declares {name} twice");
            assert!(parameter["schema"].is_object(), "{method} {path}: what is {name}?");
            if place == "path" {
                assert_eq!(parameter["required"], true);
            }
        }
        let declared: BTreeSet<&str> =
            names.iter().filter(|(place, _)| *place == "path").map(|(_, name)| *name).collect();
        assert_eq!(declared, in_path, "{method} {path}");
    }
}

#[actix_web::test]
async fn a_document_has_the_fields_that_are_promised() {
    let document = served().await;
    let schema = &document["components"]["schemas"]["Document"];
    let properties = schema["properties"].as_object().expect("properties");
    let required: BTreeSet<&str> =
        schema["required"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let app = TestApp::spawn().await;
    let made = app.signed_in("ada").await.upload("plan.txt", b"Plan", &[]).await;
    let made = made.as_object().expect("an object");
    for name in &required {
        assert!(made.contains_key(*name), "{name} is promised and missing");
    }
    for name in made.keys() {
        assert!(properties.contains_key(name), "{name} is there and not described");
    }
    app.stop().await;
}

#[actix_web::test]
async fn the_reference_shows_every_operation_and_loads_nothing_from_elsewhere() {
    let app = TestApp::spawn().await;
    let page = app.browser().get(format!("{}/api/docs", app.url)).send().await.expect("a page");
    assert_eq!(page.status(), 200);
    let html = page.text().await.expect("text");
    let document = app.stranger().get("/api/openapi.json").await;
    for (_, _, operation) in operations(&document) {
        let summary = operation["summary"].as_str().expect("a summary");
        let escaped = summary.replace('\'', "&#39;");
        assert!(html.contains(&escaped), "“{summary}” is not on the page");
    }
    for loaded in ["src=\"http", "href=\"http", "src=\"//"] {
        assert!(!html.contains(loaded), "the page loads {loaded}…");
    }
    app.stop().await;
}

#[actix_web::test]
async fn the_front_door_says_that_all_is_well() {
    let app = TestApp::spawn().await;
    let answer = app.stranger().get("/api/").await;
    assert_eq!(answer["status"], "ok");
    assert_eq!(
        app.stranger().get(answer["openapi"].as_str().expect("an address")).await["openapi"],
        "3.1.0"
    );
    app.stop().await;
}
