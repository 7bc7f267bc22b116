//! A place that lets wait, or hangs: it holds nobody. All on a clock that is turned by hand.

use super::*;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use twofold_model::memory::Asked;

const BOTH: [Asked; 2] = [Asked::Collections, Asked::Changes];

/// What is changed at Microsoft, while Google lets wait for so long whoever asks it for that.
async fn with_a_slow_one(world: &mut World, slow: Asked, silence: Duration) {
    let place = world.google.clone();
    world.google = world.google.waiting(Arc::new(move |asked| {
        let place = place.clone();
        Box::pin(async move {
            if asked == slow {
                let _awaited = place.awaited();
                tokio::time::sleep(silence).await;
            }
        })
    }));
    world.microsoft.edit(&World::find(&world.microsoft, "Alan"), rename("Alan Turing"));
    // What the phone changed of it is sent in the same run, and of the others.
    world.phone.edit(&World::find(&world.phone, "Mary"), rename("Mary Somerville"));
    world.phone.delete(&World::find(&world.phone, "Hedy"));
    world.phone.create_in(0, &card("Rosalind", &["r@example.org"]));
    world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
}

/// One run. Answers when the phone was told each name, in milliseconds since it began, and how long all of it took.
async fn watched(world: &mut World, settings: Settings) -> (BTreeMap<String, u64>, u64, Report) {
    world.tick(60_000);
    let (began, phone) = (Instant::now(), world.phone.clone());
    let elapsed_ms = move || u64::try_from(began.elapsed().as_millis()).unwrap();
    let told: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    let note = told.clone();
    let looking = async {
        loop {
            for name in World::names(&phone) {
                note.lock().unwrap().entry(name).or_insert_with(elapsed_ms);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let report = tokio::select! {
        biased;
        report = world.run(&settings) => report.unwrap(),
        () = looking => unreachable!("it looks on and on"),
    };
    for name in World::names(&phone) {
        note.lock().unwrap().entry(name).or_insert_with(elapsed_ms);
    }
    let told = told.lock().unwrap().clone();
    (told, elapsed_ms(), report)
}

#[tokio::test(start_paused = true)]
async fn what_one_place_has_is_everywhere_within_seconds_while_another_one_is_slow_and_has_its_turn_in_the_same_run() {
    for slow in BOTH {
        let mut world = seeded(false);
        world.sync().await;
        with_a_slow_one(&mut world, slow, Duration::from_secs(20)).await;
        let settings = world.settings();
        let (told, took_ms, report) = watched(&mut world, settings).await;
        assert!(told["Alan Turing"] < 3_000, "{slow:?}: {told:?}");
        assert_eq!((report.exit, &report.troubles), (0, &Vec::new()), "{slow:?}");
        assert!(told.contains_key("Ada King"), "{slow:?}: {told:?}");
        let there = World::names(&world.google);
        let is_there = |name: &&str| there.iter().any(|there| there == *name);
        assert!(["Mary Somerville", "Ada King"].iter().all(is_there) && !is_there(&"Hedy"), "{slow:?}: {there:?}");
        assert!(took_ms < 45_000, "{slow:?}: {took_ms}");
        world.settled("a slow place").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_hangs_is_not_waited_for_any_more_when_somebody_waits_for_the_run() {
    for slow in BOTH {
        let mut world = seeded(false);
        world.sync().await;
        with_a_slow_one(&mut world, slow, Duration::from_secs(3600)).await;
        let settings = world.settings();
        settings.calls.is_waited_for.store(true, Ordering::SeqCst);
        let (told, took_ms, report) = watched(&mut world, settings).await;
        assert!(told["Alan Turing"] < 3_000, "{slow:?}: {told:?}");
        assert!(took_ms < 7_000, "{slow:?}: {took_ms}");
        assert_eq!(report.exit, 75, "{slow:?}: {:?}", report.troubles);
        let says = |words: &String| words.starts_with("google: ") && words.contains("gave no answer");
        assert!(report.troubles.iter().any(says), "{slow:?}: {:?}", report.troubles);
        assert!(report.down.iter().all(|(name, _)| name == "google") && !report.down.is_empty(), "{:?}", report.down);
        // All that Google has is on the phone still, and is Google's still.
        assert_eq!(World::names(&world.google).len(), 7, "{slow:?}");
        world.google = world.google.waiting(Arc::new(|_| Box::pin(std::future::ready(()))));
        world.sync().await;
        assert!(World::names(&world.phone).contains(&"Ada King".to_owned()), "{slow:?}");
        world.settled("it answers again").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_place_that_hangs() {
    for slow in BOTH {
        let mut world = seeded(false);
        world.sync().await;
        with_a_slow_one(&mut world, slow, Duration::from_secs(3600)).await;
        let settings = world.settings();
        let stop = settings.calls.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(10)).await;
            stop.store(true, Ordering::SeqCst);
        });
        let (_, took_ms, report) = watched(&mut world, settings).await;
        assert!((10_000..10_500).contains(&took_ms), "{slow:?}: {took_ms}");
        assert_eq!(report.exit, 75, "{slow:?}");
        assert!(!report.troubles.iter().any(|words| words.contains("google")), "{slow:?}: {:?}", report.troubles);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_else_can_be_kept_the_same_a_slow_place_is_waited_for_as_long_as_it_takes() {
    for slow in BOTH {
        let mut world = seeded(false);
        world.sync().await;
        world.microsoft.set_offline(true);
        world.is_phone_detached = true;
        with_a_slow_one(&mut world, slow, Duration::from_secs(20)).await;
        let settings = world.settings();
        let (_, took_ms, _) = watched(&mut world, settings).await;
        assert!((20_000..21_000).contains(&took_ms), "{slow:?}: it was asked once, {took_ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_whose_answer_takes_many_requests_is_not_silent_and_is_asked_once() {
    for slow in BOTH {
        let mut world = seeded(false);
        world.sync().await;
        let (place, asked) = (world.google.clone(), Arc::new(AtomicUsize::new(0)));
        let count = asked.clone();
        with_a_slow_one(&mut world, slow, Duration::ZERO).await;
        world.google = world.google.waiting(Arc::new(move |what| {
            let place = place.clone();
            count.fetch_add(usize::from(what == slow), Ordering::SeqCst);
            Box::pin(async move {
                for _ in 0..if what == slow { 20 } else { 0 } {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    place.hear(1000);
                }
            })
        }));
        let settings = world.settings();
        settings.calls.is_waited_for.store(true, Ordering::SeqCst);
        let (told, took_ms, report) = watched(&mut world, settings).await;
        assert!(told.contains_key("Ada King") && told.contains_key("Alan Turing"), "{slow:?}: {told:?}");
        assert_eq!((asked.load(Ordering::SeqCst), report.exit), (1, 0), "{slow:?}: {:?}", report.troubles);
        assert!((20_000..21_000).contains(&took_ms), "{slow:?}: {took_ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_given_up_is_waited_for_longer_the_next_times_until_it_has_had_its_turn() {
    for slow in BOTH {
        let mut world = seeded(false);
        world.sync().await;
        with_a_slow_one(&mut world, slow, Duration::from_secs(5)).await;
        let mut ends = Vec::new();
        for _ in 0..3 {
            let settings = world.settings();
            settings.calls.is_waited_for.store(true, Ordering::SeqCst);
            let (_, took_ms, report) = watched(&mut world, settings).await;
            ends.push((report.exit, took_ms / 1000));
        }
        // Two seconds for the others and three, or five that it took; once it was read it is no slow one any more.
        assert_eq!(ends, [(75, 5), (0, 7), (75, 5)], "{slow:?}");
        assert!(World::names(&world.google).contains(&"Mary Somerville".to_owned()), "{slow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_to_which_nothing_could_be_sent_yet_is_not_given_up_as_one_that_gives_no_answer() {
    for slow in BOTH {
        let mut world = seeded(false);
        world.sync().await;
        world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
        // Our own budget, or a pause that it asked for.
        world.google = world.google.waiting(Arc::new(move |asked| {
            let wait_s = if asked == slow { 20 } else { 0 };
            Box::pin(tokio::time::sleep(Duration::from_secs(wait_s)))
        }));
        let settings = world.settings();
        settings.calls.is_waited_for.store(true, Ordering::SeqCst);
        let (told, _, report) = watched(&mut world, settings).await;
        assert_eq!((report.exit, &report.troubles), (0, &Vec::new()), "{slow:?}");
        assert!(told.contains_key("Ada King"), "{slow:?}: {told:?}");
    }
}
