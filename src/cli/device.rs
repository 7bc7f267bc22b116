//! `twofold device`: device folders.

use super::{Context, hints, hub_between_runs, sync};
use clap::Subcommand;
use std::sync::Arc;
use twofold_cycle::Silent;
use twofold_hub::Lock;
use twofold_model::{Error, ErrorKind, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// This folder is new or was replaced: everything is written from the hub, what is there is paired
    Fill {
        /// The device's name in the configuration
        name: String,
    },
}

/// Marks the folder anew, so that the next run fills it.
///
/// Keeps promise 13: all that was agreed with the old folder goes in one transaction; what is there is paired, not doubled.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let Action::Fill { name } = args.action;
    let config = context.config()?;
    let device = config.devices.iter().find(|device| device.name == name).ok_or_else(|| {
        let names: Vec<&str> = config.devices.iter().map(|device| device.name.as_str()).collect();
        let words = format!("there is no [[device]] \"{name}\"; nothing was done. Devices are: {}", names.join(", "));
        Error::new(ErrorKind::Misconfigured, words)
    })?;
    let waits = format!("the folder was not marked. Try again when the run is over: twofold device fill {name}");
    let (mut hub, lock) = hub_between_runs(&config, &waits).await?;
    let replica = hub.replica(&name, true)?;
    let mark = hub.atomically("device fill", |hub| hub.meet_anew(replica.id))?;
    let opened = crate::connect::open_device(&config, device, &mut hub, crate::connect::blobs(&config)?.as_ref())?;
    opened.reset_marker(&mark)?;
    drop(opened);
    context.say(format!("{name} is a new folder from now on; filling it."));
    if Lock::take_service(&config.state_dir)?.is_none() && !device.path.starts_with(&config.state_dir) {
        context.say(format!(
            "The service goes on seeing the folder that was there when it started. If another one took its place since, {}",
            hints::keeper(&config).restart()
        ));
    }
    // A service that sees the new marker begins a run, and waits for this one.
    sync::alone(context, &config, &sync::Args::default(), Arc::new(Silent), Some((hub, lock))).await
}
