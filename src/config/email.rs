//! The settings of email: where it comes from, where it goes, and what is believed.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::channels::lacking;

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// From the first byte.
    Tls,
    /// After a word in the clear; without it nothing is sent.
    Starttls,
    /// Not at all: for a server on this machine.
    None,
}

/// Email.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// What customers write to, and what answers come from.
    pub address: String,
    /// The name beside it.
    pub name: String,
    /// Further addresses of ours whose mail is taken.
    pub recipients: Vec<String>,
    /// Domains of which no mail is answered, beside our own addresses.
    pub own_domains: Vec<String>,
    /// Binds a thread to who takes part in it.
    pub token_secret: SecretString,
    /// Whether answers ask for replies to an address with that token.
    pub plus_addresses: bool,
    /// The name under which our own edge writes `Authentication-Results`; empty: nobody is believed.
    pub authserv_id: String,
    /// The server that takes our mail.
    pub smtp_host: String,
    /// Its port.
    pub smtp_port: u16,
    /// How the connection to it is protected.
    pub smtp_tls: MailTls,
    /// The account; empty: none is needed.
    pub smtp_user: String,
    /// Its password.
    pub smtp_password: SecretString,
    /// How we introduce ourselves; empty: the domain of `address`.
    pub smtp_hello: String,
    /// Longest one step of a conversation with it may take.
    pub smtp_timeout_ms: u64,
    /// Where our own SMTP listener takes mail; empty: nowhere.
    pub listen: String,
    /// Its certificate, a PEM file; empty: no STARTTLS.
    pub listen_certificate: String,
    /// The private key of the certificate, a PEM file.
    pub listen_certificate_key: String,
    /// Addresses of our own edge: of mail that others hand in, `Authentication-Results` are not believed.
    pub listen_edges: Vec<String>,
    /// Connections at once.
    pub listen_connections_max: usize,
    /// Longest silence in one.
    pub listen_idle_ms: u64,
    /// Recipients of one mail.
    pub listen_recipients_max: usize,
    /// A mailbox to look into; empty: none.
    pub imap_host: String,
    /// Its port.
    pub imap_port: u16,
    /// How the connection to it is protected.
    pub imap_tls: MailTls,
    /// The account.
    pub imap_user: String,
    /// Its password.
    pub imap_password: SecretString,
    /// The folder with new mail.
    pub imap_folder: String,
    /// Where mail goes that cannot be read; made when it is needed.
    pub imap_failed_folder: String,
    /// Pause between looks.
    pub imap_poll_ms: u64,
    /// Longest one step of a conversation with it may take.
    pub imap_timeout_ms: u64,
    /// Mails fetched in one look.
    pub imap_batch_max: usize,
    /// Signs the webhooks of Mailgun; empty: not used.
    pub mailgun_signing_key: SecretString,
    /// `user:password` that Postmark sends; empty: not used.
    pub postmark_secret: SecretString,
    /// `user:password` that `SendGrid` sends; empty: not used.
    pub sendgrid_secret: SecretString,
    /// Largest mail.
    pub message_bytes_max: usize,
    /// Pieces of one mail.
    pub parts_max: usize,
    /// How deep they may be nested.
    pub depth_max: usize,
    /// Largest header.
    pub header_bytes_max: usize,
    /// What is read of HTML.
    pub html_bytes_max: usize,
    /// How deep its elements may be nested.
    pub html_depth_max: usize,
    /// What is read of plain text.
    pub text_bytes_max: usize,
    /// Largest page of a mail that is kept as it came, its pictures included; 0: none is kept.
    pub original_bytes_max: usize,
    /// Most bytes of the files of one answer, together.
    pub files_bytes_max: usize,
    /// What of the whole text is kept beside the writer's own words.
    pub full_text_chars_max: usize,
    /// Automatic answers in one thread …
    pub automatic_replies_max: i64,
    /// … within this.
    pub automatic_replies_ms: i64,
}

impl EmailSettings {
    /// What is lacking or wrong.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = lacking(
            "email",
            self.enabled,
            &[
                ("address", &self.address),
                ("token_secret", self.token_secret.expose_secret()),
                ("smtp_host", &self.smtp_host),
            ],
        );
        if !self.enabled {
            return wrong;
        }
        let mut say = |problem: &str| wrong.push(format!("[email] {problem}"));
        let address = |text: &str| {
            text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        };
        if !self.address.is_empty() && !address(&self.address) {
            say("`address` is no mail address: write it as name@domain");
        }
        if self.recipients.iter().any(|one| !address(one)) {
            say("`recipients` holds something that is no mail address");
        }
        let token = self.token_secret.expose_secret().len();
        if (1..16).contains(&token) {
            say("`token_secret` is shorter than 16 characters: make a long random one");
        }
        if self.listen_certificate.is_empty() != self.listen_certificate_key.is_empty() {
            say("`listen_certificate` and `listen_certificate_key` go together: set both or none");
        }
        if self.listen_edges.iter().any(|edge| edge.parse::<std::net::IpAddr>().is_err()) {
            say("`listen_edges` holds something that is no IP address");
        }
        if !self.imap_host.is_empty()
            && (self.imap_user.is_empty() || self.imap_password.expose_secret().is_empty())
        {
            say("`imap_host` is set but `imap_user` or `imap_password` is empty");
        }
        if self.imap_folder == self.imap_failed_folder {
            say("`imap_failed_folder` must be another folder than `imap_folder`");
        }
        let far = |host: &str, tls: MailTls| tls == MailTls::None && !host.is_empty() && !loopback(host);
        if far(&self.smtp_host, self.smtp_tls) || far(&self.imap_host, self.imap_tls) {
            say("a server that is not on this machine needs `starttls` or `tls`");
        }
        let ways = [&self.mailgun_signing_key, &self.postmark_secret, &self.sendgrid_secret];
        if self.listen.is_empty()
            && self.imap_host.is_empty()
            && ways.iter().all(|way| way.expose_secret().is_empty())
        {
            say("is enabled but no mail can come in: set `listen`, `imap_host` or the secret of a provider");
        }
        wrong
    }
}

fn loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
