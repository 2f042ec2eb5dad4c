//! Who is who: addresses of customers, possible matches, and customers that are one person.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Asked, JsonBytes, customer_id};
use super::super::keys::{Caller, Scope};
use super::super::shapes::{CustomerBody, List, MatchBody};
use super::acts::{LABEL_CHARS_MAX, acting, agent};
use super::customers::{customer_body, reached, whose};
use crate::channels::BadInput;
use crate::channels::json::Fields;
use crate::domain::customer::{Customer, Link};
use crate::domain::ids::CustomerId;
use crate::domain::role::Right;
use crate::pipeline::identity::{self, Address};

/// Possible matches shown at once.
const MATCHES_MAX: i64 = 50;

/// Makes an address a customer's.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct NewIdentity {
    /// `email`, `sms`, `whatsapp`, `telegram`, …
    #[schema(example = "whatsapp")]
    channel: String,
    /// The address on that channel: an email address, a phone number, the provider's id.
    address: String,
    /// The evidence: `operator` (your server or a person vouches; the default) or `api_key`.
    proof: Option<String>,
}

/// One address of a customer.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OneIdentity {
    /// The channel.
    channel: String,
    /// The address on it.
    address: String,
}

/// The other customer.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Other {
    /// Their id, or `external:` and the operator's own id of them.
    with: String,
    /// Login or id of the agent who decided it.
    by: Option<String>,
}

/// Make an address a customer's: whoever writes from it from now on is them, as far as the channel proves the address.
/// An address of another customer who has cases is refused; merge the two instead.
#[utoipa::path(
    post,
    path = "/v1/customers/{id}/identities",
    tag = "customers",
    params(("id" = String, Path, description = "The customer's id, or `external:` and the operator's own id of them")),
    request_body = NewIdentity,
    responses(
        (status = 200, description = "The customer as they are now", body = CustomerBody),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The address is another customer's who has cases", body = ErrorBody)
    )
)]
pub(super) async fn link_identity(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CustomerBody>, ApiError> {
    caller.may(Scope::Customers)?;
    let mut fields = Fields::of_body(&body, edge.app.config.server.json_depth_max)?;
    let channel = fields.required_label("channel", LABEL_CHARS_MAX)?;
    let address = fields.required_label("address", LABEL_CHARS_MAX)?;
    let link = match fields.label("proof", LABEL_CHARS_MAX)?.as_deref() {
        None | Some("operator") => Link::Operator,
        Some("api_key") => Link::ApiKey,
        Some(_) => return Err(BadInput::new("proof", "is `operator` or `api_key`").into()),
    };
    fields.finish()?;
    let at = Address::parse(&channel, &address)?;
    let customer = match id.strip_prefix("external:") {
        // The operator may name somebody who has not written yet.
        Some(external_id) => identity::named(edge.app.pipeline.parts(), external_id).await?,
        None => whose(&edge, &id).await?,
    };
    identity::link(edge.app.pipeline.parts(), &customer.id, &at, (link, &caller.actor().shown())).await?;
    shown(&edge, &customer).await
}

/// Take an address away from a customer: whoever writes from it next is a new one.
#[utoipa::path(
    delete,
    path = "/v1/customers/{id}/identities",
    tag = "customers",
    params(("id" = String, Path, description = "The customer's id, or `external:` and the operator's own id of them"),
        OneIdentity),
    responses(
        (status = 204, description = "It is theirs no more"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
    )
)]
pub(super) async fn unlink_identity(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(one): Asked<OneIdentity>,
) -> Result<StatusCode, ApiError> {
    caller.may(Scope::Customers)?;
    let at = Address::parse(&one.channel, &one.address)?;
    let customer = whose(&edge, &id).await?;
    identity::unlink(edge.app.pipeline.parts(), &customer.id, &at, &caller.actor().shown()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Customers who may be this one, and what speaks for it. None of it is proof, and nothing is merged by itself.
#[utoipa::path(get, path = "/v1/customers/{id}/matches", tag = "customers",
    params(("id" = String, Path, description = "The customer's id, or `external:` and the operator's own id of them")),
    responses(
    (status = 200, body = List<MatchBody>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn matches(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<List<MatchBody>>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let customer = reached(&edge, &caller, &id).await?;
    let mut items = Vec::new();
    for found in edge.app.store.matches(&customer.id, MATCHES_MAX).await? {
        if edge.app.store.reaches_customer(&found.customer.id, caller.reach()).await? {
            items.push(MatchBody::from(found));
        }
    }
    Ok(Json(List { items, next: None }))
}

/// Join two customers who are one person. The one whom the operator knows by an id of its own is kept, else the first;
/// nothing of either is rewritten, and it can be undone for ever.
#[utoipa::path(
    post,
    path = "/v1/customers/{id}/merge",
    tag = "customers",
    params(("id" = String, Path, description = "The customer's id, or `external:` and the operator's own id of them")),
    request_body = Other,
    responses(
        (status = 200, description = "As whom they are known now", body = CustomerBody),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The operator knows them as two customers", body = ErrorBody)
    )
)]
pub(super) async fn merge(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CustomerBody>, ApiError> {
    let (one, other, by) = both(&edge, &caller, &id, &body).await?;
    let kept = identity::merge(edge.app.pipeline.parts(), &one, &other, &by).await?;
    shown(&edge, &kept).await
}

/// Separate two customers again: the newest of the merges that join them is undone. Both have what was theirs.
#[utoipa::path(
    post,
    path = "/v1/customers/{id}/unmerge",
    tag = "customers",
    params(("id" = String, Path, description = "The customer's id, or `external:` and the operator's own id of them")),
    request_body = Other,
    responses(
        (status = 200, description = "The customer as they are now", body = CustomerBody),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "No merge joins them", body = ErrorBody)
    )
)]
pub(super) async fn unmerge(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CustomerBody>, ApiError> {
    let (one, other, by) = both(&edge, &caller, &id, &body).await?;
    identity::unmerge(edge.app.pipeline.parts(), &one, &other, &by).await?;
    let customer = whose(&edge, one.as_str()).await?;
    shown(&edge, &customer).await
}

/// The two customers a call names, and who decides.
async fn both(
    edge: &Edge,
    caller: &Caller,
    id: &str,
    body: &[u8],
) -> Result<(CustomerId, CustomerId, String), ApiError> {
    caller.may(Scope::Customers)?;
    let mut fields = Fields::of_body(body, edge.app.config.server.json_depth_max)?;
    let with = fields.required_label("with", LABEL_CHARS_MAX)?;
    let actor = match fields.label("by", LABEL_CHARS_MAX)? {
        Some(name) => acting(caller, &agent(edge, &name).await?, Right::MergeCustomers)?,
        None => caller.actor(),
    };
    fields.finish()?;
    Ok((own(edge, id).await?, own(edge, &with).await?, actor.shown()))
}

/// A customer by their own id, also where they are known as another one.
async fn own(edge: &Edge, id: &str) -> Result<CustomerId, ApiError> {
    let customer = whose(edge, id).await?;
    if id.contains(':') { Ok(customer.id.clone()) } else { customer_id(id) }
}

async fn shown(edge: &Edge, customer: &Customer) -> Result<Json<CustomerBody>, ApiError> {
    let customer = edge.app.store.customer(&customer.id).await?;
    let customer = customer.ok_or_else(|| ApiError::not_found("customer"))?;
    customer_body(edge, &customer).await.map(Json)
}
