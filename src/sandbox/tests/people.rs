//! Google People, driven with raw requests after the sheet's examples.

use serde_json::{Value, json};
use twofold_sandbox::{Options, Provider, Request, Response, Sandbox, Switches};

const LIST: &str = "/google/v1/people/me/connections?personFields=names,emailAddresses,metadata,memberships,clientData,photos&sources=READ_SOURCE_TYPE_CONTACT&pageSize=1000&requestSyncToken=true";

/// A sandbox with a signed-in client of it.
struct Client {
    sandbox: Sandbox,
    token: String,
}

impl Client {
    fn new(options: Options) -> Self {
        let sandbox = Sandbox::new(options);
        let token = sandbox.access_token(Provider::Google);
        Self { sandbox, token }
    }

    fn empty() -> Self {
        Self::new(Options::empty().virtual_time())
    }

    fn send(&self, request: Request) -> Response {
        self.sandbox.handle(&request.bearer(&self.token))
    }

    fn ok(&self, request: Request) -> Value {
        let reply = self.send(request);
        assert_eq!(reply.status, 200, "{}", reply.body_json());
        reply.body_json()
    }

    fn refused(&self, request: Request, status: u16, name: &str) -> Value {
        let reply = self.send(request);
        let body = reply.body_json();
        assert_eq!((reply.status, body["error"]["status"].as_str()), (status, Some(name)), "{body}");
        body
    }

    fn create(&self, person: Value) -> Value {
        self.ok(Request::post(
            "/google/v1/people:createContact?personFields=names,metadata,clientData,memberships,photos,emailAddresses",
            &person,
        ))
    }

    fn update(&self, person: &Value, mask: &str) -> Request {
        let name = person["resourceName"].as_str().unwrap();
        let all = "names,metadata,clientData,memberships,emailAddresses,birthdays,photos";
        Request::patch(&format!("/google/v1/{name}:updateContact?updatePersonFields={mask}&personFields={all}"), person)
    }

    /// A whole round: all people and the sync token.
    fn round(&self, sync: Option<&str>) -> (Vec<Value>, String) {
        let mut people = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut request = Request::get(LIST);
            request.query.extend(sync.map(|token| ("syncToken".to_owned(), token.to_owned())));
            request.query.extend(page.map(|token| ("pageToken".to_owned(), token)));
            let body = self.ok(request);
            people.extend(body["connections"].as_array().cloned().unwrap_or_default());
            match body["nextPageToken"].as_str() {
                Some(token) => page = Some(token.to_owned()),
                None => return (people, body["nextSyncToken"].as_str().unwrap().to_owned()),
            }
        }
    }
}

fn ada() -> Value {
    json!({ "names": [{ "givenName": "Ada", "familyName": "Lovelace" }], "emailAddresses": [{ "value": "Ada@Example.com ", "type": "work" }] })
}

fn name_of(person: &Value) -> String {
    person["names"][0]["displayName"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_empty_account_answers_with_an_empty_object() {
    let client = Client::empty();
    let body = client.ok(Request::get("/google/v1/people/me/connections?personFields=names"));
    assert_eq!(body, json!({}));
}

#[test]
fn a_created_contact_has_what_google_adds() {
    let client = Client::empty();
    let made = client.create(ada());
    assert!(made["resourceName"].as_str().unwrap().starts_with("people/c"));
    assert_eq!(made["names"][0]["displayName"], "Ada Lovelace");
    assert_eq!(made["names"][0]["displayNameLastFirst"], "Lovelace, Ada");
    assert_eq!(made["names"][0]["metadata"]["primary"], true);
    assert_eq!(made["emailAddresses"][0]["formattedType"], "Work");
    assert_eq!(made["memberships"][0]["contactGroupMembership"]["contactGroupId"], "myContacts");
    assert_eq!(made["photos"][0]["default"], true);
    assert_eq!(made["metadata"]["sources"][0]["type"], "CONTACT");
}

#[test]
fn unknown_names_and_values_are_refused() {
    let client = Client::empty();
    let create = "/google/v1/people:createContact";
    let unknown =
        client.refused(Request::post(create, &json!({ "names": [{ "given": "A" }] })), 400, "INVALID_ARGUMENT");
    let text = unknown["error"]["message"].as_str().unwrap();
    assert_eq!(text, "Invalid JSON payload received. Unknown name \"given\" at 'names[0]': Cannot find field.");
    assert_eq!(unknown["error"]["details"][0]["fieldViolations"][0]["field"], "names[0]");
    let bad = [
        json!({ "names": [{ "givenName": 1 }] }),
        json!({ "names": { "givenName": "A" } }),
        json!({ "biographies": [{ "value": "x", "contentType": "MARKDOWN" }] }),
        json!({ "names": [{ "givenName": "A" }, { "givenName": "B" }] }),
        json!({ "birthdays": [{ "date": { "year": 2023, "month": 2, "day": 29 } }] }),
        json!({ "memberships": [{ "contactGroupMembership": { "contactGroupResourceName": "contactGroups/none" } }] }),
        json!({ "memberships": [{ "contactGroupMembership": { "contactGroupResourceName": "contactGroups/friends" } }] }),
    ];
    for person in bad {
        client.refused(Request::post(create, &person), 400, "INVALID_ARGUMENT");
    }
    client.refused(Request::get("/google/v1/people/me/connections"), 400, "INVALID_ARGUMENT");
    client.refused(Request::get("/google/v1/people/me/connections?personFields=names&foo=1"), 400, "INVALID_ARGUMENT");
    client.refused(Request::get("/google/v1/people/me/connections?personFields=nmaes"), 400, "INVALID_ARGUMENT");
    client.refused(
        Request::get(&format!("{LIST}&pageSize=1001").replace("pageSize=1000&", "")),
        400,
        "INVALID_ARGUMENT",
    );
    client.refused(Request::get("/google/v1/people/c1?personFields=names"), 404, "NOT_FOUND");
    assert!(client.sandbox.google_people().is_empty());
}

#[test]
fn a_token_is_needed_and_expires_and_its_scope_counts() {
    let client = Client::empty();
    let list = || Request::get("/google/v1/people/me/connections?personFields=names");
    assert_eq!(client.sandbox.handle(&list()).status, 401);
    assert_eq!(client.sandbox.handle(&list().bearer("nonsense")).status, 401);
    let other = client.sandbox.access_token(Provider::Microsoft);
    assert_eq!(client.sandbox.handle(&list().bearer(&other)).status, 401);
    client.sandbox.clock().advance_ms(3_599_000);
    client.refused(list(), 401, "UNAUTHENTICATED");
}

#[test]
fn an_update_replaces_the_masked_fields_only() {
    let client = Client::empty();
    let made = client.create(ada());
    let mut changed = made.clone();
    changed["names"] = json!([{ "givenName": "Augusta" }]);
    changed["emailAddresses"] = json!([]);
    let after = client.ok(client.update(&changed, "names"));
    assert_eq!(name_of(&after), "Augusta");
    assert_eq!(after["emailAddresses"][0]["value"], "Ada@Example.com ");
    let cleared = client.ok(client
        .update(&json!({ "resourceName": after["resourceName"], "metadata": after["metadata"] }), "emailAddresses"));
    assert!(cleared.get("emailAddresses").is_none());
}

#[test]
fn an_update_needs_the_contact_sources_present_etag() {
    let client = Client::empty();
    let made = client.create(ada());
    let without =
        json!({ "resourceName": made["resourceName"], "etag": made["etag"], "names": [{ "givenName": "B" }] });
    client.refused(client.update(&without, "names"), 400, "INVALID_ARGUMENT");
    client.ok(client.update(&made, "names"));
    let stale = client.refused(client.update(&made, "names"), 400, "FAILED_PRECONDITION");
    assert!(stale["error"]["message"].as_str().unwrap().starts_with("Request person.etag is different"));
    client.refused(client.update(&made, "photos"), 400, "INVALID_ARGUMENT");
    client.refused(client.update(&made, ""), 400, "INVALID_ARGUMENT");
}

#[test]
fn memberships_cannot_all_be_taken_away() {
    let client = Client::empty();
    let mut made = client.create(ada());
    made["memberships"] = json!([]);
    client.refused(client.update(&made, "memberships"), 400, "INVALID_ARGUMENT");
}

#[test]
fn client_data_stays_unless_its_key_is_written_anew() {
    let client = Client::empty();
    let mut person = ada();
    person["clientData"] = json!([{ "key": "uid", "value": "1" }, { "key": "rest", "value": "x" }]);
    let mut made = client.create(person);
    made["clientData"] = json!([{ "key": "rest", "value": "y" }]);
    let after = client.ok(client.update(&made, "clientData"));
    let pairs: Vec<_> =
        after["clientData"].as_array().unwrap().iter().map(|e| (e["key"].as_str(), e["value"].as_str())).collect();
    assert_eq!(pairs, [(Some("uid"), Some("1")), (Some("rest"), Some("y"))]);
}

#[test]
fn a_delta_tells_of_edits_and_deletions_until_it_is_seven_days_old() {
    let client = Client::new(Options::demo().virtual_time());
    let (all, token) = client.round(None);
    assert_eq!(all.len(), 12);
    let (none, token) = client.round(Some(&token));
    assert!(none.is_empty());
    let (edited, gone) = (all[0]["resourceName"].as_str().unwrap(), all[1]["resourceName"].as_str().unwrap());
    client.sandbox.google_edit(edited, |person| person["names"] = json!([{ "givenName": "New" }])).unwrap();
    client.sandbox.google_delete(gone).unwrap();
    let (changes, later) = client.round(Some(&token));
    assert_eq!(changes.len(), 2);
    assert_eq!(name_of(&changes[0]), "New");
    assert_eq!((changes[1]["resourceName"].as_str(), &changes[1]["metadata"]["deleted"]), (Some(gone), &json!(true)));
    client.sandbox.clock().advance_ms(7 * 86_400_000 + 1);
    let client = Client { token: client.sandbox.access_token(Provider::Google), sandbox: client.sandbox };
    let mut request = Request::get(LIST);
    request.query.push(("syncToken".into(), later));
    let expired = client.refused(request, 400, "FAILED_PRECONDITION");
    assert_eq!(expired["error"]["details"][0]["reason"], "EXPIRED_SYNC_TOKEN");
}

#[test]
fn parameters_must_stay_as_they_were() {
    let client = Client::new(Options::demo().virtual_time());
    let (_, token) = client.round(None);
    let mut request = Request::get(&LIST.replace("names,", ""));
    request.query.push(("syncToken".into(), token));
    client.refused(request, 400, "INVALID_ARGUMENT");
}

#[test]
fn pages_may_be_short_and_empty_and_still_hold_everybody() {
    let switches = Switches {
        short_pages: true,
        empty_pages: true,
        page_size_cap: 6,
        reorder_fields: true,
        ..Switches::default()
    };
    let client = Client::new(Options::bulk(25).virtual_time().with(switches));
    let (all, _) = client.round(None);
    assert_eq!(all.len(), 25);
    assert!(client.sandbox.requests(Provider::Google) > 20);
}

#[test]
fn a_lagging_list_shows_old_news_and_then_the_new() {
    let client = Client::new(Options::demo().virtual_time().with(Switches { list_lag_s: 120, ..Switches::default() }));
    let (all, token) = client.round(None);
    let made = client.create(ada());
    let edited = all[0]["resourceName"].as_str().unwrap();
    client.sandbox.google_edit(edited, |person| person["names"] = json!([{ "givenName": "New" }])).unwrap();
    let (changes, token) = client.round(Some(&token));
    assert!(changes.is_empty());
    assert_eq!(client.round(None).0.len(), 12);
    let name = made["resourceName"].as_str().unwrap();
    client.ok(Request::get(&format!("/google/v1/{name}?personFields=names")));
    client.sandbox.clock().advance_ms(121_000);
    assert_eq!(client.round(Some(&token)).0.len(), 2);
}

#[test]
fn a_contact_in_no_group_leaves_the_list() {
    let client = Client::empty();
    let made = client.create(ada());
    let (_, token) = client.round(None);
    let group = client.sandbox.google_add_group("Klubi").unwrap();
    let name = made["resourceName"].as_str().unwrap();
    client.sandbox.google_members(&group, &[name], &[]).unwrap();
    client.sandbox.google_members("contactGroups/myContacts", &[], &[name]).unwrap();
    client.sandbox.google_delete_group(&group).unwrap();
    let (changes, _) = client.round(Some(&token));
    assert_eq!(changes[0]["metadata"]["deleted"], true);
    assert!(client.round(None).0.is_empty());
}

#[test]
fn two_merged_contacts_become_one_of_a_new_name() {
    let client = Client::empty();
    let (one, two) = (client.create(ada()), client.create(json!({ "phoneNumbers": [{ "value": "+1 555 0100" }] })));
    let (_, token) = client.round(None);
    let (one, two) = (one["resourceName"].as_str().unwrap(), two["resourceName"].as_str().unwrap());
    let merged = client.sandbox.google_merge(one, two).unwrap();
    let (changes, _) = client.round(Some(&token));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["resourceName"], merged);
    assert_eq!(changes[0]["metadata"]["previousResourceNames"], json!([one, two]));
    let found = client.ok(Request::get(&format!("/google/v1/{one}?personFields=phoneNumbers")));
    assert_eq!(
        (&found["resourceName"], &found["phoneNumbers"][0]["canonicalForm"]),
        (&json!(merged), &json!("+15550100"))
    );
}

#[test]
fn batches_do_all_or_nothing() {
    let client = Client::empty();
    let contacts =
        |people: Vec<Value>| people.into_iter().map(|person| json!({ "contactPerson": person })).collect::<Vec<_>>();
    let create = "/google/v1/people:batchCreateContacts";
    let bad = json!({ "names": [{ "givenName": "A" }, { "givenName": "B" }] });
    client.refused(
        Request::post(create, &json!({ "contacts": contacts(vec![ada(), bad]), "readMask": "names" })),
        400,
        "INVALID_ARGUMENT",
    );
    assert!(client.sandbox.google_people().is_empty());
    client.refused(
        Request::post(create, &json!({ "contacts": contacts(vec![ada(); 201]), "readMask": "names" })),
        400,
        "INVALID_ARGUMENT",
    );
    let made = client
        .ok(Request::post(create, &json!({ "contacts": contacts(vec![ada(); 200]), "readMask": "names,metadata" })));
    let people = made["createdPeople"].as_array().unwrap();
    assert_eq!(people.len(), 200);
    let mut map = serde_json::Map::new();
    for person in people.iter().take(3) {
        let mut person = person["person"].clone();
        person["names"] = json!([{ "givenName": "Batch" }]);
        map.insert(person["resourceName"].as_str().unwrap().into(), person);
    }
    let update = json!({ "contacts": map, "updateMask": "names", "readMask": "names,metadata" });
    let updated = client.ok(Request::post("/google/v1/people:batchUpdateContacts", &update));
    assert!(updated["updateResult"].as_object().unwrap().values().all(|row| name_of(&row["person"]) == "Batch"));
    client.refused(Request::post("/google/v1/people:batchUpdateContacts", &update), 400, "FAILED_PRECONDITION");
    let names: Vec<_> = people.iter().map(|row| row["person"]["resourceName"].clone()).collect();
    let query: String = names[..2].iter().map(|name| format!("&resourceNames={}", name.as_str().unwrap())).collect();
    let got = client
        .ok(Request::get(&format!("/google/v1/people:batchGet?personFields=names{query}&resourceNames=people/c1")));
    let codes: Vec<_> = got["responses"].as_array().unwrap().iter().map(|row| row["httpStatusCode"].as_u64()).collect();
    assert_eq!(codes, [Some(200), Some(200), Some(404)]);
    client.ok(Request::post("/google/v1/people:batchDeleteContacts", &json!({ "resourceNames": names })));
    assert!(client.sandbox.google_people().is_empty());
}

#[test]
fn a_photo_is_set_served_without_a_token_and_deleted() {
    let client = Client::empty();
    let made = client.create(ada());
    let name = made["resourceName"].as_str().unwrap();
    let png = twofold_sandbox::google::tiny_png([1, 2, 3]);
    let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &png);
    let set = Request::patch(
        &format!("/google/v1/{name}:updateContactPhoto"),
        &json!({ "photoBytes": bytes, "personFields": "photos,metadata" }),
    );
    let person = client.ok(set)["person"].clone();
    assert!(person["photos"][0].get("default").is_none());
    assert_ne!(person["metadata"]["sources"][0]["etag"], made["metadata"]["sources"][0]["etag"]);
    let photo = client.sandbox.handle(&Request::get(person["photos"][0]["url"].as_str().unwrap()));
    assert_eq!((photo.status, photo.header("content-type"), &photo.body[..]), (200, Some("image/png"), &png[..]));
    client.refused(
        Request::patch(&format!("/google/v1/{name}:updateContactPhoto"), &json!({ "photoBytes": "aGVsbG8=" })),
        400,
        "INVALID_ARGUMENT",
    );
    let gone = client.ok(Request::delete(&format!("/google/v1/{name}:deleteContactPhoto?personFields=photos")));
    assert_eq!(gone["person"]["photos"][0]["default"], true);
}

#[test]
fn groups_are_listed_made_renamed_and_deleted() {
    let client = Client::empty();
    let listed = client.ok(Request::get("/google/v1/contactGroups"));
    assert_eq!(listed["contactGroups"].as_array().unwrap().len(), 8);
    let token = listed["nextSyncToken"].as_str().unwrap();
    let made =
        client.ok(Request::post("/google/v1/contactGroups", &json!({ "contactGroup": { "name": "Küche, Büro" } })));
    client.refused(
        Request::post("/google/v1/contactGroups", &json!({ "contactGroup": { "name": "küche, büro" } })),
        409,
        "ALREADY_EXISTS",
    );
    let name = made["resourceName"].as_str().unwrap();
    let rename = |etag: &Value| {
        Request::put(&format!("/google/v1/{name}"), &json!({ "contactGroup": { "name": "Home", "etag": etag } }))
    };
    client.ok(rename(&made["etag"]));
    client.refused(rename(&made["etag"]), 400, "FAILED_PRECONDITION");
    let changed = client.ok(Request::get(&format!("/google/v1/contactGroups?syncToken={token}")));
    assert_eq!(changed["contactGroups"][0]["name"], "Home");
    let person = client.create(ada());
    let body = json!({ "resourceNamesToAdd": [person["resourceName"], "people/c1"] });
    let modified = client.ok(Request::post(&format!("/google/v1/{name}/members:modify"), &body));
    assert_eq!(modified, json!({ "notFoundResourceNames": ["people/c1"] }));
    let group = client.ok(Request::get(&format!("/google/v1/{name}?maxMembers=10")));
    assert_eq!((&group["memberCount"], &group["memberResourceNames"][0]), (&json!(1), &person["resourceName"]));
    client.ok(Request::delete(&format!("/google/v1/{name}")));
    let token = changed["nextSyncToken"].as_str().unwrap();
    let deleted = client.ok(Request::get(&format!("/google/v1/contactGroups?syncToken={token}")));
    assert_eq!(deleted["contactGroups"][0]["metadata"]["deleted"], true);
    assert_eq!(client.sandbox.google_people().len(), 1);
}

#[test]
fn the_last_group_of_a_contact_cannot_be_left() {
    let client = Client::empty();
    let person = client.create(ada());
    let body = json!({ "resourceNamesToRemove": [person["resourceName"]] });
    let answer = client.ok(Request::post("/google/v1/contactGroups/myContacts/members:modify", &body));
    assert_eq!(answer, json!({ "canNotRemoveLastContactGroupResourceNames": [person["resourceName"]] }));
}

#[test]
fn a_linked_profile_shows_only_when_profiles_are_asked_for() {
    let client = Client::empty();
    let made = client.create(ada());
    let name = made["resourceName"].as_str().unwrap();
    client.sandbox.google_link_profile(name, &json!({ "names": [{ "displayName": "A. Profile" }] })).unwrap();
    let both = client.ok(Request::get(&format!("/google/v1/{name}?personFields=names,metadata")));
    assert_eq!((both["names"].as_array().unwrap().len(), name_of(&both)), (2, "A. Profile".into()));
    assert_eq!(both["metadata"]["sources"][1]["type"], "PROFILE");
    let own =
        client.ok(Request::get(&format!("/google/v1/{name}?personFields=names&sources=READ_SOURCE_TYPE_CONTACT")));
    assert_eq!((own["names"].as_array().unwrap().len(), name_of(&own)), (1, "Ada Lovelace".into()));
}

#[test]
fn switches_trim_recase_and_restamp() {
    let switches = Switches { trim_values: true, recase_emails: true, restamp_etag_after_s: 5, ..Switches::default() };
    let client = Client::new(Options::empty().virtual_time().with(switches));
    let made = client.create(ada());
    assert_eq!(made["emailAddresses"][0]["value"], "ada@example.com");
    client.sandbox.clock().advance_ms(6_000);
    client.refused(client.update(&made, "names"), 400, "FAILED_PRECONDITION");
    let (people, _) = client.round(None);
    assert_eq!(people[0]["names"], made["names"]);
}

#[test]
fn another_account_has_another_address_book() {
    let client = Client::new(Options::demo().virtual_time());
    let me = client.ok(Request::get("/google/v1/people/me?personFields=names,emailAddresses,metadata"));
    assert_eq!(me["metadata"]["sources"][0]["id"], "109178119628813002442");
    assert_eq!(me["emailAddresses"][0]["value"], "ada@example.com");
    assert_eq!(client.ok(Request::get("/google/oauth2/v2/userinfo"))["id"], "109178119628813002442");
}

#[test]
fn every_seed_is_taken_and_ten_thousand_are_listed_fast() {
    assert_eq!(Sandbox::new(Options::demo()).google_people().len(), 12);
    let client = Client::new(Options::bulk(10_000).virtual_time());
    let start = std::time::Instant::now();
    assert_eq!(client.round(None).0.len(), 10_000);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn profile_items_sent_back_are_ignored() {
    let client = Client::empty();
    let made = client.create(ada());
    let name = made["resourceName"].as_str().unwrap();
    client.sandbox.google_link_profile(name, &json!({ "names": [{ "displayName": "A. Profile" }] })).unwrap();
    let both = client.ok(Request::get(&format!("/google/v1/{name}?personFields=names,metadata")));
    let after = client.ok(client.update(&both, "names"));
    assert_eq!(after["names"].as_array().unwrap().len(), 2);
    let own = client.sandbox.google_person(name).unwrap();
    assert_eq!((own["names"].as_array().unwrap().len(), name_of(&own)), (1, "Ada Lovelace".into()));
}

#[test]
fn old_data_may_hold_what_the_api_would_refuse() {
    let client = Client::empty();
    let odd = json!({
        "birthdays": [{ "text": "sometime in spring" }, { "date": { "year": 0, "month": 3, "day": 9 } }],
        "userDefined": [{ "key": "Empty label", "value": "" }],
    });
    client.refused(Request::post("/google/v1/people:createContact", &odd), 400, "INVALID_ARGUMENT");
    let name = client.sandbox.google_create(&odd).unwrap();
    let person = client.ok(Request::get(&format!("/google/v1/{name}?personFields=birthdays,userDefined")));
    assert_eq!(person["birthdays"].as_array().unwrap().len(), 2);
    assert_eq!(person["userDefined"][0]["value"], "");
}

#[test]
fn fields_cut_a_page_down() {
    let client = Client::new(Options::demo().virtual_time());
    let body = client.ok(Request::get(&format!("{LIST}&fields=connections/resourceName,nextSyncToken")));
    assert_eq!(body["connections"][0].as_object().unwrap().len(), 1);
    assert!(body["nextSyncToken"].is_string() && body.get("totalItems").is_none());
}
