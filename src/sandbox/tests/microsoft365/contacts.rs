//! Contacts, folders, photos: what is asked, what is written, what is refused.

use serde_json::{Value, json};
use twofold_sandbox::microsoft365::tiny_jpeg;
use twofold_sandbox::{Options, Request};

use crate::{Graph, MARK, code, encoded, refused, text, url};

#[test]
fn the_documented_create_answers_201_with_a_name_made_from_its_parts() {
    let graph = Graph::empty();
    let sent = json!({
        "givenName": "Pavel",
        "surname": "Bansky",
        "emailAddresses": [{ "address": "pavelb@fabrikam.onmicrosoft.com", "name": "Pavel Bansky" }],
        "businessPhones": ["+1 732 555 0102"],
    });
    let reply = graph.post("me/contacts", &sent);
    assert_eq!(reply.status, 201);
    let made = reply.body_json();
    assert_eq!(made["displayName"], "Pavel Bansky");
    assert_eq!(made["fileAs"], "Bansky, Pavel");
    assert_eq!(made["@odata.etag"], format!("W/\"{}\"", text(&made["changeKey"])));
    assert_eq!(made["middleName"], Value::Null);
    assert_eq!(made["homeAddress"], json!({}));
    assert_eq!(made["children"], json!([]));
    assert!(reply.header("location").is_some() && reply.header("request-id").is_some());
    let id = text(&made["id"]);
    assert_eq!(graph.get_json(&format!("me/contacts/{id}"))["emailAddresses"], sent["emailAddresses"]);
    assert_eq!(graph.get_json(&format!("me/contactFolders('contacts')/contacts('{id}')"))["id"], made["id"]);
}

#[test]
fn the_documented_update_changes_what_it_names_and_nothing_else() {
    let graph = Graph::empty();
    let made = graph.made(&json!({
        "givenName": "Garth",
        "homeAddress": { "street": "1 Old Street", "countryOrRegion": "USA" },
        "birthday": "1974-07-21T00:00:00Z",
    }));
    let path = format!("me/contacts/{}", text(&made["id"]));
    let address = json!({ "street": "123 Some street", "city": "Seattle", "state": "WA", "postalCode": "98121" });
    let reply = graph.patch(&path, &json!({ "homeAddress": address, "birthday": "1974-07-22" }));
    assert_eq!(reply.status, 200);
    let now = reply.body_json();
    assert_eq!(now["birthday"], "1974-07-22T11:59:00Z");
    assert_eq!(now["givenName"], "Garth");
    assert_eq!(now["homeAddress"]["countryOrRegion"], "USA");
    assert_eq!(now["homeAddress"]["city"], "Seattle");
    assert_ne!(now["changeKey"], made["changeKey"]);
    let cleared = graph.patch(&path, &json!({ "givenName": null, "homeAddress": null })).body_json();
    assert_eq!((&cleared["givenName"], &cleared["homeAddress"]), (&Value::Null, &json!({})));
}

#[test]
fn an_address_is_replaced_whole_when_the_switch_says_so() {
    let graph = Graph::switched(|switches| switches.graph_address_patch_merges = false);
    let made = graph.made(&json!({ "homeAddress": { "street": "1 Old Street", "countryOrRegion": "USA" } }));
    let path = format!("me/contacts/{}", text(&made["id"]));
    let now = graph.patch(&path, &json!({ "homeAddress": { "city": "Seattle" } })).body_json();
    assert_eq!(now["homeAddress"], json!({ "city": "Seattle" }));
}

#[test]
fn bodies_are_read_strictly() {
    let graph = Graph::empty();
    let id = graph.named("Ada");
    for (what, body, status, code) in [
        ("unknown property", json!({ "shoeSize": "42" }), 400, "RequestBodyRead"),
        ("unknown part of an address", json!({ "homeAddress": { "planet": "Earth" } }), 400, "RequestBodyRead"),
        ("unknown part of an e-mail", json!({ "emailAddresses": [{ "kind": "x" }] }), 400, "RequestBodyRead"),
        ("number for a text", json!({ "givenName": 7 }), 400, "RequestBodyRead"),
        ("null for a list", json!({ "businessPhones": null }), 400, "RequestBodyRead"),
        ("not a time", json!({ "birthday": "soon" }), 400, "RequestBodyRead"),
        ("read-only", json!({ "changeKey": "x" }), 400, "ErrorInvalidPropertySet"),
        ("moving by patch", json!({ "parentFolderId": "contacts" }), 400, "ErrorInvalidPropertySet"),
        (
            "bad extended id",
            json!({ "singleValueExtendedProperties": [{ "id": "Mark", "value": "1" }] }),
            400,
            "ErrorInvalidProperty",
        ),
        ("no object", json!([]), 400, "UnableToDeserializePostBody"),
    ] {
        let reply = graph.patch(&format!("me/contacts/{id}"), &body);
        assert_eq!((reply.status, self::code(&reply).as_str()), (status, code), "{what}: {}", reply.body_json());
    }
    let raw = Request { body: "{".into(), ..Request::post(&url("me/contacts"), &json!({})) };
    refused(&graph.send(raw), 400, "BadRequest");
    let unlabelled = Request { body: "{}".into(), ..Request::new("POST", &url("me/contacts")) };
    refused(&graph.send(unlabelled), 400, "BadRequest");
    refused(&graph.post("me/contacts", &json!({ "surname": null })), 500, "ErrorInternalServerError");
}

#[test]
fn lists_have_their_documented_limits_and_message() {
    let graph = Graph::empty();
    let three = json!(["1", "2", "3"]);
    for (name, body, most) in [
        ("BusinessPhones", json!({ "businessPhones": three }), 2),
        ("HomePhones", json!({ "homePhones": three }), 2),
        ("ImAddresses", json!({ "imAddresses": ["1", "2", "3", "4"] }), 3),
        ("EmailAddresses", json!({ "emailAddresses": [{}, {}, {}, {}] }), 3),
    ] {
        let reply = graph.post("me/contacts", &body);
        assert_eq!(reply.status, 400);
        let message = text(&reply.body_json()["error"]["message"]);
        let expected = format!(
            "The multi value property {name} has {} entries, that exceeds the max allowed value of {most}",
            most + 1
        );
        assert_eq!(message, expected);
    }
}

#[test]
fn unknown_query_options_and_paths_are_refused() {
    let graph = Graph::empty();
    for path in
        ["me/contacts?$search=x", "me/contacts?pageSize=3", "me/contacts/delta?$expand=x", "me/contacts/delta?$top=3"]
    {
        refused(&graph.get(path), 400, "ErrorInvalidUrlQuery");
    }
    for path in ["me/contacts?$top=0", "me/contacts?$top=1000", "me/contacts?$select=shoeSize", "me/contacts?$filter=a"]
    {
        refused(&graph.get(path), 400, "BadRequest");
    }
    refused(&graph.get("me/todo"), 404, "ResourceNotFound");
    refused(&graph.get("me/contacts/nonsense"), 400, "ErrorInvalidIdMalformed");
    refused(&graph.send(Request::put(&url("me/contacts"), &json!({}))), 405, "ErrorInvalidRequest");
}

#[test]
fn a_guarded_write_meets_412_after_another_client_wrote() {
    let graph = Graph::empty();
    let made = graph.made(&json!({ "givenName": "Ada" }));
    let id = text(&made["id"]);
    let guarded = |etag: &str, method: &str| {
        let request = Request::new(method, &url(&format!("me/contacts/{id}"))).json(&json!({ "jobTitle": "x" }));
        graph.send(request.with_header("If-Match", etag))
    };
    assert_eq!(guarded(&text(&made["@odata.etag"]), "PATCH").status, 200);
    refused(&guarded(&text(&made["@odata.etag"]), "PATCH"), 412, "ErrorIrresolvableConflict");
    let etag = text(&graph.get_json(&format!("me/contacts/{id}"))["@odata.etag"]);
    graph.sandbox.graph_edit(&id, |contact| contact["nickName"] = "Countess".into()).expect("edits");
    refused(&guarded(&etag, "DELETE"), 412, "ErrorIrresolvableConflict");
    assert_eq!(graph.sandbox.graph_contact(&id).expect("still there")["nickName"], "Countess");
    assert_eq!(guarded("*", "PATCH").status, 200);
}

#[test]
fn lists_page_by_their_links_and_show_what_is_selected() {
    let graph = Graph::with(Options::bulk(25));
    let page = graph.get_json("me/contacts?$top=10&$select=displayName&$count=true");
    assert_eq!(page["@odata.count"], 25);
    let row = page["value"][0].as_object().expect("a row").keys().cloned().collect::<Vec<_>>();
    assert_eq!(row, ["@odata.etag", "id", "displayName"]);
    let (mut seen, mut link) = (10, text(&page["@odata.nextLink"]));
    loop {
        let page = graph.send(Request::get(&link)).body_json();
        seen += page["value"].as_array().expect("rows").len();
        match page["@odata.nextLink"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 25);
    assert_eq!(graph.get_json("me/contacts")["value"].as_array().map(Vec::len), Some(10));
    let skipped = graph.get_json("me/contacts?$skip=20&$orderby=displayName%20desc");
    assert_eq!(skipped["value"].as_array().map(Vec::len), Some(5));
}

#[test]
fn extended_properties_are_stored_expanded_and_searched() {
    let graph = Graph::empty();
    let made = graph.made(&json!({
        "givenName": "Ada",
        "singleValueExtendedProperties": [{ "id": "String {66F5A359-4659-4830-9070-00047EC6AC6E} Name Mark", "value": "a'b" }],
    }));
    assert!(made.get("singleValueExtendedProperties").is_none());
    graph.named("Bob");
    let id = text(&made["id"]);
    let expand =
        encoded(&format!("singleValueExtendedProperties($filter=id eq '{MARK}' or id eq 'SystemTime 0x3A41')"));
    let shown = graph.get_json(&format!("me/contacts/{id}?$expand={expand}"));
    assert_eq!(shown["singleValueExtendedProperties"], json!([{ "id": MARK, "value": "a'b" }]));
    let filter = |text: &str| {
        let page = graph.get_json(&format!("me/contacts?$filter={}", encoded(text)));
        page["value"].as_array().expect("rows").len()
    };
    assert_eq!(filter(&format!("singleValueExtendedProperties/any(ep: ep/id eq '{MARK}' and ep/value eq 'a''b')")), 1);
    assert_eq!(
        filter(&format!("singleValueExtendedProperties/Any(ep:ep/Id eq '{MARK}' and contains(ep/Value, 'A'))")),
        1
    );
    assert_eq!(filter(&format!("singleValueExtendedProperties/any(ep: ep/id eq '{MARK}' and ep/value eq 'x')")), 0);
    assert_eq!(filter("givenName eq 'bob'"), 1);
    assert_eq!(filter("startswith(displayName,'A') and lastModifiedDateTime ge 2026-01-01T00:00:00Z"), 1);
    assert_eq!(filter("emailAddresses/any(a:a/address eq 'garth@contoso.com')"), 0);
    let other = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Other";
    let body = json!({ "singleValueExtendedProperties": [{ "id": other, "value": "2" }] });
    assert_eq!(graph.patch(&format!("me/contacts/{id}"), &body).status, 200);
    let kept = graph.sandbox.graph_contact(&id).expect("there")["singleValueExtendedProperties"].clone();
    assert_eq!(kept.as_array().map(Vec::len), Some(2));
}

#[test]
fn folders_are_made_renamed_and_deleted_with_what_is_in_them() {
    let graph = Graph::empty();
    assert_eq!(graph.get_json("me/contactFolders")["value"], json!([]));
    let made = graph.post("me/contactFolders", &json!({ "displayName": "Important contacts" }));
    assert_eq!(made.status, 201);
    let folder = text(&made.body_json()["id"]);
    refused(
        &graph.post("me/contactFolders", &json!({ "displayName": "important contacts" })),
        409,
        "ErrorFolderExists",
    );
    refused(&graph.post("me/contactFolders", &json!({ "displayName": "A", "color": "red" })), 400, "RequestBodyRead");
    let child = graph.post(&format!("me/contactFolders/{folder}/childFolders"), &json!({ "displayName": "Family" }));
    assert_eq!(child.body_json()["parentFolderId"], folder.as_str());
    let contact = graph.post(&format!("me/contactFolders/{folder}/contacts"), &json!({ "givenName": "Ada" }));
    let contact = text(&contact.body_json()["id"]);
    assert_eq!(graph.get_json("me/contacts")["value"], json!([]));
    assert_eq!(graph.get_json(&format!("me/contacts/{contact}"))["parentFolderId"], folder.as_str());
    refused(&graph.get(&format!("me/contactFolders/contacts/contacts/{contact}")), 404, "ErrorItemNotFound");
    let renamed = graph.patch(&format!("me/contactFolders/{folder}"), &json!({ "displayName": "Finance" }));
    assert_eq!(renamed.body_json()["displayName"], "Finance");
    let (rows, link) = graph.round(&url("me/contactFolders/delta"), 10);
    assert_eq!(rows.len(), 2);
    assert_eq!(graph.delete(&format!("me/contactFolders/{folder}")).status, 204);
    let (rows, _) = graph.round(&link, 10);
    assert!(rows.len() == 2 && rows.iter().all(|row| row["@removed"]["reason"] == "deleted"), "{rows:?}");
    refused(&graph.get(&format!("me/contacts/{contact}")), 404, "ErrorItemNotFound");
    refused(&graph.get(&format!("me/contactFolders/{folder}/contacts")), 404, "ErrorItemNotFound");
    refused(&graph.get(&format!("me/contactFolders/{folder}/contacts/delta")), 404, "ErrorSyncFolderNotFound");
    refused(&graph.delete("me/contactFolders/contacts"), 400, "ErrorDeleteDistinguishedFolder");
}

#[test]
fn a_closed_folder_answers_403() {
    let graph = Graph::with(Options::demo());
    graph.sandbox.switch(|switches| switches.graph_denied_folders = vec!["Kundschaft".into()]);
    let folder = text(&graph.get_json("me/contactFolders")["value"][0]["id"]);
    for below in ["", "/contacts", "/contacts/delta"] {
        refused(&graph.get(&format!("me/contactFolders/{folder}{below}")), 403, "ErrorAccessDenied");
    }
    assert_eq!(graph.get("me/contacts").status, 200);
}

#[test]
fn a_deleted_contact_stands_in_deleted_items_under_its_immutable_id() {
    let graph = Graph::empty();
    let id = graph.named("Ada");
    let path = format!("me/contacts/{id}");
    let home = graph.get_json(&path)["parentFolderId"].clone();
    assert_eq!(graph.delete(&path).status, 204);
    assert_ne!(graph.get_json(&path)["parentFolderId"], home);
    assert_eq!(graph.get_json("me/contacts")["value"], json!([]));
    graph.sandbox.switch(|switches| switches.graph_deleted_answers_404 = true);
    refused(&graph.get(&path), 404, "ErrorItemNotFound");
    graph.sandbox.graph_move(&id, "contacts").expect("restores");
    assert_eq!(graph.get_json(&path)["parentFolderId"], home);
    graph.sandbox.graph_delete(&id).expect("deletes");
    graph.sandbox.graph_delete(&id).expect("deletes for good");
    assert!(graph.sandbox.graph_contact(&id).is_none());
}

#[test]
fn photos_are_their_own_resource_and_not_in_the_delta() {
    let graph = Graph::empty();
    let id = graph.named("Ada");
    let path = format!("me/contacts/{id}/photo");
    let (_, link) = graph.round(&url("me/contacts/delta"), 10);
    refused(&graph.get(&format!("{path}/$value")), 404, "ErrorItemNotFound");
    let put = |kind: &str| {
        let request = Request { body: tiny_jpeg([1, 2, 3]), ..Request::new("PUT", &url(&format!("{path}/$value"))) };
        graph.send(request.with_header("content-type", kind))
    };
    refused(&put("image/png"), 400, "ErrorInvalidRequest");
    assert_eq!(put("image/jpeg").status, 200);
    let reply = graph.get(&format!("{path}/$value"));
    assert_eq!((reply.header("content-type"), &reply.body), (Some("image/jpeg"), &tiny_jpeg([1, 2, 3])));
    let facts = graph.get_json(&path);
    assert_eq!((&facts["id"], &facts["@odata.mediaContentType"]), (&json!("1X1"), &json!("image/jpeg")));
    assert!(graph.round(&link, 10).0.is_empty());
    refused(&graph.delete(&path), 405, "ErrorInvalidRequest");
    graph.sandbox.switch(|switches| {
        switches.graph_delta_photo = true;
        switches.graph_photo_delete_refused = false;
    });
    assert_eq!(graph.delete(&path).status, 204);
    assert_eq!(graph.round(&link, 10).0.len(), 1);
    graph.sandbox.graph_set_photo(&id, Some(tiny_jpeg([9, 9, 9]).to_vec())).expect("sets a photo");
    assert_eq!(graph.get(&format!("{path}/$value")).body, tiny_jpeg([9, 9, 9]));
}

#[test]
fn error_bodies_come_in_both_casings() {
    let graph = Graph::empty();
    let request = || {
        let request = Request::get(&url("me/contacts/nonsense")).with_header("client-request-id", "abc");
        graph.send(request.with_header("return-client-request-id", "true"))
    };
    let reply = request();
    assert_eq!(reply.body_json()["error"]["innerError"]["client-request-id"], "abc");
    assert_eq!(reply.header("client-request-id"), Some("abc"));
    graph.sandbox.switch(|switches| {
        switches.graph_lower_inner_error = true;
        switches.graph_recased_codes = true;
    });
    let reply = request();
    assert_eq!(code(&reply), "errorInvalidIdMalformed");
    assert!(reply.body_json()["error"]["innererror"]["request-id"].is_string());
}

#[test]
fn values_may_be_trimmed_recased_reordered_and_left_out() {
    let graph = Graph::switched(|switches| {
        switches.trim_values = true;
        switches.recase_emails = true;
        switches.reorder_fields = true;
        switches.graph_omits_empty = true;
    });
    let made = graph.made(&json!({
        "givenName": " Ada ", "surname": "  ", "emailAddresses": [{ "name": "Ada", "address": "Ada@Example.COM" }],
    }));
    assert_eq!(made["givenName"], "Ada");
    assert_eq!(made["emailAddresses"][0]["address"], "ada@example.com");
    let keys: Vec<&String> = made.as_object().expect("a contact").keys().collect();
    assert!(!keys.iter().any(|key| *key == "surname" || *key == "homeAddress"));
    assert_eq!(keys.last().map(|key| key.as_str()), Some("@odata.context"));
}

#[test]
fn a_third_address_outlives_an_empty_list() {
    let graph = Graph::empty();
    let emails: Vec<Value> = (1..4).map(|at| json!({ "address": format!("a{at}@example.com") })).collect();
    let id = text(&graph.made(&json!({ "emailAddresses": emails }))["id"]);
    let left = graph.patch(&format!("me/contacts/{id}"), &json!({ "emailAddresses": [] })).body_json();
    assert_eq!(left["emailAddresses"], json!([{ "name": "a3@example.com", "address": "a3@example.com" }]));
}

#[test]
fn a_conflict_may_come_without_a_guard() {
    let graph = Graph::switched(|switches| switches.graph_false_conflict = 2);
    let path = format!("me/contacts/{}", graph.named("Ada"));
    assert_eq!(graph.patch(&path, &json!({ "jobTitle": "1" })).status, 200);
    refused(&graph.patch(&path, &json!({ "jobTitle": "2" })), 412, "ErrorIrresolvableConflict");
    assert_eq!(graph.get_json(&path)["jobTitle"], "1");
}

#[test]
fn the_demo_has_people_in_two_folders_with_photos_and_birthdays() {
    let graph = Graph::with(Options::demo());
    let all = graph.sandbox.graph_contacts();
    assert_eq!(all.len(), 12);
    assert_eq!(graph.get_json("me/contactFolders")["value"][0]["displayName"], "Kundschaft");
    let has = |what: &str, test: &dyn Fn(&Value) -> bool| assert!(all.iter().any(test), "{what}");
    has("photo", &|one| one["photo"].is_object());
    has("birthday", &|one| one["birthday"].as_str().is_some_and(|day| day.ends_with("T11:59:00Z")));
    has("lines", &|one| one["businessAddress"]["street"].as_str().is_some_and(|street| street.contains("\r\n")));
    has("category", &|one| one["categories"] != json!([]));
    has("three addresses", &|one| one["emailAddresses"].as_array().is_some_and(|list| list.len() == 3));
    assert_eq!(graph.round(&url("me/contacts/delta"), 100).0.len(), 6);
}
