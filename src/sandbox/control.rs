//! The control requests, for a test in another process: `POST /_sandbox/<action>` with a JSON object, answered 200 with
//! JSON, or 400 `{"error": text}`. They are neither logged nor numbered, and no fault touches them.
//!
//! | action | body | does |
//! |---|---|---|
//! | `reset` | `{"seed": "empty" \| "demo" \| N, "events": N, "mails": N}` | both services anew; switches, faults, log and tokens are forgotten, the clock stays |
//! | `switches` | any switches | changes these, answers all |
//! | `fault` | a [`Rule`]: `{"provider", "kind", "method", "path", "write", "part", "skip", "times", "fault": {"do": "status", "status": 503}}` | adds it |
//! | `chances` | a [`crate::Chances`] | seeded random faults |
//! | `clear_faults` | | ends rules and chances |
//! | `advance` | `{"ms"}` or `{"s"}` | moves the clock |
//! | `stop_clock` | `{"ms"}` (default: now) | from now on time moves only by `advance` |
//! | `stats` | `{"reset": bool}` | `{"microsoft": Counts, "google": Counts, "faults": n, "now_ms"}` |
//! | `log` | `{"last": n}` | the latest lines |
//! | `dump` | | all contacts, groups, folders, photos, calendars, events, mails, messages |
//! | `token` | `{"provider"}` | `{"access_token", "refresh_token"}` of the owner with every scope |
//! | `end_sign_ins` | `{"provider", "end": "password_changed", "access_too"}` | see [`oauth::End`] |
//! | `expire_access_tokens` | `{"provider"}` | |
//! | `urls` | | the addresses to configure, and the registered clients |
//! | `google/create`, `edit`, `delete`, `get`, `list` | `{"person"}`, `{"resource", "person"}`, `{"resource"}` | another client; `edit` replaces the fields named |
//! | `google/add_group`, `rename_group`, `delete_group`, `members` | `{"name"}`, `{"group", "name"}`, `{"group"}`, `{"group", "add", "remove"}` | |
//! | `google/photo` | `{"resource", "bytes": base64 or null}` | |
//! | `google/merge` | `{"keep", "gone"}` | gives the new `resourceName` |
//! | `google/link_profile`, `restamp`, `expire_sync_tokens` | `{"resource", "fields"}`, `{"resource"}`, | |
//! | `google/calendar/list`, `add`, `edit`, `edit_entry`, `delete`, `set_role` | `{"summary"}`, `{"calendar", "fields"}`, `{"calendar"}`, `{"calendar", "role"}` | the user's calendars; null clears |
//! | `google/calendar/events`, `get_event`, `occurrences` | `{"calendar"}`, `{"id"}`, `{"id", "after_ms", "before_ms"}` | `calendar` is the primary one if left out |
//! | `google/calendar/add_event`, `edit_event`, `delete_event`, `move_event` | `{"event"}`, `{"id", "event"}`, `{"id"}`, `{"id", "to"}` | an occurrence by its own id; `edit_event` merges |
//! | `google/calendar/invite`, `split_series` | `{"organizer", "event"}`, `{"occurrence"}` | give the `id` |
//! | `google/calendar/mails`, `forget_mails` | | what the real service would have sent: `[{"to", "what", "calendar", "event", "summary", "at_ms"}]` |
//! | `google/mail/list`, `labels`, `raw`, `forget_history` | `{}`, `{}`, `{"id"}`, `{}` | the user's mail; `raw` is base64 |
//! | `google/mail/add`, `label`, `trash`, `untrash`, `delete` | `{"raw", "labels"}`, `{"id", "add", "remove"}`, `{"id"}` | labels by id; `delete` is for ever |
//! | `google/mail/add_draft`, `edit_draft`, `send_draft`, `delete_draft` | `{"raw"}`, `{"draft", "raw"}`, `{"draft"}` | give `draft`, or the message's `id` |
//! | `google/mail/add_label`, `rename_label`, `delete_label` | `{"name"}`, `{"label", "name"}`, `{"label"}` | |
//! | `microsoft/...` | | see `microsoft365` |

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::oauth::{self, End};
use crate::{Provider, Request, Response, Rule, Seed, State, Switches, Urls, google, microsoft365, server};

/// Answers a control request; `action` is what follows `/_sandbox/`.
pub fn handle(state: &mut State, request: &Request, action: &str) -> Response {
    if !matches!(request.method.as_str(), "POST" | "GET") {
        return Response::json(405, &json!({ "error": "POST it" }));
    }
    let body = if request.body.is_empty() { Ok(json!({})) } else { request.body_json() };
    let done = body.and_then(|body| match action.split_once('/') {
        Some(("google", action)) => google::control(state, action, &body),
        Some(("microsoft", action)) => microsoft365::control(state, action, &body),
        _ => act(state, action, body),
    });
    match done {
        Ok(value) => Response::json(200, &value),
        Err(text) => Response::json(400, &json!({ "error": text })),
    }
}

fn act(state: &mut State, action: &str, body: Value) -> Result<Value, String> {
    match action {
        "reset" => reset(state, &body["seed"], &body["events"], &body["mails"])?,
        "switches" => return switches(state, body),
        "fault" => state.faults.add(read::<Rule>(body)?),
        "chances" => state.faults.set_chances(Some(read(body)?)),
        "clear_faults" => state.faults.clear(),
        "advance" => {
            let ms = body["ms"].as_i64().or_else(|| body["s"].as_i64().map(|s| s * 1000));
            state.clock.advance_ms(ms.ok_or("\"ms\" or \"s\" must be a whole number")?);
        }
        "stop_clock" => {
            let ms = body["ms"].as_i64().unwrap_or_else(|| state.now_ms());
            state.clock.set_ms(ms);
        }
        "stats" => {
            let counts = |provider| json!(state.log.counts(provider));
            let stats = json!({
                "microsoft": counts(Provider::Microsoft),
                "google": counts(Provider::Google),
                "faults": state.faults.struck(),
                "now_ms": state.now_ms(),
            });
            if body["reset"] == true {
                state.log.reset();
            }
            return Ok(stats);
        }
        "log" => {
            let last = body["last"].as_u64().and_then(|last| usize::try_from(last).ok()).unwrap_or(100);
            let mut lines: Vec<Value> = state.log.lines().rev().take(last).map(|line| json!(line)).collect();
            lines.reverse();
            return Ok(Value::Array(lines));
        }
        "dump" => return Ok(state.dump()),
        "token" => {
            let (access, refresh) = oauth::owner_signs_in(state, provider(&body)?);
            return Ok(json!({ "access_token": access, "refresh_token": refresh }));
        }
        "end_sign_ins" => {
            let end: End = read(body["end"].clone())?;
            oauth::end_all(state, provider(&body)?, end, body["access_too"] == true);
        }
        "expire_access_tokens" => oauth::expire_access(state, provider(&body)?),
        "urls" => {
            let mut urls = json!(Urls::under(&state.base));
            urls["google_client_id"] = json!(oauth::GOOGLE_CLIENT_ID);
            urls["google_client_secret"] = json!(oauth::GOOGLE_CLIENT_SECRET);
            urls["microsoft_client_id"] = json!(oauth::MICROSOFT_CLIENT_ID);
            return Ok(urls);
        }
        _ => return Err(format!("unknown action {action}")),
    }
    Ok(json!({}))
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

fn provider(body: &Value) -> Result<Provider, String> {
    read(body["provider"].clone()).map_err(|_| "\"provider\" must be \"microsoft\" or \"google\"".into())
}

fn reset(state: &mut State, seed: &Value, events: &Value, mails: &Value) -> Result<(), String> {
    let seed = match seed {
        Value::Null => Seed::Empty,
        Value::String(name) if name == "empty" => Seed::Empty,
        Value::String(name) if name == "demo" => Seed::Demo,
        Value::Number(count) => {
            let count = count.as_u64().and_then(|count| usize::try_from(count).ok());
            Seed::Bulk(count.ok_or("\"seed\" must not be negative")?)
        }
        _ => return Err("\"seed\" must be \"empty\", \"demo\" or a number".into()),
    };
    // Requests in flight were counted on the old state and are counted off the new one.
    let in_flight = std::mem::take(&mut state.in_flight);
    let mut fresh = State::new(state.clock.clone(), Switches::default(), 1);
    fresh.base = std::mem::take(&mut state.base);
    fresh.in_flight = in_flight;
    let count = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
    server::seed(&mut fresh, seed, count(events), count(mails));
    *state = fresh;
    Ok(())
}

/// Changes the switches named and leaves the others.
fn switches(state: &mut State, changes: Value) -> Result<Value, String> {
    let mut all = json!(state.switches);
    let changes = changes.as_object().ok_or("switches must be an object")?;
    for (name, value) in changes {
        if all.get(name).is_none() {
            return Err(format!("unknown switch {name}"));
        }
        all[name.as_str()] = value.clone();
    }
    state.switches = read(all.clone())?;
    Ok(all)
}
