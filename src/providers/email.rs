//! Email, played: raw mails as Mailgun posts them, signed, and a mail server that keeps what it takes.

use axum::Router;
use axum::http::Method;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Outbox, Provider, ProviderCall, Said, Sent};
use crate::channels::email::{MAILGUN, NAME};

const SIGNING_KEY: &str = "simulated-signing-key";
const TOKEN_SECRET: &str = "simulated-token-secret";
const SHOP: &str = "support@shop.example";
const EDGE: &str = "mx.shop.example";
/// Longest line the mail server reads, in bytes.
const LINE_BYTES_MAX: usize = 65_536;

pub(super) struct Email;

impl Provider for Email {
    fn channel(&self) -> &'static str {
        NAME
    }

    fn settings(&self, api: &str, _: &str) -> Vec<(&'static str, &'static str, String)> {
        let place = api.rsplit_once("//").map_or(api, |(_, place)| place).trim_end_matches('/');
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "25"));
        let all = [
            ("enabled", "true"),
            ("address", SHOP),
            ("token_secret", TOKEN_SECRET),
            ("authserv_id", EDGE),
            ("mailgun_signing_key", SIGNING_KEY),
            ("smtp_host", host),
            ("smtp_port", port),
            ("smtp_tls", "none"),
        ];
        all.into_iter().map(|(key, value)| (NAME, key, value.to_owned())).collect()
    }

    fn says(&self, said: &Said<'_>, _: &str) -> ProviderCall {
        let domain = said.from.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mail = format!(
            "Authentication-Results: {EDGE}; dmarc=pass header.from={domain}\r\nFrom: \"{}\" <{}>\r\nTo: {SHOP}\r\n\
             Message-ID: <{}@{domain}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n{}",
            said.name.replace('"', ""),
            said.from,
            said.id,
            said.text,
        );
        let seconds = (said.at.0 / 1000).to_string();
        let token = format!("{:050x}", said.id);
        let signature = signature(&seconds, &token);
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("timestamp", &seconds)
            .append_pair("token", &token)
            .append_pair("signature", &signature)
            .append_pair("sender", said.from)
            .append_pair("recipient", SHOP)
            .append_pair("body-mime", &mail)
            .finish();
        posted(body.into_bytes())
    }

    fn signed(&self, _: &ProviderCall, body: Vec<u8>, _: &str) -> ProviderCall {
        // The signature covers the time and the token at the front, not the mail.
        posted(body)
    }

    fn status(&self, _: &Sent, _: &str, _: &str) -> Option<ProviderCall> {
        None
    }

    fn address(&self, customer: u32) -> String {
        format!("customer{customer}@mail.example")
    }

    fn router(&self, _: Outbox) -> Router {
        Router::new()
    }

    fn serve(&self, listener: TcpListener, outbox: Outbox) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // One conversation after the other: mails stay in the order in which they came.
            while let Ok((stream, _)) = listener.accept().await {
                let _ = converse(stream, &outbox).await;
            }
        })
    }
}

fn signature(seconds: &str, token: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SIGNING_KEY.as_bytes()) else { return String::new() };
    mac.update(seconds.as_bytes());
    mac.update(token.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn posted(body: Vec<u8>) -> ProviderCall {
    ProviderCall {
        method: Method::POST,
        target: format!("/channels/{NAME}/{MAILGUN}"),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body,
    }
}

/// One conversation as a mail server has it; what it takes goes to the outbox.
async fn converse(stream: TcpStream, outbox: &Outbox) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 played ESMTP\r\n").await?;
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.len() > LINE_BYTES_MAX {
            return Ok(());
        }
        let command = line.trim_end();
        let verb: String = command.chars().take(4).collect::<String>().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-played\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "RCPT" => {
                command.split(['<', '>']).nth(1).unwrap_or_default().clone_into(&mut to);
                "250 OK\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mail = received(&mut stream).await?;
                let text = crate::channels::email::plain_text(mail.as_bytes()).unwrap_or_default();
                outbox.take(|number| Sent {
                    id: number.to_string(),
                    to: to.clone(),
                    text,
                    choices: Vec::new(),
                    request: json!({"to": to, "mail": mail}),
                });
                "250 taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 OK\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// The mail up to the line with a single dot.
async fn received(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(mail);
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
