//! The user's calendars as collections.

use twofold_model::error::AtPlace;
use twofold_model::{Access, Collection, CollectionId, Error, ErrorKind, Kind, Removal, Result, plain_color};

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
        let known = entries
            .iter()
            .filter(|entry| is_owned(entry))
            .find(|entry| entry.name().to_lowercase() == like.name.to_lowercase());
        if let Some(known) = known.and_then(collection) {
            return Ok(known);
        }
        let zone = entries.iter().find(|entry| entry.is_primary()).and_then(|entry| entry.time_zone.as_deref());
        let made = self.client.send(api::create_calendar(&like.name, zone)).await.at(&like.name)?;
        let made = api::read_calendar(&made)?;
        // Its colour is one that Google chose; the list says which.
        let listed = self.entries().await.unwrap_or_default().into_iter().find(|entry| entry.id == made.id);
        Ok(listed.as_ref().and_then(collection).unwrap_or_else(|| Collection {
            id: CollectionId(made.id.clone()),
            kind: Kind::Calendar,
            name: made.name().to_owned(),
            color: None,
            is_default: false,
            role: None,
            access: Access::ReadWrite,
        }))
    }

    async fn entry(&self, id: &CollectionId) -> Result<CalendarEntry> {
        let entry = self.entries().await?.into_iter().find(|entry| entry.id == id.as_str());
        entry.ok_or_else(|| Error::new(ErrorKind::NotFound, "the calendar is not on the list").at(id))
    }

    /// Gives a calendar another name or colour: its own name where the user owns it, else the user's name for it.
    pub(crate) async fn rename_collection(
        &self,
        id: &CollectionId,
        name: Option<&str>,
        color: Option<&str>,
    ) -> Result<Collection> {
        let mut entry = self.entry(id).await?;
        let color = color.and_then(plain_color).filter(|color| Some(color) != color_of(&entry).as_ref());
        let mut own_name = None;
        if let Some(name) = name.filter(|name| *name != entry.name()) {
            match is_owned(&entry) && entry.summary_override.is_none() {
                true => {
                    let answer = self.client.send(api::rename_calendar(id.as_str(), name)).await.at(id)?;
                    entry.summary = api::read_calendar(&answer).at(id)?.summary;
                }
                false => own_name = Some(name),
            }
        }
        if own_name.is_some() || color.is_some() {
            let change = api::change_entry(id.as_str(), own_name, color.as_deref());
            let answer = api::read_entry(&self.client.send(change).await.at(id)?).at(id)?;
            entry.summary_override = answer.summary_override;
            entry.background_color = answer.background_color;
        }
        let unknown = || Error::new(ErrorKind::NotFound, "the calendar shows nothing but busy times").at(id);
        collection(&entry).ok_or_else(unknown)
    }

    /// What it means to take a calendar away: the user's own goes, one of somebody else's leaves the list, the primary one stays.
    pub(crate) async fn removal(&self, id: &CollectionId) -> Result<Removal> {
        let entry = self.entry(id).await?;
        Ok(match (entry.is_primary(), is_owned(&entry)) {
            (true, _) => Removal::Never,
            (false, true) => Removal::Whole,
            (false, false) => Removal::OffList,
        })
    }

    /// Deletes a calendar of the user's own in which nothing is, or takes somebody else's off the list.
    pub(crate) async fn remove_collection(&self, id: &CollectionId) -> Result<bool> {
        let request = match self.removal(id).await {
            Ok(Removal::Never) => return Ok(false),
            Ok(Removal::OffList) => api::leave_calendar(id.as_str()),
            Ok(Removal::Whole) if self.holds_anything(id).await? => return Ok(false),
            Ok(Removal::Whole) => api::delete_calendar(id.as_str()),
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        };
        match self.client.send(request).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error.at(id)),
        }
    }

    /// Whether any event is in a calendar. A page may be empty and not the last.
    async fn holds_anything(&self, id: &CollectionId) -> Result<bool> {
        let mut page: Option<String> = None;
        for _ in 0..PAGES_LIMIT {
            let answer = self.client.send(api::any_event(id.as_str(), page.as_deref())).await.at(id)?;
            let events = api::read_events(&answer).at(id)?;
            if !events.items.is_empty() {
                return Ok(true);
            }
            page = events.next_page_token;
            if page.is_none() {
                return Ok(false);
            }
        }
        // It cannot be seen to be empty.
        Ok(true)
    }
}

fn is_owned(entry: &CalendarEntry) -> bool {
    entry.access_role.as_deref() == Some("owner")
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
        role: None,
        access,
    })
    .filter(|collection| !collection.id.as_str().is_empty())
}

fn color_of(entry: &CalendarEntry) -> Option<String> {
    entry.background_color.as_deref().and_then(plain_color)
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
