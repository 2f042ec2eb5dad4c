//! A second factor for one's own account: setting it up, proving it, recovery codes, and taking it away.

mod totp;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::Peer;
use super::super::keys::{hash, random_bytes};
use super::accounts::{self, AccountError, Office};
use super::sign_in::{self, FIELD_CHARS_MAX, SignedIn, form};
use crate::config::SecondFactor;
use crate::domain::team::Agent;

const PAGE: &str = include_str!("second_factor.html");
const RECOVERY_CODES: usize = 10;
/// 80 bits: nobody guesses one.
const RECOVERY_BYTES: usize = 10;
/// Letters and digits between two dashes of a recovery code, and between two spaces of a secret.
const GROUP_CHARS: usize = 4;
/// Longer than any code people may paste with spaces and dashes.
const CODE_CHARS_MAX: usize = 64;

/// Whether a code proves this account's second factor now. One that does works no second time.
pub(super) async fn proves(office: Office<'_>, agent: &Agent, typed: &str) -> Result<bool, AccountError> {
    if typed.chars().count() > CODE_CHARS_MAX {
        return Ok(false);
    }
    let (store, now) = (office.store, office.clock.now());
    let Some(factor) = store.second_factor(&agent.id).await? else { return Ok(false) };
    let secret = hex::decode(&factor.secret).unwrap_or_default();
    if let Some(step) = totp::step_of(&secret, typed, now, factor.last_step) {
        return Ok(store.use_step(&agent.id, step).await?);
    }
    let used = store.use_recovery_code(&agent.id, &recovery_hash(agent, typed), now).await?;
    if used {
        office.log(agent, "recovery_code_used", "").await?;
    }
    Ok(used)
}

/// A recovery code as it is kept, however it was typed.
fn recovery_hash(agent: &Agent, typed: &str) -> String {
    let bare: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    hash(&format!("recovery:{}:{}", agent.id, bare.to_ascii_uppercase()))
}

/// Letters and digits in groups.
fn grouped(text: &str, between: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = letters.chunks(GROUP_CHARS).map(|group| group.iter().collect()).collect();
    groups.join(between)
}

/// Makes new recovery codes; the earlier ones work no more.
async fn new_codes(office: Office<'_>, agent: &Agent) -> Result<Vec<String>, AccountError> {
    let codes: Vec<String> =
        (0..RECOVERY_CODES).map(|_| grouped(&totp::base32(&random_bytes::<RECOVERY_BYTES>()), "-")).collect();
    let hashes: Vec<String> = codes.iter().map(|code| recovery_hash(agent, code)).collect();
    office.store.set_recovery_codes(&agent.id, &hashes).await?;
    Ok(codes)
}

/// How it stands, and what can be done.
pub(super) async fn page(State(edge): State<Arc<Edge>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    shown(&edge, &signed_in, json!({})).await
}

async fn shown(edge: &Edge, signed_in: &SignedIn, more: Value) -> Result<Response, ApiError> {
    let (store, agent) = (&edge.app.store, &signed_in.agent);
    let factor = store.second_factor(&agent.id).await?;
    let business = &edge.app.config.business.name;
    let mut context = json!({
        "title": "Second factor", "business": business, "csrf": signed_in.csrf, "login": agent.login, "theme": signed_in.theme,
        "required": edge.app.config.console.second_factor == SecondFactor::Required,
        "since": null, "setting_up": null, "left": 0, "codes": null, "wrong": null,
    });
    if let Some(factor) = factor {
        let secret = totp::base32(&hex::decode(&factor.secret).unwrap_or_default());
        if let Some(since) = factor.since {
            context["since"] = json!(since);
            context["left"] = json!(store.recovery_codes_left(&agent.id).await?);
        } else {
            let link = link(business, &agent.login, &secret);
            context["setting_up"] =
                json!({"secret": grouped(&secret, " "), "link": link, "picture": picture(&link)});
        }
    }
    let refused = !more["wrong"].is_null();
    if let (Some(context), Value::Object(more)) = (context.as_object_mut(), more) {
        context.extend(more);
    }
    let mut response = super::alone(edge, PAGE, &context)?;
    if refused {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// What an authenticator reads (the key URI format of Google Authenticator, which all understand).
fn link(business: &str, login: &str, secret: &str) -> String {
    let escaped =
        |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let (issuer, login) = (escaped(business), escaped(login));
    format!(
        "otpauth://totp/{issuer}:{login}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    )
}

/// The link as squares: the side of the whole, and each dark run as where it begins, its row and its length.
fn picture(link: &str) -> Value {
    let Ok(code) = qrcodegen::QrCode::encode_text(link, qrcodegen::QrCodeEcc::Medium) else {
        return Value::Null;
    };
    let mut runs: Vec<(i32, i32, i32)> = Vec::new();
    for row in 0..code.size() {
        for column in (0..code.size()).filter(|column| code.get_module(*column, row)) {
            match runs.last_mut() {
                Some((start, of, length)) if *of == row && *start + *length == column => *length += 1,
                _ => runs.push((column, row, 1)),
            }
        }
    }
    json!({"side": code.size(), "runs": runs})
}

/// One of the forms of the page: `begin`, `confirm`, `codes` or `off`.
pub(super) async fn act(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Peer(address): Peer,
    Path(act): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    let mut field = |name| {
        fields
            .remove(name)
            .filter(|text: &String| text.chars().count() <= FIELD_CHARS_MAX)
            .unwrap_or_default()
    };
    let (code, password) = (field("code"), field("password"));
    let agent = &signed_in.agent;
    let by = format!("agent:{}", agent.id);
    let office = Office { store: &edge.app.store, clock: &*edge.app.clock, by: &by };
    if act == "begin" {
        let secret = hex::encode(random_bytes::<{ totp::SECRET_BYTES }>());
        edge.app.store.propose_second_factor(&agent.id, &secret).await?;
        return Ok(Redirect::to("/console/second-factor").into_response());
    }
    if !["confirm", "codes", "off"].contains(&act.as_str()) {
        return Err(ApiError::not_found("act"));
    }
    sign_in::throttled(&edge, address, &agent.login)?;
    let refused = async |wrong: &str| shown(&edge, &signed_in, json!({"wrong": wrong})).await;
    if accounts::has_password(agent)
        && accounts::prove(&edge.app.store, &agent.login, password).await?.is_none()
    {
        return refused("The password is not yours.").await;
    }
    match act.as_str() {
        "confirm" => {
            let Some(codes) = confirm(office, agent, &code).await? else {
                return refused("That is not the code of this moment. Is the clock of your phone right?")
                    .await;
            };
            // Whoever signed in without it signs in anew; here one goes on.
            edge.app.store.end_other_sessions(&agent.id, &signed_in.session.token_hash).await?;
            shown(&edge, &signed_in, json!({"codes": codes})).await
        }
        _ if !proves(office, agent, &code).await? => {
            refused("That is not the code of this moment, or it was used before.").await
        }
        "codes" => {
            let codes = new_codes(office, agent).await?;
            office.log(agent, "recovery_codes_renewed", "").await?;
            shown(&edge, &signed_in, json!({"codes": codes})).await
        }
        _ => {
            edge.app.store.drop_second_factor(&agent.id).await?;
            office.log(agent, "second_factor_off", "").await?;
            Ok(Redirect::to("/console/second-factor").into_response())
        }
    }
}

/// Makes the proposed secret count if this is its code; the recovery codes, shown once.
async fn confirm(
    office: Office<'_>,
    agent: &Agent,
    typed: &str,
) -> Result<Option<Vec<String>>, AccountError> {
    let (store, now) = (office.store, office.clock.now());
    let Some(factor) = store.second_factor(&agent.id).await?.filter(|factor| factor.since.is_none()) else {
        return Ok(None);
    };
    let secret = hex::decode(&factor.secret).unwrap_or_default();
    let Some(step) = totp::step_of(&secret, typed, now, factor.last_step) else { return Ok(None) };
    let codes = new_codes(office, agent).await?;
    if !store.confirm_second_factor(&agent.id, &factor.secret, step, now).await? {
        return Ok(None);
    }
    office.log(agent, "second_factor_on", "").await?;
    Ok(Some(codes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticator_can_read_the_link_whatever_the_names() {
        let link = link("Harbor & Pine", "eva@shop", "MZXW6");
        assert_eq!(
            link,
            "otpauth://totp/Harbor%20%26%20Pine:eva%40shop?secret=MZXW6&issuer=Harbor%20%26%20Pine&algorithm=SHA1&digits=6&period=30"
        );
        let picture = picture(&link);
        let dark: i64 = picture["runs"].as_array().unwrap().iter().map(|run| run[2].as_i64().unwrap()).sum();
        let side = picture["side"].as_i64().unwrap();
        assert!(dark * 3 > side * side && dark * 3 < side * side * 2, "{dark} of {side} squared");
    }
}
