//! The mail room against the stand-in of Gmail, over a socket.

#[path = "../mail_desk/mod.rs"]
mod mail_desk;

mod bodies;
mod changing;
mod creating;
mod labels;
mod listing;

use mail_desk::*;

#[tokio::test]
async fn every_unit_that_gmail_counts_is_counted() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let large = [mail("large"), vec![b'x'; 6 << 20]].concat();
    for n in 0..30 {
        desk.add(&format!("mail {n}"), &["INBOX"]);
    }
    let listed = desk.round(Since::Start).await;
    let ids: Vec<&RemoteId> = listed.seen.keys().collect();
    desk.bodies(&ids).await;
    let copies: Vec<&Seen> = listed.seen.values().collect();
    let mut operations: Vec<Operation> = copies[..20].iter().map(|seen| update(seen, &["$flagged"])).collect();
    operations.extend(copies[20..25].iter().map(|seen| update(seen, &[])));
    operations.extend(copies[25..].iter().map(|seen| delete(seen)));
    operations.push(desk.create("1", &mail("new"), &work, &[]));
    operations.push(desk.create("2", &large, &work, &[]));
    operations.push(desk.create("3", &mail("draft"), "DRAFT", &["$seen"]));
    let written = desk.google.write(KIND, &operations).await;
    assert!(written.iter().all(Result::is_ok));
    desk.round(listed.since()).await;
    desk.fetch(&id("18c0000000000001", "INBOX")).await;
    let made = desk.google.create_collection(KIND, &collection("Trips")).await.unwrap();
    desk.google.rename_collection(KIND, &made.id, Some("Travels"), None).await.unwrap();
    desk.google.remove_collection(KIND, &made.id).await.unwrap();
    let now_ms = u64::try_from(desk.sandbox.clock().now_ms()).unwrap();
    assert_eq!(desk.budget.used(now_ms).1, desk.sandbox.counts(Provider::Google).quota);
    assert!(desk.sandbox.counts(Provider::Google).quota > 700);
}
