//! Files that come with messages: stored whole with the message or not at all, and handed out only to be kept.

use std::sync::Arc;
use std::time::Instant;

use firstline::domain::message::{Attachment, InboundMessage};
use firstline::pipeline::IngestError;

use crate::store::{Record, on_both};
use crate::support::service::Service;
use crate::support::world::message;

on_both! {
    a_file_is_stored_whole_with_its_message_and_leaves_only_as_a_download
    a_file_of_the_largest_size_is_stored_and_read_in_time
    files_that_are_too_large_together_are_refused_and_nothing_is_stored
}

fn with(id: &str, files: &[(&str, &str, &[u8])]) -> InboundMessage {
    let attachment = |(name, kind, content): &(&str, &str, &[u8])| Attachment {
        name: (*name).to_owned(),
        content_type: Some((*kind).to_owned()),
        url: None,
        id: None,
        content: Some(Arc::from(*content)),
    };
    InboundMessage { attachments: files.iter().map(attachment).collect(), ..message(id, "see this") }
}

async fn a_file_is_stored_whole_with_its_message_and_leaves_only_as_a_download(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |_| ()).await;
    let hostile = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>\0\xff";
    let sent = with("1", &[("../\"évil\".svg", "image/svg+xml", hostile), ("b.txt", "text/plain", b"two")]);
    let accepted = service.app.pipeline.enqueue(sent.clone()).await.unwrap();
    let thread = service.get(&format!("/v1/cases/{}/messages", accepted.case)).await.json();
    let listed = &thread["items"][0]["attachments"];
    assert_eq!(listed[1]["name"], "b.txt", "{thread}");
    let ids: Vec<&str> = (0..2).map(|place| listed[place]["id"].as_str().unwrap()).collect();
    assert_ne!(ids[0], ids[1]);
    let file = service.get(&format!("/v1/attachments/{}", ids[0])).await;
    assert_eq!((file.status.as_u16(), &file.body[..]), (200, &hostile[..]));
    assert_eq!(file.header("content-type"), "application/octet-stream");
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    assert_eq!(file.header("content-security-policy"), "sandbox; default-src 'none'");
    let disposition = file.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"__vil_.svg\";"), "{disposition}");
    assert_eq!(&service.get(&format!("/v1/attachments/{}", ids[1])).await.body[..], b"two");
    for nobody in ["nothing", "..%2f1"] {
        assert_eq!(service.get(&format!("/v1/attachments/{nobody}")).await.status.as_u16(), 404);
    }
    // In the console only for whoever is signed in.
    let unknown = service.get(&format!("/console/attachments/{}", ids[0])).await;
    assert_eq!(unknown.status.as_u16(), 303, "to the sign-in");
    // What a turn keeps at hand has the name and not the bytes.
    let held = service.app.store.case(&accepted.case).await.unwrap().unwrap();
    assert!(held.messages[0].attachments.iter().all(|one| one.content.is_none() && one.id.is_some()));
    // The same message again is the same; the same id with another file is another message.
    assert!(service.app.pipeline.enqueue(sent).await.unwrap().duplicate);
    let other = with("1", &[("../\"évil\".svg", "image/svg+xml", b"x"), ("b.txt", "text/plain", b"two")]);
    assert!(matches!(service.app.pipeline.enqueue(other).await, Err(IngestError::Conflict)));
    service.stop().await;
}

async fn a_file_of_the_largest_size_is_stored_and_read_in_time(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |_| ()).await;
    let most = service.app.config.limits.attachment_bytes_max;
    let content: Vec<u8> = (0..most).map(|place| (place * 31 + place / 251) as u8).collect();
    let sent = with("1", &[("large.bin", "application/octet-stream", &content)]);
    let begun = Instant::now();
    let accepted = service.app.pipeline.enqueue(sent).await.unwrap();
    let stored = begun.elapsed();
    let id = service.app.store.message(&accepted.message).await.unwrap().unwrap().attachments[0].id.clone();
    let begun = Instant::now();
    let file = service.get(&format!("/v1/attachments/{}", id.unwrap())).await;
    let read = begun.elapsed();
    assert!(file.body == content, "{} of {most} bytes came back", file.body.len());
    eprintln!("{most} bytes: stored in {stored:?}, read in {read:?}");
    service.stop().await;
}

async fn files_that_are_too_large_together_are_refused_and_nothing_is_stored(record: Arc<Record>) {
    let service =
        Service::new(&record.database.url(), |config| config.limits.attachment_bytes_max = 10).await;
    let sent = with("1", &[("a", "a/b", b"123456"), ("c", "a/b", b"78901")]);
    let refused = service.app.pipeline.enqueue(sent).await;
    assert!(matches!(&refused, Err(IngestError::Invalid(why)) if why.contains("at most 10")), "{refused:?}");
    assert_eq!(record.store.inbox("in_app", "1").await.unwrap(), None);
    let fits = with("1", &[("a", "a/b", b"123456"), ("c", "a/b", b"7890")]);
    assert!(!service.app.pipeline.enqueue(fits).await.unwrap().duplicate);
    service.stop().await;
}
