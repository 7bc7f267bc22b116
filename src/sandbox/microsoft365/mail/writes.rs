//! Every change of mail. Each appends one line to the log, which is that of the whole mailbox (`microsoft365/store.rs`), and
//! one moment to the history of what it is about.

use std::sync::Arc;

use super::super::reply::Refusal;
use super::super::store::{Microsoft, Rules, Touch, Touched};
use super::body::Body;
use super::store::{BIN, Folder, FolderMoment, Kind, Message, Moment, RECOVERABLE};

impl Microsoft {
    fn append_message(&mut self, at_ms: i64, key: u64, mut moment: Moment) {
        self.log.push(Touch { at_ms, what: Touched::Message(key) });
        moment.seq = self.log.len() as u64;
        if let Some(message) = self.mail.messages.get_mut(&key) {
            message.history.push(moment);
        }
    }

    fn write_message(&mut self, rules: &Rules, key: u64, mut moment: Moment) {
        moment.modified_ms = rules.now_ms;
        self.append_message(rules.now_ms, key, moment);
        if rules.restamp_after_ms > 0 {
            self.restamps.push_back((rules.now_ms + rules.restamp_after_ms, key));
        }
    }

    /// Gives a message a new change key with equal content.
    pub(in super::super) fn restamp_message(&mut self, at_ms: i64, key: u64) {
        if let Some(moment) = self.mail.messages.get(&key).map(|message| message.now().clone())
            && moment.folder.is_some()
        {
            self.append_message(at_ms, key, moment);
        }
    }

    fn name_message(&mut self, key: u64, message_id: String) {
        let keys = self.mail.named.entry(message_id).or_default();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }

    /// Makes a message.
    pub(super) fn create_message(&mut self, rules: &Rules, folder: u64, mut body: Body) -> u64 {
        self.last_key += 1;
        let key = self.last_key;
        let (message_id, answers) = body.names();
        let message_id = message_id.unwrap_or_else(|| {
            let new = format!("<made{key}.{}@mail.example.com>", rules.now_ms);
            body.fields.insert("internetMessageId".into(), new.as_str().into());
            new
        });
        let first = answers.iter().find_map(|id| self.mail.named(id).first());
        let conversation = first.map_or(key, |first| self.mail.messages[first].conversation);
        let message = Message {
            created_ms: rules.now_ms,
            conversation,
            was_moved_elsewhere: false,
            history: Vec::with_capacity(1),
        };
        self.mail.messages.insert(key, message);
        self.name_message(key, message_id);
        let first = Moment { seq: 0, modified_ms: 0, folder: Some(folder), moves: 0, body: Arc::new(body) };
        self.write_message(rules, key, first);
        key
    }

    /// Gives a message other content, or the same under a new change key.
    pub(super) fn edit_message(&mut self, rules: &Rules, key: u64, body: Body) {
        let mut moment = self.mail.messages[&key].now().clone();
        if *moment.body != body {
            if let (Some(message_id), _) = body.names() {
                self.name_message(key, message_id);
            }
            moment.body = Arc::new(body);
        }
        self.write_message(rules, key, moment);
    }

    /// Moves a message. Its immutable id stays; its regular id is another one from now on.
    pub(super) fn move_message(&mut self, rules: &Rules, key: u64, folder: u64) {
        let mut moment = self.mail.messages[&key].now().clone();
        moment.folder = Some(folder);
        moment.moves += u32::from(rules.ids_change_on_move);
        self.write_message(rules, key, moment);
    }

    /// Takes a message away for good.
    pub(super) fn purge_message(&mut self, rules: &Rules, key: u64) {
        let mut moment = self.mail.messages[&key].now().clone();
        moment.folder = None;
        moment.modified_ms = rules.now_ms;
        self.append_message(rules.now_ms, key, moment);
    }

    /// Deletes a message as a client does: to Deleted Items, from there to Recoverable Items, from there for good.
    pub(super) fn delete_message(&mut self, rules: &Rules, key: u64) {
        match self.mail.messages[&key].now().folder {
            Some(BIN) => self.move_message(rules, key, RECOVERABLE),
            Some(RECOVERABLE) => self.purge_message(rules, key),
            _ => self.move_message(rules, key, BIN),
        }
    }

    fn append_mail_folder(&mut self, rules: &Rules, key: u64, mut moment: FolderMoment) {
        self.log.push(Touch { at_ms: rules.now_ms, what: Touched::MailFolder(key) });
        moment.seq = self.log.len() as u64;
        if let Some(folder) = self.mail.folders.get_mut(&key) {
            folder.history.push(moment);
        }
    }

    /// Makes a mail folder (its history is empty yet); a name that is there already is refused.
    pub(super) fn create_mail_folder(
        &mut self,
        rules: &Rules,
        parent: u64,
        name: &str,
        folder: Folder,
    ) -> Result<u64, Refusal> {
        self.mail.check_name(parent, name, None)?;
        self.last_key += 1;
        let key = self.last_key;
        self.mail.folders.insert(key, folder);
        self.append_mail_folder(rules, key, FolderMoment { seq: 0, name: name.into(), parent: Some(parent) });
        Ok(key)
    }

    /// Gives a mail folder another name or place.
    pub(super) fn edit_mail_folder(&mut self, rules: &Rules, key: u64, parent: u64, name: &str) -> Result<(), Refusal> {
        self.mail.check_name(parent, name, Some(key))?;
        let mut above = Some(parent);
        while let Some(folder) = above.and_then(|folder| self.mail.folders.get(&folder).map(|found| (folder, found))) {
            if folder.0 == key {
                return Err(Refusal::new(400, "ErrorInvalidRequest", "A folder cannot be moved into itself."));
            }
            above = folder.1.now().parent;
        }
        self.append_mail_folder(rules, key, FolderMoment { seq: 0, name: name.into(), parent: Some(parent) });
        Ok(())
    }

    /// Refuses what is done to folders that every mailbox has.
    pub(super) fn check_is_own(&self, key: u64) -> Result<(), Refusal> {
        if self.mail.folders[&key].known.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."))
    }

    /// Deletes a mail folder as a client does: to Deleted Items, and from there for good with all that is in it.
    pub(super) fn delete_mail_folder(&mut self, rules: &Rules, key: u64) -> Result<(), Refusal> {
        self.check_is_own(key)?;
        let FolderMoment { name, parent, .. } = self.mail.folders[&key].now().clone();
        if parent == Some(BIN) || self.mail.folders[&key].kind != Kind::Mail {
            self.purge_mail_folder(rules, key);
            return Ok(());
        }
        let mut free = name.clone();
        for number in 1.. {
            if self.mail.check_name(BIN, &free, Some(key)).is_ok() {
                break;
            }
            free = format!("{name}{number}");
        }
        self.edit_mail_folder(rules, key, BIN, &free)
    }

    /// Takes a mail folder away for good with all that is in it.
    pub(super) fn purge_mail_folder(&mut self, rules: &Rules, key: u64) {
        for child in self.mail.children(key) {
            self.purge_mail_folder(rules, child);
        }
        for message in self.mail.inside(key) {
            self.purge_message(rules, message);
        }
        let name = self.mail.folders[&key].now().name.clone();
        self.append_mail_folder(rules, key, FolderMoment { seq: 0, name, parent: None });
    }

    /// Copies a mail folder with all that is in it, and gives the copy's key.
    pub(super) fn copy_mail_folder(&mut self, rules: &Rules, key: u64, parent: u64) -> Result<u64, Refusal> {
        // What is inside is looked up first: a folder may be copied into itself.
        let (children, messages) = (self.mail.children(key), self.mail.inside(key));
        let folder = &self.mail.folders[&key];
        let (name, new) = (folder.now().name.clone(), Folder { known: "", history: Vec::new(), ..folder.clone() });
        let copy = self.create_mail_folder(rules, parent, &name, new)?;
        for message in messages {
            let body = (*self.mail.messages[&message].now().body).clone();
            self.create_message(rules, copy, body);
        }
        for child in children {
            self.copy_mail_folder(rules, child, copy)?;
        }
        Ok(copy)
    }
}
