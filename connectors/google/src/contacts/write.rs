//! Writing: groups first, then creates, updates (those with one mask together) and deletes, one request after another
//! (Provider: "mutate requests for the same user should be sent sequentially").
//!
//! A batch is executed whole or not at all. One that is refused is cut in halves until the item that it was refused for
//! stands alone; one whose fate is unknown leaves all its items unknown. Before a refused one is cut, it is looked whether a
//! contact group that it names is gone: then the group is made again, and the batch sent once more. Once a person is written,
//! a failure of its photo can no longer say "not executed": it is unknown, or, where the photo itself was refused, the person
//! as it now is.

use std::collections::{BTreeMap, BTreeSet};
use twofold_model::error::AtPlace;
use twofold_model::{Error, ErrorKind, Etag, Operation, Result, Written};

use super::change::{Change, keywords_sent, prepare};
use super::labels::say_as_asked;
use super::rendering::{PhotoChange, changed_person, photo_data, photo_url, reduce, seen, set_photo_data};
use super::wire::{Object, Person};
use super::{Contacts, again, api};

/// A delete, ready to be sent.
struct Removal {
    index: usize,
    name: String,
    etag: Etag,
}

/// The answers, in the order of the operations.
struct Answers(Vec<Option<Result<Written>>>);

impl Answers {
    fn give(&mut self, index: usize, answer: Result<Written>) {
        self.0[index] = Some(answer);
    }

    fn fail<'a>(&mut self, indices: impl IntoIterator<Item = &'a usize>, error: &Error) {
        for index in indices {
            self.give(*index, Err(again(error)));
        }
    }
}

impl Contacts {
    /// Carries out the operations and answers for each.
    pub(crate) async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        let mut answers = Answers(operations.iter().map(|_| None).collect());
        let labels = self.labels(operations.iter().flat_map(keywords_sent).collect()).await;
        let (mut creates, mut updates, mut removals) = (Vec::new(), BTreeMap::<String, Vec<Change>>::new(), Vec::new());
        for (index, operation) in operations.iter().enumerate() {
            if let Operation::Delete { place, etag } = operation {
                removals.push(Removal { index, name: place.remote_id.0.clone(), etag: etag.clone() });
                continue;
            }
            let prepared = match &labels {
                Ok(labels) => prepare(index, operation, labels),
                Err(error) => Err(again(error)),
            };
            match prepared {
                Ok((mask, change)) if change.name.is_some() => updates.entry(mask).or_default().push(change),
                Ok((_, change)) => creates.push(change),
                Err(error) => answers.give(index, Err(error)),
            }
        }
        self.create_all(creates, &mut answers).await;
        for (mask, changes) in updates {
            self.update_all(&mask, changes, &mut answers).await;
        }
        self.remove_all(removals, &mut answers).await;
        let unanswered = || Err(Error::new(ErrorKind::Unknown, "the write has no answer"));
        answers.0.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    // ---- creates and updates ------------------------------------------------------------------------------------------

    async fn create_all(&self, changes: Vec<Change>, answers: &mut Answers) {
        let mut work: Vec<Vec<Change>> = chunks(changes, api::WRITE_LIMIT);
        while let Some(batch) = work.pop() {
            let persons: Vec<&Object> = batch.iter().map(|change| &change.person).collect();
            let outcome = match persons.as_slice() {
                [one] => self.send_person(api::create(one)).await,
                many => match self.client.send(api::batch_create(many)).await {
                    Ok(response) => api::read_batch_create(&response, many),
                    Err(error) => Err(error),
                },
            };
            self.settle(batch, outcome, &mut work, answers).await;
        }
    }

    async fn update_all(&self, mask: &str, changes: Vec<Change>, answers: &mut Answers) {
        if mask.is_empty() {
            for change in changes {
                let index = change.index;
                let answer = self.update_photo_alone(change).await;
                answers.give(index, answer);
            }
            return;
        }
        let mut work = chunks(changes, api::WRITE_LIMIT);
        while let Some(batch) = work.pop() {
            let persons: Vec<(&str, &Object)> =
                batch.iter().map(|change| (change.name.as_deref().unwrap_or_default(), &change.person)).collect();
            let names: Vec<&str> = persons.iter().map(|(name, _)| *name).collect();
            let outcome = match persons.as_slice() {
                [(name, person)] => self.send_person(api::update(name, person, mask)).await,
                many => match self.client.send(api::batch_update(many, mask)).await {
                    Ok(response) => api::read_batch_update(&response, &names),
                    Err(error) => Err(error),
                },
            };
            self.settle(batch, outcome, &mut work, answers).await;
        }
    }

    async fn send_person(&self, request: twofold_http::Request) -> Result<Vec<Result<Person>>> {
        let response = self.client.send(request).await?;
        Ok(vec![api::read_person(&response)])
    }

    /// Gives the answers of a batch, or puts it back: as a whole where a group is another one by now, else in halves.
    async fn settle(
        &self,
        mut batch: Vec<Change>,
        outcome: Result<Vec<Result<Person>>>,
        work: &mut Vec<Vec<Change>>,
        answers: &mut Answers,
    ) {
        match outcome {
            Ok(persons) => {
                for (change, person) in batch.into_iter().zip(persons) {
                    let index = change.index;
                    let answer = match person {
                        Ok(person) => self.finish(change, person).await,
                        Err(error) => Err(error),
                    };
                    answers.give(index, answer);
                }
            }
            Err(error) => match self.follow_groups(&mut batch, &error).await {
                Ok(true) => work.push(batch),
                Ok(false) => fail_or_halve(batch, error, work, answers, |change| &change.index),
                Err(error) => fail_or_halve(batch, not_executed(error), work, answers, |change| &change.index),
            },
        }
    }

    /// After a refusal: whether a group that the batch names is another one by now, so that the batch may be sent once more.
    /// (Somebody deletes a group after we listed it: Google then refuses whoever is to be in it, and the whole batch. The
    /// refusal proves that nothing was executed.) Each change is looked at once.
    async fn follow_groups(&self, batch: &mut [Change], error: &Error) -> Result<bool> {
        let is_fresh = |change: &Change| !change.is_looked_at && !change.labels.is_empty();
        if !is_an_items(error) || !batch.iter().any(is_fresh) {
            return Ok(false);
        }
        let fresh = batch.iter().filter(|change| is_fresh(change));
        let labels = self.labels_anew(fresh.map(|change| &change.labels)).await?;
        let mut follows = false;
        for change in batch {
            change.is_looked_at = true;
            follows |= change.follow(&labels);
        }
        Ok(follows)
    }

    /// The person that a write left behind, in all groups that it is to be in: a group that is gone may also be passed over in
    /// silence. Then it is made again, and the person put into it.
    async fn in_its_groups(&self, change: &mut Change, person: Person) -> Result<Person> {
        let is_in = |group: &str| person.group_names().any(|other| other == group);
        if change.is_looked_at || change.labels.outside(is_in).next().is_none() {
            return Ok(person);
        }
        change.is_looked_at = true;
        let labels = self.labels_anew(std::iter::once(&change.labels)).await?;
        let (Some(source), true) = (person.contact_source(), change.follow(&labels)) else { return Ok(person) };
        let (name, etag) = (person.resource_name().unwrap_or_default(), Etag(source.etag.to_owned()));
        let Some(mut body) = changed_person(name, &etag, &person.0, &[], |_| None) else { return Ok(person) };
        body.extend(change.person.get("memberships").map(|groups| ("memberships".to_owned(), groups.clone())));
        self.send_person(api::update(name, &body, "memberships")).await?.remove(0)
    }

    /// After a person was written: its photo, then the copy as it now is.
    async fn finish(&self, mut change: Change, written: Person) -> Result<Written> {
        let name = written.resource_name().unwrap_or_default().to_owned();
        let unknown = |error: Error| Error::new(ErrorKind::Unknown, format!("its groups: {}", error.message));
        let mut person = self.in_its_groups(&mut change, written).await.map_err(unknown).at(&name)?;
        let changes_photo = change.photo != PhotoChange::Keep;
        if changes_photo {
            match self.change_photo(&name, &change.photo).await {
                Ok(changed) => person = changed,
                Err(error)
                    if matches!(error.kind, ErrorKind::Refused | ErrorKind::Unsupported | ErrorKind::NotFound) =>
                {
                    tracing::warn!(%error, "Google does not take the contact's photo; the contact is written without it");
                }
                Err(error) => {
                    return Err(Error::new(ErrorKind::Unknown, format!("its photo: {}", error.message))).at(name);
                }
            }
        }
        self.copy_of(person, &change, changes_photo).await
    }

    async fn change_photo(&self, name: &str, photo: &PhotoChange) -> Result<Person> {
        let request = match photo {
            PhotoChange::Set(base64) => api::set_photo(name, base64),
            PhotoChange::Remove => api::delete_photo(name),
            PhotoChange::Keep => api::get(name),
        };
        let answer = match self.client.send(request).await {
            Ok(response) => api::read_photo_change(&response),
            // It has none any more.
            Err(error) if error.kind == ErrorKind::NotFound && *photo == PhotoChange::Remove => self.get(name).await,
            Err(error) => Err(error),
        };
        match answer {
            // Neither "done" nor "not done": what is there is looked at before anything is said.
            Err(error) if error.kind == ErrorKind::Malformed => Err(Error::new(ErrorKind::Unknown, error.message)),
            answer => answer,
        }
    }

    /// The copy of a person as an answer showed it. A photo that was not changed keeps its known bytes; one that was is read
    /// again, since Google makes its own picture of it.
    async fn copy_of(&self, person: Person, change: &Change, changes_photo: bool) -> Result<Written> {
        let unknown = |error: Error| Error::new(ErrorKind::Unknown, error.message);
        let mut table = (*self.groups().await.map_err(unknown)?).clone();
        let rows: [Result<Person, Error>; 1] = [Ok(person)];
        self.learn_groups(&mut table, &rows).await.map_err(unknown)?;
        let [row] = rows;
        let mut copy = reduce(row.map_err(unknown)?, &table, &mut BTreeSet::new());
        say_as_asked(&mut copy, &change.to, change.sends_groups().then_some(&change.labels));
        let known = if changes_photo { None } else { photo_data(&change.from) };
        match known {
            Some((media_type, data)) if photo_url(&copy) == photo_url(&change.from) => {
                let (media_type, data) = (media_type.to_owned(), data.to_owned());
                set_photo_data(&mut copy, &media_type, data);
            }
            _ => {
                self.add_photos(vec![&mut copy]).await;
                // What was sent stands in for what could not be read back.
                let is_there = photo_url(&copy).is_some();
                if let (true, None, Some((media_type, data))) = (is_there, photo_data(&copy), photo_data(&change.to)) {
                    let (media_type, data) = (media_type.to_owned(), data.to_owned());
                    set_photo_data(&mut copy, &media_type, data);
                }
            }
        }
        seen(&copy).map(Some).map_err(unknown)
    }

    /// An update of nothing but the photo. Provider: photos have no guard, so the etag is looked at just before.
    async fn update_photo_alone(&self, change: Change) -> Result<Written> {
        let name = change.name.clone().unwrap_or_default();
        let person = self.get(&name).await.map_err(not_executed)?;
        if person.contact_source().map(|source| source.etag) != change.etag.as_ref().map(Etag::as_str) {
            return Err(stale(&name));
        }
        if change.photo == PhotoChange::Keep {
            return self.copy_of(person, &change, false).await;
        }
        let changed = self.change_photo(&name, &change.photo).await?;
        self.copy_of(changed, &change, true).await
    }

    // ---- deletes ------------------------------------------------------------------------------------------------------

    /// Deletes what still is in the agreed state. Provider: a delete takes no guard, so the etags are looked at just before.
    async fn remove_all(&self, removals: Vec<Removal>, answers: &mut Answers) {
        for chunk in chunks(removals, api::GET_LIMIT.min(api::DELETE_LIMIT)) {
            let checked = self.check_removals(chunk, answers).await;
            let mut work = if checked.is_empty() { Vec::new() } else { vec![checked] };
            while let Some(batch) = work.pop() {
                let names: Vec<&str> = batch.iter().map(|removal| removal.name.as_str()).collect();
                let request = match names.as_slice() {
                    [one] => api::delete(one),
                    many => api::batch_delete(many),
                };
                match self.client.send(request).await {
                    Ok(_) => batch.iter().for_each(|removal| answers.give(removal.index, Ok(None))),
                    Err(error) if error.kind == ErrorKind::NotFound && batch.len() == 1 => {
                        answers.give(batch[0].index, Ok(None));
                    }
                    Err(error) => fail_or_halve(batch, error, &mut work, answers, |removal| &removal.index),
                }
            }
        }
    }

    /// Those of the removals that are still in the state that was agreed to be removed, under their names of today.
    async fn check_removals(&self, removals: Vec<Removal>, answers: &mut Answers) -> Vec<Removal> {
        let names: Vec<&str> = removals.iter().map(|removal| removal.name.as_str()).collect();
        let persons = match self.client.send(api::batch_get_etags(&names)).await {
            Ok(response) => api::read_batch_get(&response, &names),
            Err(error) => Err(error),
        };
        let persons = match persons {
            Ok(persons) => persons,
            Err(error) => {
                answers.fail(removals.iter().map(|removal| &removal.index), &not_executed(error));
                return Vec::new();
            }
        };
        let mut agreed = Vec::with_capacity(removals.len());
        for (mut removal, person) in removals.into_iter().zip(persons) {
            match person {
                Err(error) if error.kind == ErrorKind::NotFound => answers.give(removal.index, Ok(None)),
                Err(error) => answers.give(removal.index, Err(not_executed(error))),
                Ok(person) => match person.contact_source() {
                    Some(source) if source.etag == removal.etag.as_str() => {
                        // A person that was merged goes by another name.
                        removal.name = person.resource_name().unwrap_or(&removal.name).to_owned();
                        agreed.push(removal);
                    }
                    _ => answers.give(removal.index, Err(stale(&removal.name))),
                },
            }
        }
        agreed
    }
}

/// Whether an answer may be about one item of a batch alone. It proves that nothing was executed.
fn is_an_items(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::StaleEtag)
}

/// After a batch failed: in halves where the failure is one item's and proves that nothing was executed, else all fail.
/// Where asking again would fail the same way, what was still to come fails too.
fn fail_or_halve<T>(
    mut batch: Vec<T>,
    error: Error,
    work: &mut Vec<Vec<T>>,
    answers: &mut Answers,
    index: fn(&T) -> &usize,
) {
    if is_an_items(&error) && batch.len() > 1 {
        let second = batch.split_off(batch.len() / 2);
        work.push(second);
        work.push(batch);
        return;
    }
    answers.fail(batch.iter().map(index), &error);
    if error.kind.is_of_the_place() || error.kind == ErrorKind::Forbidden {
        for rest in work.drain(..) {
            answers.fail(rest.iter().map(index), &error);
        }
    }
}

/// The items in order, in runs of at most `size`; the first run is the last of the list, where work is taken from.
fn chunks<T>(items: Vec<T>, size: usize) -> Vec<Vec<T>> {
    let mut runs = Vec::new();
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        runs.push(items.by_ref().take(size).collect());
    }
    runs.reverse();
    runs
}

/// A read before the write failed: the write was not sent.
fn not_executed(error: Error) -> Error {
    match error.kind.proves_not_executed() {
        true => error,
        false => Error::new(ErrorKind::Offline, error.message),
    }
}

fn stale(name: &str) -> Error {
    Error::new(ErrorKind::StaleEtag, "the contact changed there meanwhile").at(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(answers: Answers) -> Vec<Option<ErrorKind>> {
        answers.0.into_iter().map(|answer| answer.and_then(|answer| answer.err()).map(|error| error.kind)).collect()
    }

    #[test]
    fn a_refused_batch_is_halved_and_an_unknown_one_is_not() {
        let mut answers = Answers(vec![None, None, None]);
        let mut work: Vec<Vec<usize>> = Vec::new();
        fail_or_halve(vec![0, 1, 2], Error::new(ErrorKind::StaleEtag, ""), &mut work, &mut answers, |i| i);
        assert_eq!(work, [vec![1, 2], vec![0]]);
        fail_or_halve(vec![0], Error::new(ErrorKind::StaleEtag, ""), &mut work, &mut answers, |i| i);
        fail_or_halve(vec![1, 2], Error::new(ErrorKind::Unknown, ""), &mut Vec::new(), &mut answers, |i| i);
        let (stale, unknown) = (Some(ErrorKind::StaleEtag), Some(ErrorKind::Unknown));
        assert_eq!(kinds(answers), [stale, unknown, unknown]);
    }

    #[test]
    fn a_dead_sign_in_ends_what_was_still_to_come() {
        let mut answers = Answers(vec![None, None]);
        let mut work = vec![vec![1_usize]];
        fail_or_halve(vec![0], Error::new(ErrorKind::SignInNeeded, ""), &mut work, &mut answers, |i| i);
        assert!(work.is_empty());
        assert_eq!(kinds(answers), [Some(ErrorKind::SignInNeeded); 2]);
    }

    #[test]
    fn runs_are_taken_in_order() {
        let mut runs = chunks((0..5).collect(), 2);
        let mut order = Vec::new();
        while let Some(run) = runs.pop() {
            order.extend(run);
        }
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }
}
