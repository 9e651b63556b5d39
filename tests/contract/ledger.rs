//! The ledger's contract: every behaviour below holds for the ledger in SQL and the one in memory.

mod alike;
mod asks;
mod backups;
mod cases;
mod days;
mod documents;
mod durable;
mod feed;
pub(crate) mod hand;
mod news;
mod plans;
mod prescriptions;

use grabrail_server::storage::ledger::memory::MemoryLedger;
use grabrail_server::storage::ledger::{CommitError, Ledger, Number, Plan, Write};

use crate::stores::BY;

/// Makes a test for each behaviour and each store.
macro_rules! held_by_both {
    ($($module:ident::$name:ident as $test:ident;)*) => {
        mod in_memory {
            $(#[tokio::test] async fn $test() { super::$module::$name(&super::MemoryLedger::new()).await })*
        }
        mod in_sql {
            $(#[tokio::test] async fn $test() {
                let store = crate::stores::Store::in_sql();
                let storage = store.open().await;
                super::$module::$name(&storage.ledger()).await;
                storage.close().await;
            })*
        }
    };
}

held_by_both! {
    cases::reads_back as a_case_reads_back_and_is_found_by_its_reference;
    cases::particulars as new_particulars_replace_the_old_ones;
    cases::moves as a_case_moves_by_compare_and_set_with_who_is_tied_to_it;
    cases::reference_once as a_reference_belongs_to_one_case;
    cases::many as the_rows_of_many_cases_are_read_and_noted_together;
    cases::relations_end as a_relation_ends_and_stays_readable;
    cases::commissions as a_commission_is_kept_and_prolonged;
    documents::begins as a_document_begins_once_with_its_authors;
    documents::appends as changes_are_taken_in_and_read_back_in_order;
    documents::moved as a_plan_on_a_moved_document_writes_nothing;
    documents::again as a_change_that_is_there_is_not_taken_in_again;
    documents::frames as a_frame_is_read_while_its_document_stands_at_its_version;
    documents::two_documents as the_same_change_may_be_in_two_documents;
    documents::race as of_two_pushes_on_one_version_exactly_one_wins;
    prescriptions::versions as a_prescription_moves_by_compare_and_set;
    prescriptions::waiting as submissions_wait_in_their_order;
    prescriptions::sign_offs as a_signature_is_written_once_and_read_in_the_ledgers_order;
    prescriptions::signed_once as a_signed_version_is_written_once_and_only_its_standing_moves;
    asks::ask_once as an_ask_is_decided_once;
    asks::decided as what_a_card_shows_of_a_case_comes_in_the_ledgers_order;
    asks::verdicts as verdicts_come_in_the_ledgers_order_behind_a_number;
    asks::all as all_asks_come_in_the_ledgers_order_and_a_plan_whole;
    asks::told as what_supervisors_are_told_of_is_newest_first_and_goes_on_behind_its_last_line;
    asks::quarantine as quarantine_is_newest_first_and_by_case;
    asks::set_aside as a_list_of_quarantine_goes_on_behind_its_last_line_and_counts_the_changes;
    asks::photos as a_photo_arrives_once;
    asks::purges as a_devices_word_that_it_purged_is_kept_once_and_by_case;
    news::nothing as a_device_that_carries_nothing_has_no_news;
    news::others as news_are_others_changes_of_what_is_carried;
    news::pages as pages_skip_nothing_and_double_nothing;
    news::large as a_page_of_news_ends_by_its_bytes_too;
    news::touched as touched_cases_are_those_whose_card_is_carried;
    news::touches as every_write_that_a_card_shows_touches_its_case;
    news::shown as a_change_touches_only_a_case_whose_cards_show_what_documents_say;
    news::carries as what_was_sent_whole_is_carried_until_it_is_purged;
    news::withheld as what_a_device_was_told_to_purge_lies_behind_every_cursor;
    feed::pulse as a_pulse_tells_what_was_sent_touched_tied_and_decided_since;
    feed::ties as a_tie_that_begins_or_ends_between_two_times_is_news;
    feed::digest as the_digest_sums_what_is_carried_whatever_moves;
    feed::chosen as what_was_chosen_is_kept_until_it_is_chosen_otherwise;
    backups::recorded as a_backup_is_news_once_and_holds_no_more_than_there_is_and_no_less_than_the_last;
    days::asked as what_an_account_asks_in_a_day_is_bounded_and_what_is_over_it_writes_nothing;
    plans::whole_or_nothing as a_plan_is_written_whole_or_not_at_all;
    plans::expects as a_plan_is_written_only_while_what_it_rests_on_stands;
}

/// Commits what must be taken.
async fn put<L: Ledger>(ledger: &L, writes: impl IntoIterator<Item = Write>) -> Number {
    ledger.commit(Plan { by: BY, writes: writes.into_iter().collect() }).await.unwrap()
}

/// Commits what must be found to have moved.
async fn refused<L: Ledger>(ledger: &L, writes: impl IntoIterator<Item = Write>) {
    let result = ledger.commit(Plan { by: BY, writes: writes.into_iter().collect() }).await;
    assert!(matches!(result, Err(CommitError::Moved)), "{result:?}");
}
