//! `[[device]]` and `[[join]]`: the folders, and the collections that are one and the same.

use super::places::{Places, real};
use super::table::{Table, Value};
use super::{Config, Device, Join, Result, VcardVersion, kinds};
use twofold_model::Kind;

/// Names that a device cannot have: they are other replicas' names, or folders below a device.
const RESERVED: &[&str] = &["microsoft365", "google", "joined"];

/// Every `[[device]]`: each with a name and a folder of its own.
pub(super) fn devices(top: &Table<'_>, places: &Places<'_>) -> Result<Vec<Device>> {
    let mut devices: Vec<Device> = Vec::new();
    for table in top.tables("device")? {
        let device = device(&table, places)?;
        let here = real(&device.path);
        for other in &devices {
            let (there, name) = (real(&other.path), &other.name);
            if *name == device.name {
                return Err(table
                    .wrong(&format!("the name \"{name}\" stands there twice"), "Give each device a name of its own."));
            }
            if here == there {
                let what = format!("the devices \"{name}\" and \"{}\" are one and the same folder", device.name);
                return Err(table.wrong(&what, "Give each device a folder of its own."));
            }
            if here.starts_with(&there) || there.starts_with(&here) {
                let what = format!("of the devices \"{name}\" and \"{}\" one stands inside the other", device.name);
                return Err(table.wrong(&what, "Put their folders side by side."));
            }
        }
        devices.push(device);
    }
    Ok(devices)
}

fn device(table: &Table<'_>, places: &Places<'_>) -> Result<Device> {
    table.allow(&["name", "path", "kinds", "group", "mode", "vcard"], &[])?;
    let name = table.required("name", "Give the device a name, such as name = \"laptop\".")?;
    let vcard = match table.get("vcard") {
        None => VcardVersion::default(),
        Some(value) => match value.text()? {
            "3.0" => VcardVersion::V3,
            "4.0" => VcardVersion::V4,
            _ => return Err(value.wrong("is no version that can be written", "Write vcard = \"3.0\" or \"4.0\".")),
        },
    };
    let path = table.required("path", "Name the folder, such as path = \"~/contacts\".")?;
    Ok(Device {
        name: device_name(&name)?,
        path: places.path(&path)?,
        kinds: kinds(table)?,
        group: table.get("group").map(|value| group(&value)).transpose()?,
        mode: table.get("mode").map(|value| mode(&value)).transpose()?,
        vcard,
    })
}

fn device_name(value: &Value<'_>) -> Result<String> {
    let name = value.word()?;
    let is_simple = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !is_simple {
        return Err(value.wrong(
            "is no simple name",
            "Write letters, digits, '-', '_' and '.', a letter or digit first, 64 at most.",
        ));
    }
    if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(value.wrong(&format!("is \"{name}\", which means something else"), "Give the device another name."));
    }
    Ok(name.to_owned())
}

fn group(value: &Value<'_>) -> Result<String> {
    let group = value.word()?;
    if group.contains(|c: char| c.is_whitespace() || matches!(c, ':' | '/')) {
        return Err(value.wrong("is no name of a group", "Write the name of a group of this machine, or its number."));
    }
    Ok(group.to_owned())
}

fn mode(value: &Value<'_>) -> Result<u32> {
    let todo = "Write mode = \"0600\", \"0640\" or \"0660\".";
    let text = value.word()?;
    let bits = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| u32::from_str_radix(text, 8).ok()).flatten();
    match bits {
        None => Err(value.wrong("is no octal number", todo)),
        Some(bits) if bits & 0o002 != 0 => Err(value.wrong("lets everybody write", todo)),
        Some(bits) if bits & !0o666 == 0 && bits & 0o600 == 0o600 => Ok(bits),
        Some(_) => Err(value.wrong("must let the owner read and write, and nobody execute", todo)),
    }
}

/// Every `[[join]]`: one collection of each provider, each in one join only.
pub(super) fn joins(top: &Table<'_>) -> Result<Vec<Join>> {
    let mut joins: Vec<Join> = Vec::new();
    for table in top.tables("join")? {
        table.allow(&["kind", "collections"], &[])?;
        let kind = join_kind(&table.required("kind", JOIN_KINDS)?)?;
        let todo = "Write collections = [\"microsoft365:Contacts\", \"google:My Contacts\"].";
        let value = table.required("collections", todo)?;
        let mut collections: Vec<(String, String)> = Vec::new();
        for entry in value.list()? {
            let collection = joined(&entry, todo)?;
            if collections.iter().any(|(replica, _)| *replica == collection.0) {
                return Err(entry.wrong("is a second collection of the same provider", "Name one for each provider."));
            }
            if joins.iter().any(|join| join.kind == kind && join.collections.contains(&collection)) {
                return Err(entry.wrong("stands in another [[join]] already", "Name each collection in one join only."));
            }
            collections.push(collection);
        }
        if collections.len() != 2 {
            return Err(value.wrong("must name two collections, one for each provider", todo));
        }
        joins.push(Join { kind, collections });
    }
    Ok(joins)
}

/// What can be joined.
const JOIN_KINDS: &str = "Write kind = \"contacts\" or kind = \"calendar\".";

fn join_kind(value: &Value<'_>) -> Result<Kind> {
    match value.word()? {
        "mail" => Err(value.wrong("names mail, which cannot be joined", JOIN_KINDS)),
        "calendar" => Ok(Kind::Calendar),
        "contacts" => Ok(Kind::Contacts),
        word => Err(value.wrong(&format!("names \"{word}\", which is no kind"), JOIN_KINDS)),
    }
}

fn joined(value: &Value<'_>, todo: &str) -> Result<(String, String)> {
    let text = value.word()?;
    let Some((replica, name)) = text.split_once(':').map(|(replica, name)| (replica.trim(), name.trim())) else {
        return Err(value.wrong("names no provider", todo));
    };
    if !matches!(replica, "microsoft365" | "google") {
        return Err(value.wrong(&format!("names \"{replica}\", which is no provider"), todo));
    }
    if name.is_empty() {
        return Err(value.wrong("names no collection", todo));
    }
    Ok((replica.to_owned(), name.to_owned()))
}

/// A join is between two providers that are both configured.
pub(super) fn check_joins(config: &Config, top: &Table<'_>) -> Result<()> {
    for (join, table) in config.joins.iter().zip(top.tables("join")?) {
        for (replica, _) in &join.collections {
            let is_there = if replica == "google" { config.google.is_some() } else { config.microsoft365.is_some() };
            if !is_there {
                let todo = format!("Add the table [{replica}], or remove the join.");
                return Err(table.wrong(&format!("the join names {replica}, which is not configured"), &todo));
            }
        }
    }
    Ok(())
}

/// Whoever copies a device folder to another machine must not copy the sign-ins with it.
pub(super) fn check_state_dir(config: &Config, top: &Table<'_>) -> Result<()> {
    let state = real(&config.state_dir);
    for (device, table) in config.devices.iter().zip(top.tables("device")?) {
        if state.starts_with(real(&device.path)) {
            let what =
                format!("the state folder {} stands inside the device \"{}\"", config.state_dir.display(), device.name);
            return Err(table.wrong(&what, "Put it elsewhere: it holds the sign-ins (state_dir)."));
        }
    }
    Ok(())
}
