//! Finding documents in the library.

use appliance::domain::{access::Role, users};
use jiff::SignedDuration;

use crate::support::{self, PASSWORD, TestApp};

#[tokio::test]
async fn the_library_shows_what_was_uploaded_and_finds_it_by_its_text() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("annual report.txt", b"Revenue grew in every region.", &[("category", "Reports")])
        .await;
    ada.add("minutes.md", b"# Minutes\n\nThe board met <b>twice</b>.", &[("tags", "board")]).await;
    app.settle().await;
    ada.get("/documents").await.says("annual report").says("minutes").says("2 documents");
    let found = ada.get("/documents?q=revenue").await;
    found.says("1 document for “revenue”").does_not_say("minutes");
    assert!(found.html.contains("<mark>Revenue</mark> grew"), "{}", found.html);
    let fragment = ada.get("/documents/results?q=revenue").await;
    assert!(fragment.html.trim_start().starts_with("<div class=\"results\""));
    assert!(!fragment.html.contains("<html"));
}

#[tokio::test]
async fn filters_are_links_that_narrow_and_widen() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("a.txt", b"alpha", &[("category", "Reports"), ("tags", "board, 2026")]).await;
    ada.add("b.txt", b"beta", &[("category", "Reports"), ("tags", "board")]).await;
    ada.add("c.txt", b"gamma", &[("category", "Contracts"), ("kind", "poster")]).await;
    app.settle().await;
    let all = ada.get("/documents").await;
    let reports = ada.get(&all.link("Reports 2")).await;
    reports.says("2 documents").says("Category Reports");
    let both = ada.get(&reports.link("2026 1")).await;
    both.says("1 document");
    let cleared = ada.get(&both.link("Clear all")).await;
    cleared.says("3 documents");
    let poster = ada.get(&all.link("Poster 1")).await;
    poster.says("1 document").says("Kind Poster");
    let nothing = ada.get("/documents?q=zzzzzz&kind=poster").await;
    nothing
        .says("Nothing found")
        .says("No document matches the search together with these filters.");
}

#[tokio::test]
async fn a_long_list_goes_on_page_by_page() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    for number in 0..30 {
        app.clock.advance(SignedDuration::from_secs(1));
        let title = format!("Letter {number:02}");
        ada.add("letter.txt", title.as_bytes(), &[("title", &title)]).await;
    }
    app.settle().await;
    for path in ["/documents", "/documents?sort=title", "/documents?q=letter&sort=oldest"] {
        let first = ada.get(path).await;
        let second = ada.get(&first.link("Next page")).await;
        let titles = |html: &str| -> Vec<String> {
            let rows = html.split("data-result>").skip(1);
            rows.map(|row| row.split("</a>").next().expect("a title").to_owned()).collect()
        };
        let mut seen = titles(&first.html);
        seen.extend(titles(&second.html));
        assert_eq!(seen.len(), 30, "{path}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 30, "{path}: none twice");
        assert_eq!(ada.get(&second.link("Back to the start")).await.html.len(), first.html.len());
    }
}

#[tokio::test]
async fn a_mistyped_word_finds_what_was_meant() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("kettle.txt", b"The kettle is green.", &[]).await;
    app.settle().await;
    let shown = ada.get("/documents?q=kettel").await;
    shown.says("Nothing matches “kettel” exactly. Here is what matches kettle");
}

#[tokio::test]
async fn an_old_bookmark_shows_the_library() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("plan.txt", b"The plan", &[]).await;
    app.settle().await;
    let shown = ada.get("/documents?after=nowhere&sort=sideways&kind=&person=nobody").await;
    assert_eq!(shown.status, 200);
    shown.says("plan");
}

#[tokio::test]
async fn titles_are_text_wherever_they_stand() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let hostile = "<script>alert('x')</script> \"quoted\" & <mark>marked</mark>";
    let fields = [("title", hostile), ("tags", "<b>tag</b>"), ("category", "<i>shelf</i>")];
    let id = ada.add("x.txt", b"<script>alert(1)</script> body", &fields).await;
    app.settle().await;
    for path in [
        "/documents".into(),
        "/documents?view=grid".into(),
        "/documents?q=quoted".into(),
        "/documents?q=%3Cscript%3E".into(),
        "/documents?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".into(),
        format!("/documents/{id}"),
        format!("/documents/{id}/edit"),
        format!("/documents/{id}/visibility"),
    ] {
        let shown = ada.get(&path).await;
        assert_eq!(shown.status, 200, "{path}");
        for raw in ["<script>alert", "<b>tag", "<i>shelf", "<mark>marked</mark>\""] {
            assert!(!shown.html.contains(raw), "{path} carries {raw}");
        }
    }
    ada.get("/documents").await.says(hostile);
}

#[tokio::test]
async fn a_viewer_is_offered_nothing_that_they_may_not_do() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    app.add_user("vic", Role::Viewer).await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    app.settle().await;
    let vic = app.person("vic").await;
    let library = vic.get("/documents").await;
    library.says("plan").does_not_say("Upload").does_not_say("Administration");
    let document = vic.get(&format!("/documents/{id}")).await;
    document.says("Download").does_not_say("Edit").does_not_say("trash");
    for path in ["/documents/upload", "/documents/link"] {
        assert_eq!(vic.get(path).await.status, 403, "{path}");
    }
    for path in ["edit", "visibility"] {
        assert_eq!(vic.get(&format!("/documents/{id}/{path}")).await.status, 403, "{path}");
    }
    let shown = vic.upload("/documents/upload", &[], &[("x.txt", b"x")]).await;
    assert_eq!(shown.status, 403);
    shown.says("Your role is viewer");
}

#[tokio::test]
async fn an_old_bookmark_with_unknown_words_shows_the_library() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let shown = ada.get("/documents?category=gone&kind=boat&from=x&sort=y&colour=red").await;
    assert_eq!(shown.status, 200);
}

#[tokio::test]
async fn documents_are_narrowed_to_a_type_of_file() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("plan.md", b"# The plan", &[]).await;
    ada.add("tides.csv", b"a,b\n1,2\n", &[]).await;
    ada.submit("/documents/link", &[("url", "https://example.com/"), ("title", "Elsewhere")]).await;
    app.settle().await;
    let all = ada.get("/documents").await;
    all.says("Type").says("MD 1").says("Link 1");
    let tables = ada.get(&all.link("CSV 1")).await;
    tables.says("1 document").says("tides").does_not_say("Elsewhere");
}

#[tokio::test]
async fn an_empty_library_offers_no_filters_but_the_archive_where_there_is_one() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.get("/documents").await.says("No documents yet").does_not_say("Filters");
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    app.settle().await;
    ada.get("/documents").await.says("Filters").does_not_say("Look into the archive");
    ada.submit(&format!("/documents/{id}/archive"), &[]).await;
    let empty = ada.get("/documents").await;
    ada.get(&empty.link("Look into the archive")).await.says("plan");
}

#[tokio::test]
async fn what_others_added_is_new_and_what_one_added_is_not() {
    let app = TestApp::spawn().await;
    app.add_user("vic", Role::Viewer).await;
    let (ada, vic) = (app.person("ada").await, app.person("vic").await);
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    app.settle().await;
    let mark = "<span class=\"badge badge--accent\">New</span>";
    for path in ["/documents".into(), format!("/documents/{id}")] {
        assert!(!ada.get(&path).await.html.contains(mark), "{path}");
        assert!(vic.get(&path).await.html.contains(mark), "{path}");
    }
}

#[tokio::test]
async fn what_came_since_the_last_visit_is_new() {
    let app = TestApp::spawn().await;
    let vic_id = app.add_user("vic", Role::Viewer).await.id;
    let (ada, vic) = (app.person("ada").await, app.person("vic").await);
    let page = |id: &str| format!("/documents/{id}");
    let is_new = async |id: &str| {
        let mark = "<span class=\"badge badge--accent\">New</span>";
        vic.get(&page(id)).await.html.contains(mark)
    };
    let noted = async || {
        support::until(async || {
            let user = app.app.store.read(move |tx| users::get(tx, vic_id)).await.expect("vic");
            user.seen_at == Some(app.clock.now())
        })
        .await;
    };
    let old = ada.add("old.txt", b"The plan", &[]).await;
    assert!(is_new(&old).await, "on the first visit, everything of late is");
    app.clock.advance(SignedDuration::from_hours(48));
    let fresh = ada.add("fresh.txt", b"Another plan", &[]).await;
    assert!(!is_new(&old).await, "it was there on the last visit");
    assert!(is_new(&fresh).await);
    noted().await;
    app.clock.advance(SignedDuration::from_mins(30));
    assert!(is_new(&fresh).await, "it stays so while the visit lasts");
    noted().await;
    app.clock.advance(SignedDuration::from_hours(5));
    assert!(!is_new(&fresh).await, "after a pause there is another visit");
    noted().await;
    app.clock.advance(SignedDuration::from_mins(1));
    let latest = ada.add("latest.txt", b"The last plan", &[]).await;
    vic.submit("/sign-out", &[]).await;
    app.clock.advance(SignedDuration::from_mins(1));
    vic.sign_in("vic", PASSWORD).await;
    assert!(!is_new(&fresh).await, "signing in begins a visit as well");
    assert!(is_new(&latest).await);
}

#[tokio::test]
async fn the_figures_come_with_the_results() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("plan.txt", b"The plan", &[("category", "Plans")]).await;
    app.settle().await;
    let fragment = ada.get("/documents/results?q=plan").await;
    fragment.says("document 1").says("new this month 1").says("category 1");
    assert_eq!(fragment.piece("data-title=\"", "\""), "plan – Library");
}
