//! The mail room against the sandbox's Graph: folders, rounds, bytes, and the weather between. What is written is in `mail_writes.rs`.

#[allow(dead_code)]
mod mail_world;

use mail_world::{World, letter, place, sheet, unread, words};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use twofold_http::{Client, ClientOptions};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::email::{Role, Sheet};
use twofold_model::{
    Access, Collection, CollectionId, Connector, Entry, ErrorKind, Kind, Known, Next, Poll, RemoteId, Removal, Since,
    Unread,
};
use twofold_sandbox::{Fault, Provider, Rule, Switches};
use twofold_zones::SystemZones;
use url::Url;

mod folders {
    use super::*;

    #[tokio::test]
    async fn all_folders_come_in_one_request_by_their_paths_and_system_ones_by_what_they_are_for() {
        let world = World::empty();
        let deep = world.sandbox.graph_mail_folder_create("inbox", "Sub").unwrap();
        world.sandbox.graph_mail_folder_create(&deep, "R/D").unwrap();
        world.sandbox.graph_mail_folder_hide("", "Hidden").unwrap();
        world.sandbox.graph_mail_search_folder_create("", "Unread", "isRead eq false").unwrap();
        let before = world.requests();
        let all = world.collections().await;
        assert_eq!(world.requests() - before, 1);
        let names: Vec<&str> = all.iter().map(|collection| collection.name.as_str()).collect();
        assert!(names.contains(&"INBOX/Sub/R\\/D"), "{names:?}");
        assert!(names.iter().all(|name| !["Hidden", "Unread", "Postausgang", "Kalender"].contains(name)), "{names:?}");
        let roles: BTreeMap<Role, &str> =
            all.iter().filter_map(|collection| Some((collection.role?, collection.name.as_str()))).collect();
        let expected = BTreeMap::from([
            (Role::Inbox, "INBOX"),
            (Role::Sent, "Gesendete Elemente"),
            (Role::Drafts, "Entwürfe"),
            (Role::Trash, "Gelöschte Elemente"),
            (Role::Junk, "Junk-E-Mail"),
        ]);
        assert_eq!(roles, expected);
        world.sandbox.graph_mail_archive_create().unwrap();
        world.of_role(Role::Archive).await;
    }

    /// Each page has another link, and the rows of the one before.
    #[tokio::test]
    async fn a_list_of_folders_without_end_is_left_after_a_hundred_pages_and_none_of_it_is_taken() {
        let world = World::empty();
        let url = world.sandbox.urls().microsoft_graph;
        let row = json!({"id": "AQMk1", "displayName": "Again", "parentFolderId": "r"});
        for page in 0..500 {
            let link = format!("{url}/v1.0/me/mailFolders/delta?$skiptoken={page}");
            let body = Some(json!({"value": [row], "@odata.nextLink": link}));
            let fault = Fault::Status { status: 200, retry_after: None, executed: false, body };
            world.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).path("mailFolders/delta").times(1));
        }
        let before = world.requests();
        let error = world.graph.collections(Kind::Mail).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed);
        let words = error.to_string();
        assert!(words.contains("list mail folders") && words.contains("does not come to an end"), "{words}");
        assert!(words.contains("Nothing of it was taken"), "{words}");
        let sent = world.requests() - before;
        assert!((90..130).contains(&sent), "{sent} requests");
    }

    #[tokio::test]
    async fn folders_five_deep() {
        for page_size_cap in [0, 2] {
            let mut world = World::with(Switches { page_size_cap, ..Switches::default() });
            let (mut parent, mut path) = (String::new(), Vec::new());
            for name in ["One", "Two", "Three", "Four", "Five"] {
                parent = world.sandbox.graph_mail_folder_create(&parent, name).unwrap();
                path.push(name);
            }
            let id = world.deliver(&parent, &letter("deep"));
            let all = world.collections().await;
            let deepest = all.iter().find(|collection| collection.id.as_str() == parent).unwrap();
            assert_eq!(deepest.name, path.join("/"));
            assert_eq!(world.told().await.0[&id].collection, deepest.id);
        }
    }

    /// Trap: `folder_rename_zero_bodies`. Which folder it is its id says; what it is called, and below which it stands, is no news of any
    /// message.
    #[tokio::test]
    async fn a_folder_that_is_renamed_or_moved_is_the_same_and_says_nothing_of_its_messages() {
        let mut world = World::empty();
        let (work, other) = (world.folder("Work"), world.folder("Other"));
        world.deliver(work.as_str(), &letter("one"));
        world.only().await;
        world.sandbox.graph_mail_folder_rename(work.as_str(), "Arbeit").unwrap();
        world.sandbox.graph_mail_folder_move(work.as_str(), other.as_str()).unwrap();
        assert!(world.pull().await.unwrap().is_empty());
        let now = world.collections().await.into_iter().find(|collection| collection.id == work).unwrap();
        assert_eq!(now.name, "Other/Arbeit");
    }

    #[tokio::test]
    async fn folders_that_hold_no_mail_are_left_out_where_the_delta_tells_them_and_pages_are_short() {
        let switches = Switches {
            graph_folder_delta_tells_other_folders: true,
            page_size_cap: 3,
            empty_pages: true,
            ..Switches::default()
        };
        let world = World::with(switches);
        world.sandbox.graph_mail_folder_create("inbox", "Sub").unwrap();
        let names = world.names().await;
        assert!(names.contains(&"INBOX/Sub".to_owned()) && !names.contains(&"Kalender".to_owned()), "{names:?}");
        assert!(!names.contains(&"Kontakte".to_owned()), "{names:?}");
    }

    #[tokio::test]
    async fn a_folder_is_made_with_those_above_it_renamed_moved_and_removed_when_empty() {
        let world = World::empty();
        let like = |name: &str| Collection {
            name: name.into(),
            id: "".into(),
            kind: Kind::Mail,
            color: None,
            is_default: false,
            role: None,
            access: Access::ReadWrite,
        };
        let make = async |name: &str| world.graph.create_collection(Kind::Mail, &like(name)).await.unwrap();
        let made = make("Work/A\\/B").await;
        assert_eq!(made.name, "Work/A\\/B");
        assert_eq!(make("work/a\\/b").await.id, made.id, "names differ in more than case");
        assert_eq!(make("INBOX").await.role, Some(Role::Inbox));
        assert!(world.names().await.contains(&"Work".to_owned()));
        let rename = async |name: &str| world.graph.rename_collection(Kind::Mail, &made.id, Some(name), None).await;
        let renamed = rename("INBOX/C").await.unwrap();
        assert_eq!((renamed.id.clone(), renamed.name.as_str()), (made.id.clone(), "INBOX/C"));
        let writes = || world.sandbox.counts(Provider::Microsoft).writes;
        let before = writes();
        assert_eq!(rename("inbox/C").await.unwrap().name, "INBOX/C");
        assert_eq!(writes(), before, "it is in that folder already");
        assert_eq!(rename("Work/C").await.unwrap().name, "Work/C");
        assert_eq!(rename("C").await.unwrap().name, "C");
        let inbox = world.of_role(Role::Inbox).await;
        let refused = world.graph.rename_collection(Kind::Mail, &inbox, Some("Mail"), None).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported);
        assert_eq!(world.graph.removal(Kind::Mail, &inbox).await.unwrap(), Removal::Never);
        assert!(!world.graph.remove_collection(Kind::Mail, &inbox).await.unwrap());
        // One that is a mailbox like others, and stays: before anything in it goes anywhere.
        let chats = CollectionId(world.sandbox.graph_mail_chats_create().unwrap());
        assert_eq!(world.graph.removal(Kind::Mail, &chats).await.unwrap(), Removal::Never);
        let kept = world.deliver(made.id.as_str(), &letter("kept"));
        assert_eq!(world.graph.removal(Kind::Mail, &made.id).await.unwrap(), Removal::Whole);
        assert!(!world.graph.remove_collection(Kind::Mail, &made.id).await.unwrap());
        world.sandbox.graph_mail_move(kept.as_str(), "inbox").unwrap();
        assert!(world.graph.remove_collection(Kind::Mail, &made.id).await.unwrap());
        assert!(world.graph.remove_collection(Kind::Mail, &made.id).await.unwrap(), "it is gone already");
        assert!(world.collections().await.iter().all(|collection| collection.id != made.id));
        assert_eq!(world.held(&kept)["folder"], json!(["Posteingang"]));
    }
}

mod rounds {
    use super::*;

    #[tokio::test]
    async fn a_run_with_nothing_to_do_costs_one_request_for_the_folders_and_one_for_each_twenty_of_them() {
        let mut world = World::empty();
        for at in 0..30 {
            world.folder(&format!("F{at}"));
        }
        world.deliver("inbox", &letter("one"));
        world.only().await;
        let before = world.requests();
        assert!(world.pull().await.unwrap().is_empty());
        assert_eq!(world.requests() - before, 1 + 2);
    }

    #[tokio::test]
    async fn a_listing_shows_all_that_is_known_of_a_message_but_its_bytes() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let categories = json!(["Blaue Kategorie"]);
        world.edit(
            &id,
            json!({"isRead": true, "flag": {"flagStatus": "flagged"}, "importance": "high", "categories": categories,
            "singleValueExtendedProperties": [{"id": "Integer 0x1081", "value": "104"}]}),
        );
        let seen = world.only().await;
        assert_eq!(seen.remote_id, id);
        assert_eq!(seen.collection, world.of_role(Role::Inbox).await);
        assert_eq!(words(&seen), ["$flagged", "$forwarded", "$important", "$seen", "blaue_kategorie"]);
        assert_eq!(sheet(&seen).own["categories"], categories);
        assert!(sheet(&seen).received_ms.is_some() && sheet(&seen).draft.is_none());
        assert!(world.graph.lens(Kind::Mail).facts(&seen.rendering).lacks_body);
        assert_eq!(world.fetch(&seen).await.unwrap().unwrap(), seen, "a look shows what a list shows");
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_looked_at_stops_no_other_and_is_looked_at_again() {
        for (code, others) in [(500, 0), (500, 3), (403, 0), (403, 3)] {
            let switches = Switches { graph_delta_read_state_alone: true, ..Default::default() };
            let mut world = World::with(switches);
            let one = world.deliver("inbox", &letter("one"));
            let more: Vec<RemoteId> = (0..others).map(|n| world.deliver("inbox", &letter(&format!("m{n}")))).collect();
            world.told().await;
            for id in [&one].into_iter().chain(&more) {
                world.edit(id, json!({"isRead": true}));
            }
            let new = world.deliver("inbox", &letter("new"));
            let rule = Rule::any(Fault::status(code)).on(Provider::Microsoft).path(one.as_str()).times(20);
            world.sandbox.fault(rule);
            let told = world.pull().await.unwrap();
            let what = format!("{code}, {others} others: {told:?}");
            let is_seen =
                |id: &RemoteId| told.iter().any(|it| matches!(it, Entry::Seen(seen) if seen.remote_id == *id));
            assert!(is_seen(&new) && more.iter().all(is_seen) && !is_seen(&one), "{what}");
            let is_bad = |it: &Entry| matches!(it, Entry::Bad { remote_id, .. } if *remote_id == one);
            assert!(told.iter().any(is_bad), "{what}");
            world.sandbox.clear_faults();
            let (there, _) = world.told().await;
            assert_eq!(words(&there[&one]), ["$seen"], "{code}: looked at again");
            assert!(world.pull().await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_row_that_tells_only_the_read_mark_takes_nothing_else_away() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"categories": ["Work"]}));
        world.pull().await.unwrap();
        world.edit(&id, json!({"isRead": true}));
        assert_eq!(words(&world.only().await), ["$seen", "work"]);
    }

    #[tokio::test]
    async fn a_message_that_left_is_a_question_and_stands_where_it_went() {
        let mut world = World::empty();
        let work = world.folder("Work");
        let (moved, deleted, purged) = (
            world.deliver("inbox", &letter("1")),
            world.deliver("inbox", &letter("2")),
            world.deliver("inbox", &letter("3")),
        );
        let (before, _) = world.told().await;
        world.sandbox.graph_mail_move(moved.as_str(), work.as_str()).unwrap();
        world.sandbox.graph_mail_delete(deleted.as_str()).unwrap();
        world.sandbox.graph_mail_purge(purged.as_str()).unwrap();
        let (there, gone) = world.told().await;
        assert_eq!(gone, BTreeSet::from([moved.clone(), deleted.clone(), purged.clone()]));
        assert_eq!(there[&moved].collection, work);
        let trash = world.of_role(Role::Trash).await;
        assert_eq!(there[&deleted].collection, trash);
        for (id, stands) in [(&moved, Some(work)), (&deleted, Some(trash)), (&purged, None)] {
            let now = world.fetch(&before[id]).await.unwrap();
            assert_eq!(now.map(|seen| seen.collection), stands, "{id}");
        }
    }

    #[tokio::test]
    async fn a_message_that_left_and_came_back_is_told_as_gone_and_is_there() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let before = world.only().await;
        let work = world.folder("Work");
        world.sandbox.graph_mail_move(id.as_str(), work.as_str()).unwrap();
        world.sandbox.graph_mail_move(id.as_str(), "inbox").unwrap();
        let (there, gone) = world.told().await;
        assert_eq!((there.len(), gone), (0, BTreeSet::from([id])));
        assert_eq!(world.fetch(&before).await.unwrap().unwrap().collection, before.collection);
    }

    #[tokio::test]
    async fn in_rough_weather_a_round_still_says_where_everything_stands() {
        let mut world = World::with(Switches {
            list_lag_s: 0,
            graph_moved_reason: "changed".into(),
            page_size_cap: 2,
            ..Switches::hostile()
        });
        let ids: Vec<RemoteId> = (0..7).map(|at| world.deliver("inbox", &letter(&at.to_string()))).collect();
        let (there, _) = world.told().await;
        assert_eq!(there.keys().collect::<BTreeSet<_>>(), ids.iter().collect());
        world.edit(&ids[0], json!({"isRead": true}));
        world.edit(&ids[0], json!({"categories": ["Work"]}));
        world.sandbox.graph_mail_delete(ids[1].as_str()).unwrap();
        let (there, gone) = world.told().await;
        assert_eq!(words(&there[&ids[0]]), ["$seen", "work"]);
        assert!(gone.contains(&ids[1]));
        assert_eq!(there[&ids[1]].collection, world.of_role(Role::Trash).await);
    }

    #[tokio::test]
    async fn a_dead_token_asks_for_a_listing_in_every_shape_of_the_error() {
        for (status, code) in [(410, "resyncRequired"), (410, "syncStateNotFound"), (400, "ErrorInvalidSyncStateData")]
        {
            for lower in [true, false] {
                let mut world = World::with(Switches {
                    graph_expired_status: status,
                    graph_expired_code: code.into(),
                    graph_lower_inner_error: lower,
                    ..Switches::default()
                });
                world.deliver("inbox", &letter("one"));
                world.only().await;
                world.sandbox.graph_expire_delta_tokens();
                assert_eq!(world.pull().await.unwrap_err().kind, ErrorKind::TokenExpired, "{status} {code}");
                world.tokens.clear();
                world.only().await;
            }
        }
    }

    #[tokio::test]
    async fn a_round_whose_link_dies_is_begun_again_from_the_token_that_was_kept() {
        let world = World::with(Switches { page_size_cap: 1, ..Switches::default() });
        world.deliver("inbox", &letter("1"));
        world.deliver("inbox", &letter("2"));
        let inbox = world.of_role(Role::Inbox).await;
        let feeds = world.graph.feeds(Kind::Mail, &world.collections().await);
        let feed = feeds.iter().find(|feed| feed.collections.contains(&inbox)).unwrap();
        let known = Known::new();
        let poll = async |since| world.graph.changes(&[Poll { feed, since, known: &known }]).await.pop().unwrap();
        let Next::Page(link) = poll(Since::Start).await.unwrap().next else { panic!("there is more") };
        world.sandbox.graph_expire_delta_tokens();
        assert_eq!(
            poll(Since::Page(link)).await.unwrap_err().kind,
            ErrorKind::Unknown,
            "nothing that was kept is dead"
        );
    }

    #[tokio::test]
    async fn a_throttled_page_is_throttled_and_the_other_folders_are_none_the_worse() {
        let mut world = World::empty();
        world.deliver("inbox", &letter("one"));
        world.pull().await.unwrap();
        let collections = world.collections().await;
        let rule = Rule::any(Fault::throttled("90000")).on(Provider::Microsoft).parts();
        world.sandbox.fault(rule.times(1));
        let feeds = world.graph.feeds(Kind::Mail, &collections);
        let known = Known::new();
        let polls: Vec<Poll<'_>> = feeds.iter().map(|feed| Poll { feed, since: Since::Start, known: &known }).collect();
        let pages = world.graph.changes(&polls).await;
        let failed: Vec<ErrorKind> = pages.iter().filter_map(|page| Some(page.as_ref().err()?.kind)).collect();
        assert!(failed.iter().all(|kind| matches!(kind, ErrorKind::Throttled { .. })), "{failed:?}");
        assert_eq!(failed.len(), 1, "of {} folders", pages.len());
    }
}

mod bodies {
    use super::*;

    #[tokio::test]
    async fn bytes_are_read_once_each_and_kept_as_they_came() {
        let mut world = World::with(Switches { graph_mime_rewritten: "never".into(), ..Switches::default() });
        for at in 0..6 {
            world.deliver("inbox", &letter(&at.to_string()));
        }
        let (there, _) = world.told().await;
        let copies: Vec<Unread> = there.values().map(unread).collect();
        let before = world.requests();
        let whole = world.graph.bodies(Kind::Mail, &copies).await;
        assert_eq!(world.requests() - before, 6, "what the round showed is not asked for once more");
        for (copy, listed) in whole.into_iter().zip(there.values()) {
            let copy = copy.unwrap().unwrap();
            let text = String::from_utf8(world.bytes(&copy)).unwrap();
            let sheet = sheet(&copy);
            assert_eq!(
                sheet.says["subject"],
                json!(text.split("Subject: ").nth(1).unwrap().split("\r\n").next().unwrap())
            );
            assert_eq!(text, letter(sheet.says["subject"].as_str().unwrap()));
            assert_eq!(sheet.size, Some(text.len() as u64));
            // Of the header, lists show the id alone, and how large Exchange takes the message to be.
            let listed_sheet = self::sheet(listed);
            assert!(listed_sheet.size.is_some());
            let size = listed_sheet.size;
            let says = sheet.says.clone().into_iter().filter(|(member, _)| member == "messageId").collect();
            assert_eq!(Sheet { blob_id: None, size, says, ..sheet }, listed_sheet);
            // What a later list shows is filled in from this.
            let lens = world.graph.lens(Kind::Mail);
            let settled = lens.settle_unknown(&copy.rendering, listed.rendering.clone());
            assert_eq!(settled, copy.rendering);
        }
    }

    #[tokio::test]
    async fn what_no_round_showed_is_asked_for_and_what_is_gone_is_none() {
        let mut world = World::empty();
        let (kept, purged) = (world.deliver("inbox", &letter("1")), world.deliver("inbox", &letter("2")));
        let (there, _) = world.told().await;
        let first = world.body(&there[&kept]).await;
        let again = world.body(&there[&kept]).await;
        assert_eq!(sheet(&first).says, sheet(&again).says);
        assert_eq!(first.etag, again.etag);
        world.sandbox.graph_mail_purge(purged.as_str()).unwrap();
        let gone = world.graph.bodies(Kind::Mail, &[place(&there[&purged]).into()]).await.pop().unwrap();
        assert_eq!(gone.unwrap(), None);
        let gone = world.graph.bodies(Kind::Mail, &[unread(&there[&purged])]).await.pop().unwrap();
        assert_eq!(gone.unwrap(), None, "a round showed it, and it is gone since");
    }

    #[tokio::test]
    async fn bytes_that_do_not_come_are_an_error_of_that_message_alone() {
        let mut world = World::empty();
        let (one, two) = (world.deliver("inbox", &letter("1")), world.deliver("inbox", &letter("2")));
        let (there, _) = world.told().await;
        let corrupt = Fault::Status {
            status: 500,
            retry_after: None,
            executed: false,
            body: Some(json!({"error": {"code": "ErrorCorruptData", "message": "no"}})),
        };
        world.sandbox.fault(Rule::any(corrupt).on(Provider::Microsoft).path(&format!("/{}/$value", one.as_str())));
        let whole = world.graph.bodies(Kind::Mail, &[unread(&there[&one]), unread(&there[&two])]).await;
        assert_eq!(whole[0].as_ref().unwrap_err().kind, ErrorKind::Refused);
        assert_eq!(whole[1].as_ref().unwrap().as_ref().unwrap().remote_id, two);
    }

    #[tokio::test]
    async fn bytes_are_read_four_at_a_time_no_fewer_and_no_more() {
        let mut world = World::empty();
        for n in 0..12 {
            world.deliver("inbox", &letter(&format!("{n}")));
        }
        let (there, _) = world.told().await;
        world.answer_together(4);
        let copies: Vec<Unread> = there.values().map(unread).collect();
        let read = world.graph.bodies(Kind::Mail, &copies).await;
        assert!(read.len() == 12 && read.iter().all(|copy| matches!(copy, Ok(Some(_)))), "{read:?}");
        assert_eq!(world.most_together(), 4);
    }

    #[tokio::test]
    async fn a_message_that_is_too_large_is_refused_and_where_its_size_is_known_its_bytes_are_not_asked_for() {
        let mut world = World::taking(1 << 20, Switches::default());
        let small = world.deliver("inbox", &letter("small"));
        let large = world.deliver("inbox", &format!("{}{}", letter("large"), "x".repeat(2 << 20)));
        let (told, _) = world.told().await;
        let shown = [unread(&told[&large]), unread(&told[&small])];
        let named = [&large, &small].map(|id| Unread::from(place(&told[id])));
        for copies in [&shown, &named] {
            let before = world.requests();
            let answers = world.graph.bodies(Kind::Mail, copies).await;
            let error = answers[0].as_ref().unwrap_err();
            assert!(error.kind == ErrorKind::Refused && error.to_string().contains("more than the 1 MB"), "{error}");
            assert!(answers[1].as_ref().unwrap().is_some());
            // The bytes of the small one, and the second time what is said of both.
            assert!(world.requests() - before <= 2);
        }
        // Its text is larger than what was said of it.
        let (status, retry_after, executed) = (200, None, false);
        let fault = Fault::Status { status, retry_after, executed, body: Some(json!("x".repeat(2 << 20))) };
        world.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).path("$value"));
        let error = world.graph.bodies(Kind::Mail, &shown[1..]).await.remove(0).unwrap_err();
        assert!(error.kind == ErrorKind::Refused && error.to_string().contains("more than the 1 MB"), "{error}");
    }

    #[tokio::test]
    async fn a_draft_that_somebody_writes_on_lacks_its_bytes_again() {
        let mut world = World::empty();
        let id = world.sandbox.graph_mail_draft(letter("draft").as_bytes());
        let listed = world.only().await;
        assert!(words(&listed).contains(&"$draft".to_owned()));
        let whole = world.body(&listed).await;
        world.sandbox.graph_mail_edit_draft(&id, letter("draft 2").as_bytes()).unwrap();
        let now = world.only().await.rendering;
        let lens = world.graph.lens(Kind::Mail);
        let settled = lens.settle_unknown(&whole.rendering, now);
        assert!(lens.facts(&settled).lacks_body);
    }
}

#[tokio::test]
async fn without_a_place_for_bytes_there_is_no_mail() {
    let world = World::empty();
    let base = Url::parse(&world.sandbox.urls().microsoft_graph).unwrap();
    let graph = Microsoft365::new(Options {
        graph: Client::new(ClientOptions::new(base, Arc::new(GraphDialect))).unwrap(),
        hub_id: "hub".into(),
        zones: Arc::new(SystemZones::in_folder(None)),
        home_zone: None,
        blobs: None,
    });
    assert_eq!(graph.collections(Kind::Mail).await.unwrap_err().kind, ErrorKind::Unsupported);
    assert!(graph.abilities().moves.is_empty() && !graph.abilities().makes_collections.contains(&Kind::Mail));
}

#[tokio::test]
async fn only_a_404_that_says_what_is_missing_says_that_a_message_is_not_there() {
    let mut world = World::empty();
    world.deliver("inbox", &letter("one"));
    let seen = world.only().await;
    let coded = |code: &str| Some(json!({"error": {"code": code, "message": "It was not found."}}));
    for (body, is_gone) in [
        (Some(json!("")), false),
        (Some(json!({})), false),
        (coded(""), false),
        (coded("UnknownError"), false),
        (coded("ErrorItemNotFound"), true),
        (coded("itemNotFound"), true),
    ] {
        let fault = Fault::Status { status: 404, retry_after: None, executed: false, body: body.clone() };
        world.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).path(seen.remote_id.as_str()));
        match world.fetch(&seen).await {
            Ok(None) => assert!(is_gone, "{body:?}"),
            answer => assert!(
                !is_gone && answer.as_ref().is_err_and(|error| error.kind == ErrorKind::Unknown),
                "{body:?}: {answer:?}"
            ),
        }
        world.sandbox.with(|state| state.faults.clear());
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_sets_no_message_aside() {
    let mut world = World::empty();
    world.deliver("inbox", &letter("one"));
    let seen = world.only().await;
    // In the place of its bytes; and in the place of the message, once nothing was shown of it.
    for path in ["value", seen.remote_id.as_str()] {
        let page = Fault::Html { executed: false };
        world.sandbox.fault(Rule::any(page).on(Provider::Microsoft).path(path));
        let copy = if path == "value" { unread(&seen) } else { place(&seen).into() };
        let read = world.graph.bodies(Kind::Mail, &[copy]).await.pop().unwrap();
        assert_eq!(read.unwrap_err().kind, ErrorKind::Unknown, "{path}");
        world.sandbox.with(|state| state.faults.clear());
        assert!(sheet(&world.body(&seen).await).blob().is_some(), "{path}");
    }
}
