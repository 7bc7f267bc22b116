//! The laws of a lens for events that nobody would write.

mod common;

use common::{calendar_lens, identity};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use twofold_model::event::{self, key, settled};
use twofold_model::ical::check_whole;
use twofold_model::patch::difference;
use twofold_model::{Content, Lens, Rendering};

fn said(rendering: &Rendering) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(rendering.as_bytes())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[A-Za-z][a-z]{0,8}",
        2 => "[ -~]{0,20}",
        2 => "[äöüßéΩЖ中😀 ,;:\\\\\"^'=.\n]{0,12}",
        1 => "\\PC{0,12}",
        1 => Just(String::new()),
        1 => Just("  ".to_owned()),
        1 => Just("a\r\nb\u{0}\u{85}".to_owned()),
        1 => Just("x\nEND:VEVENT\n".to_owned()),
    ]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![19 => proptest::sample::select(words).prop_map(str::to_owned), 1 => text()]
}

fn set(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::collection::vec(word(words), 0..3)
        .prop_map(|words| words.into_iter().map(|word| (word, json!(true))).collect::<Map<_, _>>().into())
}

/// Entries under the keys that the table gives, some under others.
fn keyed(entries: impl Strategy<Value = (String, Value)> + 'static) -> BoxedStrategy<Value> {
    let one = (entries, prop_oneof![19 => Just(None), 1 => "[a-z/~ -]{0,5}".prop_map(Some)]);
    proptest::collection::vec(one, 0..4)
        .prop_map(|list| {
            let mut map = Map::new();
            for ((identity, entry), own) in list {
                match own {
                    Some(own) => drop(map.insert(own, entry)),
                    None => drop(event::insert(&mut map, &identity, entry)),
                }
            }
            Value::Object(map)
        })
        .boxed()
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => (1_u32..4, 1_u32..29, 0_u32..24, prop_oneof![Just(0_u32), Just(30)]).prop_map(|(month, day, hour, minute)| format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:00")),
        4 => (1_u32..13, 1_u32..29).prop_map(|(month, day)| format!("2026-{month:02}-{day:02}T00:00:00")),
        1 => Just("2026-03-29T02:30:00".to_owned()),
        1 => Just("2026-03-29T02:30:00Z".to_owned()),
    ]
}

fn zone() -> impl Strategy<Value = Value> {
    let zone = prop_oneof![
        5 => Just("Europe/Berlin"),
        2 => Just("America/New_York"),
        2 => Just("Etc/UTC"),
        1 => Just("/My; own \"zone\""),
        1 => Just("/Other"),
    ];
    prop_oneof![4 => zone.prop_map(Value::from), 1 => Just(Value::Null)]
}

fn duration() -> impl Strategy<Value = Value> {
    prop_oneof![
        5 => proptest::sample::select(vec!["PT1H", "P1D", "P2D", "PT1H30M", "PT0S", "-PT1H", "P1W", "PT24H"]).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => text().prop_map(Value::from),
    ]
}

fn rules() -> impl Strategy<Value = Value> {
    let day = (word(&["mo", "tu", "su"]), proptest::option::of(-2_i64..3))
        .prop_map(|(day, nth)| json!({"day": day, "nthOfPeriod": nth}));
    let rule = (
        word(&["daily", "weekly", "monthly", "yearly"]),
        proptest::option::of(0_u32..4),
        proptest::collection::vec(day, 0..3),
        proptest::collection::vec(-32_i64..33, 0..2),
        prop_oneof![Just(json!({})), (0_u32..9).prop_map(|n| json!({"count": n})), time().prop_map(|t| json!({"until": t}))],
        proptest::option::of(word(&["su", "mo"])),
    )
        .prop_map(|(frequency, interval, days, month_days, end, week)| {
            let mut rule = json!({"frequency": frequency, "interval": interval, "byDay": days, "byMonthDay": month_days, "firstDayOfWeek": week});
            rule.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
            rule
        });
    proptest::collection::vec(rule, 0..3).prop_map(Value::from)
}

fn participants() -> BoxedStrategy<Value> {
    let who = prop_oneof![
        5 => "[a-c]@x".prop_map(|email| json!({"email": email})),
        1 => "(urn:uuid:|/principals/)[a-b]".prop_map(|uri| json!({"sendTo": {"other": uri}})),
        1 => text().prop_map(|email| json!({"email": email})),
    ];
    let about = (
        proptest::option::of(text()),
        set(&["owner", "attendee", "chair", "optional", "informational"]),
        proptest::option::of(word(&["accepted", "declined", "needs-action"])),
        proptest::option::of(any::<bool>()),
        proptest::option::of(word(&["group", "location", "unknown", "individual"])),
        set(&["mailto:d@x", "mailto:e@x"]),
        proptest::option::of(word(&["client", "server"])),
    );
    keyed((who, about).prop_map(|(mut who, (name, roles, status, reply, kind, to, agent))| {
        let identity = event::participant_address(&who).map(|uri| event::address_identity(&uri)).unwrap_or_default();
        let about = json!({"name": name, "roles": roles, "participationStatus": status, "expectReply": reply, "kind": kind, "delegatedTo": to, "scheduleAgent": agent, "sentBy": agent});
        who.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
        (identity, who)
    }))
}

fn alerts() -> BoxedStrategy<Value> {
    let trigger = prop_oneof![
        4 => word(&["-PT15M", "PT0S", "P1D"]).prop_map(|offset| json!({"offset": offset})),
        2 => word(&["-PT5M"]).prop_map(|offset| json!({"offset": offset, "relativeTo": "end"})),
        1 => Just(json!({"when": "2026-03-01T08:00:00Z"})),
        1 => Just(json!({"when": "2026-03-01T08:00:00", "offset": "PT1H"})),
    ];
    let lines = keyed(
        prop_oneof!["X-[A-B]:[a-z]{0,3}", "REPEAT:1", "DURATION:PT5M", "ATTENDEE:mailto:a@x", "ACTION:X", text()]
            .prop_map(|line| (line.clone(), json!({"line": line}))),
    );
    keyed((trigger, proptest::option::of(word(&["email"])), proptest::option::weighted(0.2, lines)).prop_map(
        |(trigger, action, lines)| {
            let alert = json!({"trigger": trigger, "action": action, "iCalProps": lines});
            (event::alert_identity(&alert), alert)
        },
    ))
}

/// Members of an event beside its times.
fn words() -> impl Strategy<Value = Map<String, Value>> {
    let uri = || prop_oneof![3 => "(https|xmpp|urn):[a-z]{1,5}[,;/a-z]{0,4}", 1 => text()];
    let links = keyed((uri(), proptest::option::of(word(&["enclosure"])), proptest::option::of(text()), proptest::option::of(0_u32..9)).prop_map(|(href, rel, title, size)| {
        (href.clone(), json!({"href": href, "rel": rel, "title": title, "size": size, "contentType": rel.as_ref().map(|_| "text/plain")}))
    }));
    let data = Just(json!({key("data:x/y;base64,AA=="): {"href": "data:x/y;base64,AA==", "rel": "enclosure"}}));
    let conferences = keyed(
        (uri(), proptest::option::of(text()), set(&["audio", "video"]))
            .prop_map(|(uri, name, features)| (uri.clone(), json!({"uri": uri, "name": name, "features": features}))),
    );
    let place = |key: &'static str| {
        (proptest::option::of(text()), proptest::option::of(word(&["geo:1.5,-2", "geo:100,2"])))
            .prop_map(move |(name, at)| (key, json!({"name": name, "coordinates": at})))
    };
    let places =
        prop_oneof![4 => place("location"), 1 => place("location-2")].prop_map(|(key, place)| json!({key: place}));
    let related = proptest::collection::vec((text(), set(&["parent", "child", "next"])), 0..3)
        .prop_map(|list| list.into_iter().map(|(who, what)| (who, json!({"relation": what}))).collect::<Map<_, _>>());
    let lines = keyed(
        prop_oneof![
            "X-[A-Z]{1,3}(;[A-Z]=[a-z]){0,2}:[ -~]{0,9}",
            "(X-A|COMMENT|UID|DTSTART|RRULE|SUMMARY|BEGIN)(;B=c)?:[a-z=]{0,5}",
            text()
        ]
        .prop_map(|line| (line.clone(), json!({"line": line}))),
    );
    let components = keyed(
        word(&[
            "BEGIN:X-A\nX-B:1\nEND:X-A",
            "BEGIN:X-A\nEND:X-B",
            "BEGIN:VALARM\nACTION:DISPLAY\nEND:VALARM",
            "BEGIN:VEVENT\nEND:VEVENT",
        ])
        .prop_map(|text| (text.clone(), json!({"component": text}))),
    );
    let members: Vec<(&'static str, BoxedStrategy<Value>)> = vec![
        ("title", text().prop_map(Value::from).boxed()),
        ("description", prop_oneof![text(), Just("<p>One<br>two</p>".to_owned())].prop_map(Value::from).boxed()),
        ("descriptionContentType", word(&["text/html"]).prop_map(Value::from).boxed()),
        ("locations", places.boxed()),
        ("virtualLocations", conferences),
        ("links", prop_oneof![3 => links, 1 => data].boxed()),
        ("keywords", set(&["a", "B c", "d,e"]).boxed()),
        ("color", word(&["red", "navy"]).prop_map(Value::from).boxed()),
        ("privacy", word(&["private", "secret", "public"]).prop_map(Value::from).boxed()),
        (
            "freeBusyStatus",
            word(&["free", "tentative", "unavailable", "workingElsewhere", "busy"]).prop_map(Value::from).boxed(),
        ),
        ("status", word(&["tentative", "cancelled", "confirmed"]).prop_map(Value::from).boxed()),
        ("priority", (0_u32..12).prop_map(Value::from).boxed()),
        ("participants", participants()),
        ("alerts", alerts()),
        ("relatedTo", related.prop_map(Value::Object).boxed()),
        ("iCalProps", lines),
        ("iCalComponents", components),
        ("unheardOf", text().prop_map(|t| json!({"a": [t]})).boxed()),
    ];
    let some =
        members.into_iter().map(|(name, value)| proptest::option::weighted(0.3, value).prop_map(move |v| (name, v)));
    some.collect::<Vec<_>>()
        .prop_map(|members| members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn times() -> impl Strategy<Value = Map<String, Value>> {
    (time(), zone(), prop::bool::weighted(0.25), duration(), proptest::option::weighted(0.1, (time(), zone())))
        .prop_map(|(start, zone, is_day, duration, end)| {
            let start = start.trim_end_matches('Z').to_owned();
            let mut times = match is_day {
                true => {
                    json!({"start": format!("{}T00:00:00", &start[..10]), "showWithoutTime": true, "duration": "P1D"})
                }
                false => json!({"start": start, "timeZone": zone, "duration": duration}),
            };
            if let Some((end, zone)) = end.filter(|_| !is_day) {
                times["end"] = json!(end);
                times["endTimeZone"] = zone;
            }
            times.as_object().unwrap().clone()
        })
}

fn any_event() -> impl Strategy<Value = Content> {
    let patch = (words(), proptest::option::weighted(0.5, times()), proptest::option::weighted(0.3, any::<bool>()));
    let overrides = proptest::collection::vec((time(), patch), 0..4);
    let unread =
        "BEGIN:VEVENT\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260310T090000Z\nDTSTART:20260310T100000Z\nEND:VEVENT";
    let unread = prop_oneof![Just(unread.to_owned()), text()].prop_map(|text| json!({key(&text): {"component": text}}));
    let zones = Just(
        json!({"/Other": {"component": "BEGIN:VTIMEZONE\nTZID:Other\nEND:VTIMEZONE"}, "/Unused": {"component": "x"}}),
    );
    let series = (rules(), rules(), proptest::option::weighted(0.1, unread), proptest::option::weighted(0.2, zones));
    (words(), times(), overrides, series, prop::bool::weighted(0.1)).prop_map(
        |(words, times, overrides, (rules, excluded_rules, unread, zones), is_lone)| {
            let mut all = Map::new();
            for (key, (words, times, excluded)) in overrides {
                let mut patch = words;
                match (is_lone, times) {
                    (false, times) => {
                        patch.extend(times.unwrap_or_default());
                        patch.extend(excluded.map(|excluded| ("excluded".to_owned(), json!(excluded))));
                    }
                    (true, times) => {
                        patch.extend(
                            times.unwrap_or_else(|| {
                                json!({"start": "2026-01-01T10:00:00"}).as_object().unwrap().clone()
                            }),
                        );
                        patch.insert("recurrenceIdTimeZone".into(), "Europe/Berlin".into());
                    }
                }
                let key = if is_lone { key.trim_end_matches('Z').to_owned() } else { key };
                all.insert(key, Value::Object(patch));
            }
            if is_lone && !all.is_empty() {
                return settled(&Content::from_value(json!({"recurrenceOverrides": all, "timeZones": zones})))
                    .into_owned();
            }
            let mut event = times;
            event.extend(words);
            event.insert("recurrenceRules".into(), rules);
            event.insert("excludedRecurrenceRules".into(), excluded_rules);
            event.insert("recurrenceOverrides".into(), Value::Object(all));
            event.insert("iCalOverrides".into(), unread.into());
            event.insert("timeZones".into(), zones.into());
            settled(&Content(event)).into_owned()
        },
    )
}

fn same(one: &Content, other: &Content, rendering: &Rendering) -> Result<(), TestCaseError> {
    let patch = difference(one, other);
    prop_assert!(patch.is_empty(), "{:#?}\n{}", patch.0, said(rendering));
    Ok(())
}

fn read(rendering: &Rendering) -> Result<Content, TestCaseError> {
    calendar_lens().read(rendering).map_err(|error| TestCaseError::fail(format!("{error}\n{}", said(rendering))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_is_read_back_from_nothing_and_from_any_other_event(one in any_event(), other in any_event()) {
        let lens = calendar_lens();
        let fresh = lens.write(None, &one, &identity()).unwrap();
        same(&read(&fresh)?, &one, &fresh)?;
        prop_assert_eq!(check_whole(fresh.as_bytes()).unwrap().uid, Some(identity().uid));
        prop_assert!(lens.write(Some(&fresh), &one, &identity()).unwrap() == fresh);
        let edited = lens.write(Some(&fresh), &other, &identity()).unwrap();
        same(&read(&edited)?, &other, &edited)?;
        prop_assert_eq!(check_whole(edited.as_bytes()).unwrap().uid, Some(identity().uid));
        prop_assert!(lens.write(Some(&edited), &other, &identity()).unwrap() == edited);
        let back = lens.write(Some(&edited), &one, &identity()).unwrap();
        same(&read(&back)?, &one, &back)?;
    }
}
