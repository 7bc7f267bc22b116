//! What a refusal means, and what is said about it. One table, pure.
//!
//! It goes by `error_codes`, then `suberror` and `error_subtype`, then `error`; by the text only for Google's `invalid_grant`,
//! which tells an account that is gone in no other way. Three things can follow: the sign-in is dead (a state, with a
//! [`Cause`]), the app registration or the configuration is wrong (`Fault`), or it may work later.

use serde::{Deserialize, Serialize};
use twofold_model::{Error, ErrorKind};

use crate::provider::ProviderName;
use crate::refusal::Refusal;

/// Why somebody has to sign in (again).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Nobody ever signed in here.
    NeverSignedIn,
    /// `twofold logout` was typed.
    SignedOut,
    /// The refresh token grew too old, mostly for want of use.
    Expired,
    /// Access was taken back, or (Google) the password was changed.
    Revoked,
    /// The password was changed or reset (Microsoft says so).
    PasswordChanged,
    /// The password itself has expired.
    PasswordExpired,
    /// A rule of the organisation asks for a new sign-in from time to time.
    SessionOver,
    /// A second factor, or another step that only a browser can show.
    SecondFactor,
    /// An administrator has to allow the application.
    ConsentMissing,
    /// A rule of the organisation blocks this sign-in.
    BlockedByPolicy,
    /// The account is disabled or locked.
    AccountDisabled,
    /// The account does not exist any more.
    AccountGone,
    /// Google, within the first 8 days: most likely an app in "Testing".
    SevenDays,
    /// The configuration names another application than the one that was allowed.
    ClientChanged,
    /// What the vault holds for this sign-in cannot be opened.
    Damaged,
    /// A fresh token is refused: the provider takes its own tokens no more.
    RefusedFresh,
    /// Anything else that ends a sign-in.
    #[serde(other)]
    Other,
}

impl Cause {
    /// What happened, in one or two sentences, with what to do apart from signing in.
    pub fn sentence(self, name: ProviderName) -> String {
        let who = name.title();
        match self {
            Cause::NeverSignedIn => format!("Nobody is signed in at {who}."),
            Cause::SignedOut => format!("You signed out at {who}."),
            Cause::Expired => format!("The sign-in at {who} has expired: it was not used for too long."),
            Cause::Revoked => {
                let most = match name {
                    // Google: one account's oldest token for a client ends without a word when the 101st is given out.
                    ProviderName::Google => {
                        " So it is, too, when the same account signed in more than 100 times with this `client_id`: give each test machine one of its own."
                    }
                    ProviderName::Microsoft365 => "",
                };
                format!("{who} no longer accepts this sign-in: access was taken back, the password was changed, or it was not used for months.{most}")
            }
            Cause::PasswordChanged => format!("The password at {who} was changed or reset, which ends every earlier sign-in."),
            Cause::PasswordExpired => format!("The password at {who} has expired: change it there first."),
            Cause::SessionOver => format!("Your organisation asks for a new sign-in at {who} from time to time, and that time has come."),
            Cause::SecondFactor => {
                format!("{who} asks for a second factor or another step that only a browser can show: sign in in a browser.")
            }
            Cause::ConsentMissing => {
                format!("{who} says that an administrator of your organisation has to allow this application first: ask the admin.")
            }
            Cause::BlockedByPolicy => format!("A rule of your organisation blocks this sign-in at {who}: ask the admin."),
            Cause::AccountDisabled => format!("The account at {who} is disabled or locked: ask the admin."),
            Cause::AccountGone => format!("The account at {who} does not exist any more: ask the admin."),
            Cause::SevenDays => "Google no longer accepts this sign-in, which is not older than eight days. While the app's consent screen \
                 is External and in \"Testing\", Google ends every sign-in after 7 days: publish the app or make it Internal. \
                 Otherwise access was taken back or the password was changed."
                .to_owned(),
            Cause::ClientChanged => {
                format!("`client_id` under [{name}] is not the application that was signed in with: a sign-in belongs to one application.")
            }
            Cause::Damaged => format!("What is stored of the sign-in at {who} is damaged and cannot be opened."),
            Cause::RefusedFresh => format!("{who} refuses the very token that it has just given out."),
            Cause::Other => format!("{who} no longer accepts this sign-in."),
        }
    }

    /// Whether an administrator may mend it without anybody signing in again; then it is tried from time to time.
    pub fn may_heal(self) -> bool {
        matches!(self, Cause::ConsentMissing | Cause::BlockedByPolicy | Cause::AccountDisabled)
    }

    /// The error of everything that needs this sign-in: the sentence and the command.
    pub fn error(self, name: ProviderName) -> Error {
        let then = if self.may_heal() || self == Cause::AccountGone { "Then type" } else { "Type" };
        let words = format!("{} {then} `{}`.", self.sentence(name), name.login_command());
        Error::new(ErrorKind::SignInNeeded, words)
    }
}

/// What is wrong with the app registration or the configuration. No sign-in mends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No such application (in this tenant).
    ClientUnknown,
    /// The secret is wrong, or (Google) the application is unknown. None is sent to Microsoft, whom one is lacking where the platform is wrong.
    SecretWrong,
    /// A secret is wanted, or public clients are not allowed.
    SecretMissing,
    /// A scope is unknown or not allowed.
    ScopeRefused,
    /// The redirect address is not registered.
    RedirectUnknown,
    /// The tenant does not exist.
    TenantUnknown,
    /// This kind of account may not sign in here.
    WrongTenant,
    /// This application may not use this way of signing in.
    FlowRefused,
    /// The request is refused as it stands; at Google a missing secret shows like that.
    RequestRefused,
    /// An error that twofold does not know.
    Unknown,
}

/// What an app registration says that was made for another kind of application.
const PLATFORM: &str = "the app registration is that of a \"Web\" or \"Single-page application\", which needs a secret or a browser that twofold \
    has not: under \"Authentication\" there remove that platform, add \"Mobile and desktop applications\" with http://localhost, and set \
    \"Allow public client flows\" to Yes";

impl Fault {
    /// What to change, and where.
    fn sentence(self, name: ProviderName) -> String {
        let app = match name {
            ProviderName::Microsoft365 => "the app registration",
            ProviderName::Google => "the OAuth client",
        };
        match self {
            Fault::ClientUnknown => {
                format!(
                    "no such application: check `client_id` under [{name}] (and the tenant, and that {app} still exists)"
                )
            }
            Fault::SecretWrong => match name {
                ProviderName::Microsoft365 => PLATFORM.to_owned(),
                ProviderName::Google => {
                    "the application and its secret do not fit: check `client_id` and `client_secret` under [google]"
                        .to_owned()
                }
            },
            Fault::SecretMissing => match name {
                ProviderName::Microsoft365 => {
                    "the app registration does not allow public clients: set \"Allow public client flows\" to Yes there"
                        .to_owned()
                }
                ProviderName::Google => "a client secret is wanted: set `client_secret` under [google]".to_owned(),
            },
            Fault::ScopeRefused => format!(
                "a right that was asked for is unknown or not allowed: add the rights of the configured kinds to {app}"
            ),
            Fault::RedirectUnknown => match name {
                ProviderName::Microsoft365 => {
                    "the redirect address is not registered: add http://localhost to the app registration, \
                     under \"Mobile and desktop applications\""
                        .to_owned()
                }
                ProviderName::Google => {
                    "the redirect address is not allowed: the OAuth client must be of the type \"Desktop app\""
                        .to_owned()
                }
            },
            Fault::TenantUnknown => "there is no such tenant: check `tenant` under [microsoft365]".to_owned(),
            Fault::WrongTenant => {
                "this account cannot sign in at this tenant: check `tenant` under [microsoft365]".to_owned()
            }
            Fault::FlowRefused => format!("{app} is not allowed to sign in this way: check its type"),
            Fault::RequestRefused => {
                let keys = match name {
                    ProviderName::Microsoft365 => "`client_id` and `tenant`",
                    ProviderName::Google => "`client_id` and `client_secret`",
                };
                format!("the request is not accepted as it stands: check {keys} under [{name}]")
            }
            Fault::Unknown => "an answer that twofold does not know".to_owned(),
        }
    }

    /// The error, with the provider's own words and numbers at its end.
    pub(crate) fn error(self, name: ProviderName, refusal: &Refusal) -> Error {
        let words = format!("{} refused: {} [{refusal}]", name.title(), self.sentence(name));
        Error::new(ErrorKind::Misconfigured, words)
    }
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The sign-in is dead.
    SignIn(Cause),
    /// The app registration or the configuration is wrong.
    Wrong(Fault),
    /// It may work later.
    Later,
    /// It was asked too often: later, and not soon.
    TooOften,
    /// The person said no.
    Declined,
    /// The code (of the redirect or of the device) is used up or too old: start again.
    CodeOver,
}

/// What is known about the sign-in that was refused.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// How long ago somebody signed in; `None` while signing in.
    pub age_ms: Option<u64>,
    /// Whether the provider had announced an end, and that is reached.
    pub announced_end_reached: bool,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Microsoft's numbers. The first known one of an answer decides.
const CODES: &[(u32, Verdict)] = &[
    (50173, Verdict::SignIn(Cause::PasswordChanged)),
    (50133, Verdict::SignIn(Cause::PasswordChanged)),
    (50055, Verdict::SignIn(Cause::PasswordExpired)),
    (70008, Verdict::SignIn(Cause::Expired)),
    (700082, Verdict::SignIn(Cause::Expired)),
    (700084, Verdict::SignIn(Cause::Expired)),
    (70043, Verdict::SignIn(Cause::SessionOver)),
    (70044, Verdict::SignIn(Cause::SessionOver)),
    (50072, Verdict::SignIn(Cause::SecondFactor)),
    (50074, Verdict::SignIn(Cause::SecondFactor)),
    (50076, Verdict::SignIn(Cause::SecondFactor)),
    (50078, Verdict::SignIn(Cause::SecondFactor)),
    (50079, Verdict::SignIn(Cause::SecondFactor)),
    (50158, Verdict::SignIn(Cause::SecondFactor)),
    (65001, Verdict::SignIn(Cause::ConsentMissing)),
    (90094, Verdict::SignIn(Cause::ConsentMissing)),
    (90095, Verdict::SignIn(Cause::ConsentMissing)),
    (53000, Verdict::SignIn(Cause::BlockedByPolicy)),
    (53001, Verdict::SignIn(Cause::BlockedByPolicy)),
    (53003, Verdict::SignIn(Cause::BlockedByPolicy)),
    (50105, Verdict::SignIn(Cause::BlockedByPolicy)),
    (50057, Verdict::SignIn(Cause::AccountDisabled)),
    (50053, Verdict::SignIn(Cause::AccountDisabled)),
    (50034, Verdict::SignIn(Cause::AccountGone)),
    (7000215, Verdict::Wrong(Fault::SecretWrong)),
    (7000222, Verdict::Wrong(Fault::SecretWrong)),
    (7000218, Verdict::Wrong(Fault::SecretMissing)),
    (9002327, Verdict::Wrong(Fault::SecretWrong)),
    (700016, Verdict::Wrong(Fault::ClientUnknown)),
    (70001, Verdict::Wrong(Fault::ClientUnknown)),
    (70011, Verdict::Wrong(Fault::ScopeRefused)),
    (650053, Verdict::Wrong(Fault::ScopeRefused)),
    (50011, Verdict::Wrong(Fault::RedirectUnknown)),
    (90002, Verdict::Wrong(Fault::TenantUnknown)),
    (900023, Verdict::Wrong(Fault::TenantUnknown)),
    (50020, Verdict::Wrong(Fault::WrongTenant)),
    (500200, Verdict::Wrong(Fault::WrongTenant)),
    (90033, Verdict::Later),
    (90006, Verdict::Later),
    (50196, Verdict::TooOften),
    (65004, Verdict::Declined),
    (70020, Verdict::CodeOver),
    (54005, Verdict::CodeOver),
    (501481, Verdict::CodeOver),
];

/// The finer words of both providers.
const SUBERRORS: &[(&str, Verdict)] = &[
    ("basic_action", Verdict::SignIn(Cause::SecondFactor)),
    ("additional_action", Verdict::SignIn(Cause::SecondFactor)),
    ("message_only", Verdict::SignIn(Cause::BlockedByPolicy)),
    ("protection_policy_required", Verdict::SignIn(Cause::BlockedByPolicy)),
    ("protection_policies_required", Verdict::SignIn(Cause::BlockedByPolicy)),
    ("consent_required", Verdict::SignIn(Cause::ConsentMissing)),
    ("user_password_expired", Verdict::SignIn(Cause::PasswordExpired)),
    ("token_expired", Verdict::SignIn(Cause::Expired)),
    ("bad_token", Verdict::SignIn(Cause::Other)),
    ("cancel", Verdict::Declined),
    ("invalid_rapt", Verdict::SignIn(Cause::SessionOver)),
    ("rapt_required", Verdict::SignIn(Cause::SessionOver)),
    ("admin_policy_enforced", Verdict::SignIn(Cause::BlockedByPolicy)),
];

/// The words of RFC 6749 and 8628, and the providers' own.
const ERRORS: &[(&str, Verdict)] = &[
    ("consent_required", Verdict::SignIn(Cause::ConsentMissing)),
    ("interaction_required", Verdict::SignIn(Cause::SecondFactor)),
    ("login_required", Verdict::SignIn(Cause::Other)),
    ("admin_policy_enforced", Verdict::SignIn(Cause::BlockedByPolicy)),
    ("org_internal", Verdict::SignIn(Cause::BlockedByPolicy)),
    ("access_denied", Verdict::Declined),
    ("authorization_declined", Verdict::Declined),
    ("expired_token", Verdict::CodeOver),
    ("bad_verification_code", Verdict::CodeOver),
    ("invalid_client", Verdict::Wrong(Fault::SecretWrong)),
    ("invalid_request", Verdict::Wrong(Fault::RequestRefused)),
    ("unauthorized_client", Verdict::Wrong(Fault::FlowRefused)),
    ("deleted_client", Verdict::Wrong(Fault::ClientUnknown)),
    ("disabled_client", Verdict::Wrong(Fault::ClientUnknown)),
    ("invalid_scope", Verdict::Wrong(Fault::ScopeRefused)),
    ("redirect_uri_mismatch", Verdict::Wrong(Fault::RedirectUnknown)),
    ("unsupported_grant_type", Verdict::Wrong(Fault::FlowRefused)),
    ("unsupported_response_type", Verdict::Wrong(Fault::FlowRefused)),
    ("temporarily_unavailable", Verdict::Later),
    ("server_error", Verdict::Later),
    ("internal_failure", Verdict::Later),
    ("unavailable", Verdict::Later),
    ("internal", Verdict::Later),
    ("resource_exhausted", Verdict::TooOften),
    ("rate_limit_exceeded", Verdict::TooOften),
    ("slow_down", Verdict::TooOften),
];

/// Reads a refusal. `status` is the HTTP status, where there was one.
pub(crate) fn judge(name: ProviderName, status: Option<u16>, refusal: &Refusal, known: Known) -> Verdict {
    if status == Some(429) {
        return Verdict::TooOften;
    }
    let by_code = refusal.error_codes.iter().find_map(|code| look_up(CODES, code));
    let by_word = || {
        let words = [&refusal.suberror, &refusal.error_subtype].into_iter().flatten();
        words.map(String::as_str).find_map(|word| look_up(SUBERRORS, &word))
    };
    let verdict = by_code.or_else(by_word).or_else(|| look_up(ERRORS, &refusal.error.as_str()));
    match verdict {
        // While signing in, what expired can only be the code.
        Some(Verdict::SignIn(Cause::Expired)) if known.age_ms.is_none() => Verdict::CodeOver,
        Some(verdict) => verdict,
        None if status.is_some_and(|status| status >= 500) => Verdict::Later,
        None if refusal.error == "invalid_grant" => invalid_grant(name, refusal, known),
        None => Verdict::Wrong(Fault::Unknown),
    }
}

/// `invalid_grant` and nothing finer.
fn invalid_grant(name: ProviderName, refusal: &Refusal, known: Known) -> Verdict {
    // Without an age there is no sign-in yet: it is the code of this very login.
    let Some(age_ms) = known.age_ms else { return Verdict::CodeOver };
    Verdict::SignIn(match name {
        ProviderName::Microsoft365 => Cause::Other,
        ProviderName::Google if refusal.says("deleted") => Cause::AccountGone,
        ProviderName::Google if refusal.says("account disabled") || refusal.says("suspended") => Cause::AccountDisabled,
        ProviderName::Google if known.announced_end_reached || age_ms < 8 * DAY_MS => Cause::SevenDays,
        ProviderName::Google => Cause::Revoked,
    })
}

fn look_up<K: PartialEq>(table: &[(K, Verdict)], key: &K) -> Option<Verdict> {
    table.iter().find(|(have, _)| have == key).map(|(_, verdict)| *verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTHS: Known = Known { age_ms: Some(100 * DAY_MS), announced_end_reached: false };

    fn read(body: &str) -> Refusal {
        Refusal::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn each_refusal_of_a_refresh_has_its_meaning() {
        use Cause::*;
        use ProviderName::{Google, Microsoft365};
        use Verdict::{Later, SignIn, TooOften, Wrong};
        let rows = [
            (
                "password changed",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_codes":[50173]}"#,
                SignIn(PasswordChanged),
            ),
            (
                "90 days unused",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_codes":[700082]}"#,
                SignIn(Expired),
            ),
            (
                "an unknown number first",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_codes":[1,70008]}"#,
                SignIn(Expired),
            ),
            (
                "numbers as text",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_codes":["70044"]}"#,
                SignIn(SessionOver),
            ),
            (
                "the number in the text",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_description":"AADSTS50057: x"}"#,
                SignIn(AccountDisabled),
            ),
            (
                "second factor",
                Microsoft365,
                400,
                r#"{"error":"interaction_required","error_codes":[50076],"suberror":"basic_action"}"#,
                SignIn(SecondFactor),
            ),
            (
                "second factor, by its word",
                Microsoft365,
                400,
                r#"{"error":"interaction_required","suberror":"additional_action"}"#,
                SignIn(SecondFactor),
            ),
            (
                "no consent",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_codes":[65001],"suberror":"consent_required"}"#,
                SignIn(ConsentMissing),
            ),
            (
                "the admin has to approve",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_codes":[90094]}"#,
                SignIn(ConsentMissing),
            ),
            (
                "conditional access",
                Microsoft365,
                400,
                r#"{"error":"invalid_grant","error_codes":[53003],"suberror":"message_only"}"#,
                SignIn(BlockedByPolicy),
            ),
            ("nothing finer", Microsoft365, 400, r#"{"error":"invalid_grant"}"#, SignIn(Other)),
            (
                "an app with a secret",
                Microsoft365,
                401,
                r#"{"error":"invalid_client","error_codes":[7000215]}"#,
                Wrong(Fault::SecretWrong),
            ),
            (
                "an app of a single page",
                Microsoft365,
                400,
                r#"{"error":"invalid_request","error_codes":[9002327]}"#,
                Wrong(Fault::SecretWrong),
            ),
            (
                "public clients not allowed",
                Microsoft365,
                401,
                r#"{"error":"invalid_client","error_codes":[7000218]}"#,
                Wrong(Fault::SecretMissing),
            ),
            (
                "unknown app",
                Microsoft365,
                400,
                r#"{"error":"unauthorized_client","error_codes":[700016]}"#,
                Wrong(Fault::ClientUnknown),
            ),
            ("busy", Microsoft365, 503, r#"{"error":"temporarily_unavailable","error_codes":[90033]}"#, Later),
            ("asked in a loop", Microsoft365, 400, r#"{"error":"invalid_grant","error_codes":[50196]}"#, TooOften),
            ("429 with any text", Microsoft365, 429, r#"{"error":"invalid_grant","error_codes":[50173]}"#, TooOften),
            (
                "revoked",
                Google,
                400,
                r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
                SignIn(Revoked),
            ),
            (
                "deleted",
                Google,
                400,
                r#"{"error":"invalid_grant","error_description":"Account has been deleted"}"#,
                SignIn(AccountGone),
            ),
            (
                "session control",
                Google,
                400,
                r#"{"error":"invalid_grant","error_subtype":"invalid_rapt"}"#,
                SignIn(SessionOver),
            ),
            ("policy", Google, 400, r#"{"error":"admin_policy_enforced"}"#, SignIn(BlockedByPolicy)),
            (
                "policy as a finer word",
                Google,
                400,
                r#"{"error":"access_denied","error_subtype":"admin_policy_enforced"}"#,
                SignIn(BlockedByPolicy),
            ),
            ("wrong client", Google, 401, r#"{"error":"invalid_client"}"#, Wrong(Fault::SecretWrong)),
            ("a 500 with JSON", Google, 500, r#"{"error":"whatever"}"#, Later),
            ("a word nobody knows", Google, 400, r#"{"error":"whatever"}"#, Wrong(Fault::Unknown)),
        ];
        for (what, name, status, body, expected) in rows {
            assert_eq!(judge(name, Some(status), &read(body), MONTHS), expected, "{what}");
        }
    }

    #[test]
    fn an_app_of_another_platform_is_told_as_that_and_nobody_is_sent_to_a_key_that_there_is_not() {
        for body in [
            r#"{"error":"invalid_client","error_codes":[7000215]}"#,
            r#"{"error":"invalid_request","error_codes":[9002327]}"#,
            r#"{"error":"invalid_client"}"#,
        ] {
            let refusal = read(body);
            let Verdict::Wrong(fault) = judge(ProviderName::Microsoft365, Some(400), &refusal, MONTHS) else {
                panic!("{body}")
            };
            let words = fault.error(ProviderName::Microsoft365, &refusal).to_string();
            assert!(words.contains("Single-page application") && words.contains("http://localhost"), "{words}");
        }
        let all = [
            Fault::ClientUnknown,
            Fault::SecretWrong,
            Fault::SecretMissing,
            Fault::ScopeRefused,
            Fault::RedirectUnknown,
            Fault::TenantUnknown,
            Fault::WrongTenant,
            Fault::FlowRefused,
            Fault::RequestRefused,
            Fault::Unknown,
        ];
        for fault in all {
            let words = fault.sentence(ProviderName::Microsoft365);
            assert!(!words.contains("client_secret"), "[microsoft365] has no such key: {words}");
        }
    }

    #[test]
    fn a_google_sign_in_that_dies_young_mentions_the_seven_days() {
        let refusal = read(r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#);
        let after = |days: u64| Known { age_ms: Some(days * DAY_MS), announced_end_reached: false };
        assert_eq!(judge(ProviderName::Google, Some(400), &refusal, after(7)), Verdict::SignIn(Cause::SevenDays));
        assert_eq!(judge(ProviderName::Google, Some(400), &refusal, after(9)), Verdict::SignIn(Cause::Revoked));
        let announced = Known { age_ms: Some(30 * DAY_MS), announced_end_reached: true };
        assert_eq!(judge(ProviderName::Google, Some(400), &refusal, announced), Verdict::SignIn(Cause::SevenDays));
        assert_eq!(judge(ProviderName::Google, Some(400), &refusal, Known::default()), Verdict::CodeOver);
        let code_expired = read(r#"{"error":"invalid_grant","error_codes":[70008]}"#);
        let verdict = judge(ProviderName::Microsoft365, Some(400), &code_expired, Known::default());
        assert_eq!(verdict, Verdict::CodeOver, "70008 means the code while signing in");
    }

    #[test]
    fn each_cause_has_its_own_sentence_and_names_the_command() {
        use Cause::*;
        let all = [
            NeverSignedIn,
            SignedOut,
            Expired,
            Revoked,
            PasswordChanged,
            PasswordExpired,
            SessionOver,
            SecondFactor,
            ConsentMissing,
            BlockedByPolicy,
            AccountDisabled,
            AccountGone,
            SevenDays,
            ClientChanged,
            Damaged,
            RefusedFresh,
            Other,
        ];
        for name in [ProviderName::Microsoft365, ProviderName::Google] {
            let mut sentences: Vec<String> = all.iter().map(|cause| cause.sentence(name)).collect();
            sentences.sort();
            sentences.dedup();
            assert_eq!(sentences.len(), all.len(), "no two causes share a sentence");
            for cause in all {
                let error = cause.error(name);
                assert_eq!(error.kind, ErrorKind::SignInNeeded);
                assert!(error.message.ends_with(&format!("ype `twofold login {name}`.")), "{}", error.message);
            }
        }
        for cause in [ConsentMissing, BlockedByPolicy, AccountDisabled, AccountGone] {
            assert!(cause.sentence(ProviderName::Microsoft365).contains("ask the admin"), "{cause:?}");
        }
    }

    #[test]
    fn a_cause_of_a_later_release_is_read_as_other() {
        assert_eq!(serde_json::from_str::<Cause>("\"moon_phase\"").unwrap(), Cause::Other);
        assert_eq!(serde_json::to_string(&Cause::SevenDays).unwrap(), "\"seven_days\"");
    }
}
