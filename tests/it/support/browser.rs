//! A real browser, steered from here. Needs `chromedriver` and `chromium`; where they are missing a test says so and is left
//! out, except in CI, where it fails. Screenshots are left in `target/screenshots/`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::site::{Line, Running, Site, lines_of};

/// Longest wait for anything on a page.
const PATIENCE_MS: u64 = 20_000;
/// Pause between two looks at a page.
const LOOK_MS: u64 = 30;
pub(crate) const ENTER: char = '\u{e007}';
pub(crate) const ESCAPE: char = '\u{e00c}';
pub(crate) const TAB: char = '\u{e004}';

/// What every script below may use to look into the widget.
const LOOK: &str = "
    const chat = document.querySelector('firstline-chat');
    const root = chat && chat.shadowRoot;
    const all = (selector) => root ? [...root.querySelectorAll(selector)] : [];
    const mine = () => all('.bubble.mine .words').map((node) => node.textContent);
    const theirs = () => all('.bubble:not(.mine)').filter((node) => node.querySelector('.note').textContent)
        .map((node) => node.querySelector('.words').textContent);
    const settled = () => all('.on-its-way').length === 0;
    const live = () => root && root.querySelector('.log').getAttribute('aria-busy') === 'false';
";

/// A browser of its own, and the driver that steers it.
pub(crate) struct Browser {
    pub(crate) client: Client,
    session: String,
    port: String,
    driver: Running,
    _folder: tempfile::TempDir,
}

/// A test that fails closes nothing, and a driver that is killed leaves its browser running.
impl Drop for Browser {
    fn drop(&mut self) {
        let ended = || -> std::io::Result<()> {
            let mut driver = TcpStream::connect(format!("127.0.0.1:{}", self.port))?;
            driver.set_read_timeout(Some(Duration::from_millis(PATIENCE_MS)))?;
            let request = "HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
            write!(driver, "DELETE /session/{} {request}", self.session)?;
            driver.read_to_end(&mut Vec::new()).map(drop)
        };
        // Where it was closed there is no driver any more.
        _ = ended();
    }
}

impl Browser {
    /// Starts one, or says why it is left out.
    pub(crate) async fn open(mobile: Option<(u32, u32)>) -> Option<Self> {
        let spawned = std::process::Command::new("chromedriver")
            .arg("--port=0")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn();
        let Ok(driver) = spawned else {
            let ci = std::env::vars().any(|(name, value)| name == "CI" && value == "true");
            assert!(!ci, "chromedriver is not installed, and in CI the browser tests must run");
            eprintln!("left out: 1 browser test, because chromedriver is not installed");
            return None;
        };
        let mut driver = Running(driver);
        let mut lines = lines_of(driver.0.stdout.take().unwrap());
        let port = lines.find(|line| line.split("successfully on port ").nth(1)).await;
        let port: String = port.chars().filter(char::is_ascii_digit).collect();
        let folder = tempfile::tempdir().unwrap();
        let profile = format!("--user-data-dir={}", folder.path().display());
        let mut options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=1280,860", profile,
        ]});
        if let Some((width, height)) = mobile {
            options["mobileEmulation"] = json!({"deviceMetrics": {"width": width, "height": height, "pixelRatio": 2.0, "touch": true}});
        }
        let wishes = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let Value::Object(wishes) = wishes else { unreachable!() };
        // The driver is on this machine: nothing to encrypt.
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wishes)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium starts");
        let patience = Duration::from_millis(2 * PATIENCE_MS);
        let timeouts = fantoccini::wd::TimeoutConfiguration::new(Some(patience), Some(patience), None);
        client.update_timeouts(timeouts).await.unwrap();
        let session = client.session_id().await.unwrap().expect("a new browser has a session");
        Some(Self { client, session, port, driver, _folder: folder })
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// What a script returns.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.client.execute(&format!("{LOOK} {script}"), vec![]).await.unwrap()
    }

    /// Waits until an expression holds in the page, also while another page takes its place.
    pub(crate) async fn until(&self, holds: &str) {
        let script = format!("{LOOK} try {{ return Boolean({holds}); }} catch (error) {{ return false; }}");
        let held = async {
            while self.client.execute(&script, vec![]).await.ok() != Some(Value::Bool(true)) {
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            }
        };
        if tokio::time::timeout(Duration::from_millis(PATIENCE_MS), held).await.is_err() {
            let script = format!(
                "{LOOK} return document.body.innerText.slice(0, 300) + ' | ' + JSON.stringify([mine(), theirs()]);"
            );
            let seen = self.client.execute(&script, vec![]).await;
            panic!("waited in vain for: {holds}; the page has {seen:?}");
        }
    }

    /// Presses keys as a person does: they go to whatever has the focus.
    pub(crate) async fn keys(&self, text: &str) {
        let press =
            |keys: KeyActions, value| keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        let keys = text.chars().fold(KeyActions::new("keyboard".to_owned()), press);
        self.client.perform_actions(keys).await.unwrap();
    }

    pub(crate) async fn shoot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), self.client.screenshot().await.unwrap()).unwrap();
    }

    /// Opens the shop, signed in as its first customer or as nobody, and the chat in it, by keyboard.
    pub(crate) async fn open_chat(&self, site: &Site, signed_in: bool) {
        self.goto(&site.url("/demo")).await;
        self.until("live()").await;
        if signed_in {
            self.ask("const who = document.getElementById('who'); who.selectedIndex = 1; who.dispatchEvent(new Event('change'));")
                .await;
            self.until("chat.dataset.conversation.startsWith('user:') && live()").await;
        }
        self.ask("root.querySelector('.launcher').focus();").await;
        self.keys(&ENTER.to_string()).await;
        self.until("root.activeElement === root.querySelector('textarea')").await;
    }

    /// The size of the part that shows a page.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        // The window has a frame: as much larger as that takes.
        self.client.set_window_size(width, height).await.unwrap();
        let inner = self.ask("return [innerWidth, innerHeight];").await;
        let missing =
            |wanted: u32, place: usize| wanted + wanted.saturating_sub(inner[place].as_u64().unwrap() as u32);
        self.client.set_window_size(missing(width, 0), missing(height, 1)).await.unwrap();
    }

    /// Signs in to the console as the first account.
    pub(crate) async fn sign_in(&self, site: &Site) {
        self.sign_in_as(site, "admin", site.password()).await;
    }

    /// Signs in to the console.
    pub(crate) async fn sign_in_as(&self, site: &Site, login: &str, password: &str) {
        self.goto(&site.url("/console/login")).await;
        self.until("document.querySelector('input[name=login]') === document.activeElement").await;
        self.keys(&format!("{login}{TAB}{password}{ENTER}")).await;
        self.until("document.querySelector('main.queue')").await;
    }

    pub(crate) async fn close(mut self) {
        self.client.clone().close().await.unwrap();
        self.driver.kill();
    }
}
