//! `twofold sandbox`: the stand-in providers alone.

use super::Context;
use twofold_cycle::report::exit;
use twofold_model::{Error, ErrorKind, Result};
use twofold_sandbox::{Options, Sandbox};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on loopback; 0 takes any
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// This many contacts at each provider instead of the dozen of the demo
    #[arg(long, value_name = "N")]
    contacts: Option<usize>,
    /// This many events at each provider instead of those of the demo
    #[arg(long, value_name = "N")]
    events: Option<usize>,
    /// This many messages at each provider instead of those of the demo
    #[arg(long, value_name = "N")]
    mails: Option<usize>,
}

/// Runs until it is stopped; prints a configuration that uses it.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let options = args.contacts.map_or_else(Options::demo, Options::bulk);
    let sandbox = Sandbox::new(Options { events: args.events, mails: args.mails, ..options });
    let running = sandbox.start(args.port).await.map_err(|error| {
        let words =
            format!("the sandbox cannot listen on port {}: {error}. Try another: twofold sandbox --port 0", args.port);
        Error::new(ErrorKind::Misconfigured, words)
    })?;
    print!("{}", configuration(&sandbox));
    use std::io::Write as _;
    let _ = std::io::stdout().flush();
    context.say(format!("The sandbox listens on {}. Stop it with Ctrl-C.", running.addr));
    let _ = tokio::signal::ctrl_c().await;
    running.stop().await;
    Ok(exit::ALIGNED)
}

/// The provider tables of a configuration that uses the sandbox.
pub fn configuration(sandbox: &Sandbox) -> String {
    let urls = sandbox.urls();
    format!(
        "[microsoft365]\nclient_id = \"{}\"\nkinds = [\"mail\", \"calendar\", \"contacts\"]\nlogin_url = \"{}\"\ngraph_url = \"{}\"\n\n\
         [google]\nclient_id = \"{}\"\nclient_secret = \"{}\"\nkinds = [\"mail\", \"calendar\", \"contacts\"]\nauth_url = \"{}\"\ntoken_url = \"{}\"\n\
         people_url = \"{}\"\ncalendar_url = \"{}\"\ngmail_url = \"{}\"\n",
        twofold_sandbox::oauth::MICROSOFT_CLIENT_ID,
        urls.microsoft_login,
        urls.microsoft_graph,
        twofold_sandbox::oauth::GOOGLE_CLIENT_ID,
        twofold_sandbox::oauth::GOOGLE_CLIENT_SECRET,
        urls.google_auth,
        urls.google_token,
        urls.google_people,
        urls.google_calendar,
        urls.google_gmail,
    )
}
