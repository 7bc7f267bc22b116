//! What must hold when the day is over.

use super::*;

/// Of what stood in the way, people are told this.
const MESSAGES: [&str; 4] = [
    "google: a sign-in is needed. Type: twofold login google",
    "twofold: there is no room on the disk of STATE: some are free, and 1000 TB are to stay free. Type: df -h; twofold status",
    "twofold: over: there is no room on the disk",
    "google: over: a sign-in is needed",
];
/// What a run over all kinds asks that finds nothing, both providers together, with a token now and then.
const RUN_REQUESTS: u64 = 15;
/// What one change takes at both providers together, repeats of what failed by chance among them.
const CHANGE_REQUESTS: u64 = 4;
/// Back-off doubles from a minute on: no provider is asked in vain more often than this in an hour.
const MOST_MISSED: usize = 7;
/// What a run asks of a provider that does not answer.
const VAIN_REQUESTS: u64 = 12;
/// A change on a device is at the providers within 2 s and the time of its run's requests.
const TO_PROVIDER_MS: i64 = 2_000 + 30 * REQUEST_MS;
/// Twenty services that look every five minutes may take 2 % of one core: that is a look.
const LOOK_CPU_MS: u64 = 300;
/// What is to be listed in full is so within this time, though requests fail by chance.
const LISTED_WITHIN_MS: i64 = 30 * MINUTE;
const MOST_PAUSE_S: u64 = 64;
const MEMORY_GROWTH: f64 = 1.2;

impl Day {
    /// What must hold when the day is over.
    pub(super) async fn judge(&self) {
        let seed = self.seed;
        let wrong = self.wrong();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        // One more run has nothing to do.
        self.sandbox.reset_counts();
        let (context, args) = (self.context(), sync::Args::default());
        let config = context.config().unwrap();
        let report = sync::sync(&context, &config, &args, Calls::default(), Arc::new(Silent), None).await.unwrap();
        assert_eq!((report.exit, &report.troubles), (exit::ALIGNED, &Vec::new()), "seed {seed}");
        assert!(!report.replicas.iter().any(|row| row.moved()), "seed {seed}: {:?}", report.replicas);
        assert_eq!(self.sandbox.writes(Provider::Google) + self.sandbox.writes(Provider::Microsoft), 0, "seed {seed}");
        assert_eq!(self.told().await, MESSAGES, "seed {seed}");
    }

    /// All that is not as it must be.
    fn wrong(&self) -> Vec<String> {
        let (seed, runs) = (self.seed, self.runs.borrow());
        let mut wrong = self.life.borrow().wrong();
        let coming = self.coming.borrow();
        wrong.extend(coming.iter().map(|(change, goal)| format!("it did not come to {goal:?}: {change:?}")));
        for hour in 0..24 {
            wrong.extend(self.busy(hour));
        }
        PROVIDERS.iter().for_each(|provider| wrong.extend(self.impatient(provider)));
        wrong.extend(self.vain());
        wrong.extend(self.late());
        wrong.extend(self.said());
        wrong.extend(self.listed());
        let memory = self.memory.borrow();
        let (early, late) = (memory[0], memory[memory.len() - 1]);
        let busy = runs.iter().filter(|ran| ran.outcome == Outcome::Busy).count();
        println!("seed {seed}: {} runs, {busy} of them busy, {} changes", runs.len(), self.life.borrow().changes.len());
        println!("memory after each hour, in KiB: {memory:?}");
        if late as f64 > early as f64 * MEMORY_GROWTH {
            wrong.push(format!("the memory grew from {early} to {late} KiB"));
        }
        wrong
    }

    /// Requests without a network: each time a few for each kind, and what is tried again of them.
    fn vain(&self) -> Vec<String> {
        let all = self.troubles.borrow();
        let (_, from, to) = all.iter().find(|(wrong, ..)| *wrong == Wrong::Network).unwrap();
        let runs = self.runs.borrow();
        let of_hour = runs.iter().filter(|ran| (*from..to.unwrap()).contains(&ran.began));
        let requests: u64 = of_hour.map(|ran| ran.requests).sum();
        let most = (PROVIDERS.len() * MOST_MISSED) as u64 * VAIN_REQUESTS;
        let words = format!("{requests} requests in an hour without a network, where {most} are enough");
        Vec::from_iter((requests > most).then_some(words))
    }

    /// Feeds that were not listed in full when they were to be, once each time, or besides.
    fn listed(&self) -> Vec<String> {
        let listings = self.listings.borrow();
        assert!(listings.len() >= 6, "seed {}: each kind at each provider has a feed: {listings:?}", self.seed);
        let is_well = |times: &BTreeSet<i64>| {
            let mut times = times.iter();
            times.next().is_some_and(|first| *first < HOUR)
                && FULL_CHECKS
                    .iter()
                    .all(|(_, from)| times.next().is_some_and(|at| (*from..*from + LISTED_WITHIN_MS).contains(at)))
                && times.next().is_none()
        };
        let wrong = listings.iter().filter(|(_, times)| !is_well(times));
        let clocks = |times: &BTreeSet<i64>| times.iter().map(|at| clock_of(*at)).collect::<Vec<_>>();
        wrong.map(|(feed, times)| format!("{feed:?} was listed in full at {:?}", clocks(times))).collect()
    }

    /// More runs in an hour than something called for, or more requests or time of the processor than those take.
    fn busy(&self, hour: i64) -> Vec<String> {
        let (life, runs) = (self.life.borrow(), self.runs.borrow());
        let runs: Vec<&Ran> = runs.iter().filter(|ran| hour_of(ran.began) == hour).collect();
        let on_device = |change: &&Change| change.place == Place::Device && hour_of(change.at_ms) == hour;
        // One after each change on the device, after each deed, and where a provider could not be reached, as often as back-off lets.
        let begun = DEEDS.iter().filter(|(at, _)| hour_of(*at) == hour).count();
        let missed = |name: &str| runs.iter().filter(|ran| ran.missed(name)).count().min(MOST_MISSED);
        let again: usize = PROVIDERS.iter().map(|name| missed(name)).sum();
        let most =
            usize::try_from(HOUR / POLL).unwrap() + 1 + life.changes.iter().filter(on_device).count() + begun + again;
        let requests: u64 = runs.iter().map(|ran| ran.requests).sum();
        // What was changed while something stood in the way is carried later.
        let carried = life.changes.iter().filter(|change| (hour - 2..=hour).contains(&hour_of(change.at_ms))).count();
        let most_requests = RUN_REQUESTS * most as u64 + CHANGE_REQUESTS * carried as u64;
        let cpu_ms = self.cpu_ms.borrow();
        let from = usize::try_from(hour).unwrap();
        let (cpu_ms, most_cpu_ms) = (cpu_ms[from + 1] - cpu_ms[from], LOOK_CPU_MS * most as u64);
        println!(
            "hour {hour}: {} runs of {most}, {requests} requests of {most_requests}, {cpu_ms} ms of {most_cpu_ms}",
            runs.len()
        );
        let mut wrong = Vec::new();
        if runs.len() > most {
            let told = |ran: &&Ran| format!("{}: {:?}, {:?}", clock_of(ran.began), ran.duty, ran.outcome);
            let told: Vec<String> = runs.iter().map(told).collect();
            wrong.push(format!("{} runs in hour {hour}, where {most} were called for: {told:#?}", runs.len()));
        }
        if requests > most_requests {
            wrong.push(format!("{requests} requests in hour {hour}, where {most_requests} are enough"));
        }
        if cpu_ms > most_cpu_ms {
            wrong.push(format!("{cpu_ms} ms of the processor in hour {hour}, where {most_cpu_ms} are enough"));
        }
        wrong
    }

    /// A provider that could not be reached and was asked again too early.
    fn impatient(&self, provider: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let (mut times, mut ended) = (0_u32, 0);
        for ran in self.runs.borrow().iter().filter(|ran| ran.asked(provider)) {
            // After these, everybody is asked at once.
            let is_anew = |(at, deed): &(i64, Deed)| {
                (ended..=ran.began).contains(at)
                    && !matches!(deed, Deed::Weather(_) | Deed::Change(_) | Deed::Hour | Deed::Wrong(Wrong::Network, _))
            };
            let is_fresh = self.starts.borrow().iter().any(|at| (ended..=ran.began).contains(at));
            if DEEDS.iter().any(is_anew) || is_fresh {
                times = 0;
            }
            let wait = MINUTE.saturating_mul(1 << times.saturating_sub(1).min(10)).min(HOUR);
            if times > 0 && ran.began - ended < wait {
                wrong.push(format!("{provider} was asked again too early, after {times} failures: {ran:?}"));
            }
            (times, ended) = (if ran.missed(provider) { times + 1 } else { 0 }, ran.ended);
        }
        wrong
    }

    /// Changes that took too long while all was well.
    fn late(&self) -> Vec<String> {
        let took = self.took.borrow();
        let mut wrong = Vec::new();
        for (from_device, most) in [(false, POLL + 1000), (true, TO_PROVIDER_MS)] {
            let of_way: Vec<_> = took
                .iter()
                .filter(|(_, change, goal)| match from_device {
                    true => change.place == Place::Device,
                    false => change.place != Place::Device && *goal == Place::Device,
                })
                .collect();
            let slowest = of_way.iter().map(|(ms, ..)| *ms).max().unwrap_or_default();
            println!("from the device {from_device}: {} changes, the slowest took {slowest} ms", of_way.len());
            assert!(of_way.len() >= 5, "seed {}: too few changes to say how long they take", self.seed);
            wrong.extend(of_way.iter().filter(|(ms, ..)| *ms > most).map(|late| format!("it came late: {late:?}")));
        }
        wrong
    }

    /// What the log says too often, too late or not at all.
    fn said(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let at = |is_over: bool, what: &str| -> Vec<i64> {
            let level = if is_over { Level::INFO } else { Level::WARN };
            let is_it =
                |line: &&Line| line.1 == level && line.2.starts_with("over: ") == is_over && line.2.contains(what);
            lines.iter().filter(is_it).map(|(at, ..)| *at).collect()
        };
        let mut wrong = Vec::new();
        for (wrong_one, from, to) in self.troubles.borrow().iter() {
            let (what, to) = match (wrong_one, to) {
                (Wrong::Disk, Some(to)) => ("disk: ", to),
                (Wrong::SignIn, Some(to)) => ("twofold login google", to),
                // Its words are those of whichever request met it.
                (Wrong::Network, Some(_)) => continue,
                (_, None) => panic!("{wrong_one:?} is not over"),
            };
            let (begun, over) = (at(false, what), at(true, what));
            let is_well = begun.len() == 1 && over.len() == 1 && (*from..from + POLL + MINUTE).contains(&begun[0]);
            if !is_well || !(*to..to + POLL + MINUTE).contains(&over[0]) {
                wrong.push(format!("{what}: begun at {begun:?}, over at {over:?}; it was from {from} to {to}"));
            }
        }
        wrong.extend(lines.iter().filter(|(_, level, _)| *level == Level::ERROR).map(|line| format!("{line:?}")));
        // Nobody asks for a longer pause than this.
        let is_long = |line: &&Line| line.2.contains("asked us to wait; ") && !line.2.starts_with("over");
        let left_s = |words: &str| words.rsplit("; ").next()?.split(' ').next()?.parse::<u64>().ok();
        let long =
            lines.iter().filter(is_long).filter(|line| left_s(&line.2).is_none_or(|left_s| left_s > MOST_PAUSE_S));
        wrong.extend(long.map(|line| format!("nobody asked for so long a pause: {line:?}")));
        wrong
    }

    /// The messages that people got; the last of them may be on its way to the disk still.
    async fn told(&self) -> Vec<String> {
        for _ in 0..1000 {
            let text = std::fs::read_to_string(self.path("notices")).unwrap_or_default();
            if text.lines().count() >= MESSAGES.len() {
                let message = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
                let state = self.path("state").display().to_string();
                let text_of = |line| {
                    let text = message(line)["text"].as_str().unwrap().replace(&state, "STATE");
                    // Which configuration this process read first.
                    let text = match text.split_once("--config ") {
                        Some((before, after)) => format!("{before}{}", after.split_once(' ').unwrap().1),
                        None => text,
                    };
                    match text
                        .split_once("STATE: ")
                        .and_then(|(before, after)| Some((before, after.split_once(" are free")?.1)))
                    {
                        Some((before, after)) => format!("{before}STATE: some are free{after}"),
                        None => text,
                    }
                };
                return text.lines().map(text_of).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("seed {}: nobody was told of all that stood in the way", self.seed);
    }
}

/// The hour of the day, from 0 on.
fn hour_of(ms: i64) -> i64 {
    ms / HOUR
}
