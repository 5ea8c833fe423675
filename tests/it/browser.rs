//! The portal in a real browser, as a person meets it: setting up, signing in, uploading, finding,
//! reading, deciding who sees what, administering.

use appliance::domain::access::Role;

use crate::support::{Chromium, NewPortal, PASSWORD, Tab, TestApp};

/// A page with a line of text, small enough to read (ISO 32000-2). Readers find the cross-reference
/// table of such a file themselves.
const PDF: &[u8] = b"%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 400]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 56>>stream
BT /F1 24 Tf 40 320 Td (Lighthouse maintenance) Tj ET   \nendstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
";

async fn sign_in(tab: &Tab, username: &str) {
    tab.goto("/sign-in").await;
    tab.fill("#name", username).await;
    tab.fill("#password", PASSWORD).await;
    tab.press("Sign in").await;
    tab.is_at("/documents").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_is_set_up_and_its_administrator_signs_out_and_in_again() {
    let portal = NewPortal::spawn().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&portal.url).await;
    tab.goto("/").await;
    tab.says("Almost ready").await;
    let secret = portal.app.setup_link.issue().expect("a setup link");
    tab.goto(&format!("/setup/{}", secret.reveal())).await;
    tab.fill("#organization", "Halden & Partners").await;
    tab.fill("#full_name", "Grace Hopper").await;
    tab.fill("#username", "grace").await;
    tab.fill("#email", "grace@example.com").await;
    tab.fill("#password", "short").await;
    tab.says("Easy to guess").await;
    tab.fill("#password", PASSWORD).await;
    tab.until("document.querySelector('meter').value >= 3").await;
    tab.press("Create the portal").await;
    tab.is_at("/documents").await;
    tab.says("Your portal is ready").await;
    tab.says("No documents yet").await;
    tab.click("summary.person-button").await;
    tab.press("Sign out").await;
    tab.says("You are signed out").await;
    tab.goto("/documents?sort=title").await;
    tab.is_at("/sign-in").await;
    tab.fill("#name", "grace@example.com").await;
    tab.fill("#password", PASSWORD).await;
    tab.press("Sign in").await;
    tab.is_at("/documents").await;
    assert_eq!(tab.address().await, "/documents?sort=title");
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_form_is_told_before_it_is_sent() {
    let app = TestApp::spawn().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    tab.goto("/admin/people/new").await;
    tab.fill("#username", "grace").await;
    tab.fill("#email", "nowhere").await;
    tab.press("Add the person").await;
    tab.says("3 things need to be corrected").await;
    tab.until("document.activeElement.classList.contains('faults')").await;
    let wrong = "[...document.querySelectorAll('[aria-invalid=true]')].map(({ id }) => id)";
    assert_eq!(tab.js::<Vec<String>>(wrong).await, ["full_name", "email", "password"]);
    let told = "document.getElementById(document.getElementById('email')\
                .getAttribute('aria-describedby').split(' ')[0]).textContent";
    assert_eq!(tab.js::<String>(told).await, "“Email” looks like name@example.com.");
    tab.click(".faults a[href='#email']").await;
    tab.until("document.activeElement.id === 'email'").await;
    assert_eq!(tab.js::<String>("document.querySelector('#username').value").await, "grace");
    tab.fill("#full_name", "Grace Hopper").await;
    tab.says("2 things need to be corrected").await;
    assert_eq!(tab.js::<Vec<String>>(wrong).await, ["email", "password"]);
    tab.fill("#email", "ada@example.com").await;
    tab.fill("#password", "12345678").await;
    tab.press("Add the person").await;
    // The rest only the server can know, and it says so in the same way.
    tab.says("2 things need to be corrected").await;
    tab.until("document.activeElement.classList.contains('faults')").await;
    assert_eq!(tab.js::<Vec<String>>(wrong).await, ["email", "password"]);
    tab.fill("#email", "grace@example.com").await;
    tab.fill("#password", PASSWORD).await;
    tab.press("Add the person").await;
    tab.says("Grace Hopper can sign in now.").await;
    tab.assert_calm(&["422"]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_uploaded_with_progress_that_can_be_cancelled_and_tried_again() {
    let app = TestApp::spawn().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    let large = chromium.file("tide_tables-2026.txt", "tide ".repeat(200_000).as_bytes());
    tab.goto("/documents/upload").await;
    tab.choose_files("#file", &[large]).await;
    tab.until("document.querySelector('#title').value === 'tide tables-2026'").await;
    tab.limit_uploads(200_000).await;
    tab.click("form[data-upload] .form-foot button").await;
    let bar = "(document.querySelector('.transfer progress')?.value ?? 0)";
    tab.until(&format!("{bar} > 0 && {bar} < 90")).await;
    tab.press("Cancel tide_tables-2026.txt").await;
    tab.says("Cancelled.").await;
    tab.limit_uploads(0).await;
    tab.press("Try again").await;
    tab.says("Versions").await;
    tab.says("tide tables-2026").await;
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_dropped_on_the_library_are_in_it_without_leaving_it() {
    let app = TestApp::spawn().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    tab.run("window.stayed = true").await;
    let files = [
        chromium.file("harbor plan.txt", b"The new harbor wall."),
        chromium.file("empty.txt", b""),
        chromium.file("buoys.md", b"# Buoys\n\nGreen to starboard."),
    ];
    tab.drop_files(&files).await;
    tab.says("This file is empty.").await;
    tab.press("Cancel empty.txt").await;
    tab.fill("dialog #tags", "sea").await;
    tab.press("Upload 2 files").await;
    tab.says("2 documents are in the library.").await;
    tab.says("harbor plan").await;
    tab.says("#sea").await;
    assert!(tab.js::<bool>("window.stayed").await, "the page was never left");
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn escape_does_not_stop_an_upload_and_cancel_says_that_it_does() {
    let app = TestApp::spawn().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    let large = chromium.file("tides.txt", "tide ".repeat(200_000).as_bytes());
    tab.drop_files(&[large]).await;
    tab.find("dialog .form-foot button").await;
    tab.limit_uploads(50_000).await;
    tab.click("dialog .form-foot button").await;
    tab.until("document.querySelector('.transfer progress')?.value > 0").await;
    for _ in 0..3 {
        tab.key("Escape").await;
    }
    tab.says("The upload goes on.").await;
    assert!(tab.js::<bool>("document.querySelector('dialog[open]') !== null").await);
    tab.press("Cancel").await;
    tab.says("1 upload was stopped.").await;
    tab.until("document.querySelector('dialog') === null").await;
    tab.limit_uploads(0).await;
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_files_that_are_dropped_the_refused_one_is_told_and_the_others_are_stored() {
    let app = TestApp::spawn().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    let files = [chromium.file("buoys.txt", b"Green."), chromium.file("empty.txt", b"")];
    tab.drop_files(&files).await;
    tab.says("This file is empty.").await;
    tab.press("Upload").await;
    tab.says("1 of 2 uploaded, 1 not.").await;
    let submit = "document.querySelector('dialog .button--main')";
    tab.until(&format!("{submit}.getAttribute('aria-disabled') === 'true'")).await;
    tab.press("Done").await;
    tab.until("document.querySelector('dialog') === null").await;
    tab.says("buoys").await;
    tab.goto("/documents/upload").await;
    tab.choose_files("#file", &[chromium.file("wall.txt", b"The harbor wall.")]).await;
    tab.click("form[data-upload] .form-foot button").await;
    tab.says("“wall” is in the library.").await;
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_chosen_by_keyboard_and_stay_open_on_a_phone() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("one.txt", b"One", &[("category", "Plans"), ("tags", "sea")]).await;
    ada.add("two.txt", b"Two", &[("category", "Plans"), ("tags", "sea, wall")]).await;
    app.settle().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    tab.run("document.querySelector('a.facet-option[href*=\"tag=sea\"]').focus()").await;
    tab.key("Enter").await;
    tab.until("location.search === '?tag=sea'").await;
    let focused = "document.activeElement.closest('.facet-option')?.innerText ?? ''";
    tab.until(&format!("({focused}).startsWith('sea')")).await;
    tab.fill("#search", "two").await;
    tab.until("document.title === 'two – Library · Northlight'").await;
    tab.resize(390, 844).await;
    tab.goto("/documents").await;
    tab.click(".filters-button").await;
    tab.click("a.facet-option[href*='tag=wall']").await;
    tab.until("location.search === '?tag=wall'").await;
    tab.until("document.querySelector('#filters').matches(':popover-open')").await;
    tab.says("1 document").await;
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_survives_the_end_of_the_session() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    tab.goto(&format!("/documents/{id}/edit")).await;
    tab.fill("#title", "Harbor plan").await;
    tab.fill("#description", "With a new wall.").await;
    ada.submit("/account/sessions/end-others", &[]).await.says("1 other session has ended.");
    tab.press("Save").await;
    tab.says("What you typed is not lost").await;
    // As in another tab.
    let again = format!("name=ada&password={}", PASSWORD.replace(' ', "+"));
    let headers = "{ 'Content-Type': 'application/x-www-form-urlencoded' }";
    tab.run(&format!(
        "fetch('/sign-in', {{ method: 'POST', headers: {headers}, body: '{again}' }})"
    ))
    .await;
    tab.run("history.back()").await;
    tab.until("document.querySelector('#description')?.value === 'With a new wall.'").await;
    tab.until("document.querySelector('#title').value === 'Harbor plan'").await;
    tab.press("Save").await;
    tab.says("“Harbor plan” is saved.").await;
    tab.assert_calm(&["401"]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_found_while_typing_and_read_in_the_page() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("lighthouse.pdf", PDF, &[("category", "Upkeep"), ("tags", "coast")]).await;
    ada.add("minutes.md", b"# Minutes\n\nThe board met twice.", &[("tags", "board")]).await;
    app.settle().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    tab.run("window.stayed = true").await;
    tab.fill("#search", "mainten").await;
    tab.until("location.search === '?q=mainten'").await;
    tab.does_not_say("minutes").await;
    tab.until("document.querySelector('mark')?.textContent === 'maintenance'").await;
    tab.fill("#search", "met").await;
    tab.says("1 document for “met”").await;
    tab.fill("#search", " ").await;
    tab.says("lighthouse").await;
    tab.click("a.facet-option[href*='category']").await;
    tab.until("location.search.startsWith('?category=')").await;
    tab.does_not_say("minutes").await;
    assert!(tab.js::<bool>("window.stayed").await, "the page was never left");
    tab.run("history.back()").await;
    tab.says("minutes").await;
    tab.press("lighthouse").await;
    tab.says("Versions").await;
    tab.until("document.querySelector('object[type=\"application/pdf\"]') !== null").await;
    // A phone shows no PDFs, but pictures of the pages.
    tab.resize(390, 844).await;
    tab.until("document.querySelector('[data-strip] img').naturalWidth > 0").await;
    tab.resize(1280, 900).await;
    tab.press("Library").await;
    tab.press("minutes").await;
    tab.says("The board met twice.").await;
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_edited_restricted_versioned_and_thrown_away_with_undo() {
    let app = TestApp::spawn().await;
    app.add_user("vic", Role::Viewer).await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    app.settle().await;
    let page = format!("/documents/{id}");
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    tab.goto(&page).await;
    tab.press("Edit").await;
    tab.fill("#title", "Harbor plan").await;
    tab.press("Save").await;
    tab.says("“Harbor plan” is saved.").await;
    tab.press("More actions").await;
    tab.press("Who can see it").await;
    tab.click("input[value=restricted]").await;
    tab.click("input[name=people]").await;
    tab.press("Save").await;
    tab.says("can be seen only by the groups and people you chose").await;
    tab.says("vic").await;
    tab.press("Upload a new version").await;
    let second = chromium.file("plan-2.txt", b"The second plan");
    tab.choose_files("#file", &[second]).await;
    tab.click("[data-upload-one] .form-foot button").await;
    tab.says("Version 2 is uploaded.").await;
    tab.says("plan-2.txt").await;
    tab.says("The second plan").await;
    tab.press("Upload a new version").await;
    let third = chromium.file("plan-3.md", b"# The third plan");
    tab.choose_files("#file", &[third]).await;
    tab.click("[data-upload-one] .form-foot button").await;
    tab.says("The document is of the type TXT, this file is of the type MD.").await;
    tab.press("Upload it").await;
    tab.says("Version 3 is uploaded.").await;
    tab.press("More actions").await;
    tab.press("Move to the trash").await;
    tab.says("“Harbor plan” is in the trash.").await;
    tab.press("Undo").await;
    tab.says("“Harbor plan” is restored.").await;
    tab.press("More actions").await;
    tab.press("Move to the trash").await;
    tab.says("“Harbor plan” is in the trash.").await;
    tab.goto("/trash").await;
    tab.press("Delete Harbor plan for good").await;
    tab.says("This cannot be undone.").await;
    tab.press("Delete for good").await;
    tab.says("“Harbor plan” is deleted for good.").await;
    tab.says("The trash is empty").await;
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_is_administered() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    for name in ["one", "two", "three"] {
        ada.add(&format!("{name}.txt"), name.as_bytes(), &[]).await;
    }
    app.settle().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    tab.click("summary.person-button").await;
    tab.press("Administration").await;
    tab.is_at("/admin/").await;
    tab.says("Health").await;
    tab.press("Groups").await;
    tab.fill("#name", "Board").await;
    tab.press("Make the group").await;
    tab.says("The group “Board” was added.").await;
    tab.press("People").await;
    tab.press("Add a person").await;
    tab.fill("#full_name", "Edda Editor").await;
    tab.fill("#username", "edda").await;
    tab.fill("#email", "edda@example.com").await;
    tab.click("input[value=editor]").await;
    tab.click("input[name=groups]").await;
    tab.fill("#password", PASSWORD).await;
    tab.press("Add the person").await;
    tab.says("Edda Editor can sign in now.").await;
    tab.press("Categories").await;
    tab.fill("#name", "Reports").await;
    tab.press("Make the category").await;
    tab.says("The category “Reports” was added.").await;
    tab.press("Documents").await;
    tab.click("[data-select-all]").await;
    tab.says("3 selected").await;
    tab.run("document.querySelector('#target').selectedIndex = 1").await;
    tab.press("Move").await;
    tab.says("3 documents are moved.").await;
    tab.click("[data-select-all]").await;
    tab.press("Trash").await;
    tab.says("3 documents are moved to the trash.").await;
    tab.press("Undo").await;
    tab.says("3 documents are restored.").await;
    tab.press("Jobs").await;
    tab.says("Read a file's text and pages").await;
    tab.press("Audit log").await;
    tab.says("added the group").await;
    tab.press("Settings").await;
    tab.fill("#name", "Halden").await;
    tab.run("accent.value = '#aa2200'; accent.dispatchEvent(new Event('input'))").await;
    tab.press("Save the settings").await;
    tab.says("The settings are saved.").await;
    tab.until("document.querySelector('link[href*=accent-aa2200]') !== null").await;
    tab.until("document.querySelector('.brand-name').textContent === 'Halden'").await;
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_calm_on_a_phone_in_the_dark_and_on_a_desk_in_the_light() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[("category", "Plans"), ("tags", "a, b")]).await;
    app.settle().await;
    let chromium = Chromium::launch().await;
    let tab = chromium.open(&app.url).await;
    sign_in(&tab, "ada").await;
    let person = app.ada.id;
    let pages: Vec<String> = vec![
        "/documents".into(),
        "/documents?view=grid".into(),
        "/documents/upload".into(),
        "/documents/link".into(),
        format!("/documents/{id}"),
        format!("/documents/{id}/edit"),
        format!("/documents/{id}/visibility"),
        "/trash".into(),
        "/account".into(),
        "/account/password".into(),
        "/account/sessions".into(),
        "/account/tokens".into(),
        "/admin/".into(),
        "/admin/people".into(),
        "/admin/people/new".into(),
        format!("/admin/people/{person}"),
        "/admin/groups".into(),
        "/admin/categories".into(),
        "/admin/documents".into(),
        "/admin/jobs".into(),
        "/admin/audit".into(),
        "/admin/settings".into(),
        "/admin/storage".into(),
        "/admin/backups".into(),
        "/admin/https".into(),
        "/admin/system".into(),
        "/api/docs".into(),
    ];
    for (scheme, width_px, height_px) in [("dark", 390, 844), ("light", 1280, 800)] {
        tab.prefer(scheme).await;
        tab.resize(width_px, height_px).await;
        for path in &pages {
            tab.goto(path).await;
            let width: u32 = tab.js("document.documentElement.scrollWidth").await;
            assert!(width <= width_px, "{path} is {width} pixels wide");
            let paper: String =
                tab.js("getComputedStyle(document.documentElement).backgroundColor").await;
            assert_eq!(is_dark(&paper), scheme == "dark", "{path} stands on {paper}");
        }
    }
    tab.assert_calm(&[]).await;
    chromium.close().await;
}

/// Of a color as the browser tells it, `rgb(18, 20, 22)`.
fn is_dark(color: &str) -> bool {
    let parts =
        color.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    parts.take(3).sum::<u32>() < 3 * 128
}
