//! Contacts.

use crate::connected::graph;
use crate::desk::{Desk, mark, place};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use twofold_microsoft365::Microsoft365;
use twofold_microsoft365::contacts::map::{ContactLens, Photo, Sheet};
use twofold_model::{
    Connector, Content, ErrorKind, Found, Identity, Kind, Lens, Operation, Place, RemoteId, Rendering, Result, Seen,
    Since, Uid, Written, card,
};
use twofold_sandbox::microsoft365::tiny_jpeg;
use twofold_sandbox::{Fault, Provider, Rule, Switches};

type World = Desk<Microsoft365>;

fn desk(set: impl FnOnce(&mut Switches)) -> World {
    Desk::new(Kind::Contacts, set, graph)
}

async fn create(world: &World, item: &str, card: Value) -> Result<Written> {
    world.create(item, &Content::from_value(card)).await
}

async fn made(world: &World, card: Value) -> Seen {
    create(world, "1", card).await.unwrap().unwrap()
}

fn held(world: &World, seen: &Seen) -> Value {
    world.sandbox.graph_contact(seen.remote_id.as_str()).unwrap()
}

fn edit(world: &World, seen: &Seen, field: &str, value: Value) {
    world.sandbox.graph_edit(seen.remote_id.as_str(), |contact| contact[field] = value).unwrap();
}

fn meaning(rendering: &Rendering) -> Content {
    ContactLens.read(rendering).unwrap()
}

fn note(content: &mut Content) {
    content.set("notes", json!({"note": {"note": "n"}}));
}

fn ada() -> Value {
    json!({"name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "King"}]}})
}

fn with(member: &str, value: Value) -> Value {
    let mut card = ada();
    card[member] = value;
    card
}

fn several(member: &str, values: &[&str], entry: impl Fn(&str) -> Value) -> Value {
    with(member, values.iter().map(|value| (card::key(value), entry(value))).collect::<serde_json::Map<_, _>>().into())
}

fn photo(colour: u8) -> Value {
    json!({"photo": {"kind": "photo", "uri": card::data_uri("image/jpeg", &tiny_jpeg([colour, 0, 0]))}})
}

#[tokio::test]
async fn a_stale_etag_is_refused_or_only_what_was_changed_is_sent() {
    for graph_ignores_if_match in [false, true] {
        let world = desk(|switches| switches.graph_ignores_if_match = graph_ignores_if_match);
        let seen = made(&world, ada()).await;
        edit(&world, &seen, "jobTitle", json!("Analyst"));
        let answer = world.write(world.update(&seen, note)).await;
        assert_eq!(answer.is_ok(), graph_ignores_if_match, "{answer:?}");
        assert_eq!(held(&world, &seen)["jobTitle"], "Analyst", "the other edit stands in both cases");
        // The refused one is merged and sent again with the present etag.
        let now = world.fetch(&seen).await.unwrap();
        let both = world.done(world.update(&now, note)).await;
        let both = meaning(&both.rendering);
        assert!(both.get("notes").is_some() && both.get("titles").is_some(), "{both:?}");
    }
    for graph_false_conflict in [0, 1] {
        let world = desk(|switches| switches.graph_false_conflict = graph_false_conflict);
        let seen = made(&world, ada()).await;
        let answer = world.write(world.update(&seen, note)).await;
        assert_eq!(
            answer.as_ref().err().map(|error| error.kind),
            (graph_false_conflict == 1).then_some(ErrorKind::StaleEtag)
        );
        world.sandbox.switch(|switches| switches.graph_false_conflict = 0);
        let now = world.fetch(&seen).await.unwrap();
        assert!(meaning(&world.done(world.update(&now, note)).await.rendering).get("notes").is_some());
    }
}

#[tokio::test]
async fn a_moved_contact_is_found_and_never_gone() {
    for graph_ids_change_on_move in [true, false] {
        for graph_immutable_move_hole in [true, false] {
            let world = desk(|switches| {
                switches.graph_ids_change_on_move = graph_ids_change_on_move;
                switches.graph_immutable_move_hole = graph_immutable_move_hole;
            });
            let seen = made(&world, ada()).await;
            let since = world.token().await;
            let other = world.sandbox.graph_folder_create("", "Choir").unwrap();
            world.sandbox.graph_move(seen.remote_id.as_str(), &other).unwrap();
            assert_eq!(world.fetch(&seen).await.unwrap().collection.as_str(), other);
            world.sandbox.graph_move(seen.remote_id.as_str(), "contacts").unwrap();
            // Whatever the row says: what is asked for by its id is there.
            world.round(since).await.unwrap();
            let now = world.fetch(&seen).await.unwrap();
            assert_eq!((now.collection.clone(), now.mark.clone()), (seen.collection.clone(), seen.mark.clone()));
        }
    }
}

#[tokio::test]
async fn a_row_with_few_properties_takes_nothing_away() {
    for graph_sparse_delta in [true, false] {
        let world = desk(|switches| switches.graph_sparse_delta = graph_sparse_delta);
        let seen = made(&world, with("notes", json!({"note": {"note": "n"}}))).await;
        let since = world.token().await;
        edit(&world, &seen, "jobTitle", json!("Analyst"));
        let now = world.seen_since(since, &seen).await;
        let content = meaning(&now[0].rendering);
        assert_eq!(content.get("notes"), meaning(&seen.rendering).get("notes"));
        assert!(content.get("titles").is_some() && content.get("name").is_some());
    }
}

#[tokio::test]
async fn a_dead_token_lists_in_full_whatever_it_is_called() {
    for graph_expired_status in [410, 400] {
        for graph_recased_codes in [false, true] {
            let world = desk(|switches| {
                switches.graph_expired_status = graph_expired_status;
                switches.graph_recased_codes = graph_recased_codes;
            });
            let seen = made(&world, ada()).await;
            let since = world.token().await;
            world.sandbox.graph_expire_delta_tokens();
            assert_eq!(world.round(since).await.unwrap_err().kind, ErrorKind::TokenExpired);
            assert_eq!(world.seen_since(Since::Start, &seen).await.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_deleted_contact_is_gone_in_both_ways_of_saying_so() {
    for graph_deleted_answers_404 in [false, true] {
        let world = desk(|switches| switches.graph_deleted_answers_404 = graph_deleted_answers_404);
        let seen = made(&world, ada()).await;
        let since = world.token().await;
        world.sandbox.graph_delete(seen.remote_id.as_str()).unwrap();
        let round = world.round(since).await.unwrap();
        assert_eq!((round.gone, round.seen.len()), (vec![seen.remote_id.clone()], 0));
        assert!(world.fetch(&seen).await.is_none());
    }
}

#[tokio::test]
async fn a_contact_that_can_still_be_read_is_not_believed_to_be_there_for_a_while() {
    for graph_reads_lag_s in [0, 300] {
        let world = desk(|switches| switches.graph_reads_lag_s = graph_reads_lag_s);
        let seen = made(&world, ada()).await;
        world.time.passes(600_000);
        let since = world.token().await;
        world.sandbox.graph_delete(seen.remote_id.as_str()).unwrap();
        let round = world.round(since).await.unwrap();
        assert_eq!((round.gone, round.seen.len()), (vec![seen.remote_id.clone()], 0));
        let still = world.fetch(&seen).await;
        assert_eq!(still.is_some(), graph_reads_lag_s > 0);
        assert!(still.is_none_or(|still| still.collection == seen.collection), "as it was, where it was");
        // The cycle asks again for so long.
        let lag_ms = world.connector.abilities().reads_lag_s * 1000;
        assert!(lag_ms > u64::try_from(graph_reads_lag_s).unwrap() * 1000);
        world.time.passes(lag_ms);
        assert!(world.fetch(&seen).await.is_none());
    }
}

#[tokio::test]
async fn a_photo_alone_is_found_by_the_delta_or_by_the_sweep() {
    for graph_delta_photo in [false, true] {
        let world = desk(|switches| switches.graph_delta_photo = graph_delta_photo);
        let seen = made(&world, ada()).await;
        let since = world.token().await;
        world.sandbox.graph_set_photo(seen.remote_id.as_str(), Some(tiny_jpeg([5, 0, 0]).to_vec())).unwrap();
        let told = world.seen_since(since, &seen).await;
        assert_eq!(told.len(), usize::from(graph_delta_photo));
        let swept = world.connector.sweep(Kind::Contacts, &[place(&seen)], 10).await.unwrap();
        for copy in told.iter().chain(&swept) {
            assert!(matches!(Sheet::open(&copy.rendering).unwrap().photo, Photo::Present(_)));
        }
        assert_eq!(swept.len(), 1);
    }
}

#[tokio::test]
async fn more_phones_and_addresses_than_a_list_takes_are_kept() {
    let phones = ["+15550000001", "+15550000002", "+15550000003", "+15550000004"];
    let phones = several(
        "phones",
        &phones,
        |number| json!({"number": number, "contexts": {"private": true}, "features": {"voice": true}}),
    );
    let chats = ["xmpp:a@example.org", "xmpp:b@example.org", "xmpp:c@example.org", "xmpp:d@example.org"];
    let chats = several("onlineServices", &chats, |uri| json!({"uri": uri}));
    for (graph_most_home_phones, graph_most_im_addresses) in [(2, 3), (0, 0)] {
        let world = desk(|switches| {
            switches.graph_most_home_phones = graph_most_home_phones;
            switches.graph_most_im_addresses = graph_most_im_addresses;
        });
        for (item, card) in [("phones", &phones), ("chats", &chats)] {
            let seen = create(&world, item, card.clone()).await.unwrap().unwrap();
            assert_eq!(meaning(&seen.rendering), Content::from_value(card.clone()), "{item}");
        }
        // More of them, written by somebody whom the service allowed it.
        if graph_most_home_phones == 0 {
            let seen = create(&world, "3", ada()).await.unwrap().unwrap();
            edit(&world, &seen, "homePhones", json!(["+15550000005", "+15550000006", "+15550000007"]));
            let now = world.fetch(&seen).await.unwrap();
            assert_eq!(meaning(&now.rendering).get("phones").unwrap().as_object().unwrap().len(), 3);
            world.done(world.update(&now, note)).await;
            assert_eq!(held(&world, &seen)["homePhones"].as_array().unwrap().len(), 3);
        }
    }
    // A bound that is tighter than ours: refused, that contact alone, and nothing is half written.
    let world = desk(|switches| switches.graph_most_home_phones = 1);
    assert_eq!(create(&world, "1", phones).await.unwrap_err().kind, ErrorKind::Refused);
    assert!(create(&world, "2", ada()).await.is_ok());
    assert_eq!(world.sandbox.graph_contacts().len(), 1);
}

#[tokio::test]
async fn what_has_no_field_fits_into_a_property_or_the_contact_is_refused_alone() {
    let large = |size: usize| with("vCardProps", json!({"p": {"line": format!("X-A:{}", "x".repeat(size))}}));
    for graph_most_property_bytes in [0, 8 * 1024] {
        let world = desk(|switches| switches.graph_most_property_bytes = graph_most_property_bytes);
        let kept = create(&world, "1", large(7000)).await.unwrap().unwrap();
        assert_eq!(meaning(&kept.rendering), Content::from_value(large(7000)));
        // What no property takes stays in the hub alone; the contact is written.
        let cut = create(&world, "2", large(20_000)).await.unwrap().unwrap();
        assert_eq!(meaning(&cut.rendering), Content::from_value(ada()));
    }
    let world = desk(|switches| switches.graph_most_property_bytes = 1000);
    assert_eq!(create(&world, "1", large(7000)).await.unwrap_err().kind, ErrorKind::Refused);
    assert!(create(&world, "2", large(500)).await.is_ok());
}

#[tokio::test]
async fn an_edit_that_drops_the_properties_removes_nothing_of_what_they_held() {
    for graph_edit_drops_properties in [false, true] {
        let world = desk(|switches| switches.graph_edit_drops_properties = graph_edit_drops_properties);
        let seen = made(&world, with("speakToAs", json!({"grammaticalGender": "feminine"}))).await;
        let since = world.token().await;
        edit(&world, &seen, "jobTitle", json!("Analyst"));
        let now = world.seen_since(since, &seen).await.remove(0);
        let content = meaning(&now.rendering);
        assert_eq!(content.get("speakToAs"), meaning(&seen.rendering).get("speakToAs"));
        assert!(content.get("titles").is_some(), "and the edit is seen");
    }
}

#[tokio::test]
async fn a_birthday_is_the_day_that_was_written() {
    for graph_birthday_at_noon in [true, false] {
        let world = desk(|switches| switches.graph_birthday_at_noon = graph_birthday_at_noon);
        let born = json!({"birth": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}}});
        let seen = made(&world, with("anniversaries", born.clone())).await;
        assert_eq!(meaning(&seen.rendering).get("anniversaries"), Some(&born));
        let now = world.done(world.update(&seen, note)).await;
        assert_eq!(meaning(&now.rendering).get("anniversaries"), Some(&born));
    }
}

#[tokio::test]
async fn the_default_folder_is_found_with_and_without_its_name() {
    for graph_knows_default_folder in [true, false] {
        for graph_default_folder_listed in [false, true] {
            let world = desk(|switches| {
                switches.graph_knows_default_folder = graph_knows_default_folder;
                switches.graph_default_folder_listed = graph_default_folder_listed;
            });
            let id = world.sandbox.graph_create("contacts", &json!({"givenName": "Ada"})).unwrap();
            let home = world.home().await;
            let place = Place { remote_id: RemoteId(id), collection: home.id.clone() };
            let there = world.connector.fetch(Kind::Contacts, &[place]).await.remove(0).unwrap().unwrap();
            assert_eq!(there.collection, home.id);
            assert_eq!(world.connector.collections(Kind::Contacts).await.unwrap().len(), 1, "it is one folder");
        }
    }
}

#[tokio::test]
async fn a_lost_create_is_looked_for_until_a_filter_must_show_it() {
    for graph_filter_lag_s in [0, 45] {
        let world = desk(|switches| switches.graph_filter_lag_s = graph_filter_lag_s);
        world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).method("POST").parts().times(1));
        let sent_ms = world.now_ms();
        assert_eq!(create(&world, "1", ada()).await.unwrap_err().kind, ErrorKind::Unknown);
        let look = async || world.find("1", sent_ms).await;
        let until = match look().await {
            Found::Here(_) => sent_ms,
            Found::NotBefore(until) => until,
            Found::Nowhere => panic!("nothing is said before the lag is over"),
        };
        assert_eq!(until > sent_ms, graph_filter_lag_s > 0);
        world.time.passes(u64::try_from(until - sent_ms).unwrap());
        assert!(matches!(look().await, Found::Here(seen) if seen.mark == Some(mark("1"))));
    }
}

/// What a contact has at Graph, field by field, and what a card says of it.
fn full_card() -> Value {
    let mut card = several("emails", &["a@example.org", "b@example.org", "c@example.org"], |a| json!({"address": a}));
    let part = |kind: &str, value: &str| json!({"kind": kind, "value": value});
    let mill = json!({"components": [part("name", "Mill 1"), part("locality", "Bath")]});
    card["addresses"] = json!({"other": mill});
    card["titles"] = json!({"title": {"kind": "title", "name": "Analyst"}});
    card["keywords"] = json!({"Choir": true});
    card
}

/// What was taken away is gone, or does not count and is listed; nothing else is touched, and nothing is written twice.
async fn takes_away(world: &World, what: &str, leaves: bool) {
    let seen = made(world, full_card()).await;
    let since = world.token().await;
    let take = |content: &mut Content| {
        ["emails", "addresses", "titles", "keywords"].iter().for_each(|member| content.set(member, Value::Null));
    };
    let now = world.done(world.update(&seen, take)).await;
    assert_eq!(meaning(&now.rendering), Content::from_value(ada()), "{what}: it says what was wanted");
    let held = held(world, &seen);
    let stands = |field: &str| ![json!(null), json!(""), json!([]), json!({})].contains(&held[field]);
    let left = ContactLens.leftovers(&now.rendering);
    for (member, field) in [
        ("emails", "emailAddresses"),
        ("addresses", "otherAddress"),
        ("titles", "jobTitle"),
        ("keywords", "categories"),
    ] {
        assert_eq!(left.iter().any(|left| left == member), stands(field), "{what}: {member} stands there, or is told");
    }
    assert_eq!(!left.is_empty(), leaves, "{what}: {left:?}");
    for copy in world.seen_since(since, &now).await {
        assert_eq!(meaning(&copy.rendering), meaning(&now.rendering), "{what}: no edit of anybody");
    }
    // A later change does not begin anew: one request, and what stands there goes on not to count.
    world.sandbox.reset_counts();
    let later = world.done(world.update(&now, note)).await;
    assert_eq!(world.sandbox.writes(Provider::Microsoft), 1, "{what}");
    let mut noted = Content::from_value(ada());
    note(&mut noted);
    assert_eq!(meaning(&later.rendering), noted, "{what}");
    assert_eq!(ContactLens.leftovers(&later.rendering), left, "{what}");
    // Said again by the user, it counts again.
    let mut full = Content::from_value(full_card());
    note(&mut full);
    let again = world.done(world.update(&later, |content| *content = full.clone())).await;
    assert_eq!(meaning(&again.rendering), full, "{what}");
    assert_eq!(ContactLens.leftovers(&again.rendering), Vec::<String>::new(), "{what}");
}

#[tokio::test]
async fn what_a_place_does_not_take_away_does_not_count_and_is_told() {
    for graph_empty_emails_leave_third in [true, false] {
        let world = desk(|switches| switches.graph_empty_emails_leave_third = graph_empty_emails_leave_third);
        takes_away(&world, "emails", graph_empty_emails_leave_third).await;
    }
    for graph_patch_answer in ["whole", "none", "stub"] {
        for (graph_cleared_by, leaves) in [("any", false), ("null", false), ("empty", false), ("nothing", true)] {
            let world = desk(|switches| {
                switches.graph_empty_emails_leave_third = false;
                switches.graph_cleared_by = graph_cleared_by.into();
                switches.graph_patch_answer = graph_patch_answer.into();
            });
            takes_away(&world, &format!("cleared by {graph_cleared_by}, answered {graph_patch_answer}"), leaves).await;
        }
    }
}

#[tokio::test]
async fn an_entry_left_out_of_a_list_that_stays_in_it_does_not_count_either() {
    for graph_cleared_by in ["nothing", "any"] {
        let world = desk(|switches| switches.graph_cleared_by = graph_cleared_by.into());
        let seen = made(&world, full_card()).await;
        let key = card::key("c@example.org");
        let take = |content: &mut Content| drop(content.0["emails"].as_object_mut().unwrap().shift_remove(&key));
        let now = world.done(world.update(&seen, take)).await;
        let (says, wanted) = (meaning(&now.rendering), meaning(&seen.rendering));
        assert_eq!(says.get("emails").unwrap().as_object().unwrap().len(), 2);
        assert_eq!(says.get("addresses"), wanted.get("addresses"));
        let left = held(&world, &seen)["emailAddresses"].as_array().unwrap().len();
        assert_eq!(
            (left == 3, left == 3),
            (graph_cleared_by == "nothing", !ContactLens.leftovers(&now.rendering).is_empty())
        );
        // Somebody writes another address over it: that one counts.
        edit(&world, &seen, "emailAddresses", json!([{"address": "new@example.org"}]));
        let then = world.fetch(&seen).await.unwrap();
        assert_eq!(meaning(&then.rendering).get("emails").unwrap().as_object().unwrap().len(), 1);
        assert_eq!(ContactLens.leftovers(&then.rendering), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_change_between_two_ways_of_taking_away_is_looked_at_again() {
    let world = desk(|switches| switches.graph_cleared_by = "null".into());
    let seen = made(&world, full_card()).await;
    right_after_the_patch(&world, &seen, "nickName", json!("Countess"));
    let answer = world.write(world.update(&seen, |content| content.set("addresses", Value::Null))).await;
    assert_eq!(answer.unwrap_err().kind, ErrorKind::StaleEtag, "taken again, merged and sent again");
    let now = world.fetch(&seen).await.unwrap();
    let done = world.done(world.update(&now, |content| content.set("addresses", Value::Null))).await;
    assert!(meaning(&done.rendering).get("addresses").is_none() && meaning(&done.rendering).get("nicknames").is_some());
}

#[tokio::test]
async fn a_create_has_nothing_that_a_server_could_stumble_over() {
    for graph_null_in_create_fails in [true, false] {
        let world = desk(|switches| switches.graph_null_in_create_fails = graph_null_in_create_fails);
        // A rendering that holds what was emptied, as one made from a copy that Graph once showed does.
        let identity = Identity { uid: Uid("u".into()), mark: Some(mark("1")) };
        let made = ContactLens.write(None, &Content::from_value(ada()), &identity).unwrap();
        let mut sheet = Sheet::open(&made).unwrap();
        sheet.contact.0.insert("title".into(), Value::Null);
        let (collection, rendering, uid) = (world.home().await.id, sheet.close(), identity.uid);
        let seen = world.done(Operation::Create { collection, rendering, uid, mark: mark("1") }).await;
        assert_eq!(meaning(&seen.rendering), Content::from_value(ada()));
    }
}

/// Somebody else does this right after the next PATCH, before anything is read back.
fn right_after_the_patch(world: &World, seen: &Seen, field: &'static str, value: Value) {
    let (sandbox, id, has_struck) = (world.sandbox.clone(), seen.remote_id.0.clone(), AtomicBool::new(false));
    world.sandbox.set_hook(Some(Arc::new(move |_info, phase| {
        if phase == twofold_sandbox::Phase::After && !has_struck.swap(true, Ordering::SeqCst) {
            sandbox.graph_edit(&id, |contact| contact[field] = value.clone()).unwrap();
        }
    })));
}

#[tokio::test]
async fn an_edit_right_after_a_write_is_not_taken_for_ours_however_little_was_answered() {
    for graph_patch_answer in ["whole", "none", "stub", "nameless"] {
        let world = desk(|switches| {
            switches.graph_patch_answer = graph_patch_answer.into();
            switches.trim_values = true;
        });
        let seen = made(&world, with("nicknames", json!({"k": {"name": "Countess"}}))).await;
        let since = world.token().await;
        // Undisturbed: what came of it is the base, in the place's own spelling, and nothing is left to tell.
        let say =
            |text: &'static str| move |content: &mut Content| content.set("notes", json!({"note": {"note": text}}));
        let second = world.done(world.update(&seen, say(" one "))).await;
        let says = |seen: &Seen| meaning(&seen.rendering).at(&["notes", "note", "note"]).cloned();
        assert_eq!(says(&second), Some(json!("one")), "{graph_patch_answer}");
        assert_eq!(Some(&second), world.fetch(&seen).await.as_ref(), "{graph_patch_answer}");
        // Another field, and the very same one: neither is ours.
        for (field, theirs) in [("jobTitle", "Analyst"), ("personalNotes", "theirs")] {
            let now = world.fetch(&seen).await.unwrap();
            right_after_the_patch(&world, &seen, field, json!(theirs));
            let third = world.done(world.update(&now, say("two"))).await;
            world.sandbox.set_hook(None);
            assert_eq!(says(&third), Some(json!("two")), "{graph_patch_answer}, {field}");
            assert_eq!(meaning(&third.rendering).get("nicknames"), meaning(&seen.rendering).get("nicknames"));
            let told = world.seen_since(since.clone(), &third).await.remove(0);
            assert_ne!(
                meaning(&told.rendering),
                meaning(&third.rendering),
                "{graph_patch_answer}, {field}: it is an edit"
            );
            assert!(meaning(&told.rendering).to_value().to_string().contains(theirs));
            assert!(told.modified_ms >= third.modified_ms, "and newer than what we know");
            // A write on what was not seen is refused.
            assert_eq!(world.write(world.update(&third, say("three"))).await.unwrap_err().kind, ErrorKind::StaleEtag);
            world.sandbox.graph_edit(seen.remote_id.as_str(), |contact| contact["jobTitle"] = Value::Null).unwrap();
        }
    }
}

#[tokio::test]
async fn an_address_that_loses_a_part_loses_it_there() {
    let address = |parts: &[(&str, &str)]| {
        let parts: Vec<Value> = parts.iter().map(|(kind, value)| json!({"kind": kind, "value": value})).collect();
        json!({"home": {"components": parts, "contexts": {"private": true}}})
    };
    let (whole, less) = ([("name", "Mill 1"), ("locality", "Bath")], [("locality", "Bath")]);
    for graph_address_patch_merges in [true, false] {
        let world = desk(|switches| switches.graph_address_patch_merges = graph_address_patch_merges);
        let seen = made(&world, with("addresses", address(&whole))).await;
        let now = world.done(world.update(&seen, |content| content.set("addresses", address(&less)))).await;
        let held = &held(&world, &seen)["homeAddress"];
        assert!(held["street"].as_str().unwrap_or_default().is_empty() && held["city"] == "Bath", "{held}");
        let text = json!(meaning(&now.rendering).get("addresses")).to_string();
        assert!(text.contains("Bath") && !text.contains("Mill"), "{text}");
    }
}

#[tokio::test]
async fn a_photo_taken_away_does_not_come_back_and_one_in_other_bytes_is_no_edit() {
    for graph_photo_delete_refused in [true, false] {
        let world = desk(|switches| switches.graph_photo_delete_refused = graph_photo_delete_refused);
        let seen = made(&world, with("media", photo(1))).await;
        let now = world.done(world.update(&seen, |content| content.set("media", Value::Null))).await;
        assert_eq!(meaning(&now.rendering).get("media"), None);
        let swept = world.connector.sweep(Kind::Contacts, &[place(&now)], 10).await.unwrap().remove(0);
        assert_eq!(meaning(&swept.rendering).get("media"), None, "what v1.0 cannot remove does not come back");
    }
    for graph_photo_reencoded in [true, false] {
        let world = desk(|switches| switches.graph_photo_reencoded = graph_photo_reencoded);
        let seen = made(&world, with("media", photo(1))).await;
        let swept = world.connector.sweep(Kind::Contacts, &[place(&seen)], 10).await.unwrap().remove(0);
        assert_eq!(meaning(&swept.rendering), meaning(&seen.rendering), "the answer was what it goes on to show");
    }
}

#[tokio::test]
async fn values_that_come_back_otherwise_are_what_was_agreed_on() {
    for trims in [false, true] {
        let world = desk(|switches| {
            (switches.trim_values, switches.recase_emails, switches.reorder_fields) = (trims, trims, trims);
            switches.restamp_etag_after_s = if trims { 5 } else { 0 };
        });
        let seen = made(
            &world,
            several("emails", &["Ada@Example.org"], |address| json!({"address": address, "label": " x "})),
        )
        .await;
        let since = world.token().await;
        world.time.passes(60_000);
        for copy in world.seen_since(since, &seen).await {
            assert_eq!(meaning(&copy.rendering), meaning(&seen.rendering));
        }
        assert_eq!(meaning(&world.fetch(&seen).await.unwrap().rendering), meaning(&seen.rendering));
    }
}
