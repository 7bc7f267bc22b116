//! What waits for a person: held plans with their two buttons, and conflicts.

use super::Typed;
use super::said::{Moment, Name, Said};
use crate::endpoint::facts::{Board, Held};
use std::fmt::Write as _;

/// What is held, each with approve and drop.
pub fn held(out: &mut String, board: &Board, form: &str) {
    if board.held.is_empty() {
        return;
    }
    let _ = write!(out, "<section id=\"held\"><h2>Held: {}</h2>", board.held.len());
    out.push_str(
        "<p class=\"dim\">These were not done. Approve makes them with the next run; drop puts things back. What has no button ends by \
         itself, once what it says is put right.</p>",
    );
    for held in &board.held {
        one(out, held, board.facts.now_ms, form);
    }
    out.push_str("</section>");
}

fn one(out: &mut String, held: &Held, now_ms: i64, form: &str) {
    let (id, kind, since) = (Said(&held.id), Said(&held.kind), Moment { at_ms: held.since_ms, now_ms });
    let _ = write!(
        out,
        "<div class=\"hold\" id=\"hold-{id}\"><h3>{}: {kind} {}</h3><p>{}</p>",
        Name(&held.replica),
        Name(&held.collection),
        Said(&held.reason)
    );
    if !held.titles.is_empty() {
        let titles: Vec<String> = held.titles.iter().map(|title| Name(title).to_string()).collect();
        let _ = write!(out, "<p>{}</p>", titles.join(", "));
    }
    let _ = write!(out, "<p class=\"dim\">{id}, since {since}</p><div class=\"forms\">");
    let hidden = format!(
        "<input type=\"hidden\" name=\"form\" value=\"{}\"><input type=\"hidden\" name=\"id\" value=\"{id}\">",
        Said(form)
    );
    if held.can_be_approved {
        let tick = tick(held.people);
        let _ = write!(
            out,
            "<form method=\"post\" action=\"/approve\">{hidden}{tick}<button class=\"yes\">Approve</button></form>"
        );
    }
    if held.can_be_dropped {
        let _ = write!(out, "<form method=\"post\" action=\"/drop\">{hidden}<button>Drop</button></form>");
    }
    out.push_str("</div></div>");
}

/// The tick that says how many people may be mailed, where any would be.
fn tick(people: usize) -> String {
    let words = match people {
        0 => return String::new(),
        1 => "1 person".to_owned(),
        _ => format!("{people} people"),
    };
    format!("<label><input type=\"checkbox\" name=\"people\" value=\"{people}\" required> Mail {words}</label>")
}

/// What is in conflict. Which side is right, a person says with `twofold conflicts resolve`.
pub fn conflicts(out: &mut String, board: &Board, typed: Typed<'_>) {
    if board.conflicts.is_empty() {
        return;
    }
    let _ = write!(out, "<section id=\"conflicts\"><h2>In conflict: {}</h2>", board.conflicts.len());
    let command = typed("twofold conflicts show ID");
    let _ = write!(out, "<p class=\"dim\">Both sides are kept. See <code>{}</code>.</p><ul>", Said(&command));
    for one in &board.conflicts {
        let _ = write!(
            out,
            "<li class=\"row\"><span>{} {}: {}</span><span class=\"dim\">{}, {}</span></li>",
            Said(&one.kind),
            Name(&one.collection),
            Name(&one.title),
            Said(&one.fields.join(", ")),
            Said(&one.id)
        );
    }
    out.push_str("</ul></section>");
}
