//! Changing: the same change of many messages in one request, others one by one, what is sent in one after another.

use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use twofold_model::error::AtPlace;
use twofold_model::{Error, ErrorKind, Operation, Result, Written};

use super::api::{CHANGED_TOGETHER, Format, MOST_CHANGED};
use super::change::{self, Deed, Looked};
use super::look::labels_of;
use super::map::{Labels, set};
use super::{Mail, again, api};

/// Single changes at a time.
const PARALLEL: usize = 4;

/// The labels of a message after a change, where they were told.
type Outcome = Result<Option<BTreeSet<String>>>;

impl Mail {
    /// Carries out the operations and answers for each.
    pub(crate) async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        let table = match self.labels().await {
            Ok(table) => table,
            Err(error) => return operations.iter().map(|_| Err(change::not_executed(&error))).collect(),
        };
        let looked = self.look_before(operations).await;
        let plan = change::plan(operations, &table, &looked);
        let mut answers: Vec<Option<Result<Written>>> = operations.iter().map(|_| None).collect();
        for (at, answer) in plan.answered {
            answers[at] = Some(answer);
        }
        {
            let mut memory = self.memory();
            plan.deeds.iter().for_each(|deed| drop(memory.fates.remove(&deed.message)));
        }
        for (deed, outcome) in self.carry_out(&plan.deeds).await {
            for at in &deed.operations {
                answers[*at] = Some(match &outcome {
                    Ok(labels) => change::answer(&operations[*at], &table, &deed.message, labels.as_ref()),
                    Err(error) => Err(again(error)),
                });
            }
        }
        let mut end: Option<Error> = None;
        for at in plan.sent_in {
            let answer = match &end {
                Some(error) => Err(again(error)),
                None => self.send_in(&operations[at], &table).await,
            };
            if let Err(error) = &answer {
                end = error.kind.is_of_the_place().then(|| again(error));
            }
            answers[at] = Some(answer);
        }
        let unplanned = || Err(Error::new(ErrorKind::Unknown, "there is no answer for this operation"));
        let answers = answers.into_iter().map(|answer| answer.unwrap_or_else(unplanned));
        answers.zip(operations).map(|(answer, operation)| answer.at(name_of(operation))).collect()
    }

    async fn send_in(&self, operation: &Operation, table: &Labels) -> Result<Written> {
        match operation {
            Operation::Create { collection, rendering, mark, .. } => {
                self.create(collection.as_str(), rendering, mark, table).await
            }
            Operation::Update { place, to, .. } => self.rewrite(place, to, table).await,
            Operation::Copy { .. } | Operation::Move { .. } | Operation::Delete { .. } => Err(operation.has_no_way()),
        }
    }

    /// The labels of the messages of which what is to be done depends on them.
    async fn look_before(&self, operations: &[Operation]) -> Looked {
        let mut known = HashSet::new();
        let ids = operations.iter().filter_map(change::looks_at).filter(|id| known.insert(*id));
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        let mut looked = Looked::new();
        self.read(&ids, Format::Minimal, &mut |id, answer| {
            looked.insert(id.to_owned(), answer.map(|message| message.as_ref().map(labels_of)));
        })
        .await;
        // One that cannot be looked at takes no other one along.
        for (id, look) in &mut looked {
            if let Err(error) = look
                && !error.kind.proves_not_executed()
            {
                let one = || self.one(id, Format::Minimal);
                let answer = self.of_this_one(again(error), "the message cannot be looked at", one).await;
                *look = answer.map(|message| message.as_ref().map(labels_of));
            }
        }
        looked
    }

    /// Makes the changes. Equal ones of many messages go together, where nothing has to be answered of each.
    async fn carry_out<'a>(&self, deeds: &'a [Deed]) -> Vec<(&'a Deed, Outcome)> {
        let mut groups: BTreeMap<(&BTreeSet<String>, &BTreeSet<String>), Vec<&Deed>> = BTreeMap::new();
        let (mut single, mut outcomes) = (Vec::new(), Vec::new());
        for deed in deeds {
            match (deed.add.is_empty() && deed.remove.is_empty(), deed.needs_labels) {
                // Nothing that is sent differs.
                (true, _) => outcomes.push((deed, Ok(None))),
                (false, true) => single.push(deed),
                (false, false) => groups.entry((&deed.add, &deed.remove)).or_default().push(deed),
            }
        }
        for ((add, remove), group) in groups {
            if group.len() < CHANGED_TOGETHER {
                single.extend(group);
                continue;
            }
            for part in group.chunks(MOST_CHANGED) {
                let ids: Vec<&str> = part.iter().map(|deed| deed.message.as_str()).collect();
                let outcome = self.client.send(api::modify_all(&ids, add, remove)).await;
                // One that is refused stops no other: each for itself tells which it is.
                if outcome.as_ref().is_err_and(|error| is_of_one(error.kind)) {
                    single.extend(part);
                    continue;
                }
                outcomes.extend(part.iter().map(|deed| {
                    let outcome = outcome.as_ref().map(|_| None).map_err(again);
                    (*deed, outcome)
                }));
            }
        }
        let asked: Vec<_> = single.iter().map(|deed| self.change(&deed.message, &deed.add, &deed.remove)).collect();
        let changed: Vec<Outcome> = stream::iter(asked).buffered(PARALLEL).collect().await;
        outcomes.extend(single.into_iter().zip(changed));
        outcomes
    }

    /// Changes one message: the labels that it has then.
    pub(super) async fn change(&self, id: &str, add: &BTreeSet<String>, remove: &BTreeSet<String>) -> Outcome {
        let answer = self.client.send(api::modify(id, add, remove)).await?;
        // It was executed, so that whatever else the answer says, what it came to is unknown.
        let message = api::read_message(&answer).map_err(|error| Error::new(ErrorKind::Unknown, error.message))?;
        Ok(Some(message.label_ids.map_or_else(BTreeSet::new, |labels| set(labels.iter().map(String::as_str)))))
    }
}

/// Whether what was refused for many at once may be a matter of one of them.
fn is_of_one(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Unsupported)
}

/// What an error says it is about.
fn name_of(operation: &Operation) -> String {
    match operation {
        Operation::Create { mark, .. } => mark.to_string(),
        Operation::Update { place, .. } | Operation::Delete { place, .. } | Operation::Move { place, .. } => {
            place.remote_id.to_string()
        }
        Operation::Copy { of, .. } => of.remote_id.to_string(),
    }
}
