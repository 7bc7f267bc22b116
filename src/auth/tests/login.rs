//! Signing in and out, against a stand-in for the providers.

mod stub;

use stub::{Answer, START_MS, World, parameter};
use twofold_auth::ProviderName::{Google, Microsoft365};
use twofold_auth::{Cause, Flow, Hint, Revocation};
use twofold_http::{ManualClock, TokenSource};
use twofold_model::ErrorKind;

const BROWSER: Flow = Flow::Loopback { open_browser: false };

fn words(world: &World) -> Vec<String> {
    world.person.shown.lock().unwrap().clone()
}

#[tokio::test]
async fn the_browser_comes_back_with_a_code_and_somebody_is_signed_in() {
    for name in [Microsoft365, Google] {
        let mut world = World::new().await;
        let signed_in = world.login(name, BROWSER).await.unwrap();
        assert_eq!(signed_in.account.id, "id-ada", "{name}");
        assert_eq!(signed_in.account.address.as_deref(), Some("ada@x.example"));
        assert!(signed_in.missing.is_empty());
        assert!(!world.dir.path().join("vault.json").exists(), "login alone stores nothing");
        assert!(!format!("{signed_in:?}").contains("SECRET"));

        let address = words(&world)[0].clone();
        for (parameter_name, expected) in
            [("response_type", "code"), ("code_challenge_method", "S256"), ("client_id", "app")]
        {
            assert_eq!(parameter(&address, parameter_name), expected);
        }
        let host = if name == Google { "http://127.0.0.1:" } else { "http://localhost:" };
        assert!(parameter(&address, "redirect_uri").starts_with(host));
        let form = world.stub.inside().asked[0].clone();
        assert_eq!(form["redirect_uri"], parameter(&address, "redirect_uri"), "both times the same");
        assert_eq!(form.contains_key("client_secret"), name == Google);

        let accepted = twofold_auth::accept(&world.vault(), signed_in).await.unwrap();
        assert!(accepted.is_new);
        assert_eq!(world.session(name).token().await.unwrap(), "access-1-SECRET");
        assert_eq!(world.session(name).status().unwrap().cause(), None);
        assert!(!world.disk().contains("SECRET"));
    }
}

#[tokio::test]
async fn google_is_asked_for_a_refresh_token_and_microsoft_which_account() {
    let mut world = World::new().await;
    world.login(Google, BROWSER).await.unwrap();
    assert_eq!(parameter(&words(&world)[0], "access_type"), "offline");
    assert_eq!(parameter(&words(&world)[0], "prompt"), "consent");
    let mut world = World::new().await;
    world.login(Microsoft365, BROWSER).await.unwrap();
    assert_eq!(parameter(&words(&world)[0], "prompt"), "select_account");
    let mut world = World::new().await;
    let hint = Hint { address: Some("ada@x.example".into()), claims: Some("{\"access_token\":{}}".into()) };
    world.login_with(Microsoft365, BROWSER, "/?code=good-code&state=STATE", &hint).await.unwrap();
    assert_eq!(parameter(&words(&world)[0], "login_hint"), "ada@x.example");
    assert_eq!(parameter(&words(&world)[0], "claims"), "{\"access_token\":{}}");
}

#[tokio::test]
async fn who_declines_is_told_that_nothing_changed() {
    let mut world = World::new().await;
    let declined = "/?error=access_denied&error_subcode=cancel&state=STATE";
    let error = world.login_with(Microsoft365, BROWSER, declined, &Hint::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignInNeeded);
    assert!(error.message.contains("was declined. Nothing was changed."), "{}", error.message);
}

#[tokio::test]
async fn the_browser_is_waited_for_ten_minutes_and_no_longer() {
    let mut world = World::with_clock(ManualClock::hurried(START_MS)).await;
    let error = world.login_with(Google, BROWSER, "/favicon.ico", &Hint::default()).await.unwrap_err();
    assert!(error.message.contains("within 10 minutes"), "{}", error.message);
    assert_eq!(world.clock.waits_ms(), [600_000]);
}

#[tokio::test]
async fn the_redirected_address_can_be_pasted_and_pasted_again_when_it_was_wrong() {
    let mut world = World::new().await;
    // The browser's part, the challenge, is noted before the code is exchanged: the stub needs a moment of its own.
    world
        .person
        .pastes
        .lock()
        .unwrap()
        .extend(["good-code".to_owned(), "REDIRECT/?code=good-code&state=other".to_owned()]);
    world.stub.answers_next(Answer(200, &[], r#"{"access_token":"a","refresh_token":"r","expires_in":3600}"#));
    let signed_in = world.login(Google, Flow::Paste).await.unwrap();
    assert_eq!(signed_in.account.id, "id-ada");
    let shown = words(&world);
    assert!(shown[1].contains("holds no answer"), "{shown:?}");
    assert!(shown[2].contains("another sign-in"), "{shown:?}");
    assert_eq!(world.stub.inside().asked[0]["code"], "good-code");
}

#[tokio::test]
async fn after_three_useless_pastes_it_ends() {
    let mut world = World::new().await;
    world.person.pastes.lock().unwrap().extend(["x".to_owned(), "y".to_owned(), "z".to_owned()]);
    let error = world.login(Google, Flow::Paste).await.unwrap_err();
    assert!(error.message.contains("`twofold login google --paste`"), "{}", error.message);
    assert!(world.stub.inside().asked.is_empty());
}

#[tokio::test]
async fn the_device_code_is_shown_and_asked_for_at_the_pace_the_provider_wants() {
    let mut world = World::with_clock(ManualClock::hurried(START_MS)).await;
    world.stub.answers_next(Answer(400, &[], r#"{"error":"authorization_pending","error_codes":[70016]}"#));
    world.stub.answers_next(Answer(400, &[], r#"{"error":"slow_down"}"#));
    world.stub.answers_next(Answer(400, &[], r#"{"error":"authorization_pending"}"#));
    world.stub.answers_next(Answer(503, &[("retry-after", "33")], "busy"));
    let signed_in = world.login(Microsoft365, Flow::DeviceCode).await.unwrap();
    assert_eq!(signed_in.account.id, "id-ada");
    assert_eq!(words(&world), ["https://microsoft.com/devicelogin ABCD-EFGH To sign in, go there."]);
    assert_eq!(world.clock.waits_ms(), [5_000, 5_000, 10_000, 10_000, 33_000]);
    let form = world.stub.inside().asked[4].clone();
    assert_eq!((form["device_code"].as_str(), form["client_id"].as_str()), ("DEV", "app"));
}

#[tokio::test]
async fn a_device_code_that_is_declined_or_too_old_ends_with_its_own_words() {
    for (answer, expected) in [
        (r#"{"error":"authorization_declined"}"#, "was declined"),
        (r#"{"error":"expired_token","error_codes":[70020]}"#, "used up or too old"),
        (r#"{"error":"bad_verification_code"}"#, "used up or too old"),
        (r#"{"error":"invalid_client","error_codes":[7000218]}"#, "Allow public client flows"),
        (r#"{"error":"invalid_grant","error_codes":[53003]}"#, "A rule of your organisation blocks"),
        (r#"{"error":"invalid_grant","error_codes":[53003]}"#, "`twofold login microsoft365 --paste`"),
        ("<html>proxy</html>", "is not a token endpoint"),
    ] {
        let mut world = World::with_clock(ManualClock::hurried(START_MS)).await;
        world.stub.answers_next(Answer(400, &[], answer));
        let error = world.login(Microsoft365, Flow::DeviceCode).await.unwrap_err();
        assert!(error.message.contains(expected), "{answer}: {}", error.message);
    }
}

#[tokio::test]
async fn a_device_code_that_nobody_types_is_given_up_when_its_time_is_over() {
    let mut world = World::with_clock(ManualClock::hurried(START_MS)).await;
    for _ in 0..200 {
        world.stub.answers_next(Answer(400, &[], r#"{"error":"authorization_pending"}"#));
    }
    let error = world.login(Microsoft365, Flow::DeviceCode).await.unwrap_err();
    assert!(error.message.contains("used up or too old"), "{}", error.message);
    assert_eq!(world.clock.waits_ms().iter().sum::<u64>(), 905_000, "its 900 s and one more look");
}

#[tokio::test]
async fn google_has_no_device_code_and_the_error_says_what_to_type_instead() {
    let mut world = World::new().await;
    let error = world.login(Google, Flow::DeviceCode).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.message.contains("`twofold login google --paste`"), "{}", error.message);
}

#[tokio::test]
async fn a_right_that_was_not_granted_is_named() {
    let mut world = World::new().await;
    let granted = "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/contacts";
    world.stub.inside().members.insert("scope".into(), granted.into());
    let signed_in = world.login(Google, BROWSER).await.unwrap();
    let accepted = twofold_auth::accept(&world.vault(), signed_in).await.unwrap();
    let missing: Vec<String> = accepted.missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["https://www.googleapis.com/auth/calendar (calendar cannot be synced without it)"]);
    let status = world.session(Google).status().unwrap();
    assert_eq!(status.missing_scopes(&world.provider(Google)).len(), 1, "status and doctor see it too");
}

#[tokio::test]
async fn who_signed_in_is_found_out_though_one_way_fails() {
    use base64::Engine;
    let encode = |claims: &str| format!("e30.{}.x", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims));
    for (name, claims) in [
        (Google, r#"{"sub":"id-ada","email":"ada@x.example"}"#),
        (Microsoft365, r#"{"sub":"pairwise","oid":"id-ada","preferred_username":"ada@x.example"}"#),
    ] {
        let mut world = World::new().await;
        world.stub.inside().has_no_profile = true;
        world.stub.inside().members.insert("id_token".into(), encode(claims).into());
        let signed_in = world.login(name, BROWSER).await.unwrap();
        assert_eq!(signed_in.account.id, "id-ada", "{name}");
        assert!(!format!("{signed_in:?}").contains("e30."));

        let mut world = World::new().await;
        world.stub.inside().has_no_profile = true;
        let error = world.login(name, BROWSER).await.unwrap_err();
        assert!(error.message.contains("does not say whom"), "{}", error.message);
    }
}

#[tokio::test]
async fn another_account_is_refused_and_nothing_is_changed() {
    let mut world = World::new().await;
    world.is_signed_in(Google).await;
    let before = world.disk();
    world.stub.inside().account = "bob".into();
    let signed_in = world.login(Google, BROWSER).await.unwrap();
    let error = twofold_auth::accept(&world.vault(), signed_in.clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(
        error.message.starts_with("bob@x.example signed in, but here is the copy of ada@x.example"),
        "{}",
        error.message
    );
    assert!(
        error.message.contains("another `state_dir` in the configuration, then type `twofold login google`"),
        "{}",
        error.message
    );
    assert_eq!(world.disk(), before);

    let provider = world.provider(Google);
    twofold_auth::logout(&world.vault(), &provider, &world.transport, world.clock.as_ref()).await.unwrap();
    assert!(
        twofold_auth::accept(&world.vault(), signed_in.clone()).await.is_err(),
        "signing out does not forget the account"
    );
    world.vault().forget(Google).await.unwrap();
    assert!(twofold_auth::accept(&world.vault(), signed_in).await.unwrap().is_new);
}

#[tokio::test]
async fn signing_out_revokes_where_that_is_possible_and_forgets_the_tokens_anyway() {
    for (name, status, expected) in [
        (Google, 200, Revocation::Done),
        (Google, 503, Revocation::Failed("the provider answered 503".into())),
        (Microsoft365, 200, Revocation::NotOffered),
    ] {
        let mut world = World::new().await;
        world.is_signed_in(name).await;
        let session = world.session(name);
        session.token().await.unwrap();
        world.stub.inside().revoke_status = status;
        let provider = world.provider(name);
        let revocation =
            twofold_auth::logout(&world.vault(), &provider, &world.transport, world.clock.as_ref()).await.unwrap();
        assert_eq!(revocation, expected);
        if name == Google {
            assert_eq!(world.stub.inside().revoked[0]["token"], "refresh-1-SECRET");
        }
        let error = session.token().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::SignInNeeded, "a running session notices");
        let status = session.status().unwrap();
        assert_eq!(status.cause(), Some(Cause::SignedOut));
        assert_eq!(status.account.unwrap().id, "id-ada", "the account is remembered");
        let again =
            twofold_auth::logout(&world.vault(), &provider, &world.transport, world.clock.as_ref()).await.unwrap();
        assert_eq!(again, Revocation::Nothing);
    }
}

#[tokio::test]
async fn a_wrong_answer_at_the_end_leaks_nothing_of_it() {
    for (status, body, expected) in [
        (200, r#"{"access_token":{"leak":"LEAK"}}"#, "is not a token endpoint"),
        (200, "LEAK", "is not a token endpoint"),
        (200, r#"{"access_token":"LEAK","expires_in":3600}"#, "refresh token"),
        (400, r#"{"error":"invalid_grant","error_description":"LEAK"}"#, "used up or too old"),
        (401, r#"{"error":"invalid_client","error_description":"LEAK"}"#, "check `client_id` and `client_secret`"),
        (400, r#"{"error":"strange","error_description":"LEAK"}"#, "twofold does not know [strange]"),
        (502, "<html>LEAK</html>", "answered 502"),
    ] {
        let mut world = World::new().await;
        let body: &'static str = body;
        world.stub.answers_next(Answer(status, &[("content-type", "application/json")], body));
        let error = world.login(Google, BROWSER).await.unwrap_err();
        assert!(error.message.contains(expected), "{body}: {}", error.message);
        assert!(!format!("{error:?}").contains("LEAK"), "{error:?}");
    }
}
