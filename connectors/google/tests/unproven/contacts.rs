//! Contacts.

use crate::connected::google;
use crate::desk::{Desk, mark};
use serde_json::{Value, json};
use twofold_google::Google;
use twofold_google::contacts::ContactsLens;
use twofold_http::Clock;
use twofold_model::{Connector, Content, ErrorKind, Found, Kind, Lens, RemoteId, Seen, Since, card};
use twofold_sandbox::google::tiny_png;
use twofold_sandbox::{Fault, Provider, Rule, Switches};

const DAY_MS: u64 = 86_400_000;

fn desk(set: impl FnOnce(&mut Switches)) -> Desk<Google> {
    Desk::new(Kind::Contacts, set, google)
}

fn edit(world: &Desk<Google>, seen: &Seen, field: &str, value: Value) {
    world.sandbox.google_edit(seen.remote_id.as_str(), |person| person[field] = value).unwrap();
}

fn read(seen: &Seen) -> Content {
    ContactsLens.read(&seen.rendering).unwrap()
}

fn note(content: &mut Content) {
    content.set("notes", json!({"note": {"note": "n"}}));
}

fn ada() -> Content {
    Content::from_value(json!({"name": {"components": [{"kind": "given", "value": "Ada"}]}}))
}

fn with(member: &str, value: Value) -> Content {
    let mut content = ada();
    content.set(member, value);
    content
}

#[tokio::test]
async fn a_lost_create_is_looked_for_until_the_list_must_show_it() {
    for list_lag_s in [0, 180] {
        let world = desk(|switches| switches.list_lag_s = list_lag_s);
        world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Google).path("createContact").times(1));
        let sent_ms = world.now_ms();
        assert_eq!(world.create("1", &ada()).await.unwrap_err().kind, ErrorKind::Unknown);
        let look = async || world.find("1", sent_ms).await;
        if list_lag_s > 0 {
            let Found::NotBefore(until) = look().await else { panic!("nothing is said before the lag is over") };
            world.time.passes(u64::try_from(until - sent_ms).unwrap());
        }
        assert!(matches!(look().await, Found::Here(seen) if seen.mark == Some(mark("1"))));
    }
}

#[tokio::test]
async fn an_emptied_carry_all_stays_empty() {
    for client_data_sticky in [true, false] {
        let world = desk(|switches| switches.client_data_sticky = client_data_sticky);
        let seen = world.made("1", &with("kind", json!("org"))).await;
        let now = world.done(world.update(&seen, |content| content.set("kind", Value::Null))).await;
        assert_eq!(read(&now), ada());
        let listed = world.round(Since::Start).await.unwrap();
        let listed = &listed.seen[&now.remote_id];
        assert_eq!((read(&world.settle(&now, listed.clone())), listed.mark.clone()), (ada(), Some(mark("1"))));
    }
}

#[tokio::test]
async fn an_edit_that_drops_client_data_removes_nothing_of_what_it_held() {
    for people_edit_drops_client_data in [false, true] {
        let world = desk(|switches| switches.people_edit_drops_client_data = people_edit_drops_client_data);
        let seen = world.made("1", &with("kind", json!("org"))).await;
        let since = world.round(Since::Start).await.unwrap().since();
        edit(&world, &seen, "nicknames", json!([{"value": "Countess"}]));
        let now = world.round(since).await.unwrap().seen.remove(&seen.remote_id).unwrap();
        let settled = world.settle(&seen, now);
        let content = read(&settled);
        assert_eq!(content.get("kind"), Some(&json!("org")));
        assert!(content.get("nicknames").is_some(), "and the edit is seen");
        // It is written back with the next change of ours.
        let written = world.done(world.update(&settled, |content| content.set("kind", json!("group")))).await;
        assert_eq!(read(&written).get("kind"), Some(&json!("group")));
    }
}

#[tokio::test]
async fn what_has_no_field_fits_or_the_contact_is_refused_alone() {
    let large = |size: usize| with("vCardProps", json!({"p": {"line": format!("X-A:{}", "x".repeat(size))}}));
    let world = desk(|switches| switches.people_most_client_data_bytes = 0);
    assert_eq!(read(&world.made("1", &large(7000)).await), large(7000));
    // What no entry takes stays in the hub alone; the contact is written.
    assert_eq!(read(&world.made("2", &large(20_000)).await), ada());
    let world = desk(|switches| switches.people_most_client_data_bytes = 2000);
    let operations = [world.creation("1", &large(7000)).await, world.creation("2", &large(500)).await];
    let answers = world.connector.write(Kind::Contacts, &operations).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(read(answers[1].as_ref().unwrap().as_ref().unwrap()), large(500));
}

#[tokio::test]
async fn a_photo_alone_is_found_by_the_delta_or_by_the_full_listing() {
    for photo_changes_etag in [true, false] {
        let world = desk(|switches| switches.photo_changes_etag = photo_changes_etag);
        let seen = world.made("1", &ada()).await;
        let since = world.round(Since::Start).await.unwrap().since();
        world.sandbox.google_set_photo(seen.remote_id.as_str(), Some(tiny_png([1, 0, 0]))).unwrap();
        let told = world.round(since).await.unwrap();
        assert_eq!(told.seen.len(), usize::from(photo_changes_etag));
        let listed = world.round(Since::Start).await.unwrap();
        assert!(read(&listed.seen[&seen.remote_id]).get("media").is_some());
        // One that we set ourselves is agreed on in both cases.
        let media = json!({"photo": {"kind": "photo", "uri": card::data_uri("image/png", &tiny_png([2, 0, 0]))}});
        let now = world
            .done(world.update(&listed.seen[&seen.remote_id], |content| content.set("media", media.clone())))
            .await;
        assert_eq!(read(&now).get("media"), Some(&media));
        assert_eq!(read(&world.fetch(&now).await.unwrap()), read(&now));
    }
}

#[tokio::test]
async fn a_full_listing_is_planned_before_a_token_can_die() {
    for delta_prolongs_token in [true, false] {
        let world = desk(|switches| switches.delta_prolongs_token = delta_prolongs_token);
        let seen = world.made("1", &ada()).await;
        let relist_ms = world.connector.abilities().relist_after_s * 1000;
        assert!(relist_ms > 0 && relist_ms < 7 * DAY_MS);
        let mut round = world.round(Since::Start).await.unwrap();
        for _ in 0..3 {
            world.time.passes(relist_ms / 3);
            round = world.round(round.since()).await.unwrap();
        }
        world.time.passes(2 * DAY_MS);
        // Used longer than planned, it lives or says that it is dead; then the listing has everybody.
        match world.round(round.since()).await {
            Ok(_) => assert!(delta_prolongs_token),
            Err(error) => assert_eq!((error.kind, delta_prolongs_token), (ErrorKind::TokenExpired, false)),
        }
        assert!(world.round(Since::Start).await.unwrap().seen.contains_key(&seen.remote_id));
    }
}

#[tokio::test]
async fn a_dead_token_lists_in_full_whatever_its_status() {
    for expired_sync_token_status in [400, 410] {
        let world = desk(|switches| switches.expired_sync_token_status = expired_sync_token_status);
        let seen = world.made("1", &ada()).await;
        let since = world.round(Since::Start).await.unwrap().since();
        world.sandbox.google_expire_sync_tokens();
        assert_eq!(world.round(since).await.err().unwrap().kind, ErrorKind::TokenExpired);
        assert!(world.round(Since::Start).await.unwrap().seen.contains_key(&seen.remote_id));
    }
}

#[tokio::test]
async fn a_false_alarm_about_an_etag_is_merged_and_sent_again() {
    for people_false_etag_mismatch in [0, 1] {
        let world = desk(|switches| switches.people_false_etag_mismatch = people_false_etag_mismatch);
        let seen = world.made("1", &ada()).await;
        let answer = world.write(world.update(&seen, note)).await;
        let kind = answer.as_ref().err().map(|error| error.kind);
        assert_eq!(kind, (people_false_etag_mismatch == 1).then_some(ErrorKind::StaleEtag));
        world.sandbox.switch(|switches| switches.people_false_etag_mismatch = 0);
        let now = world.fetch(&seen).await.unwrap();
        assert!(read(&world.done(world.update(&now, note)).await).get("notes").is_some());
    }
}

#[tokio::test]
async fn merged_persons_are_followed_or_told_as_gone_beside_the_new_one() {
    for people_merge_keeps_former_names in [true, false] {
        let world = desk(|switches| switches.people_merge_keeps_former_names = people_merge_keeps_former_names);
        let ada = world.made("1", &with("kind", json!("org"))).await;
        let twin = world.made("2", &ada_twin()).await;
        let since = world.round(Since::Start).await.unwrap().since();
        let merged = RemoteId(world.sandbox.google_merge(ada.remote_id.as_str(), twin.remote_id.as_str()).unwrap());
        let round = world.round(since).await.unwrap();
        let now = read(&round.seen[&merged]);
        assert!(now.get("notes").is_some() && now.get("name").is_some(), "what both said is there: {now:?}");
        for former in [&ada, &twin] {
            let is_followed = round.renamed.contains(&(former.remote_id.clone(), merged.clone()));
            assert_eq!(is_followed, people_merge_keeps_former_names);
            assert_eq!(round.gone.contains(&former.remote_id), !people_merge_keeps_former_names);
            // Before anything is removed it is asked for by name: followed, or certainly gone.
            let asked = world.fetch(former).await.map(|seen| seen.remote_id);
            assert_eq!(asked, people_merge_keeps_former_names.then(|| merged.clone()));
        }
    }
}

fn ada_twin() -> Content {
    let mut twin = ada();
    note(&mut twin);
    twin
}

#[tokio::test]
async fn a_contact_outside_all_groups_is_what_the_list_says() {
    for people_lists_groupless in [false, true] {
        let world = desk(|switches| switches.people_lists_groupless = people_lists_groupless);
        let seen = world.made("1", &ada()).await;
        let since = world.round(Since::Start).await.unwrap().since();
        edit(&world, &seen, "memberships", json!([]));
        // A delta and a full listing say the same: it left, or it is there as it was.
        let told = world.round(since).await.unwrap();
        let listed = world.round(Since::Start).await.unwrap();
        for round in [&told, &listed] {
            let copy = round.seen.get(&seen.remote_id).map(read);
            assert_eq!(copy, people_lists_groupless.then(ada));
        }
        assert_eq!(told.gone.contains(&seen.remote_id), !people_lists_groupless);
        if !people_lists_groupless {
            assert!(world.fetch(&seen).await.is_none(), "and is confirmed as gone");
        }
    }
}

#[tokio::test]
async fn a_contact_whose_group_died_after_it_was_listed_is_put_into_a_new_one() {
    for people_dead_group_status in [400, 404, 200] {
        let world = desk(|switches| switches.people_dead_group_status = people_dead_group_status);
        let group = world.sandbox.google_add_group("ICE").unwrap();
        let since = world.round(Since::Start).await.unwrap().since();
        world.sandbox.google_delete_group(&group).unwrap();
        let ice = with("keywords", json!({"ICE": true}));
        let seen = world.made("1", &ice).await;
        assert_eq!(read(&seen), ice);
        let told = world.round(since).await.unwrap();
        assert_eq!((told.seen.len(), read(&told.seen[&seen.remote_id])), (1, ice), "{people_dead_group_status}");
    }
}

#[tokio::test]
async fn a_category_that_is_only_spelt_otherwise_is_told_by_the_delta_or_by_the_full_listing() {
    for people_same_update_restamps in [true, false] {
        let world = desk(|switches| switches.people_same_update_restamps = people_same_update_restamps);
        let seen = world.made("1", &with("keywords", json!({"ICE": true}))).await;
        let since = world.round(Since::Start).await.unwrap().since();
        // The group is the same, so nothing changes there; what was asked for is agreed on.
        let asked = with("keywords", json!({"ice": true}));
        let now = world.done(world.update(&seen, |content| *content = asked.clone())).await;
        assert_eq!((read(&now), now.etag != seen.etag), (asked, people_same_update_restamps));
        let told = world.round(since).await.unwrap();
        assert_eq!(told.seen.len(), usize::from(people_same_update_restamps));
        let listed = world.round(Since::Start).await.unwrap();
        for round in [&told, &listed] {
            assert!(round.seen.values().all(|seen| read(seen).at(&["keywords", "ICE"]).is_some()));
        }
    }
}

#[tokio::test]
async fn values_that_come_back_otherwise_are_what_was_agreed_on() {
    for trims in [false, true] {
        let world = desk(|switches| {
            (switches.trim_values, switches.recase_emails, switches.reorder_fields) = (trims, trims, trims);
            switches.restamp_etag_after_s = if trims { 5 } else { 0 };
        });
        let emails = json!({card::key("a"): {"address": "Ada@Example.org", "label": " x "}});
        let seen = world.made("1", &with("emails", emails)).await;
        world.time.passes(60_000);
        let listed = world.round(Since::Start).await.unwrap();
        assert_eq!(read(&listed.seen[&seen.remote_id]), read(&seen));
        assert_eq!(read(&world.fetch(&seen).await.unwrap()), read(&seen));
    }
}

#[tokio::test]
async fn a_tight_quota_is_waited_for_and_nothing_is_lost_or_doubled() {
    for per_minute in [0, 2] {
        let world = desk(|switches| {
            switches.people_reads_per_min = per_minute;
            switches.people_writes_per_min = per_minute;
        });
        // A pause that is too long for one run ends it, and the next run begins after it.
        let pause = |error: twofold_model::Error| match error.kind {
            ErrorKind::Throttled { retry_after_s } => world.time.passes(retry_after_s.unwrap_or(60) * 1000),
            kind => panic!("{kind:?}: {error}"),
        };
        let began_ms = world.time.now_ms();
        for item in 1..=5 {
            while let Err(error) = world.create(&item.to_string(), &ada()).await {
                pause(error);
            }
        }
        for _ in 0..3 {
            let round = loop {
                match world.round(Since::Start).await {
                    Ok(round) => break round,
                    Err(error) => pause(error),
                }
            };
            assert_eq!(round.seen.len(), 5);
        }
        assert_eq!(world.time.now_ms() > began_ms + 60_000, per_minute > 0);
        assert_eq!(world.sandbox.google_people().len(), 5);
    }
}
