//! The user's calendars as collections.

use twofold_model::error::AtPlace;
use twofold_model::{Access, Collection, CollectionId, Error, ErrorKind, Kind, Result};

use super::rendering::Usual;
use super::wire::CalendarEntry;
use super::{Calendar, api};

/// No account has so many pages of calendars: an answer that goes round in circles ends here.
const PAGES_LIMIT: usize = 100;

impl Calendar {
    /// All calendars whose events the user may see, or an error; never a part of them.
    ///
    /// Listed in full each time: Google's delta of this list does not tell when a name, a zone or a right has changed.
    pub(crate) async fn collections(&self) -> Result<Vec<Collection>> {
        let entries = self.entries().await?;
        let mut memory = self.memory();
        for entry in &entries {
            let usual = Usual { reminders: entry.default_reminders.clone(), zone: entry.time_zone.clone() };
            memory.insert(entry.id.clone(), usual);
        }
        Ok(entries.iter().filter_map(collection).collect())
    }

    async fn entries(&self) -> Result<Vec<CalendarEntry>> {
        let mut entries = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..PAGES_LIMIT {
            let answer = api::read_calendars(&self.client.send(api::list_calendars(page.as_deref())).await?)?;
            entries.extend(answer.items.into_iter().filter(|entry| !entry.is_deleted()));
            page = answer.next_page_token;
            if page.is_none() {
                return Ok(entries);
            }
        }
        Err(Error::new(ErrorKind::Malformed, "the list of calendars does not come to an end"))
    }

    /// Makes a calendar of that name, or finds the user's own one that is there already: so a lost reply makes no second.
    pub(crate) async fn create_collection(&self, like: &Collection) -> Result<Collection> {
        let entries = self.entries().await?;
        let is_own = |entry: &&CalendarEntry| entry.access_role.as_deref() == Some("owner");
        let known = entries.iter().filter(is_own).find(|entry| entry.name().to_lowercase() == like.name.to_lowercase());
        if let Some(known) = known.and_then(collection) {
            return Ok(known);
        }
        let zone = entries.iter().find(|entry| entry.is_primary()).and_then(|entry| entry.time_zone.as_deref());
        let made = self.client.send(api::create_calendar(&like.name, zone)).await.at(&like.name)?;
        let id = api::read_calendar(&made)?.id;
        let color = like.color.as_deref().filter(|color| is_color(color));
        if let Some(color) = color {
            // A calendar in another colour is a calendar all the same.
            if let Err(error) = self.client.send(api::change_entry(&id, None, Some(color))).await {
                tracing::warn!(%error, "the new calendar did not get its colour");
            }
        }
        let color = color.map(str::to_owned);
        let (id, access) = (CollectionId(id), Access::ReadWrite);
        Ok(Collection { id, kind: Kind::Calendar, name: like.name.clone(), color, is_default: false, access })
    }

    /// Gives a calendar another name or colour: its own name where the user owns it, else the user's name for it.
    pub(crate) async fn rename_collection(&self, id: &CollectionId, name: &str, color: Option<&str>) -> Result<()> {
        let entries = self.entries().await?;
        let entry = entries.iter().find(|entry| entry.id == id.as_str());
        let entry = entry.ok_or_else(|| Error::new(ErrorKind::NotFound, "the calendar is not on the list").at(id))?;
        let color = color.filter(|color| is_color(color) && Some(*color) != color_of(entry).as_deref());
        let mut own_name = None;
        if entry.name() != name {
            let is_owner = entry.access_role.as_deref() == Some("owner") && entry.summary_override.is_none();
            match is_owner {
                true => drop(self.client.send(api::rename_calendar(id.as_str(), name)).await.at(id)?),
                false => own_name = Some(name),
            }
        }
        if own_name.is_some() || color.is_some() {
            self.client.send(api::change_entry(id.as_str(), own_name, color)).await.at(id)?;
        }
        Ok(())
    }
}

/// A row of the list as a collection; nothing for a calendar of which only free and busy times are shown.
fn collection(entry: &CalendarEntry) -> Option<Collection> {
    let access = match entry.access_role.as_deref() {
        Some("owner" | "writer" | "writerWithoutPrivateAccess") => Access::ReadWrite,
        Some("reader") => Access::ReadOnly,
        _ => return None,
    };
    Some(Collection {
        id: CollectionId(entry.id.clone()).clone(),
        kind: Kind::Calendar,
        name: entry.name().to_owned(),
        color: color_of(entry),
        is_default: entry.is_primary(),
        access,
    })
    .filter(|collection| !collection.id.as_str().is_empty())
}

fn color_of(entry: &CalendarEntry) -> Option<String> {
    entry.background_color.as_deref().map(str::to_ascii_lowercase).filter(|color| is_color(color))
}

/// Whether a text is `#rrggbb`.
fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_role_decides_what_is_mirrored() {
        let of = |role: &str| {
            let entry = json!({"id": "c@x", "summary": "Team", "accessRole": role, "backgroundColor": "#16A765", "primary": true});
            collection(&serde_json::from_value(entry).unwrap())
        };
        for (role, access) in [
            ("owner", Some(Access::ReadWrite)),
            ("writer", Some(Access::ReadWrite)),
            ("writerWithoutPrivateAccess", Some(Access::ReadWrite)),
            ("reader", Some(Access::ReadOnly)),
            ("freeBusyReader", None),
            ("none", None),
            ("tomorrows", None),
        ] {
            assert_eq!(of(role).map(|collection| collection.access), access, "{role}");
        }
        let team = of("owner").unwrap();
        assert_eq!((team.name.as_str(), team.color.as_deref(), team.is_default), ("Team", Some("#16a765"), true));
    }
}
