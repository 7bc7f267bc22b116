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

    // Google Calendar.
    /// Requests of the user a minute (0 = unbounded).
    pub calendar_requests_per_min: u32,
    /// What a PATCH counts in that; the guide on performance says more than one.
    pub calendar_patch_units: u32,
    /// Writes to one calendar a minute (0 = unbounded; the number is not published).
    pub calendar_writes_per_min: u32,
    /// Two writes to one calendar at a time are rate limited.
    pub calendar_sequential_writes: bool,
    /// What too many requests are answered with: `403` or `429`.
    pub calendar_rate_limit_status: u16,
    /// `rateLimitExceeded` or `userRateLimitExceeded`.
    pub calendar_rate_limit_reason: String,
    /// Events with guests that may be inserted before every write is refused (0 = unbounded; the number is not published).
    pub calendar_guest_inserts: u32,
    /// For how many seconds it is refused then.
    pub calendar_usage_pause_s: i64,
    /// Errors carry the `status` of the newer shape too.
    pub calendar_errors_status: bool,
    /// Unknown parameters and fields are ignored. Off: they are refused, so that a misspelt one is found.
    pub calendar_ignores_unknown: bool,
    /// Days a sync token lives after it was given out (0 = for ever; the real age is not published).
    pub calendar_sync_token_days: i64,
    /// Days that `updatedMin` may reach back (0 = for ever).
    pub calendar_updated_min_days: i64,
    /// Days until a deleted event is forgotten, and every sync token from before then (0 = never).
    pub calendar_tombstone_days: i64,
    /// A delta may have other parameters than the first call. Documented: undefined, so off.
    pub calendar_sync_takes_other_parameters: bool,
    /// A list with `singleEvents` gives a sync token (one report says that it does not).
    pub calendar_single_events_token: bool,
    /// With `singleEvents`, so many months of cancelled occurrences are told of a deleted series.
    pub calendar_deleted_series_months: i64,
    /// Plain lists show deleted series, also outside the window (seen in the field since 2025).
    pub calendar_plain_lists_show_deleted_series: bool,
    /// A changed name or zone of a calendar shows in the delta of the list. Documented: it does not.
    pub calendar_rename_shows_in_list: bool,
    /// A create with both `id` and `iCalUID` is refused. Documented: only one "should" be supplied.
    pub calendar_id_or_uid_only: bool,
    /// A deleted event cannot be written again: 403 (seen in the field).
    pub calendar_restore_refused: bool,
    /// `UNTIL` may be a date or a local time in a series with times.
    pub calendar_lenient_until: bool,
    /// The start of a series is an occurrence also when its rule does not make it.
    pub calendar_start_always_counts: bool,
    /// Extended properties beyond 44 letters of key and 1024 of value are `refused`, `cut` (as the guide says: the one
    /// dropped, the other shortened, in silence) or `kept`; but for `kept`, 300 of them and 32 kB are the limit.
    pub calendar_long_properties: String,
    /// A PUT without `conferenceDataVersion` or `supportsAttachments` drops the conference and the attachments.
    pub calendar_put_drops_unversioned: bool,
    /// Birthdays, focus time, out-of-office and working locations are on primary calendars only, and as they must be.
    pub calendar_event_type_rules: bool,
    /// Most calls in one batch.
    pub calendar_most_batch_parts: usize,
    /// What is imported must have the calendar's owner as its organizer or among its guests (seen in the field).
    pub calendar_import_needs_part: bool,
    /// An imported copy of somebody else's event cannot be changed in what its organizer shares.
    pub calendar_imported_copies_locked: bool,
    /// A write without `sendUpdates` mails the guests. Documented default: false.
    pub calendar_mails_unasked: bool,
    /// With `sendUpdates=none`, cancellations still go to guests elsewhere ("some emails might still be sent").
    pub calendar_none_still_mails: bool,
    /// A new rule or start of a series drops its exceptions. Off: also those stay that no longer fit.
    pub calendar_rule_change_drops_exceptions: bool,
    /// A change of a series goes into those of its exceptions that said the same as it did.
    pub calendar_exceptions_follow_series: bool,
    /// A PATCH that changes nothing still makes a new etag.
    pub calendar_patch_always_restamps: bool,
    /// The events of a calendar with free/busy access are listed bare. Off: 403.
    pub calendar_free_busy_lists: bool,
    /// Calendars (id or name) that answer 403.
    pub calendar_denied_calendars: Vec<String>,
    /// An edit from the web page or a phone drops the private extended properties that programs left there.
    pub calendar_edit_drops_private: bool,

    // Gmail.
    /// Units of the user a minute (0 = unbounded).
    pub mail_units_per_min: u32,
    /// Requests cost what they did before May 2026.
    pub mail_old_units: bool,
    /// What too many units are answered with: `429` or `403`.
    pub mail_rate_limit_status: u16,
    /// `rateLimitExceeded` or `userRateLimitExceeded`.
    pub mail_rate_limit_reason: String,
    /// Then the text of the error names the time to come again.
    pub mail_retry_after_in_text: bool,
    /// Requests at a time (0 = unbounded; the number is not published).
    pub mail_requests_at_a_time: u32,
    /// Parts of one batch that are answered; the others are 429 (0 = unbounded; the number is not published).
    pub mail_parts_at_a_time: u32,
    /// Most calls in one batch.
    pub mail_most_batch_parts: usize,
    /// Errors carry `both` shapes, or the newer `status` alone, or the older `list` alone.
    pub mail_error_shape: String,
    /// Hours that the history reaches back. Documented: at least a week, "rarely only some hours".
    pub mail_history_hours: i64,
    /// Each page of the history after the first begins with the last record of the one before.
    pub mail_history_repeats: bool,
    /// Records show the labels that their message has now. Off: those it had after the change.
    pub mail_history_shows_present_labels: bool,
    /// Messages of records come with their labels. Off: with their ids alone.
    pub mail_history_label_ids: bool,
    /// A record by which a message goes to the trash or to spam does not say which labels it lost with that. Not documented either way.
    pub mail_history_tells_trash_alone: bool,
    /// Seconds until the history tells a change; its id stays behind as well.
    pub mail_history_lag_s: i64,
    /// A deleted label is told as taken off each of its messages. Nothing says so, so off.
    pub mail_label_delete_is_in_history: bool,
    /// The most labels of the user's own.
    pub mail_most_labels: usize,
    /// The colours that a label may have: a few of the real palette.
    pub mail_label_colors: Vec<String>,
    /// A message that `modify` puts into the trash or among the spam stays in the inbox too (seen in the field).
    pub mail_modify_keeps_inbox: bool,
    /// `untrash` puts the message back into the inbox.
    pub mail_untrash_restores_inbox: bool,
    /// What becomes of a draft that is put into the trash: it `stays` a draft there, its being one `ends`, or that is `refused`. Nothing
    /// says which.
    pub mail_trashed_draft: String,
    /// A draft that is sent in gets a Message-ID of the service.
    pub mail_draft_names_anew: bool,
    /// What makes a message that is sent in the copy of one that is there: `message_id`, `content` (that and equal bytes), or
    /// `never`.
    pub mail_duplicates_by: String,
    /// A message may be inserted as `SENT`.
    pub mail_insert_takes_sent: bool,
    /// A message without an address in `From` is refused (seen in the field).
    pub mail_checks_from: bool,
    /// Lines that end in LF alone are ended with CR LF.
    pub mail_makes_crlf: bool,
    /// A message that is sent in gets a `Received` line of the service on top.
    pub mail_adds_received: bool,
    /// An import into the inbox gets a category.
    pub mail_import_sorts: bool,
    /// An import is answered with an id that is not there (seen in the field).
    pub mail_import_answers_dead_id: bool,
    /// An insert as well. Nothing says so, so off.
    pub mail_insert_answers_dead_id: bool,
    /// What is sent in is answered without its labels, as a reply may be that was asked for few fields.
    pub mail_insert_answers_no_labels: bool,
    /// A draft joins the conversation that its header names; else only the one that is named beside it.
    pub mail_drafts_thread_by_header: bool,
    /// Seconds until a search finds a new message.
    pub mail_search_lag_s: i64,
    /// `after:` and `before:` take seconds since 1970 beside days; else they find nothing.
    pub mail_search_takes_seconds: bool,
    /// The most bytes of a JSON body with `raw`.
    pub mail_most_json_bytes: usize,
    /// The most bytes of a message that is inserted or imported.
    pub mail_most_message_bytes: usize,
    /// The most bytes of a draft.
    pub mail_most_draft_bytes: usize,
    /// Base64 in answers comes without padding.
    pub mail_unpadded_base64: bool,

    // Graph.
    /// Requests at a time (0 = unbounded).
    pub graph_concurrency: u32,
    /// Parts of one batch that run at a time and count in that; those too many are answered 429. Documented: four.
    pub graph_batch_parts_at_a_time: u32,
    /// Requests in the window (0 = unbounded).
    pub graph_requests: u32,
    /// The window, in seconds.
    pub graph_window_s: i64,
    /// Bytes of bodies in five minutes (0 = unbounded).
    pub graph_upload_bytes: u64,
    /// What an expired delta token is answered with: `410` or `400`.
    pub graph_expired_status: u16,
    /// The code of a 410 then: `resyncRequired` or `syncStateNotFound`.
    pub graph_expired_code: String,
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
    /// What a PATCH of a contact or a message is answered with: `whole` (documented), `none` (204 without a body), `stub` (id and
    /// etag alone), `nameless` (the id alone). The last two go for a message that is made, moved or copied too.
    pub graph_patch_answer: String,
    /// Parts of an address that a PATCH does not name stay as they are (OData 4). Off: the address is replaced whole.
    pub graph_address_patch_merges: bool,
    /// A written birthday is kept as 11:59Z of its day.
    pub graph_birthday_at_noon: bool,
    /// Without the immutable header the id of a contact or a message changes when it moves.
    pub graph_ids_change_on_move: bool,
    /// With immutable ids, a contact or a message that left a folder and came back between two polls is reported as removed
    /// only.
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
    /// Folders of contacts and of mail (id, name, or well-known name) that answer 403.
    pub graph_denied_folders: Vec<String>,
    /// Every n-th update of a contact or a message is answered 412 although nobody else wrote (0 = never; seen in the
    /// field).
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
    /// Seconds until a list with a `$filter` finds a new contact or message.
    pub graph_filter_lag_s: i64,
    /// Seconds until a contact or a message that is asked for by its id shows a write (replicas of a mailbox lag behind each other). The
    /// delta and the lists are not behind.
    pub graph_reads_lag_s: i64,
    /// A file that is attached is shown under another name than the one that was sent.
    pub graph_renames_files: bool,
    /// The inner error is called `innererror`.
    pub graph_lower_inner_error: bool,
    /// Error codes begin with the other case.
    pub graph_recased_codes: bool,

    // Graph's calendars.
    /// Calendars (id or name) whose events answer 403.
    pub graph_denied_calendars: Vec<String>,
    /// Calendars (id or name) whose events answer 500, as shares of an old style do.
    pub graph_broken_calendars: Vec<String>,
    /// `If-Match` on an event is not looked at: the last writer wins.
    pub graph_events_ignore_if_match: bool,
    /// A create with a `transactionId` that was there before is 409. Off: it answers with the first event.
    pub graph_repeated_transaction_conflicts: bool,
    /// A zone written under its IANA name comes back under its Windows name.
    pub graph_zones_become_windows: bool,
    /// `Prefer: outlook.timezone` takes IANA names too.
    pub graph_prefers_iana_zones: bool,
    /// The `originalStart` of a whole day is midnight in the series' zone. Off: midnight UTC.
    pub graph_all_day_original_start_in_zone: bool,
    /// Occurrences show `originalStart` unasked. Seen in the field: only `$select` brings it.
    pub graph_shows_original_start: bool,
    /// Events show `uid` and `occurrenceId`, which v1.0 does not document.
    pub graph_shows_beta_properties: bool,
    /// A master tells `cancelledOccurrences` and `exceptionOccurrences` (in the v1.0 metadata). Off: there are no such
    /// properties.
    pub graph_master_tells_exceptions: bool,
    /// What `$select` names is told of the expanded `exceptionOccurrences` too. Off, as OData has it: they show what comes
    /// unasked.
    pub graph_select_reaches_exceptions: bool,
    /// A master shows PidLidAppointmentRecur when it is asked for.
    pub graph_shows_recurrence_bytes: bool,
    /// Another rule or start of a series drops its exceptions and cancelled days. Off: those that still fit stay.
    pub graph_series_change_drops_exceptions: bool,
    /// An exception shows what its series is changed to, where it has no value of its own. Off: it stays as it was.
    pub graph_exceptions_follow_master: bool,
    /// An interval is 99 at most, of days 999, and a count 999. Off: any.
    pub graph_bounds_recurrence: bool,
    /// The longest window of a view, in days (0 = unbounded).
    pub graph_most_window_days: i64,
    /// `calendarView/delta` is there below a calendar too. It is documented for the user's default calendar only.
    pub graph_view_delta_per_calendar: bool,
    /// Occurrences in `calendarView/delta` hold little more than their times (seen in the field).
    pub graph_bare_occurrences: bool,
    /// Masters come with their occurrences in `calendarView/delta`.
    pub graph_view_delta_shows_masters: bool,
    /// `calendarView/delta` tells a deleted occurrence as removed. Seen in the field: the series comes without it.
    pub graph_view_delta_tells_deleted_occurrences: bool,
    /// `events/delta`: `limited` to id, type, start and end; `select` for all or what `$select` names; or `off`.
    pub graph_events_delta: String,
    /// `events/delta` tells exceptions as rows of their own.
    pub graph_events_delta_tells_exceptions: bool,
    /// With immutable ids, an event that was moved is not told by the delta of the calendar that it came to.
    pub graph_move_missing_at_goal: bool,
    /// A change of subject, body or importance of a meeting mails its guests.
    pub graph_text_patch_mails: bool,
    /// A change of categories, reminder, free/busy or extended properties of a meeting mails its guests.
    pub graph_private_patch_mails: bool,
    /// A guest who deletes a meeting thereby mails its organizer.
    pub graph_guest_delete_notifies: bool,
    /// `accept` and its like mail the organizer when `sendResponse` is left out.
    pub graph_answer_sends_by_default: bool,

    // Graph's mail.
    /// How MIME is given out: `never` rewritten (the bytes that came), `once` (others, the same ones each time), or `each`
    /// time in other bytes.
    pub graph_mime_rewritten: String,
    /// MIME may be posted into a named folder. Documented, and refused in the field.
    pub graph_takes_mime_in_folder: bool,
    /// PidTagMessageFlags at creation makes a message that is no draft (seen in the field).
    pub graph_obeys_message_flags: bool,
    /// PidTagMessageDeliveryTime at creation says when a message came (seen in the field).
    pub graph_obeys_delivery_time: bool,
    /// PidTagTransportMessageHeaders is kept as it was written. Off: it is dropped without a word.
    pub graph_keeps_transport_headers: bool,
    /// Attachments of a message that is no draft can be changed.
    pub graph_received_take_attachments: bool,
    /// The most bytes of a message (0 = unbounded).
    pub graph_most_message_bytes: usize,
    /// From this size on a file is attached in a session, and a smaller one at once: "3 MB".
    pub graph_session_from_bytes: usize,
    /// What a range of an upload is answered with that is not the last: `200` (documented) or `202`.
    pub graph_upload_status: u16,
    /// The answer to a range has its names in capitals and its range without a dash, as the documentation's example has.
    pub graph_upload_capital_names: bool,
    /// A GET of an upload's address says how far it is. It is not documented for mail.
    pub graph_upload_tells_state: bool,
    /// The first read mark on a message that asks for a receipt sends it.
    pub graph_reading_sends_receipts: bool,
    /// A message in Recoverable Items answers 404.
    pub graph_recoverable_answers_404: bool,
    /// A move by immutable id of a message that another client moved leaves a copy behind (seen in the field).
    pub graph_move_after_move_duplicates: bool,
    /// A copy of a message has the extended properties of the one that it was made of.
    pub graph_copy_keeps_properties: bool,
    /// The reason that a delta gives for a message that was moved away: `deleted` or `changed`.
    pub graph_moved_reason: String,
    /// With immutable ids, a message that was moved is not told by the delta of the folder that it came to.
    pub graph_mail_move_missing_at_goal: bool,
    /// A row of a message of which nothing but the read mark changed holds that alone (seen in the field).
    pub graph_delta_read_state_alone: bool,
    /// The first round of a delta of messages tells as removed what once was in the folder.
    pub graph_delta_first_round_removes: bool,
    /// The delta of the folders tells a folder whose counts changed, unless `$select` leaves them out.
    pub graph_folder_delta_tells_counts: bool,
    /// The delta of the folders tells folders of calendars and contacts too.
    pub graph_folder_delta_tells_other_folders: bool,
    /// What the delta of the folders tells of one that went to Deleted Items: `moved` (its new place), `removed`, or `before` (still where
    /// it stood).
    pub graph_folder_delta_binned: String,
    /// The delta of the folders does not tell those of that name yet. Empty: it tells all.
    pub graph_folder_delta_hides: String,
    /// A later round of a delta of messages tells nothing of what changed, and its token passes it (deltas do lose items).
    pub graph_message_delta_loses: bool,
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
            calendar_requests_per_min: 600,
            calendar_patch_units: 1,
            calendar_writes_per_min: 0,
            calendar_sequential_writes: true,
            calendar_rate_limit_status: 403,
            calendar_rate_limit_reason: "rateLimitExceeded".into(),
            calendar_guest_inserts: 0,
            calendar_usage_pause_s: 4 * 3600,
            calendar_errors_status: false,
            calendar_ignores_unknown: false,
            calendar_sync_token_days: 28,
            calendar_updated_min_days: 28,
            calendar_tombstone_days: 0,
            calendar_sync_takes_other_parameters: false,
            calendar_single_events_token: true,
            calendar_deleted_series_months: 3,
            calendar_plain_lists_show_deleted_series: true,
            calendar_rename_shows_in_list: false,
            calendar_id_or_uid_only: true,
            calendar_restore_refused: true,
            calendar_lenient_until: false,
            calendar_start_always_counts: true,
            calendar_long_properties: "refused".into(),
            calendar_put_drops_unversioned: true,
            calendar_event_type_rules: true,
            calendar_most_batch_parts: 50,
            calendar_import_needs_part: true,
            calendar_imported_copies_locked: true,
            calendar_mails_unasked: true,
            calendar_none_still_mails: false,
            calendar_rule_change_drops_exceptions: false,
            calendar_exceptions_follow_series: true,
            calendar_patch_always_restamps: true,
            calendar_free_busy_lists: true,
            calendar_denied_calendars: Vec::new(),
            calendar_edit_drops_private: false,
            mail_units_per_min: 6_000,
            mail_old_units: false,
            mail_rate_limit_status: 429,
            mail_rate_limit_reason: "rateLimitExceeded".into(),
            mail_retry_after_in_text: false,
            mail_requests_at_a_time: 5,
            mail_parts_at_a_time: 20,
            mail_most_batch_parts: 100,
            mail_error_shape: "both".into(),
            mail_history_hours: 7 * 24,
            mail_history_repeats: false,
            mail_history_shows_present_labels: true,
            mail_history_label_ids: true,
            mail_history_tells_trash_alone: false,
            mail_history_lag_s: 0,
            mail_label_delete_is_in_history: false,
            mail_most_labels: 10_000,
            mail_label_colors: ["#000000", "#666666", "#ffffff", "#16a766", "#fb4c2f"].map(str::to_owned).to_vec(),
            mail_modify_keeps_inbox: true,
            mail_untrash_restores_inbox: false,
            mail_trashed_draft: "stays".into(),
            mail_draft_names_anew: false,
            mail_duplicates_by: "message_id".into(),
            mail_insert_takes_sent: false,
            mail_checks_from: true,
            mail_makes_crlf: true,
            mail_adds_received: false,
            mail_import_sorts: true,
            mail_import_answers_dead_id: false,
            mail_insert_answers_dead_id: false,
            mail_insert_answers_no_labels: false,
            mail_drafts_thread_by_header: false,
            mail_search_lag_s: 0,
            mail_search_takes_seconds: true,
            mail_most_json_bytes: 5 * 1024 * 1024,
            mail_most_message_bytes: 157_286_400,
            mail_most_draft_bytes: 36_700_160,
            mail_unpadded_base64: false,
            graph_concurrency: 4,
            graph_batch_parts_at_a_time: 4,
            graph_requests: 10_000,
            graph_window_s: 600,
            graph_upload_bytes: 150 * 1024 * 1024,
            graph_expired_status: 410,
            graph_expired_code: "resyncRequired".into(),
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
            graph_renames_files: false,
            graph_lower_inner_error: false,
            graph_recased_codes: false,
            graph_denied_calendars: Vec::new(),
            graph_broken_calendars: Vec::new(),
            graph_events_ignore_if_match: false,
            graph_repeated_transaction_conflicts: true,
            graph_zones_become_windows: true,
            graph_prefers_iana_zones: true,
            graph_all_day_original_start_in_zone: true,
            graph_shows_original_start: false,
            graph_shows_beta_properties: false,
            graph_master_tells_exceptions: true,
            graph_select_reaches_exceptions: false,
            graph_shows_recurrence_bytes: true,
            graph_series_change_drops_exceptions: true,
            graph_exceptions_follow_master: true,
            graph_bounds_recurrence: true,
            graph_most_window_days: 1825,
            graph_view_delta_per_calendar: true,
            graph_bare_occurrences: true,
            graph_view_delta_shows_masters: true,
            graph_view_delta_tells_deleted_occurrences: false,
            graph_events_delta: "limited".into(),
            graph_events_delta_tells_exceptions: false,
            graph_move_missing_at_goal: false,
            graph_text_patch_mails: true,
            graph_private_patch_mails: false,
            graph_guest_delete_notifies: true,
            graph_answer_sends_by_default: true,
            graph_mime_rewritten: "each".into(),
            graph_takes_mime_in_folder: false,
            graph_obeys_message_flags: true,
            graph_obeys_delivery_time: true,
            graph_keeps_transport_headers: false,
            graph_received_take_attachments: false,
            graph_most_message_bytes: 36_700_160,
            graph_session_from_bytes: 3 * 1024 * 1024,
            graph_upload_status: 200,
            graph_upload_capital_names: true,
            graph_upload_tells_state: false,
            graph_reading_sends_receipts: true,
            graph_recoverable_answers_404: false,
            graph_move_after_move_duplicates: false,
            graph_moved_reason: "deleted".into(),
            graph_copy_keeps_properties: true,
            graph_mail_move_missing_at_goal: false,
            graph_delta_read_state_alone: true,
            graph_delta_first_round_removes: false,
            graph_folder_delta_tells_counts: true,
            graph_folder_delta_tells_other_folders: false,
            graph_folder_delta_binned: "moved".into(),
            graph_folder_delta_hides: String::new(),
            graph_message_delta_loses: false,
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
            calendar_errors_status: true,
            mail_history_repeats: true,
            mail_adds_received: true,
            mail_unpadded_base64: true,
            graph_delta_repeats: true,
            graph_sparse_delta: true,
            graph_primary_addresses: true,
            graph_default_folder_listed: true,
            graph_patch_answer: "none".into(),
            graph_false_conflict: 7,
            graph_photo_reencoded: true,
            graph_lower_inner_error: true,
            graph_recased_codes: true,
            graph_shows_beta_properties: true,
            graph_move_after_move_duplicates: true,
            graph_delta_first_round_removes: true,
            graph_folder_delta_tells_other_folders: true,
            ..Self::default()
        }
    }
}
