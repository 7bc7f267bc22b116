//! The page: what stands where, what happened, and what waits for somebody. Plain HTML without scripts, for phones too.
//!
//! Invariant: everything that others named goes through `said::Said` or `said::Name`.

mod plot;
mod said;
mod waiting;

use super::facts::{Board, Collection, Facts, Replica, Room, Run};
use super::health;
use said::{Moment, Name, Said, count, span};
use std::fmt::Write as _;

pub use plot::SPAN_MS;
pub use said::bytes;

/// The style sheet.
pub const STYLE: &str = include_str!("style.css");

/// So many runs are listed.
const RUNS: usize = 12;
/// A place with more collections than these shows the others when it is asked to.
const COLLECTIONS: usize = 6;
/// The page loads itself again after so many seconds, unless somebody may be at a form.
const AGAIN_S: u32 = 60;

/// Words for people, with each command as it is typed here.
pub type Typed<'a> = &'a dyn Fn(&str) -> String;

/// The whole page; `form` is the word that its forms hold.
pub fn page(board: &Board, form: &str, typed: Typed<'_>) -> String {
    let facts = &board.facts;
    let mut body = String::new();
    state(&mut body, facts, typed);
    waiting::held(&mut body, board, form);
    waiting::conflicts(&mut body, board, typed);
    body.push_str("<div class=\"places\">");
    for replica in &facts.replicas {
        let collections = board.collections.get(&replica.name).map_or(&[][..], Vec::as_slice);
        place(&mut body, facts, replica, collections, typed);
    }
    body.push_str("</div>");
    let drawn = plot::plot(&board.runs, facts.now_ms);
    if !drawn.is_empty() {
        let _ = write!(body, "<section id=\"plot\"><h2>The last days</h2>{drawn}</section>");
    }
    runs(&mut body, &board.runs, facts.now_ms);
    limits(&mut body, facts);
    frame("twofold", if board.held.is_empty() { Some(AGAIN_S) } else { None }, &body)
}

/// A page that says one thing, and leads back.
pub fn message(title: &str, words: &str) -> String {
    let body = format!(
        "<section id=\"message\"><h2>{}</h2><p>{}</p><p><a href=\"/\">Back to the page</a></p></section>",
        Said(title),
        Said(words)
    );
    frame(title, None, &body)
}

fn frame(title: &str, again_s: Option<u32>, body: &str) -> String {
    let again = again_s.map(|s| format!("<meta http-equiv=\"refresh\" content=\"{s}\">")).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title>{again}<link rel=\"stylesheet\" href=\"/style.css\"><link rel=\"icon\" href=\"data:,\"></head>\n\
         <body><h1>twofold</h1>\n<main>{body}</main></body></html>\n",
        Said(title)
    )
}

/// Whether all is well, what it is at, and when it goes on.
fn state(out: &mut String, facts: &Facts, typed: Typed<'_>) {
    let (service, now_ms) = (&facts.service, facts.now_ms);
    out.push_str("<section id=\"state\">");
    let troubles = health::troubles(facts);
    match (troubles.is_empty(), troubles.iter().any(|trouble| trouble.is_ill())) {
        (true, _) => out.push_str("<h2 class=\"good\">All is well</h2>"),
        (false, false) => out.push_str("<h2>It goes on, but something stands in the way</h2>"),
        (false, true) => out.push_str("<h2 class=\"bad\">Something is wrong</h2>"),
    }
    for trouble in &troubles {
        let class = if trouble.is_ill() { " class=\"bad\"" } else { "" };
        let _ = write!(out, "<p{class}>{}</p>", Said(&typed(&trouble.words)));
    }
    match (&service.at_work, service.next_run_ms) {
        (Some((since_ms, kinds)), _) => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            let since = Moment { at_ms: *since_ms, now_ms };
            let _ = write!(out, "<p>A run over {} is under way; it began {since}.</p>", kinds.join(", "));
            for (replica, done, of) in &service.readings {
                let (done, of) = (count(*done as u64), count(*of as u64));
                let _ = write!(out, "<p>{}: {done} of {of} messages are read.</p>", Name(replica));
            }
        }
        (None, Some(at_ms)) => {
            let _ = write!(out, "<p>The next run is due {}.</p>", Moment { at_ms, now_ms });
        }
        (None, None) => {}
    }
    let since = Moment { at_ms: service.started_ms, now_ms };
    let _ = write!(out, "<p class=\"dim\">twofold {}; the service began {since}.</p></section>", Said(&facts.version));
}

/// One place and its collections.
fn place(out: &mut String, facts: &Facts, replica: &Replica, collections: &[Collection], typed: Typed<'_>) {
    let now_ms = facts.now_ms;
    let what = if replica.is_device { "a device folder" } else { "a provider" };
    let name = Name(&replica.name);
    let _ = write!(out, "<section class=\"place\"><h2>{name} <span class=\"dim\">{what}</span></h2>");
    let needed = replica.sign_in.as_ref().and_then(|sign_in| sign_in.needed.as_ref());
    let met = replica.trouble.as_ref().filter(|_| !health::signed_in_since(facts, replica));
    if let Some(words) = needed.or(met) {
        let _ = write!(out, "<p class=\"bad\">{}</p>", Said(&typed(words)));
    }
    if let Some(ends_ms) = replica.sign_in.as_ref().and_then(|sign_in| sign_in.ends_ms) {
        let _ = write!(out, "<p class=\"dim\">The sign-in ends {}.</p>", Moment { at_ms: ends_ms, now_ms });
    }
    let late: Vec<_> = health::late_kinds(facts, replica).collect();
    out.push_str("<ul>");
    for (kind, kept) in &replica.kinds {
        let read =
            kept.read_ms.map_or_else(|| "never read".to_owned(), |at_ms| format!("read {}", Moment { at_ms, now_ms }));
        let is_refused = replica.sign_in.as_ref().is_some_and(|sign_in| sign_in.not_granted.contains_key(kind));
        let why = match (is_refused, replica.down.contains(kind)) {
            (true, _) => ", not granted",
            (false, true) => ", could not be read since",
            (false, false) => "",
        };
        let class = if late.contains(kind) || !why.is_empty() { "bad" } else { "dim" };
        let items = count(kept.items as u64);
        let _ = write!(
            out,
            "<li class=\"row\"><span>{kind}: {items} items</span><span class=\"{class}\">{read}{why}</span></li>"
        );
    }
    out.push_str("</ul>");
    for (number, words) in [(replica.quarantined, "in quarantine"), (replica.withheld, "cannot be held there")] {
        if number > 0 {
            let _ = write!(
                out,
                "<p>{} items {words}: <code>{}</code></p>",
                count(number as u64),
                Said(&typed("twofold status"))
            );
        }
    }
    let (shown, more) = collections.split_at(COLLECTIONS.min(collections.len()));
    list(out, shown, now_ms);
    if !more.is_empty() {
        let _ = write!(out, "<details><summary>{} more</summary>", more.len());
        list(out, more, now_ms);
        out.push_str("</details>");
    }
    out.push_str("</section>");
}

fn list(out: &mut String, collections: &[Collection], now_ms: i64) {
    out.push_str("<ul class=\"collections\">");
    for one in collections {
        let note = one.note.map(|note| format!("; {note}")).unwrap_or_default();
        let moment = |word, at_ms: Option<i64>| {
            at_ms.map(|at_ms| format!("; {word} {}", Moment { at_ms, now_ms })).unwrap_or_default()
        };
        let read = moment("read", one.read_ms) + &moment("proven", one.proof_ms);
        let account = one.account.as_deref().map(|account| format!("{}; ", Said(account))).unwrap_or_default();
        let (name, items) = (Name(&one.name), count(one.items as u64));
        let _ = write!(
            out,
            "<li class=\"row\"><span>{name}</span><span class=\"dim\">{account}{}, {items}{note}{read}</span></li>",
            Said(&one.kind)
        );
    }
    out.push_str("</ul>");
}

/// What an exit code means, in a few words.
fn meaning(run: &Run) -> String {
    match run.exit {
        Some(0) => "aligned".into(),
        Some(3) => "sign-in needed".into(),
        Some(4) => "something is held".into(),
        Some(5) => "conflicts or quarantine".into(),
        Some(75) => "something could not be reached".into(),
        Some(exit) => format!("failed ({exit})"),
        None => "cut off, or under way".into(),
    }
}

fn runs(out: &mut String, runs: &[Run], now_ms: i64) {
    if runs.is_empty() {
        return;
    }
    out.push_str("<section id=\"runs\"><h2>The last runs</h2><ul>");
    for run in runs.iter().take(RUNS) {
        let began = Moment { at_ms: run.started_ms, now_ms };
        let took = run
            .ended_ms
            .map_or_else(String::new, |ended| format!(", {}", took((ended - run.started_ms).unsigned_abs())));
        let (changes, requests) = (count(run.changes), count(run.requests));
        let _ = write!(
            out,
            "<li class=\"row\"><span>{began}{took}: {}</span><span class=\"dim\">{changes} changes, {requests} requests</span></li>",
            meaning(run)
        );
    }
    out.push_str("</ul></section>");
}

/// How long a run took.
fn took(ms: u64) -> String {
    if ms < 10_000 { format!("{:.1} s", ms as f64 / 1000.0) } else { span(ms) }
}

fn limits(out: &mut String, facts: &Facts) {
    let disk = &facts.disk;
    let free = |room: &Room| format!("{} are free", bytes(room.free));
    let (state, devices): (Vec<&Room>, Vec<&Room>) = disk.rooms.iter().partition(|room| room.device.is_none());
    let of_state = state.first().map(|room| free(room));
    let _ = write!(
        out,
        "<section id=\"limits\"><h2>Disk and budgets</h2><ul><li class=\"row\"><span>the state folder</span><span class=\"dim\">{}{}</span></li>",
        bytes(disk.hub + disk.messages),
        of_state.as_ref().map(|words| format!("; {words}")).unwrap_or_default()
    );
    for room in devices.into_iter().filter(|room| Some(free(room)) != of_state) {
        let (folder, free) = (Said(&room.folder()), free(room));
        let _ = write!(out, "<li class=\"row\"><span>{folder}</span><span class=\"dim\">{free}</span></li>");
    }
    for budget in &facts.budgets {
        let pause = if budget.pause_ms > 0 {
            format!("; asked for a pause of {}", span(budget.pause_ms))
        } else {
            String::new()
        };
        let left = (budget.left * 100.0).floor();
        let _ = write!(
            out,
            "<li class=\"row\"><span>{}</span><span class=\"dim\">{left} % of its budget left{pause}</span></li>",
            Said(&budget.service)
        );
    }
    out.push_str("</ul></section>");
}
