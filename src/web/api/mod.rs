//! `/v1`: what programs call with an API key, described by `/openapi.json`.

use std::sync::Arc;

use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Edge;

mod acts;
mod approvals;
mod attachments;
mod cases;
mod customers;
mod deliveries;
mod knowledge;
mod messages;
mod offers;
mod people;
mod presence;
mod reports;
mod satisfaction;
mod webhooks;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Firstline",
        description = "A digital worker for customer support. Times are RFC 3339 UTC; lists are `{\"items\",\"next\"}`, \
                       paged with `cursor` and `limit`; refusals are `{\"error\":{\"code\",\"message\",\"details\"?}}`."
    ),
    security(("api_key" = []))
)]
struct Described;

/// The calls and their description.
pub(super) fn router() -> (axum::Router<Arc<Edge>>, utoipa::openapi::OpenApi) {
    let (router, mut described) = OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(messages::post_message))
        .routes(routes!(cases::list_cases))
        .routes(routes!(cases::get_case))
        .routes(routes!(cases::list_messages))
        .routes(routes!(cases::list_events))
        .routes(routes!(cases::get_handoff))
        .routes(routes!(cases::follow_case))
        .routes(routes!(acts::reply))
        .routes(routes!(acts::note))
        .routes(routes!(acts::assign))
        .routes(routes!(acts::resolve))
        .routes(routes!(acts::reopen))
        .routes(routes!(acts::snooze))
        .routes(routes!(acts::give_back))
        .routes(routes!(satisfaction::rate_case))
        .routes(routes!(offers::list_queue))
        .routes(routes!(offers::accept))
        .routes(routes!(offers::decline))
        .routes(routes!(presence::list_presence, presence::put_presence))
        .routes(routes!(approvals::list_approvals))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::refuse))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::retry_delivery))
        .routes(routes!(customers::get_customer))
        .routes(routes!(customers::timeline))
        .routes(routes!(customers::export_customer))
        .routes(routes!(customers::erase_customer))
        .routes(routes!(attachments::get_attachment))
        .routes(routes!(people::link_identity, people::unlink_identity))
        .routes(routes!(people::matches))
        .routes(routes!(people::merge))
        .routes(routes!(people::unmerge))
        .routes(routes!(knowledge::search_knowledge))
        .routes(routes!(reports::whole))
        .routes(routes!(reports::one))
        .routes(routes!(webhooks::list_notices))
        .routes(routes!(webhooks::retry_notice))
        .split_for_parts();
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.description = Some("An API key, `flk_…`; `firstline key add` makes one.".to_owned());
    let components = described.components.get_or_insert_default();
    components.security_schemes.insert("api_key".to_owned(), SecurityScheme::Http(scheme).into());
    (router, described)
}
