//! Which collections there are, where each of them stands, and what it is called (ENGINE 9, 10).
//!
//! A collection comes from a provider, or from a folder that somebody made on a device below a provider's name. It is made
//! at every device, under `PROVIDER/KIND`, or under `joined/KIND` when the configuration joins two providers' collections.
//!
//! | file | holds |
//! |---|---|
//! | `follow` | what the providers list; folders that were renamed |
//! | `make` | what a place lacks is made there; folders that somebody made |
//! | `label` | names and colours, the same everywhere by the three-way rule |
//! | `missing` | what a place does not list any more: a hold |
//! | `remove` | what somebody approved to be gone is taken away, and never more |

pub(crate) mod follow;
mod label;
mod make;
pub mod missing;
pub mod remove;

pub(crate) use follow::is_named;
pub(crate) use make::waits_no_more;

use crate::late::Silent;
use crate::{Cycle, joins};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use twofold_model::error::AtPlace;
use twofold_model::{Access, Collection, Kind, Result};

/// What each reachable replica listed: its place among the members, and its collections.
pub(crate) type Listed = Vec<(usize, Vec<Collection>)>;

/// Brings the hub's collections of a kind up to date with what the replicas have, and makes those that a place lacks.
/// `false`: the configuration joins what is not there; nothing of this kind may be touched.
pub async fn arrange(cycle: &mut Cycle<'_>, kind: Kind) -> Result<bool> {
    let mut found = lists(cycle, kind).await?;
    // Providers stand before devices.
    let providers = found.iter().take_while(|(index, _)| !cycle.members[*index].replica.is_device).count();
    for (index, collections) in &found[..providers] {
        for collection in collections {
            follow::follow(cycle, kind, *index, collection, &found)?;
        }
    }
    crate::scope::arrange(cycle, kind, &found)?;
    if !joins::are_there(cycle, kind, &found)? {
        return Ok(false);
    }
    for index in 0..cycle.members.len() {
        follow::follow_moved(cycle, kind, index).await?;
    }
    missing::heal(cycle, kind, &found)?;
    remove::judge(cycle, kind).await?;
    make::put_back(cycle, kind).await?;
    missing::hold(cycle, kind, &found).await?;
    for (index, collections) in &found[providers..] {
        let (closed, open): (Vec<Collection>, Vec<Collection>) =
            collections.iter().cloned().partition(|folder| folder.access == Access::Closed);
        label::take(cycle, kind, *index, &open)?;
        make::make_missing(cycle, kind, *index).await?;
        make::take_new_folders(cycle, kind, *index, &open).await?;
        make::leave_closed(cycle, kind, *index, &closed)?;
    }
    // A mailbox that is made stands below one that goes by its new name already.
    label::tell(cycle, kind).await?;
    // What one device brought is made at its provider, and at the other devices.
    for at in 0..found.len() {
        let index = found[at].0;
        if at >= providers {
            // What was told another name just now left room for what is made under its old one.
            follow::follow_moved(cycle, kind, index).await?;
        }
        if make::make_missing(cycle, kind, index).await? && at < providers && kind == Kind::Mail {
            follow::follow_made(cycle, kind, at, &mut found).await?;
        }
    }
    for (index, collections) in &found[providers..] {
        make::let_go(cycle, kind, *index, collections)?;
    }
    Ok(true)
}

/// What each replica that is reached lists: they are asked side by side.
async fn lists(cycle: &mut Cycle<'_>, kind: Kind) -> Result<Listed> {
    let reached = |index: usize| Some((index, cycle.members[index].reached(kind)?.clone()));
    let asked: Vec<_> = (0..cycle.members.len()).filter_map(reached).collect();
    let mut silent = Silent::new(cycle, kind, asked.iter().map(|(index, _)| *index))?;
    let mut answers: FuturesUnordered<_> = asked
        .into_iter()
        .map(|(index, connector)| async move { (index, connector.collections(kind).await.at(kind)) })
        .collect();
    let mut found = Listed::new();
    loop {
        let answer = tokio::select! {
            answer = answers.next() => answer,
            () = silent.is_enough(cycle, |_| true) => None,
        };
        let Some((index, answer)) = answer else { break };
        silent.heard(index);
        match answer {
            Ok(collections) => found.push((index, collections)),
            Err(error) => cycle.members[index].lose_kind(kind, error),
        }
    }
    silent.leave(cycle, kind)?;
    found.sort_by_key(|(index, _)| *index);
    Ok(found)
}

/// What people call a collection of this kind.
pub(crate) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Mail => "folder",
        Kind::Calendar => "calendar",
        Kind::Contacts => "address book",
    }
}
