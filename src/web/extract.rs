//! What handlers take from a request, each with its own clear refusal.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::Edge;
use super::error::{ApiError, of_status};
use crate::domain::ids::{CaseId, CustomerId};

/// The raw bytes of a JSON body, within the size limit.
pub(super) struct JsonBytes(pub(super) Bytes);

impl FromRequest<Arc<Edge>> for JsonBytes {
    type Rejection = ApiError;

    async fn from_request(request: Request, edge: &Arc<Edge>) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
        let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        if essence.is_some_and(|kind| kind != "application/json" && !kind.ends_with("+json")) {
            return Err(of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, None));
        }
        bytes(request, edge).await.map(Self)
    }
}

/// Reads a body of at most `[server] body_bytes_max`.
pub(super) async fn bytes(request: Request, edge: &Arc<Edge>) -> Result<Bytes, ApiError> {
    let (parts, sent) = request.into_parts();
    body(&parts.headers, sent, edge.app.config.server.body_bytes_max).await
}

/// Reads a body of at most `most` bytes. Of a larger one as much again is read and thrown away: a sender that is still
/// writing when the connection closes does not hear why.
pub(super) async fn body(headers: &HeaderMap, sent: Body, most: usize) -> Result<Bytes, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<usize>().ok());
    let hopeless = declared.is_some_and(|length| length / 2 > most);
    let (mut kept, mut read) = (Vec::with_capacity(declared.unwrap_or_default().min(most)), 0);
    let mut chunks = sent.into_data_stream();
    while read <= most.saturating_mul(2) && !hopeless {
        match chunks.next().await {
            None if read > most => break,
            None => return Ok(kept.into()),
            Some(Err(_)) => {
                return Err(ApiError::invalid("the body ended before it was complete; send it again"));
            }
            Some(Ok(chunk)) => {
                read += chunk.len();
                if read <= most {
                    kept.extend_from_slice(&chunk);
                }
            }
        }
    }
    let message = format!("the body is larger than {most} bytes; send less");
    Err(of_status(StatusCode::PAYLOAD_TOO_LARGE, Some(message)))
}

/// The query of the address; what is unknown is refused.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(asked)| Self(asked)).map_err(|error| {
            ApiError::invalid(format!("the query of the address is not valid: {}", error.body_text()))
        })
    }
}

/// The address the request came from; the unspecified one where the server was not told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let told = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(told.map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |told| told.0.ip())))
    }
}

/// The value of `Authorization: Bearer …`.
pub(super) fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Reads a case's id; what cannot be one is a case that does not exist.
pub(super) fn case_id(text: &str) -> Result<CaseId, ApiError> {
    CaseId::parse(text).map_err(|_| ApiError::not_found("case"))
}

/// Reads a customer's id; what cannot be one is a customer that does not exist.
pub(super) fn customer_id(text: &str) -> Result<CustomerId, ApiError> {
    CustomerId::parse(text).map_err(|_| ApiError::not_found("customer"))
}
