//! The real program in an empty folder, started, killed and started again as an operator would.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longest wait for a line of a program that starts; a first one learns, which takes a debug build its time.
const START: Duration = Duration::from_mins(3);

/// What one service has learnt is known to those that start after it: it is the same for all, and checked by its version.
const LEARNT: &str = "classifier.bin";

/// The lines a program writes, as they come.
pub(crate) struct Lines {
    receiver: tokio::sync::mpsc::UnboundedReceiver<String>,
}

/// Reads lines for as long as the program writes, so that it never waits for its reader.
pub(crate) fn lines_of(output: impl Read + Send + 'static) -> Lines {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            _ = sender.send(line);
        }
    });
    Lines { receiver }
}

/// A program that ends when it is no longer needed.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Kills it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What is looked for in a line.
pub(crate) trait Line {
    /// Waits for the first line in which `wanted` finds something.
    async fn find(&mut self, wanted: impl Fn(&str) -> Option<&str>) -> String;
}

impl Line for Lines {
    async fn find(&mut self, wanted: impl Fn(&str) -> Option<&str>) -> String {
        let mut seen = Vec::new();
        loop {
            match tokio::time::timeout(START, self.receiver.recv()).await {
                Ok(Some(line)) => {
                    if let Some(found) = wanted(&line) {
                        return found.to_owned();
                    }
                    seen.push(line);
                }
                Ok(None) | Err(_) => panic!("the program did not say what was waited for; it said {seen:?}"),
            }
        }
    }
}

/// A client for asking a service.
pub(crate) fn http() -> reqwest::Client {
    // Whoever comes first in this process has installed it for all.
    _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().build().unwrap()
}

/// One running service.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    port: u16,
    settings: Vec<(String, String)>,
    program: Running,
    password: String,
    key: String,
}

impl Site {
    /// Starts the demo on a free port; ready when it answers.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with these settings in its environment.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let settings: Vec<(String, String)> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cache = folder.path().join("data/cache");
        std::fs::create_dir_all(&cache).unwrap();
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join(LEARNT);
        // Nobody may have learnt yet.
        _ = std::fs::copy(&shared, cache.join(LEARNT));
        let (program, mut lines) = run(&folder, port, &settings);
        let password = lines.find(|line| line.split("admin / ").nth(1)?.split_whitespace().next()).await;
        let key = lines.find(|line| line.split_whitespace().find(|word| word.starts_with("flk_"))).await;
        let site = Self { folder, port, settings, program, password, key };
        site.ready().await;
        // Beside its place first: another test may be reading it.
        let beside = shared.with_extension(port.to_string());
        std::fs::copy(cache.join(LEARNT), &beside).unwrap();
        std::fs::rename(beside, shared).unwrap();
        site
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The password that was printed at the first start.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The API key that was printed at the first start.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Runs a command of the program in the same folder, beside the service: whether it succeeded, and what it said.
    pub(crate) fn command(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstline"));
        let ended = command.args(arguments).current_dir(self.folder.path()).output().unwrap();
        let said = if ended.status.success() { ended.stdout } else { ended.stderr };
        (ended.status.success(), String::from_utf8(said).unwrap())
    }

    /// The address of its database.
    pub(crate) fn database(&self) -> String {
        format!("sqlite://{}/data/firstline.db", self.folder.path().display())
    }

    /// Kills the program at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }

    /// Starts it again in the same folder on the same port.
    pub(crate) async fn start_again(&mut self) {
        self.program = run(&self.folder, self.port, &self.settings).0;
        self.ready().await;
    }

    async fn ready(&self) {
        let end = tokio::time::Instant::now() + START;
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(tokio::time::Instant::now() < end, "the service does not answer");
            tokio::task::yield_now().await;
        }
    }
}

fn run(folder: &tempfile::TempDir, port: u16, settings: &[(String, String)]) -> (Running, Lines) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
        .current_dir(folder.path())
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    (Running(child), lines)
}
