//! Starts the demo shop beside the service, a conversation or a trial.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Failure;
use super::workspace::ShopAddress;
use crate::demo::{self, Shop};
use crate::domain::time::Clock;

/// Starts the demo shop on a free port of the loopback.
pub(super) async fn open_shop(
    journal: Option<&Path>,
    clock: Arc<dyn Clock>,
    tasks: &TaskTracker,
    shutdown: CancellationToken,
) -> Result<(Arc<Shop>, ShopAddress), Failure> {
    if let Some(folder) = journal.and_then(Path::parent) {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::Usage(format!(
                "`{}` cannot be made: {error}; the demo keeps its data there",
                folder.display()
            ))
        })?;
    }
    let token = random_hex()?;
    let shop = Shop::open(journal.map(Path::to_owned), clock, token.clone()).map_err(Failure::usage)?;
    let shop = Arc::new(shop);
    let listener = TcpListener::bind("127.0.0.1:0").await.context("the demo shop found no free port")?;
    let address = listener.local_addr().context("the demo shop has no address")?;
    let router = demo::router(shop.clone());
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(error = %error, "the demo shop stopped");
        }
    });
    Ok((shop, ShopAddress { url: format!("http://{address}"), token }))
}

/// 32 bytes that nobody can guess, in hexadecimal.
pub(super) fn random_hex() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("no random numbers are to be had: {error}"))?;
    Ok(hex::encode(bytes))
}
