//! Email through real servers: Postfix carries it, Dovecot keeps it, and the program itself reads and answers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use async_imap::Client;
use futures_util::TryStreamExt;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::site::{Running, Site, http};

/// Set where the packages `postfix` and `dovecot-imapd` are installed and the tests run as root.
const WANTED: &str = "TEST_MAIL_SERVERS";
/// Longest wait for a mail to come through.
const PATIENCE: Duration = Duration::from_mins(3);
const PASSWORD: &str = "mailbox-password";

const MASTER: &str = "\
127.0.0.1:PORT inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// Postfix and Dovecot in a folder of their own, on free ports.
struct Servers {
    folder: tempfile::TempDir,
    smtp: u16,
    imap: u16,
    _dovecot: Running,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(program: &str, arguments: &[&str]) {
    let ended = Command::new(program).args(arguments).output().unwrap();
    assert!(ended.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

impl Servers {
    /// Starts both; mail for `direct.example` is handed to the listener at `ours`.
    fn start(ours: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let place = at.display().to_string();
        run("chmod", &["755", &place]);
        for name in ["mail", "spool", "lib", "postfix", "dovecot"] {
            std::fs::create_dir(at.join(name)).unwrap();
        }
        run("chown", &["mail:mail", &format!("{place}/mail")]);
        run("chown", &["postfix:postfix", &format!("{place}/lib")]);
        let (smtp, imap) = (free_port(), free_port());
        postfix(at, smtp, ours);
        let dovecot = dovecot(at, imap);
        Self { folder, smtp, imap, _dovecot: dovecot }
    }

    /// Hands a mail to Postfix as a customer's own server would.
    async fn send(&self, builder: MessageBuilder, text: &str) {
        let mail = builder.body(text.to_owned()).unwrap();
        let server =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(self.smtp).build();
        server.send(mail).await.unwrap();
    }

    /// The newest mail in a mailbox of Dovecot once it holds so many.
    async fn newest(&self, user: &str, count: u32) -> String {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut client = Client::new(TcpStream::connect(("127.0.0.1", self.imap)).await.unwrap());
            client.read_response().await.unwrap().unwrap();
            let mut session = client.login(user, PASSWORD).await.unwrap();
            let mailbox = session.select("INBOX").await.unwrap();
            if mailbox.exists >= count {
                let fetched: Vec<_> =
                    session.fetch(count.to_string(), "BODY[]").await.unwrap().try_collect().await.unwrap();
                return String::from_utf8(fetched[0].body().unwrap().to_vec()).unwrap();
            }
            session.logout().await.unwrap();
            assert!(tokio::time::Instant::now() < end, "no mail for {user}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    fn log(&self) -> String {
        ["postfix.log", "dovecot.log"]
            .map(|name| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .concat()
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("postfix")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        _ = Command::new("postfix").arg("-c").arg(self.configuration()).arg("stop").output();
    }
}

fn postfix(at: &Path, smtp: u16, ours: u16) {
    let place = at.display();
    // It plays our edge, too: what senders say of themselves goes, what it has checked comes instead.
    let checks = "/^Authentication-Results:/ IGNORE\n\
        /^From:.*@mail\\.example/ PREPEND Authentication-Results: mx.shop.example; dmarc=pass header.from=mail.example\n";
    write(&at.join("postfix/checks"), checks);
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {place}/spool\ndata_directory = {place}/lib\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
         setgid_group = postdrop\nmyhostname = mx.shop.example\nmydestination =\ninet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nmaillog_file = {place}/postfix.log\n\
         maillog_file_prefixes = {place}\nsmtp_host_lookup = native\nsmtp_dns_support_level = disabled\n\
         alias_maps =\nalias_database =\nlocal_recipient_maps =\nvirtual_mailbox_domains = shop.example, mail.example\n\
         virtual_mailbox_base = {place}/mail\n\
         virtual_mailbox_maps = inline:{{ {{support@shop.example = support/Maildir/}}, {{ann@mail.example = ann/Maildir/}} }}\n\
         virtual_minimum_uid = 1\nvirtual_uid_maps = static:8\nvirtual_gid_maps = static:8\n\
         header_checks = regexp:{place}/postfix/checks\nrelay_domains = direct.example\n\
         transport_maps = inline:{{ {{direct.example = smtp:[127.0.0.1]:{ours}}} }}\n"
    );
    write(&at.join("postfix/main.cf"), &main);
    write(&at.join("postfix/master.cf"), &MASTER.replace("PORT", &smtp.to_string()));
    run("postfix", &["-c", &format!("{place}/postfix"), "start"]);
}

fn dovecot(at: &Path, imap: u16) -> Running {
    let place = at.display();
    let settings = format!(
        "base_dir = {place}/dovecot/run\nstate_dir = {place}/dovecot/state\nlog_path = {place}/dovecot.log\n\
         protocols = imap\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\nfirst_valid_uid = 1\n\
         mail_location = maildir:{place}/mail/%n/Maildir\n\
         service imap-login {{\n  inet_listener imap {{\n    port = {imap}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}\n\
         userdb {{\n  driver = static\n  args = uid=8 gid=8 home={place}/mail/%n\n}}\n",
    );
    let file = at.join("dovecot/dovecot.conf");
    write(&file, &settings);
    let mut command = Command::new("dovecot");
    command.arg("-F").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

fn customer() -> MessageBuilder {
    MessageBuilder::new().from("Ann Baker <ann@mail.example>".parse().unwrap())
}

fn to(builder: MessageBuilder, address: &str) -> MessageBuilder {
    builder.to(address.parse::<Mailbox>().unwrap())
}

/// The value of a header, unfolded.
fn header(mail: &str, name: &str) -> String {
    let unfolded = mail.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let head = unfolded.split("\n\n").next().unwrap();
    let prefix = format!("{name}: ");
    head.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap_or_else(|| panic!("no {name} in {head}"))
        .to_owned()
}

async fn list(site: &Site, path: &str) -> Vec<Value> {
    let answer = http().get(site.url(path)).bearer_auth(site.key()).send();
    let body: Value = answer.await.unwrap().json().await.unwrap();
    body["items"].as_array().unwrap_or_else(|| panic!("{body}")).clone()
}

/// The emails of a case once there are so many.
async fn told(site: &Site, case: &str, count: usize) -> Vec<Value> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let messages = list(site, &format!("/v1/cases/{case}/messages")).await;
        if messages.len() >= count {
            return messages;
        }
        assert!(tokio::time::Instant::now() < end, "{messages:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The program, connected with these servers.
async fn desk(servers: &Servers, ours: u16) -> Site {
    let (smtp, imap, listen) =
        (servers.smtp.to_string(), servers.imap.to_string(), format!("127.0.0.1:{ours}"));
    let settings = [
        ("ENABLED", "true"),
        ("ADDRESS", "support@shop.example"),
        ("NAME", "Harbor & Pine"),
        ("RECIPIENTS", "help@direct.example"),
        ("TOKEN_SECRET", "a long and random secret"),
        ("AUTHSERV_ID", "mx.shop.example"),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &smtp),
        ("SMTP_TLS", "none"),
        ("LISTEN", &listen),
        ("LISTEN_EDGES", "127.0.0.1"),
        ("IMAP_HOST", "127.0.0.1"),
        ("IMAP_PORT", &imap),
        ("IMAP_TLS", "none"),
        ("IMAP_USER", "support"),
        ("IMAP_PASSWORD", PASSWORD),
        ("IMAP_POLL_MS", "200"),
    ];
    let named: Vec<(String, &str)> =
        settings.iter().map(|(key, value)| (format!("FIRSTLINE__EMAIL__{key}"), *value)).collect();
    let named: Vec<(&str, &str)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    Site::start_with(&named).await
}

#[tokio::test]
async fn a_mail_goes_through_real_servers_is_answered_in_its_thread_and_the_reply_joins_its_case() {
    if std::env::vars_os().all(|(name, _)| name != WANTED) {
        eprintln!("left out: {WANTED} is not set; it needs root, and the packages postfix and dovecot-imapd");
        return;
    }
    let ours = free_port();
    let servers = Servers::start(ours);
    let site = desk(&servers, ours).await;
    let id = conversation(&servers, &site).await;
    stranger(&servers, &site, id).await;
    poisoned(&servers).await;
}

/// Ann asks, is answered, and asks again; the Message-ID of the first answer.
async fn conversation(servers: &Servers, site: &Site) -> String {
    let first = to(customer(), "support@shop.example").subject("Rückgabe");
    let first = first.message_id(Some("<first-1@mail.example>".to_owned()));
    servers.send(first, "How long does delivery take?\r\n\r\n-- \r\nAnn").await;
    let answer = servers.newest("ann", 1).await;
    assert_eq!(header(&answer, "In-Reply-To"), "<first-1@mail.example>");
    assert_eq!(header(&answer, "References"), "<first-1@mail.example>");
    assert_eq!(header(&answer, "Auto-Submitted"), "auto-replied");
    assert_eq!(header(&answer, "Return-Path"), "<support@shop.example>");
    assert!(header(&answer, "Subject").starts_with("Re: "));

    let ours = header(&answer, "Message-ID");
    let reply = to(customer(), "support@shop.example")
        .subject("Re: Rückgabe")
        .message_id(Some("<second-2@mail.example>".to_owned()))
        // Some mail programs name nothing but the mail they answer.
        .in_reply_to(ours.clone());
    let quoted = "On Mon, 23 Nov 2026 at 10:02, Shop <support@shop.example> wrote:\r\n> It takes days.";
    servers.send(reply, &format!("How do I return an item that I do not like?\r\n\r\n{quoted}")).await;
    let again = servers.newest("ann", 2).await;
    assert_eq!(header(&again, "In-Reply-To"), "<second-2@mail.example>");
    assert!(header(&again, "References").ends_with(&format!("{ours} <second-2@mail.example>")));
    let cases = list(site, "/v1/cases?channel=email").await;
    assert_eq!(cases.len(), 1, "{cases:?}");
    let messages = told(site, cases[0]["id"].as_str().unwrap(), 4).await;
    let theirs = messages.iter().filter(|m| m["author"] == "customer").map(|m| m["text"].as_str().unwrap());
    let expected =
        ["Rückgabe\n\nHow long does delivery take?", "How do I return an item that I do not like?"];
    assert_eq!(theirs.collect::<Vec<_>>(), expected);
    ours
}

/// Straight into our own listener: a stranger with a stolen Message-ID begins a case of their own.
async fn stranger(servers: &Servers, site: &Site, stolen: String) {
    let stranger = MessageBuilder::new().from("Bob <bob@stranger.example>".parse().unwrap());
    let stranger = stranger.subject("Re: Rückgabe").in_reply_to(stolen);
    servers.send(to(stranger, "help@direct.example"), "What did Ann ask?").await;
    let end = tokio::time::Instant::now() + PATIENCE;
    let cases = loop {
        let cases = list(site, "/v1/cases?channel=email").await;
        if cases.len() > 1 {
            break cases;
        }
        assert!(tokio::time::Instant::now() < end, "{}", servers.log());
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    assert_ne!(cases[0]["customer_id"], cases[1]["customer_id"]);
}

/// A mail that cannot be read leaves the way free for what follows it.
async fn poisoned(servers: &Servers) {
    let mailbox = servers.folder.path().join("mail/support/Maildir");
    let bomb = format!("From: ann@mail.example\r\n{}\r\n\r\nx", "X-Pad: a\r\n".repeat(10_000));
    // Written beside its place first: Dovecot takes up whatever stands there.
    let file = mailbox.join("tmp/poisoned");
    write(&file, &bomb);
    run("chown", &["mail:mail", &file.display().to_string()]);
    std::fs::rename(&file, mailbox.join("new/poisoned")).unwrap();
    let next = to(customer(), "support@shop.example").subject("Next");
    servers.send(next, "How long does delivery take?").await;
    servers.newest("ann", 3).await;
    let aside = |folder: &str| {
        std::fs::read_dir(mailbox.join(".Unreadable").join(folder)).is_ok_and(|mut all| all.next().is_some())
    };
    assert!(
        aside("new") || aside("cur"),
        "the mail that cannot be read was not put aside: {}",
        servers.log()
    );
}
