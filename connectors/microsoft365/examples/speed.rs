//! How much CPU a full listing costs: pages of contacts to renderings to contents. `cargo run --release --example speed`.

use serde_json::json;
use std::time::Instant;
use twofold_http::Response;
use twofold_microsoft365::contacts::api;
use twofold_microsoft365::contacts::map::{ContactLens, Photo, Sheet};
use twofold_model::Lens;

fn main() -> twofold_model::Result<()> {
    const CONTACTS: usize = 10_000;
    let pages: Vec<Response> = (0..CONTACTS / 500).map(page).collect();
    let bytes: usize = pages.iter().map(|page| page.body.len()).sum();
    let start = Instant::now();
    let mut renderings = Vec::with_capacity(CONTACTS);
    for page in &pages {
        for contact in api::read_page(page)?.0 {
            renderings.push(Sheet { photo: Photo::Unlooked, contact }.close());
        }
    }
    let listed = start.elapsed();
    let mut members = 0;
    for rendering in &renderings {
        members += ContactLens.read(rendering)?.0.len();
    }
    println!(
        "{CONTACTS} contacts, {bytes} bytes, {members} members: listed in {listed:?}, read in {:?}",
        start.elapsed() - listed
    );
    Ok(())
}

fn page(at: usize) -> Response {
    let row = |row: usize| {
        let n = at * 500 + row;
        json!({
            "@odata.etag": format!("W/\"EQAAABYAAACd9nJ/tVysQos2hTfspaWRAAADTIa{n}\""),
            "id": format!("AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AMdx8MzGK72anyfC_vpe587y6D7TE4thxa9IWnkoSrpXDQk{n}"),
            "createdDateTime": "2014-10-19T23:08:24Z", "lastModifiedDateTime": "2014-10-19T23:08:24Z",
            "changeKey": format!("EQAAABYAAACd9nJ/tVysQos2hTfspaWRAAADTIa{n}"), "categories": ["Friends"],
            "parentFolderId": "AAMkAGI2AAEOAAA=", "birthday": "1974-07-22T11:59:00Z", "fileAs": "Fort, Garth",
            "displayName": format!("Garth Fort {n}"), "givenName": "Garth", "initials": "G.F.", "middleName": null,
            "nickName": "Garth", "surname": format!("Fort {n}"), "title": null, "yomiGivenName": null, "yomiSurname": null,
            "yomiCompanyName": null, "generation": null, "imAddresses": ["sip:garthf@contoso.example"],
            "emailAddresses": [{"name": "Garth", "address": format!("garth{n}@contoso.example")}],
            "jobTitle": "Web Marketing Manager", "companyName": "Contoso, Inc.", "department": "Sales & Marketing",
            "officeLocation": "20/1101", "profession": null, "businessHomePage": "https://www.contoso.example",
            "assistantName": null, "manager": null, "homePhones": [], "mobilePhone": null,
            "businessPhones": ["+1 918 555 0101"], "homeAddress": {}, "otherAddress": {},
            "businessAddress": {"street": "10 Contoso Way", "city": "Redmond", "state": "WA", "countryOrRegion": "USA",
                "postalCode": "98075"},
            "spouseName": null, "personalNotes": null, "children": [],
        })
    };
    let rows: Vec<_> = (0..500).map(row).collect();
    Response::new(200, Vec::new(), json!({"value": rows, "@odata.nextLink": "x"}).to_string().into_bytes())
}
