//! Gives a mail to the server that takes ours, step by step: what fails before the mail itself has gone can be tried
//! again, what fails afterwards may have been taken.

use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, response};
use secrecy::ExposeSecret;

use super::write::Letter;
use crate::channels::ChannelError;
use crate::config::{EmailSettings, MailTls};

/// The slowest line that is reckoned with when a mail is long: a megabyte a second.
const BYTES_PER_MS: u64 = 1000;

/// The server.
pub struct Server {
    host: String,
    port: u16,
    tls: MailTls,
    parameters: Option<TlsParameters>,
    account: Option<Credentials>,
    hello: ClientId,
    patience: Duration,
}

impl Server {
    /// The one that `settings` name.
    pub fn new(settings: &EmailSettings) -> Result<Self, String> {
        let parameters = match settings.smtp_tls {
            MailTls::None => None,
            MailTls::Tls | MailTls::Starttls => {
                let made = TlsParameters::new(settings.smtp_host.clone());
                Some(made.map_err(|error| format!("[email] smtp_host: {error}"))?)
            }
        };
        let domain = settings.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let hello = if settings.smtp_hello.is_empty() { domain } else { &settings.smtp_hello };
        let password = settings.smtp_password.expose_secret().to_owned();
        let account = Credentials::new(settings.smtp_user.clone(), password);
        Ok(Self {
            host: settings.smtp_host.clone(),
            port: settings.smtp_port,
            tls: settings.smtp_tls,
            parameters,
            account: (!settings.smtp_user.is_empty()).then_some(account),
            hello: ClientId::Domain(hello.to_owned()),
            patience: Duration::from_millis(settings.smtp_timeout_ms),
        })
    }

    pub(super) async fn hand_over(&self, letter: &Letter) -> Result<(), ChannelError> {
        let announced = tokio::time::timeout(self.patience, async {
            let mut connection = self.connect().await.map_err(|error| ChannelError::later(told(&error)))?;
            announce(&mut connection, letter).await?;
            Ok(connection)
        });
        let slow = |_| Err(ChannelError::later("the mail server did not answer in time"));
        let mut connection = announced.await.unwrap_or_else(slow)?;
        let patience = self.patience + Duration::from_millis(letter.bytes.len() as u64 / BYTES_PER_MS);
        let given = tokio::time::timeout(patience, connection.message(&letter.bytes)).await;
        let outcome = match given {
            Err(_) => {
                Err(ChannelError::Unknown("the mail server did not say whether it took the mail".to_owned()))
            }
            Ok(Err(error)) if error.status().is_none() => Err(ChannelError::Unknown(told(&error))),
            Ok(Err(error)) => Err(refused(&error)),
            Ok(Ok(_)) => Ok(()),
        };
        // It has the mail or has refused it; how the connection ends changes nothing.
        let _ = tokio::time::timeout(self.patience, connection.quit()).await;
        outcome
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let place = (self.host.as_str(), self.port);
        let first = self.parameters.clone().filter(|_| self.tls == MailTls::Tls);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(place, Some(self.patience), &self.hello, first, None).await?;
        if let Some(parameters) = self.parameters.clone().filter(|_| self.tls == MailTls::Starttls) {
            connection.starttls(parameters, &self.hello).await?;
        }
        if let Some(account) = &self.account {
            connection.auth(DEFAULT_MECHANISMS, account).await?;
        }
        Ok(connection)
    }
}

/// Everything before the mail itself.
async fn announce(connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<(), ChannelError> {
    let mut options = Vec::new();
    let foreign =
        letter.envelope.to().iter().chain(letter.envelope.from()).any(|one| !one.to_string().is_ascii());
    if foreign {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(ChannelError::Permanent(
                "the mail server takes no addresses with such letters".to_owned(),
            ));
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !letter.bytes.is_ascii() {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let refused = |error: Error| refused(&error);
    connection.command(Mail::new(letter.envelope.from().cloned(), options)).await.map_err(refused)?;
    for recipient in letter.envelope.to() {
        connection.command(Rcpt::new(recipient.clone(), Vec::new())).await.map_err(refused)?;
    }
    connection.command(Data).await.map_err(refused)?;
    Ok(())
}

/// A refusal for good is a person's; anything else before the mail has gone can be tried again.
fn refused(error: &Error) -> ChannelError {
    let good =
        error.status().is_some_and(|code| code.severity == response::Severity::PermanentNegativeCompletion);
    if good { ChannelError::Permanent(told(error)) } else { ChannelError::later(told(error)) }
}

/// What the server said, without its words: they may name the customer.
fn told(error: &Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server said {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
        None if error.is_tls() => "no protected connection to the mail server".to_owned(),
        None => "the connection to the mail server failed".to_owned(),
    }
}
