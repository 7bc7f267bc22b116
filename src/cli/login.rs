//! `twofold login` and `twofold logout`.

mod elsewhere;

use super::{Context, credential};
use crate::config::Config;
use crate::connect;
use elsewhere::Here;
use std::io::{BufRead, Write};
use twofold_auth::{Flow, ProviderName, Revocation, SignIn, Ui, Vault, accept};
use twofold_cycle::report::exit;
use twofold_model::{Error, ErrorKind, Result};

#[derive(Debug, clap::Args)]
pub struct LoginArgs {
    /// microsoft365 or google
    #[arg(value_parser = ["microsoft365", "google"])]
    provider: String,
    /// Type a code on another device, such as a phone (Microsoft only; some organisations block it)
    #[arg(long, conflicts_with_all = ["no_browser", "paste"])]
    device_code: bool,
    /// Print the address on stdout instead of opening the browser, then wait for the redirect; says what to type for a browser elsewhere
    #[arg(long)]
    no_browser: bool,
    /// Paste the address to which the browser was sent back (a machine without a browser)
    #[arg(long)]
    paste: bool,
}

#[derive(Debug, clap::Args)]
pub struct LogoutArgs {
    /// microsoft365 or google
    #[arg(value_parser = ["microsoft365", "google"])]
    provider: String,
}

/// The ids that stand in config.example.toml: nobody has registered them, and a browser would be shown a provider's own error.
const EXAMPLES: [&str; 2] = ["00000000-0000-0000-0000-000000000000", "000000000000-example.apps.googleusercontent.com"];

fn name_of(text: &str) -> Result<ProviderName> {
    ProviderName::from_name(text).ok_or_else(|| {
        Error::new(ErrorKind::Misconfigured, format!("\"{text}\" is no provider; type microsoft365 or google"))
    })
}

/// Talks to the person at the terminal.
struct Terminal<'a> {
    context: &'a Context,
    flow: Flow,
    here: Here,
    /// What is typed to sign in by pasting instead.
    paste: String,
}

impl Ui for Terminal<'_> {
    fn address(&self, url: &str) {
        // The address stands on a line of its own, so that a script can read it.
        println!("{url}");
        let _ = std::io::stdout().flush();
        if let Some(advice) = elsewhere::advice(self.flow, url, &self.here, &self.paste) {
            self.context.say(advice);
        }
    }

    fn device_code(&self, verification_uri: &str, user_code: &str, message: Option<&str>) {
        println!("{verification_uri}");
        println!("{user_code}");
        let _ = std::io::stdout().flush();
        self.context.say(message.unwrap_or("Open the address on any device and type the code."));
        self.context.say("This waits until that is done, or the code is too old.");
    }

    fn read_pasted(&self) -> std::io::Result<String> {
        self.context.say("Paste that address here, whole, and press Enter:");
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn note(&self, text: &str) {
        self.context.say(text);
    }
}

/// Signs in.
pub async fn login(context: &Context, args: LoginArgs) -> Result<i32> {
    let config = context.config()?;
    let name = name_of(&args.provider)?;
    let flow = match (args.device_code, args.paste) {
        (true, _) => Flow::DeviceCode,
        (_, true) => Flow::Paste,
        _ => Flow::Loopback { open_browser: !args.no_browser },
    };
    let how = match flow {
        Flow::DeviceCode => " --device-code",
        Flow::Paste => " --paste",
        Flow::Loopback { .. } => " --no-browser",
    };
    credential::check(&config, &format!("login {name}{how}")).await?;
    let here = Here::of_process();
    let flow = here.fitting(flow);
    let paste = format!("twofold login {name} --paste");
    let ui = Terminal { context, flow, here, paste };
    sign_in(context, &config, name, flow, &ui).await
}

/// Leads through a flow and stores the sign-in.
pub async fn sign_in(context: &Context, config: &Config, name: ProviderName, flow: Flow, ui: &dyn Ui) -> Result<i32> {
    check_registered(config, name)?;
    let provider = connect::provider(config, name)?;
    connect::state_folder(&config.state_dir)?;
    let vault = Vault::open(&config.state_dir)?;
    let hint = vault.hint(name)?;
    let transport = connect::sign_in_transport(config)?;
    let sign_in = SignIn { provider: &provider, hint: &hint, transport: &transport, clock: context.clock.as_ref(), ui };
    let signed_in = twofold_auth::login(&sign_in, flow).await?;
    let accepted = accept(&vault, signed_in).await?;
    context.say(format!("Signed in at {} as {}.", name.title(), accepted.account.label()));
    if accepted.missing.is_empty() {
        return Ok(exit::ALIGNED);
    }
    for missing in &accepted.missing {
        eprintln!("twofold: not granted: {missing}. Those items are not kept in step. Grant it: twofold login {name}");
    }
    Ok(exit::SIGN_IN)
}

fn check_registered(config: &Config, name: ProviderName) -> Result<()> {
    let id = match name {
        ProviderName::Microsoft365 => config.microsoft365.as_ref().map(|table| &table.client_id),
        ProviderName::Google => config.google.as_ref().map(|table| &table.client_id),
    };
    if !id.is_some_and(|id| EXAMPLES.contains(&id.as_str())) {
        return Ok(());
    }
    let words = format!(
        "client_id in [{name}] of {} is still that of the example; nobody was asked. Write the id of your own app registration there (README.md shows how to make one), then: twofold login {name}",
        config.path.display()
    );
    Err(Error::new(ErrorKind::Misconfigured, words))
}

/// Signs out.
pub async fn logout(context: &Context, args: LogoutArgs) -> Result<i32> {
    let config = context.config()?;
    let name = name_of(&args.provider)?;
    credential::check(&config, &format!("logout {name}")).await?;
    let provider = connect::provider(&config, name)?;
    // Looked at, and not made.
    connect::is_state_folder(&config.state_dir)?;
    let vault = Vault::open(&config.state_dir)?;
    let transport = connect::sign_in_transport(&config)?;
    let words = match twofold_auth::logout(&vault, &provider, &transport, context.clock.as_ref()).await? {
        Revocation::Done => format!(
            "Signed out at {}: the sign-in was revoked and its tokens are forgotten. The data stays.",
            name.title()
        ),
        Revocation::NotOffered => format!(
            "Signed out here: the tokens are forgotten, the data stays. {} has no way to revoke from here; remove twofold on your account's page of applications.",
            name.title()
        ),
        Revocation::Failed(why) => format!(
            "Signed out here: the tokens are forgotten, the data stays. {} could not be told: {why}",
            name.title()
        ),
        Revocation::Nothing => format!("Nobody was signed in at {}.", name.title()),
    };
    context.say(words);
    Ok(exit::ALIGNED)
}
