//! A provider that is played, and the program connected with it.

use std::time::Duration;

use axum::Router;
use firstline::app::SystemClock;
use firstline::config::setting_name;
use firstline::domain::time::Clock;
use firstline::providers::{self, Outbox, Provider, ProviderCall, Said, Sent};
use firstline::store::Store;
use reqwest::Client;
use serde_json::Value;

use crate::support::database;
use crate::support::site::Site;

/// Longest wait for something that the program does by itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// Serves a send API on a free port; its address.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The program, a provider that is played, and what was sent to it.
pub(crate) struct Connected {
    pub(crate) site: Site,
    pub(crate) provider: Box<dyn Provider>,
    pub(crate) outbox: Outbox,
    http: Client,
}

impl Connected {
    /// Starts the program with the settings of the provider of `channel` and `more` of them.
    pub(crate) async fn start(channel: &str, more: &[(&str, &str)]) -> Self {
        let outbox = Outbox::default();
        let provider = find(channel);
        let api = serve(provider.router(outbox.clone())).await;
        Self::start_at(channel, &api, outbox, more).await
    }

    /// The same with a send API of the test's own at `api`.
    pub(crate) async fn start_at(channel: &str, api: &str, outbox: Outbox, more: &[(&str, &str)]) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let provider = find(channel);
        let name = |(section, key, value): (&str, &str, String)| (setting_name(section, key), value);
        let settings: Vec<(String, String)> = provider.settings(api, "").into_iter().map(name).collect();
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings: Vec<(&str, &str)> = settings.chain(more.iter().copied()).collect();
        let site = Site::start_with(&settings).await;
        let http = Client::builder().no_proxy().build().unwrap();
        Self { site, provider, outbox, http }
    }

    /// How the provider reaches the program.
    pub(crate) fn base(&self) -> String {
        self.site.url("")
    }

    /// Posts a request as it is; the status and the body of the answer.
    pub(crate) async fn post(&self, call: &ProviderCall) -> (u16, String) {
        let mut request = self.http.request(call.method.clone(), self.site.url(&call.target));
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let answer = request.body(call.body.clone()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Gets a page of the program, with its key.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = self.http.get(self.site.url(path)).bearer_auth(self.site.key());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Does something as an agent; the status of the answer.
    pub(crate) async fn act(&self, path: &str, body: &Value) -> u16 {
        let request = self.http.post(self.site.url(path)).bearer_auth(self.site.key());
        request.json(body).send().await.unwrap().status().as_u16()
    }

    /// A customer's words, as the provider posts them.
    pub(crate) fn words(&self, customer: u32, id: u64, text: &str) -> ProviderCall {
        let from = self.provider.address(customer);
        let said = Said { from: &from, name: "Ann Baker", text, id, at: SystemClock.now() };
        self.provider.says(&said, &self.base())
    }

    /// Waits until this many messages have left.
    pub(crate) async fn sent(&self, count: usize) -> Vec<Sent> {
        eventually(&format!("{count} messages leave"), || async {
            Some(self.outbox.all()).filter(|sent| sent.len() >= count)
        })
        .await
    }

    /// The program's record, read beside it.
    pub(crate) async fn record(&self) -> Store {
        Store::open(&self.site.database(), &database::settings()).await.unwrap()
    }
}

fn find(channel: &str) -> Box<dyn Provider> {
    providers::all().into_iter().find(|provider| provider.channel() == channel).unwrap()
}
