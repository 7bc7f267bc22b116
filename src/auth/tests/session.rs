//! Access tokens over time, against a stand-in for the providers.

mod stub;

use std::sync::Arc;

use stub::{Answer, DAY_MS, HOUR_MS, World};
use twofold_auth::ProviderName::{Google, Microsoft365};
use twofold_auth::{Cause, Flow, Session};
use twofold_http::TokenSource;
use twofold_model::ErrorKind;

const REVOKED: Answer =
    Answer(400, &[], r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#);

async fn token(session: &Session) -> String {
    session.token().await.unwrap()
}

#[tokio::test]
async fn a_token_is_renewed_when_four_fifths_of_its_life_are_over() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    let session = world.session(Microsoft365);
    assert_eq!(token(&session).await, "access-1-SECRET");
    world.clock.advance_ms(HOUR_MS / 5 * 4 - 1);
    assert_eq!(token(&session).await, "access-1-SECRET");
    world.clock.advance_ms(1);
    assert_eq!(token(&session).await, "access-2-SECRET");
    assert_eq!(token(&session).await, "access-2-SECRET");
    assert_eq!(world.stub.refreshes(), 1);
    assert_eq!(world.stub.inside().asked[1]["refresh_token"], "refresh-1-SECRET");
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(token(&session).await, "access-3-SECRET");
    assert_eq!(world.stub.inside().asked[2]["refresh_token"], "refresh-2-SECRET", "the rotated one");
}

#[tokio::test]
async fn a_session_never_goes_over_to_another_account() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    let (under_way, opened) = (world.session(Google), world.session(Google));
    let first = token(&under_way).await;
    // Whose it is was looked at, and no token was taken yet.
    assert!(opened.status().unwrap().account.is_some());
    world.vault().forget(Google).await.unwrap();
    world.stub.inside().account = "bob".into();
    world.is_signed_in(Google).await;
    let asked = world.stub.inside().asked.len();
    for session in [under_way, opened] {
        for error in [session.token().await.unwrap_err(), session.renewed(&first).await.unwrap_err()] {
            assert_eq!(error.kind, ErrorKind::SignInNeeded);
            assert!(error.message.contains("somebody else signed in at Google"), "{}", error.message);
        }
    }
    assert_eq!(world.stub.inside().asked.len(), asked, "nor is one asked for");
    token(&world.session(Google)).await;
}

#[tokio::test]
async fn a_provider_that_does_not_rotate_keeps_its_refresh_token() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    world.stub.inside().members.insert("refresh_token".into(), serde_json::Value::Null);
    world.clock.advance_ms(HOUR_MS);
    let session = world.session(Google);
    token(&session).await;
    world.stub.inside().live_refresh = "refresh-1-SECRET".into();
    world.clock.advance_ms(HOUR_MS);
    token(&session).await;
    assert_eq!(world.stub.inside().asked[2]["refresh_token"], "refresh-1-SECRET");
}

#[tokio::test]
async fn lives_written_as_text_or_not_at_all_are_understood() {
    for (value, life_ms) in [(serde_json::json!("100"), 100_000), (serde_json::Value::Null, HOUR_MS)] {
        let mut world = World::new().await;
        world.stub.inside().members.insert("expires_in".into(), value);
        world.is_signed_in(Google).await;
        let status = world.session(Google).status().unwrap();
        assert_eq!(status.access_expires_ms.unwrap() - status.refreshed_ms.unwrap(), life_ms);
    }
}

#[tokio::test]
async fn many_workers_and_two_processes_refresh_exactly_once() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    world.clock.advance_ms(HOUR_MS);
    world.stub.inside().delay_ms = 100;
    // Two sessions with a vault each see each other only through the files, as two processes do.
    let sessions = [world.session(Microsoft365), world.session(Microsoft365)];
    let tasks = (0..20).map(|n| {
        let session = sessions[n % 2].clone();
        tokio::spawn(async move { session.token().await.unwrap() })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap(), "access-2-SECRET");
    }
    assert_eq!(world.stub.refreshes(), 1);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_who_were_refused() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    let (one, other) = (world.session(Google), world.session(Google));
    let refused = token(&one).await;
    assert_eq!(token(&other).await, refused);
    let (a, b, c) = tokio::join!(one.renewed(&refused), one.renewed(&refused), other.renewed(&refused));
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], ["access-2-SECRET"; 3]);
    assert_eq!(token(&other).await, "access-2-SECRET");
    assert_eq!(world.stub.refreshes(), 1);
}

#[tokio::test]
async fn a_provider_that_refuses_its_freshest_token_is_not_asked_in_a_loop() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    let session = world.session(Microsoft365);
    let second = session.renewed(&token(&session).await).await.unwrap();
    // Another request was refused: that may pass, and is tried once more with what there is.
    assert_eq!(session.renewed(&second).await.unwrap(), second);
    assert_eq!(world.stub.refreshes(), 1);
    // Where it does not pass, that is told.
    let error = session.refused().unwrap();
    assert_eq!(error.kind, ErrorKind::SignInNeeded);
    assert!(error.message.contains("just given out"), "{}", error.message);
    world.clock.advance_ms(60_000);
    assert_eq!(session.renewed(&second).await.unwrap(), "access-3-SECRET");
}

#[tokio::test]
async fn a_rotated_refresh_token_that_cannot_be_stored_is_not_lost_and_its_access_token_not_used() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    let session = world.session(Microsoft365);
    world.clock.advance_ms(HOUR_MS);
    // A full disk, as far as the vault can tell.
    let in_the_way = world.dir.path().join("vault.json.new");
    std::fs::create_dir(&in_the_way).unwrap();
    for _ in 0..2 {
        let error = session.token().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Broken, "{}", error.message);
        assert!(!format!("{error:?}").contains("SECRET"));
    }
    assert_eq!(world.stub.refreshes(), 1, "the second call tries to store again, not to refresh again");
    std::fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(token(&session).await, "access-2-SECRET");
    assert_eq!(world.stub.refreshes(), 1);
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(token(&world.session(Microsoft365)).await, "access-3-SECRET", "what was stored late is the rotated one");
}

#[tokio::test]
async fn a_crash_between_receipt_and_storage_goes_on_with_the_old_refresh_token() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    world.clock.advance_ms(HOUR_MS);
    let in_the_way = world.dir.path().join("vault.json.new");
    std::fs::create_dir(&in_the_way).unwrap();
    let session = world.session(Microsoft365);
    session.token().await.unwrap_err();
    drop(session); // The process ends here, with what it had received.
    std::fs::remove_dir(&in_the_way).unwrap();
    // Provider: Microsoft does not revoke the old refresh token when it gives a new one.
    world.stub.inside().live_refresh = "refresh-1-SECRET".into();
    assert_eq!(token(&world.session(Microsoft365)).await, "access-3-SECRET");
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_cut_the_refresh() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    world.clock.advance_ms(HOUR_MS);
    world.stub.inside().delay_ms = 400;
    let session = world.session(Microsoft365);
    let gives_up = tokio::time::timeout(std::time::Duration::from_millis(60), session.token()).await;
    assert!(gives_up.is_err());
    assert_eq!(token(&session).await, "access-2-SECRET");
    assert_eq!(world.stub.refreshes(), 1);
}

#[tokio::test]
async fn a_dead_sign_in_is_a_state_with_its_sentence_and_a_new_login_ends_it() {
    let rows: [(_, Answer, Cause, &str); 6] = [
        (
            Microsoft365,
            Answer(400, &[], r#"{"error":"invalid_grant","error_codes":[50173]}"#),
            Cause::PasswordChanged,
            "password at Microsoft was changed",
        ),
        (
            Microsoft365,
            Answer(400, &[], r#"{"error":"invalid_grant","error_codes":[700082]}"#),
            Cause::Expired,
            "not used for too long",
        ),
        (
            Microsoft365,
            Answer(400, &[], r#"{"error":"interaction_required","error_codes":[50076]}"#),
            Cause::SecondFactor,
            "in a browser",
        ),
        (
            Microsoft365,
            Answer(400, &[], r#"{"error":"invalid_grant","error_codes":[65001]}"#),
            Cause::ConsentMissing,
            "ask the admin",
        ),
        (
            Google,
            Answer(400, &[], r#"{"error":"invalid_grant","error_subtype":"invalid_rapt"}"#),
            Cause::SessionOver,
            "from time to time",
        ),
        (Google, REVOKED, Cause::SevenDays, "ends every sign-in after 7 days"),
    ];
    for (name, answer, cause, sentence) in rows {
        let mut world = World::new().await;
        world.is_signed_in(name).await;
        let session = world.session(name);
        world.clock.advance_ms(7 * DAY_MS);
        world.stub.answers_next(answer);
        for _ in 0..2 {
            let error = session.token().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::SignInNeeded);
            assert!(error.message.contains(sentence), "{}", error.message);
            assert!(error.message.contains(&format!("`twofold login {name}`")), "{}", error.message);
        }
        assert_eq!(world.stub.refreshes(), 1, "it is not asked again and again");
        let status = world.session(name).status().unwrap();
        assert_eq!(status.cause(), Some(cause), "another process knows it too");
        assert!(status.advice().unwrap().contains(sentence));

        if cause != Cause::ConsentMissing {
            world.clock.advance_ms(2 * HOUR_MS);
            session.token().await.unwrap_err();
            assert_eq!(world.stub.refreshes(), 1, "what only the person can mend is not tried later either");
        }

        world.is_signed_in(name).await;
        assert_eq!(token(&session).await, "access-2-SECRET", "the running session picks the new login up");
        assert_eq!(session.status().unwrap().cause(), None);
    }
}

#[tokio::test]
async fn an_old_google_sign_in_that_is_revoked_does_not_speak_of_testing() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    world.clock.advance_ms(40 * DAY_MS);
    world.stub.answers_next(REVOKED);
    let error = world.session(Google).token().await.unwrap_err();
    assert!(error.message.contains("access was taken back") && !error.message.contains("Testing"), "{}", error.message);
}

#[tokio::test]
async fn what_an_admin_may_mend_is_tried_once_an_hour() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    let session = world.session(Microsoft365);
    world.clock.advance_ms(DAY_MS);
    world.stub.answers_next(Answer(
        400,
        &[],
        r#"{"error":"invalid_grant","error_codes":[53003],"claims":"{\"c\":1}"}"#,
    ));
    session.token().await.unwrap_err();
    assert_eq!(world.vault().hint(Microsoft365).unwrap().claims.as_deref(), Some("{\"c\":1}"));
    world.clock.advance_ms(HOUR_MS - 1);
    session.token().await.unwrap_err();
    assert_eq!(world.stub.refreshes(), 1);
    world.clock.advance_ms(1);
    assert_eq!(token(&session).await, "access-2-SECRET");
    assert_eq!(session.status().unwrap().cause(), None);
}

#[tokio::test]
async fn a_busy_token_endpoint_is_temporary_and_the_present_token_goes_on() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    let session = world.session(Microsoft365);
    world.clock.advance_ms(50 * 60_000);
    world.stub.answers_next(Answer(503, &[("retry-after", "240")], "try later"));
    assert_eq!(token(&session).await, "access-1-SECRET");
    world.clock.advance_ms(239_000);
    assert_eq!(token(&session).await, "access-1-SECRET", "Retry-After is obeyed");
    assert_eq!(token(&world.session(Microsoft365)).await, "access-1-SECRET", "by another process too");
    assert_eq!(world.stub.refreshes(), 1);
    world.clock.advance_ms(1_000);
    assert_eq!(token(&session).await, "access-2-SECRET");
}

#[tokio::test]
async fn a_busy_token_endpoint_with_no_token_left_says_when_to_come_back() {
    let rows: [(Answer, ErrorKind); 5] = [
        (Answer(503, &[("retry-after", "7")], "try later"), ErrorKind::Throttled { retry_after_s: Some(7) }),
        (Answer(503, &[], r#"{"error":"temporarily_unavailable","error_codes":[90033]}"#), ErrorKind::Offline),
        (Answer(500, &[], "<html>"), ErrorKind::Offline),
        (Answer(429, &[("retry-after", "9")], ""), ErrorKind::Throttled { retry_after_s: Some(9) }),
        (
            Answer(400, &[], r#"{"error":"invalid_grant","error_codes":[50196]}"#),
            ErrorKind::Throttled { retry_after_s: Some(300) },
        ),
    ];
    for (answer, kind) in rows {
        let mut world = World::new().await;
        world.is_signed_in(Microsoft365).await;
        world.clock.advance_ms(DAY_MS);
        let body = answer.2;
        world.stub.answers_next(answer);
        let session = world.session(Microsoft365);
        let error = session.token().await.unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
        if let ErrorKind::Throttled { retry_after_s: Some(seconds) } = kind {
            assert_eq!(world.session(Microsoft365).token().await.unwrap_err().kind, kind, "the next run waits too");
            assert_eq!(world.stub.refreshes(), 1);
            world.clock.advance_ms(seconds * 1000);
        }
        assert_eq!(token(&session).await, "access-2-SECRET");
        assert_eq!(session.status().unwrap().cause(), None);
    }
}

#[tokio::test]
async fn a_refused_token_is_not_used_on_while_the_endpoint_is_busy() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    let session = world.session(Google);
    let refused = token(&session).await;
    world.stub.answers_next(Answer(503, &[], ""));
    assert_eq!(session.renewed(&refused).await.unwrap_err().kind, ErrorKind::Offline);
}

#[tokio::test]
async fn a_provider_out_of_reach_is_offline_and_says_nothing_about_any_write() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    world.clock.advance_ms(DAY_MS);
    let nowhere = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let urls = twofold_auth::GoogleUrls { auth: nowhere.clone(), token: nowhere.clone(), people: nowhere };
    let provider = twofold_auth::Provider::google("app", None, &urls, &[]).unwrap();
    let session = Session::new(provider, world.vault(), world.transport.clone(), world.clock.clone());
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline, "{}", error.message);
    assert!(error.kind.proves_not_executed());
}

#[tokio::test]
async fn a_mistake_in_the_registration_is_no_dead_sign_in() {
    let mut world = World::new().await;
    world.is_signed_in(Microsoft365).await;
    world.clock.advance_ms(DAY_MS);
    world.stub.answers_next(Answer(
        401,
        &[],
        r#"{"error":"invalid_client","error_codes":[7000222],"trace_id":"9be1"}"#,
    ));
    let session = world.session(Microsoft365);
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.message.ends_with("[invalid_client, AADSTS7000222 (request 9be1)]"), "{}", error.message);
    assert_eq!(session.status().unwrap().cause(), None);
    assert_eq!(token(&session).await, "access-2-SECRET", "the refresh token is still there");
}

#[tokio::test]
async fn nobody_signed_in_and_another_application_have_their_sentences() {
    let mut world = World::new().await;
    let error = world.session(Google).token().await.unwrap_err();
    assert_eq!(error.message, "Nobody is signed in at Google. Type `twofold login google`.");
    world.is_signed_in(Google).await;
    let mut provider = world.provider(Google);
    provider.client_id = "another".into();
    let session = Session::new(provider, world.vault(), world.transport.clone(), world.clock.clone());
    let error = session.token().await.unwrap_err();
    assert!(error.message.contains("is not the application that was signed in with"), "{}", error.message);
    assert_eq!(session.status().unwrap().cause(), Some(Cause::ClientChanged));
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_a_token_old_not_eternal() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    let earlier = Arc::new(twofold_http::ManualClock::standing(stub::START_MS - DAY_MS));
    let session = Session::new(world.provider(Google), world.vault(), world.transport.clone(), earlier);
    assert_eq!(token(&session).await, "access-2-SECRET");
    assert_eq!(token(&session).await, "access-2-SECRET");
}

#[tokio::test]
async fn debug_texts_show_no_secret() {
    let mut world = World::new().await;
    let signed_in = world.login(Google, Flow::Loopback { open_browser: false }).await.unwrap();
    let session = world.session(Google);
    let shown = format!("{signed_in:?} {session:?} {:?} {:?}", world.provider(Google), world.vault());
    twofold_auth::accept(&world.vault(), signed_in).await.unwrap();
    let shown = format!("{shown} {:?}", session.status().unwrap());
    assert!(!shown.contains("SECRET"), "{shown}");
}

#[test]
fn everything_may_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    fn check(session: &Session, sign_in: &twofold_auth::SignIn<'_>) {
        is_send(session.token());
        is_send(twofold_auth::login(sign_in, Flow::Paste));
    }
    let _ = check;
}
