//! Counts what happens, beside the work: each line of each log once, by one process at a time.

use std::sync::Arc;
use std::time::Duration;

use super::Parts;

/// Counts whatever is new until shutdown.
pub(super) async fn run(parts: Arc<Parts>) {
    let pause = Duration::from_millis(parts.config.reports.fold_ms.max(1));
    loop {
        due(&parts).await;
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Counts what is new now.
pub(super) async fn due(parts: &Parts) {
    let zone = parts.config.report_zone();
    while !parts.shutdown.is_cancelled() {
        match parts.store.fold(parts.clock.now(), &zone, parts.config.reports.fold_cases_max).await {
            Ok(0) => return,
            Ok(cases) => metrics::counter!("firstline_cases_counted_total").increment(cases as u64),
            Err(error) => {
                // Nothing of the round stays; the next one counts it.
                tracing::error!(error = %error, "the measures could not be counted");
                return;
            }
        }
    }
}
