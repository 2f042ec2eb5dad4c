//! The measures for programs: all of them or one, over a period, as JSON or for a spreadsheet.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::Asked;
use super::super::keys::{Caller, Scope};
use super::super::reports::{self, MeasureBody, ReportBody, Wanted};
use crate::domain::measures::Measure;

/// Every measure over a period, with reasons, articles, costs and what waits now.
#[utoipa::path(get, path = "/v1/reports", tag = "reports", params(Wanted), responses(
    (status = 200, body = ReportBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)
))]
pub(super) async fn whole(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, ApiError> {
    caller.may(Scope::Reports)?;
    let csv = wanted.csv()?;
    let read = reports::read(&edge, wanted.understood(&edge, caller.reach()).await?).await?;
    if csv {
        return reports::csv(&read, Measure::ALL);
    }
    let backlog = edge.app.store.backlog(caller.reach(), edge.app.clock.now()).await?;
    Ok(Json(read.whole(backlog)).into_response())
}

/// One measure over a period.
#[utoipa::path(get, path = "/v1/reports/{measure}", tag = "reports", params(("measure" = String, Path), Wanted), responses(
    (status = 200, body = MeasureBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)
))]
pub(super) async fn one(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(name): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, ApiError> {
    caller.may(Scope::Reports)?;
    let measure = Measure::parse(&name).ok_or_else(|| ApiError::not_found("measure"))?;
    let csv = wanted.csv()?;
    let read = reports::read(&edge, wanted.understood(&edge, caller.reach()).await?).await?;
    if csv {
        return reports::csv(&read, &[measure]);
    }
    Ok(Json(read.measure(measure)).into_response())
}
