//! Documents over the API: adding, changing, the trash, versions, many at once.

use appliance::domain::access::Role;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Api, TestApp};

fn path(document: &Value) -> String {
    format!("/api/documents/{}", document["id"].as_str().expect("an id"))
}

async fn titles(api: &Api, query: &str) -> Vec<String> {
    let list = api.get(&format!("/api/documents?{query}")).await;
    let documents = list["documents"].as_array().expect("documents").iter();
    documents.map(|it| it["title"].as_str().expect("a title").to_owned()).collect()
}

#[actix_web::test]
async fn an_uploaded_file_comes_back_as_it_was() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let fields = [("description", "What we want"), ("category", "Plans"), ("tags", "2027, budget")];
    let made = ada.upload("Plan 2027.txt", b"Quarterly plan", &fields).await;
    assert_eq!(made["title"], "Plan 2027");
    assert_eq!(made["category"], "Plans");
    assert_eq!(made["visibility"], "organization");
    assert_eq!(made["filename"], "Plan 2027.txt");
    assert_eq!(made["size_bytes"], 14);
    assert_eq!(made["media_type"], "text/plain");
    assert_eq!(made["is_new"], true);
    assert_eq!(made["tags"], json!(["2027", "budget"]));
    assert_eq!(made["created_by"]["name"], "Ada Lovelace");
    let response = ada.send("GET", &format!("{}/download", path(&made)), None).await;
    assert_eq!(
        response.headers()["content-disposition"],
        "attachment; filename=\"Plan 2027.txt\"; filename*=UTF-8''Plan%202027.txt"
    );
    assert_eq!(response.bytes().await.expect("a body"), "Quarterly plan");
    let list = ada.get("/api/documents").await;
    assert_eq!(list["total"], 1);
    assert_eq!(list["next"], Value::Null);
    assert_eq!(list["documents"][0]["id"], made["id"]);
    assert_eq!(list["documents"][0].get("description"), None);
    assert_eq!(list["documents"][0]["excerpt"], "What we want");
    app.settle().await;
    assert_eq!(titles(&ada, "q=quarterly").await, ["Plan 2027"]);
    let text = ada.get(&format!("{}/text", path(&made))).await;
    assert_eq!(text, json!({ "state": "done", "text": "Quarterly plan" }));
    app.stop().await;
}

#[actix_web::test]
async fn the_fields_of_an_upload_may_come_after_the_file() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let part = reqwest::multipart::Part::bytes(b"Plan".to_vec()).file_name("plan.txt");
    let form = reqwest::multipart::Form::new()
        .part("file", part)
        .text("title", "A plan")
        .text("visibility", "public")
        .text("tags", "one")
        .text("tags", "two");
    let request = ada.request("POST", "/api/admin/documents/upload").multipart(form);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().expect("text").to_owned();
    let made: Value = response.json().await.expect("JSON");
    assert_eq!(location, path(&made));
    assert_eq!((&made["title"], &made["visibility"]), (&json!("A plan"), &json!("public")));
    assert_eq!(made["tags"], json!(["one", "two"]));
    app.stop().await;
}

#[actix_web::test]
async fn an_upload_that_makes_no_sense_leaves_nothing_behind() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    for fields in [
        [("visibility", "everybody"), ("title", "A")],
        [("visibility", "restricted"), ("groups", nobody)],
        [("visibility", "restricted"), ("people", "ada")],
        [("visibility", "organization"), ("groups", nobody)],
        [("visibilty", "restricted"), ("title", "A")],
        [("kind", "link"), ("title", "A")],
        [("status", "hidden"), ("title", "A")],
    ] {
        let status = ada.try_upload("plan.txt", b"Plan", &fields).await.status();
        assert!(status == 400 || status == 422, "{fields:?}: {status}");
    }
    let empty = ada.try_upload("plan.txt", b"", &[]).await;
    assert_eq!(empty.status(), 422);
    let problem: Value = empty.json().await.expect("JSON");
    assert_eq!(problem["detail"], "The file “plan.txt” is empty.");
    assert_eq!(problem["field"], "file");
    assert_eq!(ada.get("/api/documents").await["total"], 0);
    app.stop().await;
}

#[actix_web::test]
async fn a_viewer_cannot_upload() {
    let app = TestApp::spawn().await;
    app.add_user("vera", Role::Viewer).await;
    let vera = app.signed_in("vera").await;
    assert_eq!(vera.try_upload("plan.txt", b"Plan", &[]).await.status(), 403);
    assert_eq!(app.stranger().try_upload("plan.txt", b"Plan", &[]).await.status(), 401);
    app.stop().await;
}

#[actix_web::test]
async fn a_restricted_document_is_for_those_who_are_named() {
    let app = TestApp::spawn().await;
    let (gus, pia) =
        (app.add_user("gus", Role::Viewer).await, app.add_user("pia", Role::Viewer).await);
    app.add_user("vera", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    let group = ada.post("/api/admin/groups", json!({ "name": "Board" })).await;
    let group = group["id"].as_str().expect("an id");
    let members = format!("/api/admin/groups/{group}/members");
    ada.post(&members, json!({ "user": gus.id })).await;
    let pia_id = pia.id.to_string();
    let fields = [("visibility", "restricted"), ("groups[]", group), ("people", pia_id.as_str())];
    let made = ada.upload("plan.txt", b"Plan", &fields).await;
    assert_eq!(made["groups"], json!([{ "id": group, "name": "Board" }]));
    assert_eq!(made["people"], json!([{ "id": pia_id, "name": "pia" }]));
    for (name, status) in [("gus", 200), ("pia", 200), ("vera", 404)] {
        let person = app.signed_in(name).await;
        assert_eq!(person.status("GET", &path(&made), None).await, status, "{name}");
        assert_eq!(person.get("/api/documents").await["total"], u32::from(status == 200));
    }
    // Who else may see it is for those to know who decide about it.
    let seen = app.signed_in("gus").await.get(&path(&made)).await;
    assert_eq!((seen.get("groups"), seen.get("people")), (None, None));
    app.stop().await;
}

#[actix_web::test]
async fn a_link_is_a_document_without_a_file() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let link = json!({ "url": "https://example.com/report", "title": "A report" });
    let made = ada.post("/api/admin/documents/link", link).await;
    assert_eq!((&made["kind"], &made["filename"]), (&json!("link"), &Value::Null));
    assert_eq!(made["url"], "https://example.com/report");
    assert_eq!(ada.status("GET", &format!("{}/download", path(&made)), None).await, 404);
    assert_eq!(ada.get(&format!("{}/text", path(&made))).await["state"], "none");
    for url in ["javascript:alert(1)", "file:///etc/passwd", "example.com", ""] {
        let link = json!({ "url": url });
        let status = ada.status("POST", "/api/admin/documents/link", Some(link)).await;
        assert_eq!(status, 422, "{url}");
    }
    let elsewhere = json!({ "url": "https://example.org" });
    assert_eq!(ada.status("PATCH", &path(&made), Some(elsewhere)).await, 200);
    assert_eq!(ada.get(&path(&made)).await["url"], "https://example.org");
    app.stop().await;
}

#[actix_web::test]
async fn a_change_says_null_to_empty_and_nothing_to_keep() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let fields = [("description", "Words"), ("category", "Plans"), ("tags", "a,b")];
    let made = ada.upload("plan.txt", b"Plan", &fields).await;
    let change = async |change: Value| ada.status("PATCH", &path(&made), Some(change)).await;
    assert_eq!(change(json!({ "title": "Renamed" })).await, 200);
    let document = ada.get(&path(&made)).await;
    assert_eq!(document["title"], "Renamed");
    assert_eq!(document["description"], "Words");
    assert_eq!(document["category"], "Plans");
    let emptied = json!({ "description": null, "category": null, "tags": null });
    assert_eq!(change(emptied).await, 200);
    let document = ada.get(&path(&made)).await;
    assert_eq!(document["description"], "");
    assert_eq!(document["category"], Value::Null);
    assert_eq!(document["tags"], json!([]));
    assert_eq!(document["title"], "Renamed");
    assert_eq!(change(json!({ "title": null })).await, 400);
    assert_eq!(change(json!({ "title": "" })).await, 422);
    assert_eq!(change(json!({ "titel": "A typo" })).await, 400);
    assert_eq!(change(json!({ "kind": "link" })).await, 422);
    app.stop().await;
}

#[actix_web::test]
async fn a_change_of_what_somebody_else_has_changed_is_refused() {
    let app = TestApp::spawn().await;
    app.add_user("vera", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("plan.txt", b"Plan", &[]).await;
    let seen = ada.send("GET", &path(&made), None).await.headers()["etag"].clone();
    let edit = async |tag: &str, title: &str| {
        let request = ada.request("PATCH", &path(&made)).header("if-match", tag);
        request.json(&json!({ "title": title })).send().await.expect("an answer")
    };
    let seen = seen.to_str().expect("text");
    let first = edit(seen, "First").await;
    assert_eq!(first.status(), 200);
    let now = first.headers()["etag"].to_str().expect("text").to_owned();
    assert_ne!(now, seen);
    let second = edit(seen, "Second").await;
    assert_eq!(second.status(), 412);
    assert_eq!(second.headers()["content-type"], "application/problem+json");
    assert_eq!(ada.get(&path(&made)).await["title"], "First");
    assert_eq!(edit(&format!("\"999\", W/{now}"), "Third").await.status(), 200);
    assert_eq!(edit("*", "Fourth").await.status(), 200);
    assert_eq!(edit("rubbish", "Fifth").await.status(), 412);
    let trash = ada.request("DELETE", &path(&made)).header("if-match", seen);
    assert_eq!(trash.send().await.expect("an answer").status(), 412);
    // Who may not change it learns nothing of its revisions.
    let vera = app.signed_in("vera").await;
    let guess = vera.request("DELETE", &path(&made)).header("if-match", "\"1\"");
    assert_eq!(guess.send().await.expect("an answer").status(), 403);
    app.stop().await;
}

#[actix_web::test]
async fn a_document_lives_through_drafts_the_archive_and_the_trash() {
    let app = TestApp::spawn().await;
    app.add_user("vera", Role::Viewer).await;
    let (ada, vera) = (app.signed_in("ada").await, app.signed_in("vera").await);
    let made = ada.upload("plan.txt", b"Plan", &[("status", "draft")]).await;
    let act = async |act: &str| {
        let response = ada.send("POST", &format!("{}/{act}", path(&made)), None).await;
        assert!(response.status().is_success(), "{act}: {}", response.status());
    };
    assert!(titles(&vera, "").await.is_empty());
    act("publish").await;
    assert_eq!(titles(&vera, "").await, ["plan"]);
    act("archive").await;
    assert!(titles(&vera, "").await.is_empty());
    assert_eq!(titles(&vera, "status=archived").await, ["plan"]);
    act("publish").await;
    assert_eq!(titles(&vera, "").await, ["plan"]);
    act("withdraw").await;
    assert_eq!(vera.status("GET", &path(&made), None).await, 404);
    act("publish").await;
    assert_eq!(ada.status("DELETE", &path(&made), None).await, 204);
    assert!(titles(&vera, "").await.is_empty());
    assert_eq!(vera.status("GET", &path(&made), None).await, 404);
    assert_eq!(ada.get("/api/trash").await["documents"][0]["id"], made["id"]);
    assert_eq!(ada.status("PATCH", &path(&made), Some(json!({ "title": "A" }))).await, 409);
    act("restore").await;
    assert_eq!(titles(&vera, "").await, ["plan"]);
    let for_good = path(&made).replace("documents", "trash");
    assert_eq!(ada.status("DELETE", &for_good, None).await, 409);
    act("trash").await;
    assert_eq!(ada.status("DELETE", &for_good, None).await, 204);
    assert_eq!(ada.status("GET", &path(&made), None).await, 404);
    assert_eq!(ada.get("/api/trash").await["documents"], json!([]));
    app.stop().await;
}

#[actix_web::test]
async fn an_older_version_can_be_downloaded_and_made_current() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("plan.txt", b"First", &[]).await;
    let other = ada.upload("other.txt", b"Other", &[]).await;
    let versions = format!("{}/versions", path(&made));
    let part = reqwest::multipart::Part::bytes(b"Second".to_vec()).file_name("plan 2.txt");
    let form = reqwest::multipart::Form::new().part("file", part);
    let response = ada.request("POST", &versions).multipart(form).send().await.expect("an answer");
    assert_eq!(response.status(), 201);
    let download = format!("{}/download", path(&made));
    let text = async |path: &str| ada.send("GET", path, None).await.text().await.expect("a body");
    assert_eq!(text(&download).await, "Second");
    let list = ada.get(&versions).await;
    let rows = list["versions"].as_array().expect("versions");
    let numbers: Vec<_> = rows.iter().map(|row| row["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(2), Some(1)]);
    assert_eq!((&rows[0]["is_current"], &rows[1]["is_current"]), (&json!(true), &json!(false)));
    let first = rows[1]["id"].as_str().expect("an id");
    assert_eq!(text(&format!("{versions}/{first}/download")).await, "First");
    assert_eq!(ada.status("POST", &format!("{versions}/{first}/current"), None).await, 200);
    assert_eq!(text(&download).await, "First");
    // Not under the address of another document.
    let astray = format!("{}/versions/{first}/download", path(&other));
    assert_eq!(ada.status("GET", &astray, None).await, 404);
    let astray = format!("{}/versions/{first}/current", path(&other));
    assert_eq!(ada.status("POST", &astray, None).await, 404);
    app.stop().await;
}

#[actix_web::test]
async fn a_download_can_be_resumed_and_need_not_be_repeated() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("plan.txt", b"0123456789", &[]).await;
    let download = format!("{}/download", path(&made));
    let ask = async |name: &str, value: &str| {
        ada.request("GET", &download).header(name, value).send().await.expect("an answer")
    };
    let part = ask("range", "bytes=4-").await;
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 4-9/10");
    let tag = part.headers()["etag"].to_str().expect("text").to_owned();
    assert_eq!(part.text().await.expect("a body"), "456789");
    assert_eq!(ask("range", "bytes=10-").await.status(), 416);
    assert_eq!(ask("if-none-match", &tag).await.status(), 304);
    let young = ada.send("GET", &download, None).await;
    assert!(!young.headers().contains_key("last-modified"), "another may follow in that second");
    app.clock.advance(SignedDuration::from_secs(2));
    let whole = ada.send("GET", &download, None).await;
    assert_eq!(whole.headers().get("content-encoding"), None);
    let date = whole.headers()["last-modified"].to_str().expect("text").to_owned();
    assert_eq!(ask("if-modified-since", &date).await.status(), 304);
    for other in ["Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        assert_eq!(ask("if-modified-since", other).await.status(), 200, "{other}");
    }
    let other = ada.request("GET", &download).header("if-modified-since", &date);
    let other = other.header("if-none-match", "\"other\"").send().await.expect("an answer");
    assert_eq!(other.status(), 200, "a tag prevails over a date");
    let head = ada.request("HEAD", &download).header("range", "bytes=4-");
    let head = head.send().await.expect("headers");
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"10".parse().unwrap())
    );
    app.stop().await;
}

/// As .NET and old Python clients send it: in full, beside a plain name or instead of it.
#[actix_web::test]
async fn a_filename_may_come_in_full() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    for plain in ["", "filename=\"=?utf-8?B?w5xi?=\"; "] {
        let body = format!(
            "--edge\r\ncontent-disposition: form-data; name=\"file\"; {plain}\
             filename*=UTF-8''%C3%9Cbersicht%2050%25.txt\r\n\r\nPlan\r\n--edge--\r\n"
        );
        let request = ada.request("POST", "/api/admin/documents/upload").body(body);
        let request = request.header("content-type", "multipart/form-data; boundary=edge");
        let made: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(made["filename"], "Übersicht 50%.txt");
    }
    app.stop().await;
}

/// Programs send what nobody filled in.
#[actix_web::test]
async fn an_empty_value_in_an_address_is_none() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    ada.upload("plan.txt", b"Plan", &[]).await;
    let empty = "q=&category=&kind=&tag=&person=&status=&sort=&from=&to=&limit=&after=&facets=";
    assert_eq!(titles(&ada, empty).await, ["plan"]);
    for address in
        ["/api/admin/users?role=", "/api/admin/jobs?state=", "/api/admin/audit?verb=&user="]
    {
        assert_eq!(ada.status("GET", address, None).await, 200, "{address}");
    }
    assert_eq!(ada.status("GET", "/api/documents?kind=nonsense", None).await, 400);
    app.stop().await;
}

#[actix_web::test]
async fn many_documents_change_at_once_and_each_by_itself() {
    let app = TestApp::spawn().await;
    app.add_user("eddy", Role::Editor).await;
    let (ada, eddy) = (app.signed_in("ada").await, app.signed_in("eddy").await);
    let own = eddy.upload("own.txt", b"Own", &[]).await;
    let foreign = ada.upload("foreign.txt", b"Foreign", &[]).await;
    let hidden = ada.upload("hidden.txt", b"Hidden", &[("status", "draft")]).await;
    let ids = json!([own["id"], foreign["id"], hidden["id"]]);
    let bulk = async |api: &Api, change: Value| {
        api.post("/api/documents/bulk", json!({ "documents": ids, "change": change })).await
    };
    let answer = bulk(&eddy, json!({ "category": "Papers" })).await;
    assert_eq!((&answer["done"], &answer["failed"]), (&json!(1), &json!(2)));
    let statuses: Vec<_> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| result["status"].as_u64().expect("a status"))
        .collect();
    assert_eq!(statuses, [200, 403, 404]);
    assert_eq!(eddy.get(&path(&own)).await["category"], "Papers");
    let restricted = json!({ "visibility": { "visibility": "restricted" } });
    assert_eq!(bulk(&ada, restricted).await["done"], 3);
    assert_eq!(eddy.get("/api/documents").await["total"], 1);
    let archived = bulk(&ada, json!("archive")).await;
    assert_eq!((&archived["done"], &archived["results"][2]["status"]), (&json!(2), &json!(409)));
    assert_eq!(ada.get("/api/documents").await["total"], 1, "a draft stays where it is");
    assert_eq!(bulk(&ada, json!("trash")).await["done"], 3);
    assert_eq!(ada.get("/api/documents?status=archived").await["total"], 0);
    assert_eq!(bulk(&ada, json!("restore")).await["done"], 3);
    let wrong = json!({ "documents": ids, "change": "explode" });
    assert_eq!(ada.status("POST", "/api/documents/bulk", Some(wrong)).await, 400);
    app.stop().await;
}

#[actix_web::test]
async fn activity_tells_who_did_what_but_not_every_reader_who_downloaded() {
    let app = TestApp::spawn().await;
    app.add_user("vera", Role::Viewer).await;
    let (ada, vera) = (app.signed_in("ada").await, app.signed_in("vera").await);
    let made = ada.upload("plan.txt", b"Plan", &[]).await;
    let change = json!({ "title": "Renamed" });
    assert_eq!(ada.status("PATCH", &path(&made), Some(change)).await, 200);
    vera.send("GET", &format!("{}/download", path(&made)), None).await;
    let activity = format!("{}/activity", path(&made));
    let verbs = async |api: &Api| -> Vec<String> {
        let list = api.get(&activity).await;
        let rows = list["activity"].as_array().expect("activity").iter();
        rows.map(|row| row["verb"].as_str().expect("a verb").to_owned()).collect()
    };
    // The note of a download is written behind its answer.
    for _ in 0..200 {
        if verbs(&ada).await.len() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(verbs(&ada).await, ["document_downloaded", "document_changed", "document_added"]);
    assert_eq!(verbs(&vera).await, ["document_changed", "document_added"]);
    app.stop().await;
}

#[actix_web::test]
async fn a_list_goes_on_where_the_page_before_ended() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    for number in 0..7 {
        let link = json!({ "url": "https://example.com", "title": format!("Link {number}") });
        ada.post("/api/admin/documents/link", link).await;
    }
    for query in ["", "sort=title", "q=link"] {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = ada.get(&format!("/api/documents?limit=3&{query}{after}")).await;
            assert_eq!(page["total"], 7, "{query}");
            for document in page["documents"].as_array().expect("documents") {
                found.push(document["title"].as_str().expect("a title").to_owned());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 7, "{query}");
    }
    for wrong in ["limit=0", "limit=1000", "limit=some", "after=%20", "from=yesterday", "kind=x"] {
        let status = ada.status("GET", &format!("/api/documents?{wrong}"), None).await;
        assert!(status == 400 || status == 422, "{wrong}: {status}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn designs_are_documents_of_a_designer() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    ada.upload("plan.txt", b"Plan", &[]).await;
    ada.upload("tide.txt", b"Tide", &[("kind", "poster")]).await;
    ada.upload("mark.txt", b"Mark", &[("kind", "logo")]).await;
    assert_eq!(ada.get("/api/designs/").await["total"], 2);
    assert_eq!(ada.get("/api/designs/?kind=poster").await["total"], 1);
    assert_eq!(ada.get("/api/designs/?kind=file").await["total"], 0);
    assert_eq!(ada.get("/api/documents?kind=poster&kind=logo").await["total"], 2);
    app.stop().await;
}

#[actix_web::test]
async fn public_media_is_for_the_whole_world_and_everything_else_for_nobody() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("tide & sea.txt", b"Tide", &[("visibility", "public")]).await;
    let media = made["media_url"].as_str().expect("an address").to_owned();
    let response = app.stranger().send("GET", &media, None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.text().await.expect("a body"), "Tide");
    let part = app.stranger().request("GET", &media).header("range", "bytes=1-2");
    assert_eq!(part.send().await.expect("an answer").text().await.expect("a body"), "id");
    let restricted = json!({ "visibility": "organization" });
    let visibility = format!("{}/visibility", path(&made));
    assert_eq!(ada.status("PUT", &visibility, Some(restricted)).await, 200);
    for api in [&ada, &app.stranger()] {
        assert_eq!(api.status("GET", &media, None).await, 404);
    }
    assert_eq!(ada.status("GET", "/media/not-an-id/x.png", None).await, 404);
    app.stop().await;
}

#[actix_web::test]
async fn whatever_is_changed_is_found_at_once() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let category = ada.post("/api/admin/categories", json!({ "name": "Letters" })).await;
    let category = format!("/api/admin/categories/{}", category["id"].as_str().expect("an id"));
    let made = ada.upload("plan.txt", b"Once", &[("category", "Letters")]).await;
    let path = format!("/api/documents/{}", made["id"].as_str().expect("an id"));
    for title in ["quince", "medlar", "damson", "bullace", "sloe"] {
        assert_eq!(ada.status("PATCH", &path, Some(json!({ "title": title }))).await, 200);
        assert_eq!(ada.get(&format!("/api/documents?q={title}")).await["total"], 1, "{title}");
        assert_eq!(ada.status("PATCH", &category, Some(json!({ "name": title }))).await, 200);
        let facets = ada.get("/api/documents?facets=true").await["facets"]["categories"].take();
        assert_eq!(facets[0]["name"], title);
    }
    app.stop().await;
}
