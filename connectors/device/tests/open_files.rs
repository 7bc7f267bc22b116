//! Many folders of mail and few files that a process may open. Alone in its file: the limit is that of the whole process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use twofold_device::{Device, DeviceOptions};
use twofold_model::blob::MemoryBlobs;
use twofold_model::*;

const FOLDERS: usize = 400;
const OPEN_FILES: u64 = 128;

fn folder(tree: &Path, n: usize) -> PathBuf {
    tree.join(format!(".F{n}"))
}

fn name(n: usize) -> String {
    format!("1772442000.M1P{n}.desk")
}

fn place(folder: usize, n: usize) -> Place {
    let collection = format!("google/mail/.F{folder}");
    Place { remote_id: format!("{collection}/{}", name(n)).as_str().into(), collection: collection.as_str().into() }
}

#[tokio::test]
async fn with_hundreds_of_folders_a_message_is_found_to_be_gone_or_moved_and_all_folders_are_written_to_at_once() {
    setrlimit(Resource::Nofile, Rlimit { current: Some(OPEN_FILES), ..getrlimit(Resource::Nofile) }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut options = DeviceOptions::new("laptop", dir.path().join("disk"), "hub", "replica");
    options.is_durable = false;
    options.kinds = vec![Kind::Mail];
    options.blobs = Some(Arc::new(MemoryBlobs::default()) as Arc<dyn Blobs>);
    options.clock = Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_nanos()).unwrap() + 10_000_000_000
    });
    let device = Device::open(options).unwrap();
    device
        .arrive(Visit { is_known: false, hub_is_empty: false, is_dry_run: false, run: 1, last_run: 0, wrote_run: 0 })
        .await
        .unwrap();
    let like = |name: &str| Collection {
        id: "google/mail".into(),
        kind: Kind::Mail,
        name: name.to_owned(),
        color: None,
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    };
    device.create_collection(Kind::Mail, &like("F0")).await.unwrap();
    let tree = dir.path().join("disk/google/mail");
    let marker = fs::read_to_string(folder(&tree, 0).join(".twofold-collection")).unwrap();
    for n in 0..FOLDERS {
        let here = folder(&tree, n);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(here.join(part)).unwrap();
        }
        fs::write(here.join(".twofold-collection"), marker.replace("/.F0\"", &format!("/.F{n}\""))).unwrap();
        let text = format!("Message-ID: <{n}@example.org>\r\nSubject: {n}\r\nFrom: ada@example.org\r\n\r\nHello\r\n");
        fs::write(here.join("cur").join(name(n) + ":2,S"), text).unwrap();
    }
    assert_eq!(device.collections(Kind::Mail).await.unwrap().iter().filter(|one| !one.is_default).count(), FOLDERS);

    fs::remove_file(folder(&tree, 1).join("cur").join(name(1) + ":2,S")).unwrap();
    let moved = name(2) + ":2,S";
    fs::rename(folder(&tree, 2).join("cur").join(&moved), folder(&tree, 3).join("cur").join(&moved)).unwrap();
    let answers = device.fetch(Kind::Mail, &[place(1, 1), place(2, 2)]).await;
    let found: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().map(|seen| seen.collection)).collect();
    assert_eq!(found, [None, Some("google/mail/.F3".into())], "one is gone, one has moved");

    let places: Vec<Place> = (10..FOLDERS).map(|n| place(n, n)).collect();
    let seen = device.fetch(Kind::Mail, &places).await.into_iter().map(|answer| answer.unwrap().unwrap());
    let moves: Vec<Operation> = seen
        .zip(&places)
        .enumerate()
        .map(|(at, (seen, place))| Operation::Move {
            place: place.clone(),
            etag: seen.etag,
            to: format!("google/mail/.F{}", (at + 11) % FOLDERS).as_str().into(),
        })
        .collect();
    let written = device.write(Kind::Mail, &moves).await;
    assert_eq!((written.len(), written.iter().filter(|answer| answer.is_err()).count()), (FOLDERS - 10, 0));
    assert!(folder(&tree, 11).join("cur").join(name(10) + ":2,S").exists());
}
