//! What the service mails to people of its own accord. Graph has no switch against it, so each mail is counted.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::super::store::IdForm;
use super::body::Body;
use super::store::event_id;
use crate::{State, Switches};

/// Why a mail went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// People were asked to come.
    Invitation,
    /// What they were asked to come to changed.
    Update,
    /// It is off, or they are no longer asked.
    Cancellation,
    /// The organizer is told that a guest comes or does not.
    Response,
    /// An invitation was passed on.
    Forward,
    /// The sender of a mail is told that it was read.
    ReadReceipt,
}

/// A mail that the real service would have sent because of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// When, by the sandbox's clock.
    pub at_ms: i64,
    /// Why.
    pub why: Why,
    /// The addresses.
    pub to: Vec<String>,
    /// The immutable id of the event, the master's for a series; for a receipt, of the mail.
    pub event: String,
    /// The day of the occurrence that it is about, if it is about one.
    pub occurrence: Option<String>,
    /// The subject of the event, or of the mail.
    pub subject: String,
}

/// What only the one who has the event sees of it.
const PRIVATE: [&str; 8] = [
    "categories",
    "reminderMinutesBeforeStart",
    "isReminderOn",
    "showAs",
    "sensitivity",
    "transactionId",
    "responseStatus",
    "hideAttendees",
];
/// What is said about the event but does not move it.
const WORDS: [&str; 6] =
    ["subject", "body", "importance", "responseRequested", "allowNewTimeProposals", "onlineMeetingProvider"];

/// Writes a mail down, if it is to anybody.
pub(super) fn send(state: &mut State, why: Why, to: Vec<String>, key: u64, date: Option<NaiveDate>, body: &Body) {
    if to.is_empty() {
        return;
    }
    let mail = Mail {
        at_ms: state.now_ms(),
        why,
        to,
        event: event_id(key, 0, IdForm::Immutable),
        occurrence: date.map(|date| date.to_string()),
        subject: body.fields["subject"].as_str().unwrap_or_default().to_owned(),
    };
    state.microsoft.calendar.mails.push(mail);
}

/// What was mailed so far.
pub(in super::super) fn mailed(state: &State) -> &[Mail] {
    &state.microsoft.calendar.mails
}

/// Tells the sender of a mail that it was read.
pub(in super::super) fn read_receipt(state: &mut State, to: String, message: String, subject: String) {
    let at_ms = state.now_ms();
    let mail = Mail { at_ms, why: Why::ReadReceipt, to: vec![to], event: message, occurrence: None, subject };
    state.microsoft.calendar.mails.push(mail);
}

/// Mails those who are asked to come to a new event.
pub(super) fn created(state: &mut State, key: u64, body: &Body) {
    if body.is("isOrganizer") {
        send(state, Why::Invitation, body.guests(), key, None, body);
    }
}

/// Mails those who were asked to come to an event that is off.
pub(super) fn deleted(state: &mut State, key: u64, date: Option<NaiveDate>, body: &Body) {
    if body.is("isOrganizer") {
        send(state, Why::Cancellation, body.guests(), key, date, body);
    } else if state.switches.graph_guest_delete_notifies && !body.is("isCancelled") {
        let organizer = body.fields["organizer"]["emailAddress"]["address"].as_str().map(str::to_owned);
        send(state, Why::Response, organizer.into_iter().collect(), key, date, body);
    }
}

/// Mails those whom a change of an event, or of one occurrence, is about.
pub(super) fn changed(state: &mut State, key: u64, date: Option<NaiveDate>, old: &Body, new: &Body) {
    // A guest's change is for the guest's own copy.
    if !new.is("isOrganizer") {
        return;
    }
    let (before, after): (BTreeSet<String>, BTreeSet<String>) =
        (old.guests().into_iter().collect(), new.guests().into_iter().collect());
    let those = |set: &BTreeSet<String>, other: &BTreeSet<String>| set.difference(other).cloned().collect::<Vec<_>>();
    send(state, Why::Invitation, those(&after, &before), key, date, new);
    send(state, Why::Cancellation, those(&before, &after), key, date, new);
    let tells = tells(old, new, before == after, &state.switches);
    if tells {
        send(state, Why::Update, before.intersection(&after).cloned().collect(), key, date, new);
    }
    if !tells && before == after {
        return;
    }
    // Documented: each exception is told in a mail of its own.
    let exceptions: Vec<NaiveDate> =
        new.series.iter().flat_map(|series| series.exceptions.keys().copied()).filter(|_| date.is_none()).collect();
    for date in exceptions {
        let one = new.on(date);
        send(state, Why::Update, one.guests(), key, Some(date), &one);
    }
}

/// Whether those who are asked to come before and after are told of the change.
fn tells(old: &Body, new: &Body, is_same_people: bool, switches: &Switches) -> bool {
    let rule = |body: &Body| body.series.as_ref().map(|series| series.rule.clone());
    if old.start != new.start || old.end != new.end || rule(old) != rule(new) {
        return true;
    }
    let names: BTreeSet<&String> = old.fields.keys().chain(new.fields.keys()).collect();
    let differ = |name: &&&String| old.fields.get(**name) != new.fields.get(**name);
    let changed: Vec<&str> = names.iter().filter(differ).map(|name| name.as_str()).collect();
    let is_private = |name: &&str| PRIVATE.contains(name);
    let is_words = |name: &&str| WORDS.contains(name);
    let is_public = |name: &&str| !is_private(name) && !is_words(name) && (*name != "attendees" || is_same_people);
    changed.iter().any(is_public)
        || (switches.graph_text_patch_mails && changed.iter().any(is_words))
        || (switches.graph_private_patch_mails && (changed.iter().any(is_private) || old.extended != new.extended))
}
