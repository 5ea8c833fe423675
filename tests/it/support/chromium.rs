//! A real browser. Whatever it complains about on its console (a script's error, a blocked resource,
//! a policy that was broken) fails the test that caused it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chromiumoxide::{
    Browser, BrowserConfig, Element, Page,
    cdp::{
        browser_protocol::{
            dom::SetFileInputFilesParams,
            input::{DispatchDragEventParams, DispatchDragEventType, DragData, DragDataItem},
            log, network,
        },
        js_protocol::runtime::{ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown},
    },
    handler::viewport::Viewport,
};
use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// How long the browser may take for anything; the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

pub struct Chromium {
    browser: Browser,
    handler: tokio::task::JoinHandle<()>,
    // Last: the profile goes when the browser is gone.
    profile: TempDir,
}

/// One tab, and what it complained about.
pub struct Tab {
    page: Page,
    url: String,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Chromium {
    pub async fn launch() -> Self {
        let profile = tempfile::tempdir().expect("a profile");
        let config = BrowserConfig::builder()
            .chrome_executable(executable())
            .new_headless_mode()
            .no_sandbox()
            .user_data_dir(profile.path())
            .window_size(1280, 900)
            .viewport(Viewport { width: 1280, height: 900, ..Viewport::default() })
            .request_timeout(PATIENCE)
            .launch_timeout(PATIENCE)
            .args([
                "--disable-gpu",
                "--no-proxy-server",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
            ])
            .build()
            .expect("a configuration");
        let (browser, mut events) = Browser::launch(config).await.expect(
            "starting Chromium; install it (apt-get install chromium) or name it in CHROMIUM",
        );
        let handler = tokio::spawn(async move { while events.next().await.is_some() {} });
        Chromium { browser, handler, profile }
    }

    /// A new tab for the portal at `url`.
    pub async fn open(&self, url: &str) -> Tab {
        let page = self.browser.new_page("about:blank").await.expect("a tab");
        let complaints = Arc::new(Mutex::new(Vec::new()));
        listen(&page, complaints.clone()).await;
        Tab { page, url: url.to_owned(), complaints }
    }

    /// A folder for files that the browser uploads.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.profile.path().join(name);
        std::fs::write(&path, content).expect("writing a file to upload");
        path
    }

    pub async fn close(mut self) {
        let _ = self.browser.close().await;
        let _ = self.browser.wait().await;
        self.handler.abort();
    }
}

/// Where it is: `CHROMIUM`, or the usual places.
fn executable() -> PathBuf {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return named.into();
    }
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let found = usual.iter().find(|path| Path::new(path).exists());
    PathBuf::from(found.copied().unwrap_or("chromium"))
}

async fn listen(page: &Page, complaints: Arc<Mutex<Vec<String>>>) {
    let console = page.event_listener::<EventConsoleApiCalled>().await.expect("the console");
    let exceptions = page.event_listener::<EventExceptionThrown>().await.expect("exceptions");
    let entries = page.event_listener::<log::EventEntryAdded>().await.expect("the log");
    page.enable_runtime().await.expect("the runtime's events");
    page.enable_log().await.expect("the log's events");
    let console = console.filter_map(async |event| {
        let is_bad =
            matches!(event.r#type, ConsoleApiCalledType::Error | ConsoleApiCalledType::Warning);
        is_bad.then(|| format!("console: {:?}", event.args))
    });
    let exceptions = exceptions.map(|event| format!("exception: {:?}", event.exception_details));
    let entries = entries.filter_map(async |event| {
        let entry = &event.entry;
        let is_bad = matches!(entry.level, log::LogEntryLevel::Error | log::LogEntryLevel::Warning);
        is_bad.then(|| format!("log: {} {}", entry.text, entry.url.as_deref().unwrap_or_default()))
    });
    let mut all = stream::select_all([console.boxed(), exceptions.boxed(), entries.boxed()]);
    tokio::spawn(async move {
        while let Some(complaint) = all.next().await {
            complaints.lock().expect("the list").push(complaint);
        }
    });
}

impl Tab {
    pub async fn goto(&self, path: &str) {
        let address = format!("{}{path}", self.url);
        self.page.goto(address.as_str()).await.unwrap_or_else(|e| panic!("opening {path}: {e}"));
    }

    /// The path and query that are shown.
    pub async fn address(&self) -> String {
        self.js("location.pathname + location.search").await
    }

    /// The value of a JavaScript expression.
    pub async fn js<T: DeserializeOwned>(&self, expression: &str) -> T {
        let result = self.page.evaluate(expression).await;
        let result = result.unwrap_or_else(|e| panic!("evaluating {expression}: {e}"));
        result.into_value().unwrap_or_else(|e| panic!("the value of {expression}: {e}"))
    }

    /// Runs JavaScript for what it does.
    pub async fn run(&self, script: &str) {
        let ran = self.page.evaluate(script).await;
        ran.unwrap_or_else(|e| panic!("running {script}: {e}"));
    }

    /// Waits until an expression is true.
    pub async fn until(&self, condition: &str) {
        let since = Instant::now();
        loop {
            // While a page is left, there is nobody to ask.
            let answer = self.page.evaluate(condition).await;
            if answer.is_ok_and(|value| value.into_value::<bool>().unwrap_or(false)) {
                return;
            }
            if since.elapsed() > PATIENCE {
                let address = self.address().await;
                let text: String = self.js("document.body.innerText").await;
                let complaints = self.complaints.lock().expect("the list").join("\n");
                panic!("{address}: not true in time: {condition}\n{complaints}\n{text}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the page says something.
    pub async fn says(&self, words: &str) {
        let words = serde_json::to_string(words).expect("a string");
        self.until(&format!("document.body.innerText.replace(/\\s+/g, ' ').includes({words})"))
            .await;
    }

    pub async fn does_not_say(&self, words: &str) {
        let words = serde_json::to_string(words).expect("a string");
        self.until(&format!("!document.body.innerText.includes({words})")).await;
    }

    /// Waits until the address is this path, whatever the query.
    pub async fn is_at(&self, path: &str) {
        self.until(&format!(
            "location.pathname === {path:?} && document.readyState === 'complete'"
        ))
        .await;
    }

    /// Waits for the first element that fits and can be seen.
    pub async fn find(&self, selector: &str) -> Element {
        self.until(&format!(
            "[...document.querySelectorAll({selector:?})].some((it) => it.checkVisibility())"
        ))
        .await;
        // Marks it, since the first that fits may be hidden.
        self.run(&format!(
            "document.querySelectorAll('[data-found]').forEach((it) => delete it.dataset.found);
             [...document.querySelectorAll({selector:?})].find((it) => it.checkVisibility()).dataset.found = 1;"
        ))
        .await;
        self.page.find_element("[data-found]").await.expect("the element that was just there")
    }

    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element.click().await.unwrap_or_else(|e| panic!("clicking {selector}: {e}"));
    }

    /// Clicks the link or button with this text.
    pub async fn press(&self, text: &str) {
        let text = serde_json::to_string(text).expect("a string");
        let matching = format!(
            "[...document.querySelectorAll('a, button, summary')].filter((it) => it.checkVisibility() \
             && (it.innerText.trim() === {text} || it.ariaLabel === {text}))"
        );
        self.until(&format!("{matching}.length > 0")).await;
        self.run(&format!(
            "document.querySelectorAll('[data-found]').forEach((it) => delete it.dataset.found);
             {{ const found = {matching};
                const dialog = document.querySelector('dialog[open]');
                (found.find((it) => dialog?.contains(it)) ?? found[0]).dataset.found = 1; }}"
        ))
        .await;
        let element = self.page.find_element("[data-found]").await.expect("what was just there");
        element.click().await.unwrap_or_else(|e| panic!("pressing {text}: {e}"));
    }

    /// Types into a field in the place of what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.run("document.querySelector('[data-found]').select?.()").await;
        element.click().await.expect("a click into the field");
        self.run("document.querySelector('[data-found]').select?.()").await;
        element.type_str(text).await.unwrap_or_else(|e| panic!("typing into {selector}: {e}"));
    }

    /// Presses a key, wherever the focus is.
    pub async fn key(&self, key: &str) {
        let body = self.page.find_element("body").await.expect("a page");
        body.press_key(key).await.unwrap_or_else(|e| panic!("pressing {key}: {e}"));
    }

    /// Chooses files as with the file dialog.
    pub async fn choose_files(&self, selector: &str, files: &[PathBuf]) {
        let element = self.page.find_element(selector).await.expect("a file field");
        let files = files.iter().map(|path| path.display().to_string());
        let params = SetFileInputFilesParams::builder()
            .files(files.collect::<Vec<_>>())
            .backend_node_id(element.backend_node_id)
            .build()
            .expect("files to choose");
        self.page.execute(params).await.expect("choosing files");
    }

    /// Drags files from outside over the middle of the page and drops them there.
    pub async fn drop_files(&self, files: &[PathBuf]) {
        let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        for kind in [
            DispatchDragEventType::DragEnter,
            DispatchDragEventType::DragOver,
            DispatchDragEventType::Drop,
        ] {
            // It takes no files without an item besides them.
            let data = DragData {
                items: vec![DragDataItem::new("text/plain", "")],
                files: Some(files.clone()),
                drag_operations_mask: 1,
            };
            let params = DispatchDragEventParams::new(kind, 640.0, 450.0, data);
            self.page.execute(params).await.expect("dragging files");
        }
    }

    /// Lets uploads leave no faster than this; 0 takes the limit away.
    pub async fn limit_uploads(&self, bytes_per_second: u32) {
        let upload = if bytes_per_second == 0 { -1.0 } else { f64::from(bytes_per_second) };
        let limited = network::NetworkConditions::new("", 0.0, -1.0, upload);
        let params = network::EmulateNetworkConditionsByRuleParams::new(false, vec![limited]);
        self.page.execute(params).await.expect("limiting the network");
    }

    pub async fn resize(&self, width: u32, height: u32) {
        use chromiumoxide::cdp::browser_protocol::emulation::SetDeviceMetricsOverrideParams;
        let params = SetDeviceMetricsOverrideParams::new(
            i64::from(width),
            i64::from(height),
            1.0,
            width < 600,
        );
        self.page.execute(params).await.expect("another size");
    }

    /// As if the system were set to `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        use chromiumoxide::cdp::browser_protocol::emulation::{
            MediaFeature, SetEmulatedMediaParams,
        };
        let params = SetEmulatedMediaParams::builder()
            .feature(MediaFeature::new("prefers-color-scheme", scheme))
            .build();
        self.page.execute(params).await.expect("another color scheme");
    }

    /// Fails when the browser had anything to complain about. `expected` are pieces of complaints
    /// that the test provoked.
    pub async fn assert_calm(&self, expected: &[&str]) {
        // What was said just now is still on its way.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let complaints = self.complaints.lock().expect("the list");
        let unexpected: Vec<&String> = complaints
            .iter()
            .filter(|complaint| !expected.iter().any(|piece| complaint.contains(piece)))
            .collect();
        assert!(unexpected.is_empty(), "the browser complained: {unexpected:#?}");
    }
}
