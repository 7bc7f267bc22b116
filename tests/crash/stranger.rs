//! Somebody else signs in at a provider while a run is under way.

use super::scenarios::{Act, Deed, Expect, Scenario, Side, row};
use super::world::World;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use twofold_model::Kind as Of;
use twofold_sandbox::{Kind, Options, Phase, Provider};

use Act::{Here, There};
use Deed::{Create, Mark, Move};
use Side::{Google, Microsoft};

const SCENARIO: Scenario = Scenario {
    kind: Of::Mail,
    ..row(
        "mail: somebody else signs in",
        &[
            There(Google, Create("Nora")),
            There(Google, Move("Anchor", "Work")),
            Here(Google, Create("Dora")),
            Here(Google, Mark("Bosun", "flagged")),
            There(Microsoft, Create("Nils")),
            There(Microsoft, Move("Anchor", "Work")),
            Here(Microsoft, Create("Dirk")),
            Here(Microsoft, Mark("Bosun", "flagged")),
        ],
        &[
            Expect::There(Google, "Nora"),
            Expect::There(Google, "Dora"),
            Expect::There(Microsoft, "Nils"),
            Expect::There(Microsoft, "Dirk"),
        ],
    )
};

/// A run that finds, at its `n`th request to the provider, that the sign-ins were lost, that somebody else has signed in there since, and
/// that its own token is over. Gives its exit code, none where it made fewer requests.
fn interrupted(world: &World, (provider, name): (Provider, &str), n: usize) -> Option<Option<i32>> {
    let ((hit, is_hit), (go, may_go)) = (channel(), channel::<()>());
    let (seen, may_go) = (AtomicUsize::new(0), Mutex::new(may_go));
    world.sandbox.set_hook(Some(Arc::new(move |info, phase| {
        if info.provider != Some(provider) || info.kind != Kind::Api || info.is_part || phase != Phase::Before {
            return;
        }
        if seen.fetch_add(1, Ordering::SeqCst) + 1 == n {
            hit.send(()).unwrap();
            // The sandbox goes on meanwhile.
            tokio::task::block_in_place(|| may_go.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap());
        }
    })));
    let mut child = world.start();
    let is_interrupted = loop {
        if is_hit.try_recv().is_ok() {
            break true;
        }
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        std::thread::yield_now();
    };
    if is_interrupted {
        world.sandbox.switch(|switches| switches.another_account = true);
        world.sign_in_anew(name);
        world.sandbox.switch(|switches| switches.another_account = false);
        world.sandbox.expire_access_tokens(provider);
        go.send(()).unwrap();
    }
    let ended = world.end(child);
    world.sandbox.set_hook(None);
    is_interrupted.then_some(ended.exit)
}

#[test]
fn promise_1_another_account_in_the_middle_of_a_sync_of_mail_is_refused_and_deletes_nothing() {
    for (side, provider, name) in
        [(Google, Provider::Google, "google"), (Microsoft, Provider::Microsoft, "microsoft365")]
    {
        let wanted = super::number("TWOFOLD_KILLS", 2);
        for n in (2..).step_by(2).take(wanted) {
            let what = format!("{side:?}, request {n}");
            let mut world = World::new(&SCENARIO, Options::empty());
            SCENARIO.acts.iter().for_each(|act| world.act(act));
            world.remember();
            let names = |world: &World| -> Vec<Vec<String>> {
                world.rows().into_iter().map(|rows| rows.into_iter().map(|row| row.name).collect()).collect()
            };
            let (messages, mails) = (names(&world), world.count_mails());
            let Some(exit) = interrupted(&world, (provider, name), n) else {
                assert!(n > 4, "{what}: a run makes requests");
                break;
            };
            assert_ne!(exit, None, "{what}");
            let now = names(&world);
            for (now, then) in now.iter().zip(&messages) {
                assert!(then.iter().all(|name| now.contains(name)), "{what}: nothing goes at a provider: {now:?}");
            }
            assert!(world.count_mails() >= mails, "{what}: nothing goes on the device");
            // Every message that is new at a place is one that came there, or went there from its own other side.
            let news: Vec<&String> =
                now.iter().flatten().filter(|name| !messages.iter().flatten().any(|known| known == *name)).collect();
            assert!(news.iter().all(|name| ["Dora", "Dirk"].contains(&name.as_str())), "{what}: {news:?}");
            // The next run knows at once.
            let files = world.files();
            world.sandbox.reset_counts();
            let ended = world.sync();
            assert_eq!(ended.exit, Some(2), "{what}: {}", ended.words);
            assert_eq!(world.sandbox.writes(provider), 0, "{what}");
            assert_eq!(world.files(), files, "{what}: nothing is changed");
            world.sign_in_anew("google");
            world.sign_in("microsoft365");
            world.until_quiet(&what);
            world.is_as_it_should_be(&SCENARIO, &what);
        }
    }
}
