//! Figures of supervision: what was submitted, returned, rejected and signed off, by author and month, and how long it
//! waited for a signer.

use std::collections::BTreeMap;

use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, DocumentId};
use sync_core::protocol::ask::Answer;
use sync_core::protocol::{Ask, Request};

use crate::reach::Directory;
use crate::storage::StorageError;
use crate::storage::ledger::{Ledger, Number};

/// How many asks are read at once; each may have 1 MiB.
const AT_ONCE: usize = 64;

/// What happened to a prescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Somebody submitted it: its author, as far as figures go.
    Submitted(AccountId),
    /// It was taken back.
    Withdrawn,
    /// A signer returned it.
    Returned,
    /// A signer rejected it.
    Rejected,
    /// It became a signed version.
    Signed,
}

/// One author's month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// How many submissions.
    pub submitted: usize,
    /// How many of theirs were taken back.
    pub withdrawn: usize,
    /// How many were returned.
    pub returned: usize,
    /// How many were rejected.
    pub rejected: usize,
    /// How many were signed off.
    pub signed: usize,
    /// How long each that was decided in this month had waited, in milliseconds.
    pub waited: Vec<i64>,
}

/// A month, `2026-11` (UTC), and an author.
type Of = (String, AccountId);

/// Counts what happened, each with its moment and prescription, by the month in which it happened.
pub fn count(mut events: Vec<(Timestamp, DocumentId, Step)>) -> BTreeMap<Of, Line> {
    // At one moment: submitted, and then decided.
    events.sort_unstable();
    let (mut lines, mut waiting) = (BTreeMap::<Of, Line>::new(), BTreeMap::new());
    for (at, document, step) in events {
        if let Step::Submitted(author) = step {
            waiting.insert(document, (author, at));
            lines.entry((month(at), author)).or_default().submitted += 1;
            continue;
        }
        let Some((author, since)) = waiting.remove(&document) else { continue };
        let line = lines.entry((month(at), author)).or_default();
        match step {
            Step::Submitted(_) => {}
            Step::Withdrawn => line.withdrawn += 1,
            Step::Returned => line.returned += 1,
            Step::Rejected => line.rejected += 1,
            Step::Signed => line.signed += 1,
        }
        if step != Step::Withdrawn {
            line.waited.push(at.millis().saturating_sub(since.millis()).max(0));
        }
    }
    lines
}

fn month(at: Timestamp) -> String {
    at.date().map_or_else(|| "unknown".to_owned(), |date| format!("{}-{:02}", date.year(), u8::from(date.month())))
}

/// Everything that happened to prescriptions, from the asks that were granted and the versions that were signed.
///
/// # Errors
/// What storage says.
pub async fn events<L: Ledger>(ledger: &L) -> Result<Vec<(Timestamp, DocumentId, Step)>, StorageError> {
    let (mut events, mut signed, mut after): (Vec<_>, Vec<DocumentId>, Number) = (Vec::new(), Vec::new(), 0);
    loop {
        let rows = ledger.asks(after, AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        after = last.n;
        for row in rows.iter().filter(|row| row.verdict.answer == Answer::Granted) {
            let ask: Ask = minicbor::decode(&row.bytes).map_err(|_| StorageError::Damaged("asks"))?;
            let (document, step) = match ask.request {
                Request::Submit { document, .. } => (document, Step::Submitted(row.account)),
                Request::Withdraw { document } => (document, Step::Withdrawn),
                Request::Return { document, .. } => (document, Step::Returned),
                Request::Reject { document, .. } => (document, Step::Rejected),
                // One of several signatures ends no waiting: the signed version does.
                Request::SignOff { document, .. } => {
                    signed.push(document);
                    continue;
                }
                _ => continue,
            };
            events.push((row.verdict.at, document, step));
        }
    }
    signed.sort_unstable();
    signed.dedup();
    for document in signed {
        let versions = ledger.signed(document).await?;
        events.extend(versions.into_iter().map(|version| (version.signed.header.at, document, Step::Signed)));
    }
    Ok(events)
}

/// The figures as CSV, a line for each author and month. What a spreadsheet would take for a formula is marked as text.
pub fn csv(lines: &BTreeMap<Of, Line>, directory: &Directory) -> Vec<u8> {
    const HEADER: [&str; 11] = [
        "month",
        "author",
        "role",
        "organisation",
        "submitted",
        "withdrawn",
        "returned",
        "rejected",
        "signed_off",
        "waited_hours_median",
        "waited_hours_longest",
    ];
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: [String; 11]| {
        // Into memory: there is nothing to go wrong.
        let _ = writer.write_record(cells.map(|cell| as_text(&cell)));
    };
    write(HEADER.map(str::to_owned));
    for ((month, author), line) in lines {
        let person = directory.person(*author);
        let mut waited = line.waited.clone();
        waited.sort_unstable();
        let hours = |millis: Option<&i64>| millis.map_or_else(String::new, |millis| hours(*millis));
        write([
            month.clone(),
            directory.name(*author),
            person.map(|person| person.role.to_string()).unwrap_or_default(),
            person.map(|person| person.organisation_name.clone()).unwrap_or_default(),
            line.submitted.to_string(),
            line.withdrawn.to_string(),
            line.returned.to_string(),
            line.rejected.to_string(),
            line.signed.to_string(),
            hours(waited.get(waited.len().saturating_sub(1) / 2)),
            hours(waited.last()),
        ]);
    }
    writer.into_inner().unwrap_or_default()
}

/// With a tenth of an hour, rounded down.
fn hours(millis: i64) -> String {
    let tenths = millis / 360_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A cell that a spreadsheet does not take for a formula (OWASP, CSV injection): behind an apostrophe it is text.
fn as_text(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sync_core::access::Role;
    use sync_core::id::OrganisationId;

    use super::*;
    use crate::reach::Person;

    const HOUR: i64 = 60 * 60 * 1000;
    /// 2026-11-30T23:00:00Z.
    const START: i64 = 1_796_079_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(START + hours * HOUR)
    }

    fn account(n: u8) -> AccountId {
        AccountId::from_bytes([n; 16])
    }

    fn document(n: u8) -> DocumentId {
        DocumentId::from_bytes([n; 17])
    }

    #[test]
    fn a_decision_counts_in_the_month_it_was_made_for_whoever_submitted_and_waiting_begins_anew_each_time() {
        let lines = count(vec![
            (at(0), document(1), Step::Submitted(account(1))),
            (at(0), document(2), Step::Submitted(account(2))),
            (at(2), document(1), Step::Returned),
            (at(3), document(1), Step::Submitted(account(1))),
            (at(4), document(2), Step::Withdrawn),
            (at(13), document(1), Step::Signed),
            // Nobody submitted it: a recall and the like are no figures of waiting.
            (at(14), document(1), Step::Rejected),
            (at(20), document(3), Step::Submitted(account(1))),
        ]);
        let line = |month: &str, who| lines.get(&(month.to_owned(), account(who))).cloned().unwrap_or_default();
        assert_eq!(line("2026-11", 1), Line { submitted: 1, ..Line::default() });
        let december =
            Line { submitted: 2, returned: 1, signed: 1, waited: vec![2 * HOUR, 10 * HOUR], ..Line::default() };
        assert_eq!(line("2026-12", 1), december);
        assert_eq!(line("2026-11", 2), Line { submitted: 1, ..Line::default() });
        assert_eq!(line("2026-12", 2), Line { withdrawn: 1, ..Line::default() });
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn no_cell_is_a_formula_to_a_spreadsheet() {
        let person = |n, name: &str| Person {
            account: account(n),
            name: name.to_owned(),
            role: Role::PrivateOt,
            organisation: OrganisationId::from_bytes([1; 16]),
            organisation_name: "-2+3, Ltd".to_owned(),
            of_council: false,
            enabled: true,
            hcpc: None,
            hcpc_check: None,
        };
        let directory = Directory::of([person(1, "=HYPERLINK(\"http://x\")"), person(2, "Ben, \"the\" builder")]);
        let lines = count(vec![
            (at(0), document(1), Step::Submitted(account(1))),
            (at(0), document(2), Step::Submitted(account(2))),
            (at(0).plus_millis(90 * 60 * 1000), document(2), Step::Signed),
        ]);
        let text = String::from_utf8(csv(&lines, &directory)).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert!(reader.headers().unwrap().iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{text}");
        assert_eq!((&rows[0][1], &rows[0][3]), ("'=HYPERLINK(\"http://x\")", "'-2+3, Ltd"));
        let signed = rows.iter().find(|row| &row[8] == "1").unwrap();
        assert_eq!((&signed[1], &signed[9], &signed[10]), ("Ben, \"the\" builder", "1.5", "1.5"));
    }
}
