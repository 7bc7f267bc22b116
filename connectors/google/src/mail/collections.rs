//! The user's labels as mailboxes. The history never tells of labels, so they are listed in every run.

use std::sync::Arc;
use twofold_model::email::path;
use twofold_model::error::AtPlace;
use twofold_model::{Collection, CollectionId, Error, ErrorKind, Removal, Result};

use super::map::Labels;
use super::wire::{LabelList, LabelRow, MessageList};
use super::{Mail, api};

/// A label whose list has so many empty pages cannot be seen to be empty.
const PAGES_LIMIT: usize = 100;

impl Mail {
    /// All mailboxes, or an error; never a part of them.
    pub(crate) async fn collections(&self) -> Result<Vec<Collection>> {
        let labels = self.remembered().await?;
        let collections = labels.collections();
        self.memory().told = Some(labels.own().map(str::to_owned).collect());
        Ok(collections)
    }

    /// The labels as they are now; what is remembered follows.
    async fn remembered(&self) -> Result<Arc<Labels>> {
        let labels = Arc::new(self.read_labels().await?);
        self.memory().labels = Some(Arc::clone(&labels));
        Ok(labels)
    }

    /// The labels as they are now. What is remembered stays: the cycle knows no others yet.
    pub(super) async fn read_labels(&self) -> Result<Labels> {
        let list: LabelList = self.client.send(api::labels()).await?.json()?;
        if list.labels.is_empty() {
            // Every account has the service's own.
            return Err(Error::new(ErrorKind::Malformed, "the list of labels is empty"));
        }
        Ok(Labels::of(list.labels))
    }

    /// Makes a label of that name, or finds the mailbox that is there already: so a lost reply makes no second.
    pub(crate) async fn create_collection(&self, like: &Collection) -> Result<Collection> {
        let labels = Arc::new(self.read_labels().await?);
        if let Some(known) = labels.collections().into_iter().find(|one| is_same(one, like)) {
            let mut memory = self.memory();
            memory.labels = Some(labels);
            memory.note_told(&known.id);
            return Ok(known);
        }
        let made = self.client.send(api::create_label(&label_name(&like.name)?)).await;
        let id = match made {
            Ok(response) => response.json::<LabelRow>()?.id,
            // Provider: 409 where another label has the name; it may have been made this moment.
            Err(error) if error.kind == ErrorKind::StaleEtag => {
                let known = self.read_labels().await?.collections().into_iter().find(|one| is_same(one, like));
                let known = known.ok_or_else(|| Error::new(ErrorKind::Refused, error.message).at(&like.name))?;
                self.memory().note_told(&known.id);
                return Ok(known);
            }
            Err(error) => return Err(error.at(&like.name)),
        };
        self.refreshed(&CollectionId(id)).await
    }

    /// Gives a label another name. Mailboxes have no colour here, and those of the service keep their names.
    pub(crate) async fn rename_collection(&self, id: &CollectionId, name: Option<&str>) -> Result<Collection> {
        if let Some(name) = name {
            if !self.read_labels().await?.is_own(id.as_str()) {
                return Err(Error::new(ErrorKind::Unsupported, "Gmail's own mailboxes keep their names").at(id));
            }
            let renamed = self.client.send(api::rename_label(id.as_str(), &label_name(name)?)).await;
            renamed
                .map_err(|error| match error.kind {
                    ErrorKind::StaleEtag => Error::new(ErrorKind::Refused, error.message),
                    _ => error,
                })
                .at(id)?;
        }
        self.refreshed(id).await
    }

    /// One mailbox as it is now; what is remembered follows.
    async fn refreshed(&self, id: &CollectionId) -> Result<Collection> {
        let found = self.remembered().await?.collections().into_iter().find(|one| one.id == *id);
        let found = found.ok_or_else(|| Error::new(ErrorKind::NotFound, "the label is not there").at(id))?;
        self.memory().note_told(id);
        Ok(found)
    }

    /// The user's own labels can go, Gmail's cannot.
    pub(crate) async fn removal(&self, id: &CollectionId) -> Result<Removal> {
        let labels = self.read_labels().await?;
        match (labels.is_own(id.as_str()), labels.is_place(id.as_str())) {
            (true, _) => Ok(Removal::Whole),
            (false, true) => Ok(Removal::Never),
            (false, false) => Err(Error::new(ErrorKind::NotFound, "the label is not there").at(id)),
        }
    }

    /// Deletes a label in which nothing stands.
    pub(crate) async fn remove_collection(&self, id: &CollectionId) -> Result<bool> {
        match self.removal(id).await {
            Ok(Removal::Whole) => {}
            Ok(Removal::Never | Removal::OffList) => return Ok(false),
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        }
        if self.holds_anything(id).await? {
            return Ok(false);
        }
        match self.client.send(api::delete_label(id.as_str())).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error.at(id)),
        }
    }

    /// Whether any message stands in a label. A page may be empty and not the last.
    async fn holds_anything(&self, id: &CollectionId) -> Result<bool> {
        let mut page: Option<String> = None;
        for _ in 0..PAGES_LIMIT {
            let answer = self.client.send(api::any_in(id.as_str(), page.as_deref())).await.at(id)?;
            let list: MessageList = answer.json().at(id)?;
            if !list.messages.is_empty() {
                return Ok(true);
            }
            page = list.next_page_token;
            if page.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a mailbox is the one that is asked for: by its role, else by its name, whose letters may differ in case.
fn is_same(one: &Collection, like: &Collection) -> bool {
    match like.role {
        Some(role) if one.role.is_some() => one.role == Some(role),
        _ => one.name.to_lowercase() == like.name.to_lowercase(),
    }
}

/// The name of a label for a path.
///
/// # Errors
/// [`ErrorKind::Refused`] where a level has a slash in its name: there it would be two levels.
fn label_name(text: &str) -> Result<String> {
    let names = path::split(text);
    match names.iter().any(|name| name.contains('/')) {
        true => Err(Error::new(ErrorKind::Refused, "no label at Gmail can have a slash within a name").at(text)),
        false => Ok(names.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_model::email::Role;

    #[test]
    fn paths_are_names_of_labels() {
        assert_eq!(label_name("Work/2026").unwrap(), "Work/2026");
        assert_eq!(label_name("a\\\\b").unwrap(), "a\\b");
        assert_eq!(label_name("R\\/D").unwrap_err().kind, ErrorKind::Refused);
    }

    #[test]
    fn a_mailbox_is_known_by_its_role_or_by_its_name() {
        let all = Labels::default().collections();
        let like = |name: &str, role: Option<Role>| Collection { name: name.into(), role, ..all[0].clone() };
        let found = |like: Collection| all.iter().find(|one| is_same(one, &like)).map(|one| one.id.as_str());
        assert_eq!(found(like("Papierkorb", Some(Role::Trash))), Some("TRASH"));
        assert_eq!(found(like("sent", None)), Some("SENT"));
        assert_eq!(found(like("Trips", None)), None);
    }
}
