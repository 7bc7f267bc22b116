//! The mail folders: the tree at all depths, which of them is what, and how one is made, renamed, taken away.
//!
//! An id is the folder; name and place in the tree are only what it is called. The tree is read in one batch: the folders' delta from its
//! beginning has all of them, flat, and among them some that hold no mail; the plain list knows those right below the root that do; and
//! each well-known name says which folder it is, for what the user reads is in his language. What somebody deletes stands in Deleted Items,
//! and the delta may call it removed: the plain list of that folder knows it still.
//!
//! Left out are hidden folders, search folders, what stands below neither, and the outbox: what is put there may be sent.

use super::wire::Folder;
use super::{Mail, api, no_answer, number};
use crate::taken_as;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use twofold_http::{Effect, Pages, Part, Request, Response};
use twofold_model::email::{Role, path};
use twofold_model::error::AtPlace;
use twofold_model::{Access, Collection, CollectionId, Error, ErrorKind, Feed, FeedId, Kind, Removal, Result};

/// The well-known names that are asked for, and what such a folder is for.
const KNOWN: [(&str, Option<Role>); 7] = [
    ("inbox", Some(Role::Inbox)),
    ("sentitems", Some(Role::Sent)),
    ("drafts", Some(Role::Drafts)),
    (TRASH, Some(Role::Trash)),
    ("junkemail", Some(Role::Junk)),
    ("archive", Some(Role::Archive)),
    ("outbox", None),
];
/// Further names of folders that every mailbox has, or may have: they are mailboxes like the user's own, and cannot be deleted.
const KEPT: [&str; 7] =
    ["clutter", "conflicts", "conversationhistory", "localfailures", "scheduled", "serverfailures", "syncissues"];
/// What the inbox is called at every place.
const INBOX: &str = "INBOX";
/// Where folders go that are deleted.
const TRASH: &str = "deleteditems";
/// No tree is deeper: one that goes round in circles ends here.
const DEEPEST: usize = 300;
const DEFAULT_NAME: &str = "Folder";

/// One folder of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub(super) id: String,
    pub(super) parent: String,
    /// Its own name, as the tree shows it.
    name: String,
    /// Its names from the root.
    path: Vec<String>,
    pub(super) role: Option<Role>,
}

/// All folders that are mirrored, in the order of their paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree(Vec<Branch>);

impl Tree {
    pub(super) fn get(&self, id: &str) -> Option<&Branch> {
        self.0.iter().find(|branch| branch.id == id)
    }

    pub(super) fn of_role(&self, role: Role) -> Option<&Branch> {
        self.0.iter().find(|branch| branch.role == Some(role))
    }

    /// The folder of that path, else one whose path differs in case alone: the server tells none from the other.
    fn at(&self, names: &[String]) -> Option<&Branch> {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
        let exact = self.0.iter().find(|branch| branch.path == names);
        exact.or_else(|| self.0.iter().find(|branch| lower(&branch.path) == lower(names)))
    }

    /// Puts the tree together: `top` are the folders right below the root, `all` those that the delta named, `trash` those in Deleted
    /// Items, `known` what the well-known names are.
    fn grow(top: &[Folder], all: &[Folder], trash: &[Folder], known: &HashMap<String, Option<Role>>) -> Tree {
        let mut by_id: HashMap<&str, &Folder> = HashMap::new();
        // The plain lists show at once what the delta may show later.
        for folder in all.iter().chain(top).chain(trash) {
            by_id.insert(&folder.id, folder);
        }
        let is_shown = |folder: &Folder| {
            let is_left_out = known.get(&folder.id).is_some_and(Option::is_none);
            !folder.is_hidden && !folder.is_search && !folder.is_removed && !is_left_out
        };
        let mut below: HashMap<&str, Vec<&Folder>> = HashMap::new();
        for folder in by_id.values() {
            below.entry(&folder.parent).or_default().push(folder);
        }
        let mut open: Vec<(&Folder, Vec<String>)> =
            top.iter().filter_map(|folder| Some((*by_id.get(folder.id.as_str())?, Vec::new()))).collect();
        let (mut branches, mut met) = (Vec::new(), HashSet::new());
        while let Some((folder, above)) = open.pop() {
            if !is_shown(folder) || !met.insert(folder.id.as_str()) {
                continue;
            }
            let role = known.get(&folder.id).copied().flatten();
            let name = match folder.name.trim() {
                _ if role == Some(Role::Inbox) => INBOX,
                "" => DEFAULT_NAME,
                _ => &folder.name,
            };
            let mut path = above;
            path.push(name.to_owned());
            for child in below.get(folder.id.as_str()).into_iter().flatten() {
                open.push((child, path.clone()));
            }
            let (id, parent) = (folder.id.clone(), folder.parent.clone());
            branches.push(Branch { id, parent, name: name.to_owned(), path, role });
        }
        branches.sort_by(|one, other| (&one.path, &one.id).cmp(&(&other.path, &other.id)));
        Tree(branches)
    }
}

impl Mail {
    /// All folders that are mirrored.
    pub(crate) async fn collections(&self) -> Result<Vec<Collection>> {
        Ok(self.tree_now().await?.0.iter().map(collection).collect())
    }

    pub(crate) fn feeds(&self, collections: &[Collection]) -> Vec<Feed> {
        let feed = |collection: &Collection| Feed {
            id: FeedId::from(collection.id.as_str()),
            kind: Kind::Mail,
            collections: vec![collection.id.clone()],
        };
        collections.iter().map(feed).collect()
    }

    /// The tree as it is now: one batch, unless it has more folders than a page.
    pub(super) async fn tree_now(&self) -> Result<Arc<Tree>> {
        let what = "list mail folders";
        let mut asks = vec![api::folder_tree("f"), api::top_folders("f"), api::folders_below("f", TRASH)];
        asks.extend(KNOWN.iter().map(|(name, _)| api::known_folder("f", name)));
        number(&mut asks);
        let mut answers = self.graph.all(what, Effect::Read, &asks).await.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err(no_answer()));
        let all = self.all_folders(next()).await?;
        let top = self.all_folders(next()).await?;
        let trash = self.all_below(&all, next()).await.at(TRASH)?;
        let mut known = HashMap::new();
        for (name, role) in KNOWN {
            match next() {
                Ok(answer) => drop(known.insert(api::read_folder(&answer)?.id, role)),
                // A mailbox that never archived anything has no such folder, in whatever words that is said.
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) if error.kind == ErrorKind::Forbidden && role == Some(Role::Archive) => {}
                Err(error) => return Err(error.at(name)),
            }
        }
        let tree = Arc::new(Tree::grow(&top, &all, &trash, &known));
        self.memory().tree = Some(Arc::clone(&tree));
        Ok(tree)
    }

    /// The tree as last read, if all of these folders are in it; else as it is now.
    pub(super) async fn tree_with(&self, ids: &HashSet<&str>) -> Result<Arc<Tree>> {
        let known = self.memory().tree.clone();
        match known.filter(|tree| ids.iter().all(|id| tree.get(id).is_some())) {
            Some(tree) => Ok(tree),
            None => self.tree_now().await,
        }
    }

    /// Whether a folder that the tree lacks will be in it: it stands below one that is there, and no list tells it yet. Hidden folders, those
    /// for searches, the outbox and what stands below them never will be.
    ///
    /// Provider: the delta of the folders may tell a new one late, and the plain list shows those right below the root only.
    pub(super) async fn is_untold(&self, tree: &Tree, folder: &str) -> Result<bool> {
        let mut at = folder.to_owned();
        for _ in 0..DEEPEST {
            if tree.get(&at).is_some() {
                return Ok(true);
            }
            let above = match self.read_one(api::folder_by_id("f", &at)).await {
                Ok(answer) => api::read_folder(&answer)?,
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Refused) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            if above.is_hidden || above.is_search || above.parent.is_empty() || above.parent == at {
                return Ok(false);
            }
            at = above.parent;
        }
        Ok(false)
    }

    /// Those of these folders that the tree lacks, and whether it only does not tell them yet.
    pub(super) async fn missing(&self, tree: &Tree, folders: &HashSet<&str>) -> HashMap<String, Result<bool>> {
        let mut missing = HashMap::new();
        for folder in folders.iter().filter(|folder| tree.get(folder).is_none()) {
            missing.insert((*folder).to_owned(), self.is_untold(tree, folder).await);
        }
        missing
    }

    /// The folders of a plain list, and all below those of them that the delta did not tell.
    async fn all_below(&self, told: &[Folder], first: Result<Response>) -> Result<Vec<Folder>> {
        let mut met: HashSet<String> =
            told.iter().filter(|folder| !folder.is_removed).map(|folder| folder.id.clone()).collect();
        let (mut below, mut lists) = (Vec::new(), vec![first]);
        for depth in 0..DEEPEST {
            let mut asks = Vec::new();
            for list in lists {
                let folders = match list {
                    Ok(answer) => self.all_folders(Ok(answer)).await?,
                    // It is not there (any more), or says nothing of what is in it: what the delta tells has to do.
                    Err(error)
                        if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Refused) =>
                    {
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                for folder in folders {
                    let is_untold = met.insert(folder.id.clone());
                    if is_untold {
                        asks.push(api::folders_below("f", &folder.id));
                    }
                    // The delta may show one still where it stood before it was deleted.
                    if is_untold || depth == 0 {
                        below.push(folder);
                    }
                }
            }
            if asks.is_empty() {
                break;
            }
            number(&mut asks);
            lists = self.graph.all("list mail folders", Effect::Read, &asks).await;
        }
        Ok(below)
    }

    async fn all_folders(&self, first: Result<Response>) -> Result<Vec<Folder>> {
        let (mut folders, mut pages, mut answer) = (Vec::new(), Pages::default(), first?);
        loop {
            let (more, next) = api::read_folders(&answer)?;
            pages.take(more.iter().map(|folder| folder.id.as_str())).at("list mail folders")?;
            folders.extend(more);
            let Some(link) = next else { return Ok(folders) };
            answer = self.read_one(api::folder_page("f", &self.graph.link(&link)?)).await?;
        }
    }

    async fn read_one(&self, part: Part) -> Result<Response> {
        self.graph.all("list mail folders", Effect::Read, &[part]).await.pop().unwrap_or_else(|| Err(no_answer()))
    }

    /// Makes the folder of that path, with those above it, or finds the one that is there: the server refuses a second one.
    pub(crate) async fn create_collection(&self, like: &Collection) -> Result<Collection> {
        let names = path::split(&like.name);
        let made = self.make(&names).await.at(&like.name)?;
        let tree = self.tree_with(&HashSet::from([made.as_str()])).await?;
        match tree.get(&made) {
            Some(branch) => Ok(collection(branch)),
            // The delta does not tell it yet.
            None => Ok(collection(&Branch {
                id: made,
                parent: String::new(),
                name: String::new(),
                path: names,
                role: None,
            })),
        }
    }

    /// The id of the folder of that path.
    async fn make(&self, names: &[String]) -> Result<String> {
        let mut tree = self.tree_now().await?;
        let mut parent: Option<String> = None;
        for depth in 1..=names.len() {
            let path = &names[..depth];
            if let Some(branch) = tree.at(path) {
                parent = Some(branch.id.clone());
                continue;
            }
            let name = path.last().map(String::as_str).unwrap_or_default();
            if name.trim().is_empty() {
                return Err(Error::new(ErrorKind::Refused, "a mail folder needs a name"));
            }
            let made = match self.graph.send(api::create_folder(parent.as_deref(), name)).await {
                Ok(answer) => api::read_folder(&answer)?.id,
                Err(error) if error.kind == ErrorKind::Refused => {
                    tree = self.tree_now().await?;
                    tree.at(path).map(|branch| branch.id.clone()).ok_or(error)?
                }
                Err(error) => return Err(error),
            };
            parent = Some(made);
        }
        parent.ok_or_else(|| Error::new(ErrorKind::Refused, "a mail folder needs a name"))
    }

    /// Gives a folder another path: another name, another folder above it, or both. Folders that every mailbox has stay as they are.
    pub(crate) async fn rename_collection(&self, id: &CollectionId, name: Option<&str>) -> Result<Collection> {
        let unsupported = |why: &str| Err(Error::new(ErrorKind::Unsupported, why).at(id));
        let Some(name) = name else { return unsupported("mail folders have no colours") };
        let tree = self.tree_now().await?;
        let branch = tree.get(id.as_str()).ok_or_else(|| not_listed(id))?;
        let names = path::split(name);
        if branch.path == names {
            return Ok(collection(branch));
        }
        if branch.role.is_some() {
            return unsupported("a folder that every mailbox has keeps its name");
        }
        let Some((last, above)) = names.split_last() else { return unsupported("a mail folder needs a name") };
        // Names above it in other letters mean the folder in which it is.
        let stays = branch.path.split_last().is_some_and(|(_, now)| now == above)
            || tree.at(above).is_some_and(|parent| parent.id == branch.parent);
        if !stays {
            let parent = match above {
                [] => self.root(&tree).ok_or_else(|| not_listed(id))?,
                above => self.make(above).await.at(id)?,
            };
            self.done(api::move_folder(id.as_str(), &parent)).await.at(id)?;
        }
        if branch.name != *last {
            self.done(api::rename_folder(id.as_str(), last)).await.at(id)?;
        }
        let tree = self.tree_now().await?;
        tree.get(id.as_str()).map(collection).ok_or_else(|| not_listed(id))
    }

    async fn done(&self, request: Request) -> Result<()> {
        self.graph.send(request).await.and_then(|answer| api::read_folder(&answer)).map(drop)
    }

    /// The folder above all others.
    fn root(&self, tree: &Tree) -> Option<String> {
        tree.of_role(Role::Inbox).map(|inbox| inbox.parent.clone())
    }

    /// A folder of the user's own goes; those that every mailbox has stay.
    pub(crate) async fn removal(&self, id: &CollectionId) -> Result<Removal> {
        let tree = self.tree_now().await?;
        let branch = tree.get(id.as_str()).ok_or_else(|| not_listed(id))?;
        if branch.role.is_some() {
            return Ok(Removal::Never);
        }
        let mut asks: Vec<Part> = KEPT.iter().map(|name| api::known_folder("k", name)).collect();
        number(&mut asks);
        for answer in self.graph.all("list mail folders", Effect::Read, &asks).await {
            match answer {
                Ok(answer) if api::read_folder(&answer)?.id == id.as_str() => return Ok(Removal::Never),
                Ok(_) => {}
                // There is none, or that name is not known there.
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::Forbidden) => {
                }
                Err(error) => return Err(error.at(id)),
            }
        }
        Ok(Removal::Whole)
    }

    /// Deletes a folder in which nothing is. That puts it below Deleted Items, where it would be a mailbox still, so that it is deleted
    /// there once more, if still nothing is in it. What came into it between goes to the recoverable items.
    pub(crate) async fn remove_collection(&self, id: &CollectionId) -> Result<bool> {
        match self.removal(id).await {
            Ok(Removal::Whole) => {}
            Ok(Removal::Never | Removal::OffList) => return Ok(false),
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        }
        let trash = self.tree_with(&HashSet::new()).await?.of_role(Role::Trash).map(|trash| trash.id.clone());
        for is_first in [true, false] {
            if !self.is_empty(id).await.at(id)? {
                return Ok(false);
            }
            match self.graph.send(api::delete_folder(id.as_str())).await {
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(true),
                // It stands where it stood, and always will.
                Err(error) if is_first && error.kind == ErrorKind::Refused => {
                    return Err(taken_as(ErrorKind::Unsupported, error).at(id));
                }
                Err(error) => return Err(error.at(id)),
            }
            let tree = self.tree_now().await?;
            match tree.get(id.as_str()) {
                Some(branch) if Some(&branch.parent) == trash.as_ref() => {}
                Some(_) => {
                    return Err(
                        Error::new(ErrorKind::Unknown, "the folder was deleted, and stands where it was").at(id)
                    );
                }
                None => return Ok(true),
            }
        }
        Err(Error::new(ErrorKind::Unknown, "the folder was deleted twice, and is still there").at(id))
    }

    async fn is_empty(&self, id: &CollectionId) -> Result<bool> {
        let mut asks = vec![api::any_message("1", id.as_str()), api::any_folder("2", id.as_str())];
        number(&mut asks);
        for answer in self.graph.all("look into a mail folder", Effect::Read, &asks).await {
            let (mut has_any, mut next) = match answer {
                Ok(answer) => api::read_any(&answer)?,
                // It is gone: nothing is in it.
                Err(error) if error.kind == ErrorKind::NotFound => (false, None),
                Err(error) => return Err(error),
            };
            // A page may be empty and not the last.
            let mut pages = Pages::default();
            while let Some(link) = next.take().filter(|_| !has_any) {
                pages.take([])?;
                (has_any, next) =
                    api::read_any(&self.read_one(api::folder_page("n", &self.graph.link(&link)?)).await?)?;
            }
            if has_any {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn not_listed(id: &CollectionId) -> Error {
    Error::new(ErrorKind::NotFound, "the mail folder is not listed").at(id)
}

fn collection(branch: &Branch) -> Collection {
    Collection {
        id: CollectionId::from(branch.id.as_str()),
        kind: Kind::Mail,
        name: path::join(branch.path.iter().map(String::as_str)),
        color: None,
        is_default: branch.role == Some(Role::Inbox),
        role: branch.role,
        access: Access::ReadWrite,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(id: &str, name: &str, parent: &str) -> Folder {
        let (is_hidden, is_search, is_removed) = (false, false, false);
        Folder { id: id.into(), name: name.into(), parent: parent.into(), is_hidden, is_search, is_removed }
    }

    fn known() -> HashMap<String, Option<Role>> {
        HashMap::from([("in".into(), Some(Role::Inbox)), ("out".into(), None), ("bin".into(), Some(Role::Trash))])
    }

    fn names(tree: &Tree) -> Vec<String> {
        tree.0.iter().map(|branch| collection(branch).name).collect()
    }

    #[test]
    fn folders_nest_at_all_depths_and_a_slash_in_a_name_is_none_of_a_path() {
        let top = [folder("in", "Posteingang", "r"), folder("out", "Postausgang", "r"), folder("a", "R/D", "r")];
        let all = [
            folder("c", "Deep", "b"),
            folder("b", "2026", "a"),
            folder("s", "Sub", "in"),
            folder("cal", "Kalender", "r"),
            folder("cal2", "Zwei", "cal"),
            folder("x", "Below the outbox", "out"),
        ];
        let tree = Tree::grow(&top, &all, &[], &known());
        assert_eq!(names(&tree), ["INBOX", "INBOX/Sub", "R\\/D", "R\\/D/2026", "R\\/D/2026/Deep"]);
        let inbox = collection(&tree.0[0]);
        assert!(inbox.is_default && inbox.role == Some(Role::Inbox) && inbox.id.as_str() == "in");
        assert_eq!(tree.at(&["inbox".to_owned(), "SUB".to_owned()]).map(|branch| branch.id.as_str()), Some("s"));
    }

    #[test]
    fn hidden_folders_and_search_folders_are_left_out_with_all_below_them() {
        let hidden = Folder { is_hidden: true, ..folder("h", "Hidden", "r") };
        let search = Folder { is_search: true, ..folder("s", "Unread", "r") };
        let gone = Folder { is_removed: true, ..folder("g", "Gone", "in") };
        let top = [folder("in", "Inbox", "r"), hidden.clone(), search.clone()];
        let tree = Tree::grow(&top, &[hidden, search, gone, folder("d", "Below", "h")], &[], &known());
        assert_eq!(names(&tree), ["INBOX"]);
    }

    #[test]
    fn a_folder_that_is_called_removed_and_that_deleted_items_lists_stands_there() {
        let top = [folder("in", "Inbox", "r"), folder("bin", "Deleted Items", "r")];
        let gone = Folder { is_removed: true, ..folder("a", "", "") };
        let tree = Tree::grow(&top, &[gone, folder("b", "Below", "a")], &[folder("a", "Old", "bin")], &known());
        assert_eq!(names(&tree), ["Deleted Items", "Deleted Items/Old", "Deleted Items/Old/Below", "INBOX"]);
    }

    #[test]
    fn folders_that_stand_in_a_circle_end_no_listing() {
        let tree = Tree::grow(&[folder("a", "A", "b")], &[folder("b", "B", "a")], &[], &known());
        assert_eq!(names(&tree), ["A", "A/B"]);
    }
}
