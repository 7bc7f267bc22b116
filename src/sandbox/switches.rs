//! How the stand-ins behave where the documentation leaves a choice, or where a test wants bad weather.

use serde::{Deserialize, Serialize};

/// Every switch with its default. Where the documentation is unsure of the meaning of an answer, the default is the
/// meaning that is harder on a client; what only costs time or noise is off. [`Switches::hostile`] turns that on too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    // Both providers.
    /// Seconds an access token lives. Google says 3599; Microsoft varies around an hour.
    pub access_token_life_s: i64,
    /// How long the socket holds each API request before it runs, so that overlapping requests really overlap.
    pub latency_ms: u64,
    /// Written texts lose white space at both ends.
    pub trim_values: bool,
    /// Written e-mail addresses come back in lower case.
    pub recase_emails: bool,
    /// JSON keys come in another order on every read, and lists without an order of their own too.
    pub reorder_fields: bool,
    /// Some seconds after a write, the etag changes once more with equal content (0 = never).
    pub restamp_etag_after_s: i64,
    /// Pages hold fewer items than asked for.
    pub short_pages: bool,
    /// Every other page is empty and has a link to the next.
    pub empty_pages: bool,
    /// Most items in one page, whatever is asked for (0 = the provider's own bound).
    pub page_size_cap: usize,
    /// Seconds until a People list or a Graph delta shows a write. Graph's plain lists show it at once.
    pub list_lag_s: i64,

    // Sign-in.
    /// What the user does in the browser: `consent`, `decline`, or `wait` (device code only: stays pending).
    pub user_answer: String,
    /// Another person than the seeded one signs in.
    pub another_account: bool,
    /// Scopes the user leaves unticked (whole names, or the last part such as `contacts`).
    pub unticked_scopes: Vec<String>,
    /// Microsoft: a refresh token that was replaced is refused. Documented: "not revoked by use", so off.
    pub refuse_rotated_refresh: bool,
    /// Google sends a new refresh token with each refresh as well. Normally it does not.
    pub google_rotates_refresh: bool,
    /// Google: `invalid_grant` after so many days since consent (apps in "Testing": 7; 0 = never).
    pub google_testing_days: i64,
    /// Microsoft: the redirect addresses registered for the client; the port of a loopback address is ignored.
    pub microsoft_redirects: Vec<String>,
    /// Device code: how many polls are answered `authorization_pending` before the user is done.
    pub device_pending_polls: u32,
    /// Device code: a poll that comes sooner than the interval is answered `slow_down`.
    pub device_slow_down: bool,

    // People.
    /// A `clientData` entry is never dropped by an update that leaves it out; one with the same key replaces it.
    pub client_data_sticky: bool,
    /// A change of the photo changes the contact's etag and shows in the sync list.
    pub photo_changes_etag: bool,
    /// The seven days of a sync token count from each delta instead of from the full listing.
    pub delta_prolongs_token: bool,
    /// Days a sync token lives.
    pub sync_token_days: i64,
    /// `400` (documented) or `410` (met in the field): the status of EXPIRED_SYNC_TOKEN.
    pub expired_sync_token_status: u16,
    /// People errors carry the older `errors[]` list too.
    pub google_errors_list: bool,
    /// A contact without a photo shows the generated letter tile (`default: true`).
    pub default_photo: bool,
    /// The answer to a mutation shows a `formattedType` and other output-only values. Off leaves them out.
    pub output_only_fields: bool,
    /// Two mutations at a time are answered 429.
    pub people_sequential_writes: bool,
    /// First pages of full listings per minute (0 = unbounded; the real number is not published).
    pub people_full_syncs_per_min: u32,
    /// Reads a minute (0 = unbounded; the real number stands in the user's console only).
    pub people_reads_per_min: u32,
    /// Writes a minute (0 = unbounded).
    pub people_writes_per_min: u32,
    /// Every n-th guarded update is answered "etag is different" although it is not (0 = never; seen in the field).
    pub people_false_etag_mismatch: u32,
    /// After a merge the contact that stays names the former ones. Off: they are deleted, and it is a new one.
    pub people_merge_keeps_former_names: bool,
    /// A contact outside all groups is still listed. Nothing says so, and the web page shows it among the other contacts.
    pub people_lists_groupless: bool,
    /// An update that changes nothing still makes a new etag, and shows in the sync list.
    pub people_same_update_restamps: bool,
    /// What a write is answered with that names a group which is gone: `400` or `404`, or `200` with the membership dropped.
    pub people_dead_group_status: u16,
    /// The most bytes that the `clientData` of one contact may have, keys and values (0 = unbounded).
    pub people_most_client_data_bytes: usize,
    /// An edit from the web page or a phone drops the `clientData` that programs left there.
    pub people_edit_drops_client_data: bool,

    // Graph.
    /// Requests at a time (0 = unbounded).
    pub graph_concurrency: u32,
    /// Requests in the window (0 = unbounded).
    pub graph_requests: u32,
    /// The window, in seconds.
    pub graph_window_s: i64,
    /// Bytes of bodies in five minutes (0 = unbounded).
    pub graph_upload_bytes: u64,
    /// What an expired delta token is answered with: `410` or `400`.
    pub graph_expired_status: u16,
    /// A change of the photo shows in the contact's delta. Navigation properties are not tracked, so off.
    pub graph_delta_photo: bool,
    /// A nextLink of a round is dead once a newer round of the same chain was begun.
    pub graph_delta_generations: bool,
    /// Setting `emailAddresses` to `[]` leaves an old third address standing (seen in the field).
    pub graph_empty_emails_leave_third: bool,
    /// How a PATCH empties a field that holds something: `any` (null, `[]`, an address all of whose parts are null), `null`
    /// (that alone), `empty` (anything but null), `nothing` (it stays as it was, and so does an entry left out of a list).
    pub graph_cleared_by: String,
    /// A reply to an explicit `null` in a create is 500 (seen in the field).
    pub graph_null_in_create_fails: bool,
    /// An item changed since is reported twice in one delta round.
    pub graph_delta_repeats: bool,
    /// A PATCH that changes nothing still makes a new change key.
    pub graph_patch_always_restamps: bool,
    /// What a PATCH of a contact is answered with: `whole` (documented), `none` (204 without a body), `stub` (id and etag
    /// alone), `nameless` (the id alone).
    pub graph_patch_answer: String,
    /// Parts of an address that a PATCH does not name stay as they are (OData 4). Off: the address is replaced whole.
    pub graph_address_patch_merges: bool,
    /// A written birthday is kept as 11:59Z of its day.
    pub graph_birthday_at_noon: bool,
    /// Without the immutable header a contact's id changes when it moves.
    pub graph_ids_change_on_move: bool,
    /// With immutable ids, a contact that left a folder and came back between two polls is reported as removed only.
    pub graph_immutable_move_hole: bool,
    /// A deleted contact answers 404 to its immutable id. Off: it answers 200 and stands in Deleted Items.
    pub graph_deleted_answers_404: bool,
    /// Delta rows of changed contacts hold the changed properties only.
    pub graph_sparse_delta: bool,
    /// Properties that hold nothing are left out instead of being null, `[]` or `{}`.
    pub graph_omits_empty: bool,
    /// Contacts show `primaryEmailAddress` and its two neighbours (in the metadata of 2026).
    pub graph_primary_addresses: bool,
    /// The default folder stands among the others in lists and in the folders' delta.
    pub graph_default_folder_listed: bool,
    /// Folders (id, name, or `contacts`) that answer 403.
    pub graph_denied_folders: Vec<String>,
    /// Every n-th update of a contact is answered 412 although nobody else wrote (0 = never; seen in the field).
    pub graph_false_conflict: u32,
    /// `If-Match` is not looked at: the last writer wins.
    pub graph_ignores_if_match: bool,
    /// A photo cannot be deleted: v1.0 does not document it.
    pub graph_photo_delete_refused: bool,
    /// A photo comes back in other bytes than were sent.
    pub graph_photo_reencoded: bool,
    /// The most entries of `homePhones` (0 = unbounded). Only the bound of `businessPhones` was met in the field.
    pub graph_most_home_phones: usize,
    /// The most entries of `imAddresses` (0 = unbounded).
    pub graph_most_im_addresses: usize,
    /// The most bytes that the value of an extended property may have (0 = unbounded).
    pub graph_most_property_bytes: usize,
    /// An edit in Outlook drops the extended properties that programs left there.
    pub graph_edit_drops_properties: bool,
    /// The default folder has the well-known name `contacts`. Off: that is a malformed id.
    pub graph_knows_default_folder: bool,
    /// Seconds until a list with a `$filter` finds a new contact.
    pub graph_filter_lag_s: i64,
    /// Seconds until a contact that is asked for by its id shows a write (replicas of a mailbox lag behind each other). The
    /// delta and the lists are not behind.
    pub graph_reads_lag_s: i64,
    /// The inner error is called `innererror`.
    pub graph_lower_inner_error: bool,
    /// Error codes begin with the other case.
    pub graph_recased_codes: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            access_token_life_s: 3599,
            latency_ms: 0,
            trim_values: false,
            recase_emails: false,
            reorder_fields: false,
            restamp_etag_after_s: 0,
            short_pages: false,
            empty_pages: false,
            page_size_cap: 0,
            list_lag_s: 0,
            user_answer: "consent".into(),
            another_account: false,
            unticked_scopes: Vec::new(),
            refuse_rotated_refresh: false,
            google_rotates_refresh: false,
            google_testing_days: 0,
            microsoft_redirects: vec!["http://localhost".into()],
            device_pending_polls: 2,
            device_slow_down: true,
            client_data_sticky: true,
            photo_changes_etag: true,
            delta_prolongs_token: false,
            sync_token_days: 7,
            expired_sync_token_status: 400,
            google_errors_list: false,
            default_photo: true,
            output_only_fields: true,
            people_sequential_writes: true,
            people_full_syncs_per_min: 0,
            people_reads_per_min: 0,
            people_writes_per_min: 0,
            people_false_etag_mismatch: 0,
            people_merge_keeps_former_names: true,
            people_lists_groupless: false,
            people_same_update_restamps: true,
            people_dead_group_status: 400,
            people_most_client_data_bytes: 0,
            people_edit_drops_client_data: false,
            graph_concurrency: 4,
            graph_requests: 10_000,
            graph_window_s: 600,
            graph_upload_bytes: 150 * 1024 * 1024,
            graph_expired_status: 410,
            graph_delta_photo: false,
            graph_delta_generations: true,
            graph_empty_emails_leave_third: true,
            graph_cleared_by: "any".into(),
            graph_null_in_create_fails: true,
            graph_delta_repeats: false,
            graph_patch_always_restamps: true,
            graph_patch_answer: "whole".into(),
            graph_address_patch_merges: true,
            graph_birthday_at_noon: true,
            graph_ids_change_on_move: true,
            graph_immutable_move_hole: true,
            graph_deleted_answers_404: false,
            graph_sparse_delta: false,
            graph_omits_empty: false,
            graph_primary_addresses: false,
            graph_default_folder_listed: false,
            graph_denied_folders: Vec::new(),
            graph_false_conflict: 0,
            graph_ignores_if_match: false,
            graph_photo_delete_refused: true,
            graph_photo_reencoded: false,
            graph_most_home_phones: 2,
            graph_most_im_addresses: 3,
            graph_most_property_bytes: 8 * 1024,
            graph_edit_drops_properties: false,
            graph_knows_default_folder: true,
            graph_filter_lag_s: 0,
            graph_reads_lag_s: 0,
            graph_lower_inner_error: false,
            graph_recased_codes: false,
        }
    }
}

impl Switches {
    /// Everything that may happen happens: values are trimmed and re-cased, pages are short or empty, etags move later,
    /// lists lag. Budgets stay as they are.
    pub fn hostile() -> Self {
        Self {
            latency_ms: 2,
            trim_values: true,
            recase_emails: true,
            reorder_fields: true,
            restamp_etag_after_s: 5,
            short_pages: true,
            empty_pages: true,
            list_lag_s: 180,
            google_rotates_refresh: true,
            people_false_etag_mismatch: 7,
            google_errors_list: true,
            graph_delta_repeats: true,
            graph_sparse_delta: true,
            graph_primary_addresses: true,
            graph_default_folder_listed: true,
            graph_patch_answer: "none".into(),
            graph_false_conflict: 7,
            graph_photo_reencoded: true,
            graph_lower_inner_error: true,
            graph_recased_codes: true,
            ..Self::default()
        }
    }
}
