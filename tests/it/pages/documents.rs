//! Adding documents, reading them, changing them, deciding who sees them.

use appliance::domain::{
    access::{Actor, Role},
    documents::{self, Kind, NewDocument, Status, Visibility},
    settings::{self, SettingsEdit},
};

use crate::{
    extract::samples::office,
    support::{TestApp, until},
};

#[tokio::test]
async fn an_upload_leads_to_its_document() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.get("/documents/upload").await.says("Choose files").says("Who can see it");
    let fields = [("description", "For the board"), ("category", "Reports"), ("tags", "a, b")];
    let shown =
        ada.upload("/documents/upload", &fields, &[("annual_report.txt", b"Revenue grew.")]).await;
    assert_eq!(shown.status, 200);
    shown
        .says("“annual report” is in the library.")
        .says("For the board")
        .says("Reports")
        .says("#a");
    app.settle().await;
    let id = shown.address.trim_start_matches("/documents/").to_owned();
    ada.get(&format!("/documents/{id}")).await.says("Revenue grew.");
}

#[tokio::test]
async fn of_many_files_each_is_told_what_became_of_it() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let files: [(&str, &[u8]); 3] = [("one.txt", b"1"), ("empty.txt", b""), ("two.txt", b"2")];
    let shown = ada.upload("/documents/upload", &[("tags", "scan")], &files).await;
    assert_eq!(shown.status, 422);
    shown.says("What happened").says("The file “empty.txt” is empty.").says("one.txt");
    assert!(shown.html.contains("value=\"scan\""), "what was typed is still there");
    ada.get("/documents").await.says("2 documents");
    let shown = ada.upload("/documents/upload", &[], &[("3.txt", b"3"), ("4.txt", b"4")]).await;
    assert_eq!(shown.address, "/documents");
    shown.says("2 documents are in the library.");
    let shown = ada.upload("/documents/upload", &[("title", "Nothing")], &[]).await;
    assert_eq!(shown.status, 422);
    shown.says("Choose at least one file.");
    assert!(shown.html.contains("value=\"Nothing\""));
}

#[tokio::test]
async fn the_pages_script_is_told_where_its_file_went_or_why_not() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let send = async |content: &'static [u8], token: String| {
        let part = reqwest::multipart::Part::bytes(content).file_name("plan.txt");
        let form = reqwest::multipart::Form::new().part("file", part);
        let request = ada.request("POST", "/documents/upload").multipart(form);
        let request = request.header("accept", "application/json").header("x-csrf-token", token);
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json::<serde_json::Value>().await.expect("JSON"))
    };
    let (status, answer) = send(b"The plan", ada.csrf_token()).await;
    assert_eq!((status, answer["title"].as_str()), (201, Some("plan")));
    let url = answer["url"].as_str().expect("an address").to_owned();
    assert_eq!(ada.get(&url).await.status, 200);
    let (status, problem) = send(b"", ada.csrf_token()).await;
    assert_eq!(status, 422);
    assert_eq!(problem["detail"], "The file “plan.txt” is empty.");
    let (status, _) = send(b"The plan", String::new()).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused_with_the_limit() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let actor = Actor::system("test", Some(app.organization));
    let edit =
        SettingsEdit { upload_bytes_max: 1 << 20, session_days: 14, cors_origins: Vec::new() };
    let edited = app.app.store.write(move |tx| settings::edit(tx, &actor, edit)).await;
    edited.expect("new settings");
    app.app.refresh_settings().await.expect("fresh settings");
    let large = vec![b'x'; (1 << 20) + 1];
    let shown = ada.upload("/documents/upload", &[], &[("large.txt", &large)]).await;
    assert_eq!(shown.status, 413);
    shown.says("large.txt This file is larger than 1 MB, which is the limit here.");
}

#[tokio::test]
async fn downloads_carry_name_type_ranges_and_etags() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("Übersicht 2026.txt", b"0123456789", &[]).await;
    let path = format!("/documents/{id}/download");
    let whole = ada.get(&path).await;
    assert_eq!(whole.html, "0123456789");
    assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
    assert!(
        whole.header("content-disposition").contains("filename*=UTF-8''%C3%9Cbersicht%202026.txt")
    );
    let part = ada.request("GET", &path).header("range", "bytes=2-4").send().await.expect("a part");
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.text().await.expect("bytes"), "234");
    let known = ada.request("GET", &path).header("if-none-match", whole.header("etag"));
    assert_eq!(known.send().await.expect("an answer").status(), 304);
    let head = ada.request("HEAD", &path).send().await.expect("headers");
    assert_eq!(head.headers()["content-length"], "10");
    assert!(
        head.headers()["content-disposition"].to_str().expect("text").starts_with("attachment")
    );
    let page = format!("/documents/{id}");
    until(async || ada.get(&page).await.text().contains("downloaded version 1")).await;
}

#[tokio::test]
async fn files_of_users_cannot_run_as_the_portal() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let hostile: [(&str, &[u8]); 3] = [
        ("page.html", b"<!doctype html><html><script>parent.alert(1)</script></html>"),
        (
            "drawing.svg",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
        ),
        ("code.js", b"alert(document.cookie)"),
    ];
    for (name, content) in hostile {
        let id = ada.add(name, content, &[]).await;
        app.settle().await;
        for path in ["download", "content"] {
            let shown = ada.get(&format!("/documents/{id}/{path}")).await;
            assert_eq!(shown.status, 200);
            assert_eq!(shown.header("x-content-type-options"), "nosniff", "{name}");
            let policy = shown.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{name}");
            assert!(!policy.contains("allow-"), "{name}: {policy}");
            let is_plain = shown.header("content-type").starts_with("text/plain");
            let is_saved = shown.header("content-disposition").starts_with("attachment");
            assert!(is_plain || is_saved, "{name}");
        }
        let page = ada.get(&format!("/documents/{id}")).await;
        assert!(!page.html.contains("<script>"), "{name} stands in the page as it is");
    }
}

#[tokio::test]
async fn pages_carry_the_headers_that_keep_them_safe() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    for path in ["/documents", "/sign-in?next=/", "/nothing-here"] {
        let shown = ada.get(path).await;
        let policy = shown.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(shown.header("x-content-type-options"), "nosniff");
        assert_eq!(shown.header("referrer-policy"), "same-origin");
        assert_eq!(shown.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn a_link_is_a_document_that_leads_elsewhere() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let bad =
        ada.send("/documents/link", &[("url", "javascript:alert(1)"), ("title", "Bad")]).await;
    assert_eq!(bad.status, 422);
    bad.says("A link begins with https:// or http://.");
    assert!(bad.html.contains("value=\"Bad\""));
    let fields = [("url", "https://www.example.org/outlook?a=1"), ("title", "Market outlook")];
    let shown = ada.submit("/documents/link", &fields).await;
    shown.says("Market outlook").says("This leads to www.example.org .").does_not_say("Versions");
    let id = shown.address.trim_start_matches("/documents/").to_owned();
    assert_eq!(ada.get(&format!("/documents/{id}/download")).await.status, 404);
    app.settle().await;
    ada.get("/documents").await.says("www.example.org");
}

#[tokio::test]
async fn two_who_edit_at_once_do_not_overwrite_each_other() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    let path = format!("/documents/{id}/edit");
    let form = ada.get(&path).await;
    let etag = form.piece("name=\"etag\" value=\"", "\"").to_owned();
    let saved = ada.submit(&path, &[("title", "Plan A"), ("etag", &etag)]).await;
    saved.says("“Plan A” is saved.");
    let late = ada.send(&path, &[("title", "Plan B"), ("etag", &etag)]).await;
    assert_eq!(late.status, 409);
    late.says("Somebody changed this document in the meantime.").says("Title Plan A Plan B");
    assert!(late.html.contains("value=\"Plan B\""), "what was typed is not lost");
    ada.get(&format!("/documents/{id}")).await.says("Plan A");
    let seen = late.piece("name=\"etag\" value=\"", "\"").to_owned();
    late.says("Save mine anyway");
    let saved = ada.submit(&path, &[("title", "Plan B"), ("etag", &seen)]).await;
    saved.says("“Plan B” is saved.");
    let late = ada.send(&path, &[("title", "Plan D"), ("etag", &seen)]).await;
    assert_eq!(late.status, 409, "the state that was seen is over, too");
    let blank = ada.send(&path, &[("title", "Plan C")]).await;
    assert_eq!(blank.status, 409, "a form that does not say what it has read changes nothing");
}

#[tokio::test]
async fn two_who_decide_at_once_who_sees_it_know_of_each_other() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let vic = app.add_user("vic", Role::Editor).await.id.to_string();
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    let (path, edit) = (format!("/documents/{id}/visibility"), format!("/documents/{id}/edit"));
    let seen = ada.get(&path).await.piece("name=\"seen\" value=\"", "\"").to_owned();
    let etag = ada.get(&edit).await.piece("name=\"etag\" value=\"", "\"").to_owned();
    ada.submit(&edit, &[("title", "Plan A"), ("etag", &etag)]).await.says("“Plan A” is saved.");
    let public = [("visibility", "public"), ("seen", &seen)];
    ada.submit(&path, &public).await.says("“Plan A” can be seen by anyone");
    let restricted = |seen| [("visibility", "restricted"), ("people", &vic), ("seen", seen)];
    let late = ada.send(&path, &restricted(&seen)).await;
    assert_eq!(late.status, 409);
    late.says("Somebody changed this in the meantime.").says("Who can see it Public Restricted");
    let seen = late.piece("name=\"seen\" value=\"", "\"").to_owned();
    ada.submit(&path, &restricted(&seen)).await.says("only by the groups and people you chose");
}

#[tokio::test]
async fn an_edit_without_a_title_stays_in_the_form() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    let path = format!("/documents/{id}/edit");
    let etag = ada.get(&path).await.piece("name=\"etag\" value=\"", "\"").to_owned();
    let fields = [("title", " "), ("description", "Kept"), ("etag", &etag)];
    let shown = ada.send(&path, &fields).await;
    assert_eq!(shown.status, 422);
    shown.says("Fill in the title.").says("Kept");
}

#[tokio::test]
async fn visibility_is_decided_in_a_form_and_counts_on_the_next_request() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let vic_id = app.add_user("vic", Role::Viewer).await.id.to_string();
    app.add_user("wen", Role::Viewer).await;
    let (vic, wen) = (app.person("vic").await, app.person("wen").await);
    let stranger = app.passer_by();
    let id = ada.add("plan.txt", b"The secret plan", &[]).await;
    app.settle().await;
    let page = format!("/documents/{id}");
    let path = format!("/documents/{id}/visibility");
    assert_eq!(wen.get(&page).await.status, 200);
    let restricted = [("visibility", "restricted"), ("people", vic_id.as_str())];
    let shown = ada.submit(&path, &restricted).await;
    shown.says("can be seen only by the groups and people you chose").says("vic");
    assert_eq!(wen.get(&page).await.status, 404);
    assert_eq!(wen.get(&format!("{page}/download")).await.status, 404);
    wen.get("/documents?q=secret").await.says("0 documents");
    assert_eq!(vic.get(&page).await.status, 200);
    vic.get(&page).await.says("Restricted").does_not_say("Who can see it");
    let form = ada.get(&path).await;
    let chosen = format!("value=\"{vic_id}\" checked");
    assert!(form.html.contains(&chosen), "the form shows who was chosen");
    assert_eq!(stranger.get(&page).await.status, 303, "a stranger is asked to sign in");
    ada.submit(&path, &[("visibility", "public")]).await.says("anyone who has the address");
    let public = stranger.get(&page).await;
    assert_eq!(public.status, 200);
    public.says("plan").does_not_say("Ada Lovelace added it");
    assert_eq!(stranger.get(&format!("{page}/download")).await.html, "The secret plan");
    let wrong = ada.send(&path, &[("visibility", "restricted"), ("people", "x")]).await;
    assert_eq!(wrong.status, 422);
    let seen = form.piece("name=\"seen\" value=\"", "\"");
    let late = ada.send(&path, &[("visibility", "organization"), ("seen", seen)]).await;
    assert_eq!(late.status, 409, "it has become public since the form was opened");
}

#[tokio::test]
async fn what_nobody_was_chosen_for_is_seen_by_those_who_always_see_it() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    let path = format!("/documents/{id}/visibility");
    let shown = ada.submit(&path, &[("visibility", "restricted")]).await;
    shown.says("Only you, managers and administrators can see it now.");
}

#[tokio::test]
async fn a_stranger_reads_a_public_document_without_ways_that_lead_nowhere() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let fields = [("visibility", "public"), ("category", "Plans"), ("tags", "sea")];
    let id = ada.add("plan.txt", b"The plan", &fields).await;
    let page = format!("/documents/{id}");
    ada.get(&page).await.says("Activity").says("Library / Plans");
    let shown = app.passer_by().get(&page).await;
    assert_eq!(shown.status, 200);
    shown.says("Category Plans").says("#sea").does_not_say("Activity").does_not_say("Library");
    assert!(!shown.html.contains("href=\"/documents?"), "a filter leads to signing in");
}

#[tokio::test]
async fn only_what_is_not_an_ordinary_file_has_a_kind() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let plan = ada.add("plan.txt", b"The plan", &[]).await;
    let poster = ada.add("poster.txt", b"The poster", &[("kind", "poster")]).await;
    ada.get(&format!("/documents/{plan}")).await.does_not_say("Kind");
    ada.get(&format!("/documents/{poster}")).await.says("Kind Poster");
}

#[tokio::test]
async fn a_table_is_shown_as_one_and_markdown_as_it_is_meant() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let table = ada.add("tides.csv", b"Place,High\n\"Hull, North\",6.2\n", &[]).await;
    let hostile =
        b"# Tides\n\n**High** at six. <script>alert(1)</script>\n\n[x](javascript:alert(1))";
    let text = ada.add("tides.md", hostile, &[]).await;
    let book = ada.add("positions.xlsx", &office("positions.xlsx"), &[]).await;
    app.settle().await;
    let shown = ada.get(&format!("/documents/{table}")).await;
    assert!(
        shown.html.contains("<td>Hull, North</td><td class=\"is-number\">6.2</td>"),
        "{}",
        shown.html
    );
    let shown = ada.get(&format!("/documents/{book}")).await;
    let row = "<td>Aurora Steel</td><td class=\"is-number\">1200</td>";
    assert!(shown.html.contains("<caption>Positionen</caption>"), "{}", shown.html);
    assert!(shown.html.contains(row), "{}", shown.html);
    let shown = ada.get(&format!("/documents/{text}")).await;
    assert!(shown.html.contains("<h2>Tides</h2>\n<p><strong>High</strong>"), "{}", shown.html);
    assert!(!shown.html.contains("<script>") && !shown.html.contains("\"javascript:"));
}

#[tokio::test]
async fn a_file_name_with_a_quote_is_kept_as_browsers_send_it() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    // As the HTML standard has it: only the quote is escaped, the percent sign is not.
    let boundary = "----x";
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{}\r\n--{boundary}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"a %22plan%22 50%.txt\"\r\n\
         Content-Type: text/plain\r\n\r\nThe plan\r\n--{boundary}--\r\n",
        ada.csrf_token()
    );
    let request = ada.request("POST", "/documents/upload").body(body);
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let sent = request.header("content-type", content_type).send().await.expect("an answer");
    let to = sent.headers()["location"].to_str().expect("an address").to_owned();
    ada.get(&to).await.says("a \"plan\" 50%.txt");
}

#[tokio::test]
async fn a_draft_is_seen_by_its_maker_until_it_is_published() {
    let app = TestApp::spawn().await;
    app.add_user("edd", Role::Editor).await;
    app.add_user("vic", Role::Viewer).await;
    let (edd, vic) = (app.person("edd").await, app.person("vic").await);
    let id = edd.add("draft.txt", b"Not yet", &[("status", "draft")]).await;
    app.settle().await;
    let page = format!("/documents/{id}");
    assert_eq!(vic.get(&page).await.status, 404);
    vic.get("/documents").await.does_not_say("draft");
    edd.submit(&format!("{page}/publish"), &[]).await.says("“draft” is published.");
    assert_eq!(vic.get(&page).await.status, 200);
    vic.get("/documents").await.says("draft");
    let archived = edd.submit(&format!("{page}/archive"), &[]).await;
    archived.says("is in the archive").says("Undo");
    vic.get("/documents").await.does_not_say("draft");
    vic.get("/documents?status=archived").await.says("draft");
    edd.submit(&format!("{page}/unarchive"), &[]).await.says("is back in the library");
    edd.submit(&format!("{page}/withdraw"), &[]).await.says("is a draft again");
    assert_eq!(vic.get(&page).await.status, 404);
}

#[tokio::test]
async fn what_goes_to_the_trash_comes_back_by_undo() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    app.settle().await;
    let page = format!("/documents/{id}");
    let library = ada.submit(&format!("{page}/trash"), &[]).await;
    assert_eq!(library.address, "/documents");
    library.says("“plan” is in the trash. Undo").says("No documents yet");
    ada.get("/documents").await.does_not_say("is in the trash");
    let undo = library.piece("<form action=\"/documents/", "\"").to_owned();
    assert_eq!(undo, format!("{id}/restore"));
    ada.get(&page).await.says("moved this to the trash").does_not_say("Edit");
    ada.submit(&format!("/documents/{undo}"), &[]).await.says("“plan” is restored.");
    ada.get("/documents").await.says("1 document");
}

#[tokio::test]
async fn deleting_for_good_asks_once() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    let page = format!("/documents/{id}");
    ada.submit(&format!("{page}/trash"), &[]).await;
    let delete = format!("{page}/delete");
    ada.submit(&delete, &[]).await.says("Delete “plan” for good?");
    assert_eq!(ada.get(&page).await.status, 200);
    ada.submit(&delete, &[("confirmed", "1")]).await.says("“plan” is deleted for good.");
    assert_eq!(ada.get(&page).await.status, 404);
}

#[tokio::test]
async fn versions_are_added_downloaded_and_made_current() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"First", &[]).await;
    let page = format!("/documents/{id}");
    let shown = ada.upload(&format!("{page}/versions"), &[], &[("plan-2.txt", b"Second")]).await;
    shown.says("Version 2 is uploaded.").says("Version 2 Current").says("plan-2.txt");
    assert_eq!(ada.get(&format!("{page}/download")).await.html, "Second");
    let old = shown.html.split("/versions/").nth(2).expect("the older version");
    let old = old.split('/').next().expect("its id").to_owned();
    let versions = format!("{page}/versions/{old}");
    assert_eq!(ada.get(&format!("{versions}/download")).await.html, "First");
    ada.submit(&format!("{versions}/current"), &[]).await.says("Version 1 is current now.");
    assert_eq!(ada.get(&format!("{page}/download")).await.html, "First");
    let empty = ada.upload(&format!("{page}/versions"), &[], &[("x.txt", b"")]).await;
    assert_eq!(empty.status, 422);
    empty.says("The file “x.txt” is empty.");
}

#[tokio::test]
async fn a_picture_has_a_thumbnail_and_a_broken_pdf_a_reason() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let png = red_png();
    let picture = ada.add("red.png", &png, &[]).await;
    let broken = ada.add("broken.pdf", b"%PDF-1.7\nnothing else", &[]).await;
    app.settle().await;
    let thumbnail = ada.get(&format!("/documents/{picture}/thumbnail")).await;
    assert_eq!(thumbnail.status, 200);
    assert!(thumbnail.header("content-type").starts_with("image/"));
    ada.get("/documents").await;
    let page = ada.get(&format!("/documents/{broken}")).await;
    page.says("The text could not be read.").says("Download");
    assert_eq!(ada.get(&format!("/documents/{broken}/thumbnail")).await.status, 404);
    let bytes = ada.get(&format!("/documents/{broken}/download")).await;
    assert_eq!(bytes.html, "%PDF-1.7\nnothing else");
}

#[tokio::test]
async fn what_is_not_there_is_told_on_a_page_of_the_portal() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    for path in [
        "/nothing-here",
        "/documents/019ac5a0-0000-7000-8000-000000000000",
        "/documents/no-id",
        "/documents/019ac5a0-0000-7000-8000-000000000000/download",
    ] {
        let shown = ada.get(path).await;
        assert_eq!(shown.status, 404, "{path}");
        shown.says("Not found").says("Northlight");
    }
    let wrong_method = ada.send("/documents", &[]).await;
    assert_eq!(wrong_method.status, 405);
    wrong_method.says("Not possible here");
}

/// A small red picture.
fn red_png() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(40, 30, image::Rgb([220, 30, 30]));
    picture.write_to(&mut png, image::ImageFormat::Png).expect("a picture");
    png.into_inner()
}

#[tokio::test]
async fn who_is_chosen_stays_chosen_also_the_disabled_and_oneself() {
    let app = TestApp::spawn().await;
    let bob = app.add_user("bob", Role::Viewer).await;
    let (ada, api) = (app.person("ada").await, app.signed_in("ada").await);
    let id = ada.add("plan.txt", b"Once", &[]).await;
    let path = format!("/documents/{id}/visibility");
    let (own, other) = (app.ada.id.to_string(), bob.id.to_string());
    let chosen = [("visibility", "restricted"), ("people", &own), ("people", &other)];
    ada.submit(&path, &chosen).await.says("only by the groups and people you chose");
    let disable = format!("/api/admin/users/{other}/disable");
    assert_eq!(api.status("POST", &disable, None).await, 200);
    let shown = ada.get(&path).await;
    shown.says("bob (disabled)");
    for person in [&own, &other] {
        let input = shown.piece(&format!("value=\"{person}\""), ">");
        assert!(input.contains("checked"), "{input}");
    }
    // Whoever is not chosen already is not offered.
    let id = ada.add("note.txt", b"Once", &[]).await;
    ada.get(&format!("/documents/{id}/visibility")).await.does_not_say("bob (disabled)");
}

#[tokio::test]
async fn the_trash_has_pages_and_counts_them_all() {
    let app = TestApp::spawn().await;
    let organization = app.organization;
    let user = app.ada.clone();
    let filled = app.app.store.write(move |tx| {
        let ada = Actor::load(tx, &user, Some(organization))?;
        for number in 0..55 {
            let new = NewDocument {
                title: format!("Paper {number:02}"),
                description: String::new(),
                category: String::new(),
                tags: Vec::new(),
                kind: Kind::Link,
                status: Status::Published,
                visibility: Visibility::Organization,
            };
            let url = "https://example.com/";
            let made = documents::add_link(tx, &ada, organization, new, url)?;
            documents::trash(tx, &ada, made.id)?;
        }
        Ok(())
    });
    filled.await.expect("a full trash");
    let ada = app.person("ada").await;
    let first = ada.get("/trash").await;
    first.says("Paper 54").does_not_say("Paper 04");
    assert!(first.html.contains("55 documents and all their versions"), "the whole is counted");
    let second = ada.get(&first.link("Next page")).await;
    second.says("Paper 04").says("Paper 00").does_not_say("Paper 05").says("Back to the start");
}
