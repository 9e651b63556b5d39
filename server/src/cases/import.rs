//! Cases from the council's own system, as CSV: nobody keys them in twice.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};
use sync_core::access::Relation;
use sync_core::domain::identifier::{NhsNumber, Uprn};
use sync_core::id::OrganisationId;

use super::{CaseError, TRIES, opening, someone};
use crate::app::App;
use crate::storage::accounts::Account;
use crate::storage::audit::By;
use crate::storage::ledger::{CaseRow, CommitError, Counted, Ledger, Plan, RelationRow, Write};

/// The most rows one file may have.
const MOST_ROWS: usize = 50_000;

/// One row of the file. `reference`, `name` and `address` are needed, the rest may be empty or absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Particulars {
    /// The referral's number in the council's own system.
    pub reference: Option<String>,
    /// The client's full name.
    pub name: String,
    /// Where the home is.
    pub address: String,
    /// Telephone and how to get in.
    #[serde(default)]
    pub contact: Option<String>,
    /// What a visitor must beware of.
    #[serde(default)]
    pub visitor_risk: Option<String>,
    /// Unique Property Reference Number.
    #[serde(default)]
    pub uprn: Option<String>,
    /// Date of birth, YYYY-MM-DD.
    #[serde(default)]
    pub born: Option<String>,
    /// NHS number.
    #[serde(default)]
    pub nhs_number: Option<String>,
    /// The sign-in name of the OT it is allocated to.
    #[serde(default)]
    pub allocated_to: Option<String>,
}

/// What is wrong with a row; the file is imported whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct RowError {
    /// The line of the file, from 1, the header being 1.
    pub line: u64,
    /// What to mend.
    pub why: String,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// References of cases that are new.
    pub opened: Vec<String>,
    /// References of cases that were here with other particulars.
    pub changed: Vec<String>,
    /// References of cases that were here just so.
    pub same: Vec<String>,
    /// References of cases that the file allocates to somebody whose allocation was ended here: it stays ended.
    pub left_ended: Vec<String>,
}

/// Checks every row, and, unless it is a dry run, opens and brings up to date, in one transaction. The same reference
/// is one case, within a file and across files.
///
/// # Errors
/// Every bad row, when there is one: then nothing is written.
pub async fn import(app: &App, csv: &[u8], dry_run: bool) -> Result<Result<Imported, Vec<RowError>>, CaseError> {
    let rows = match read(csv) {
        Ok(rows) => rows,
        Err(errors) => return Ok(Err(errors)),
    };
    let mut errors = Vec::new();
    let mut accounts = BTreeMap::new();
    for (line, row) in &rows {
        if let Some(sign_in) = &row.allocated_to
            && !accounts.contains_key(sign_in)
        {
            match someone(app, sign_in).await {
                Ok(account) if !super::allocatable(account.role) => {
                    let why = format!("{sign_in:?} is a {}: a case is allocated to {}", account.role, super::ALLOCATED);
                    errors.push(RowError { line: *line, why });
                }
                Ok(account) => {
                    accounts.insert(sign_in.clone(), account);
                }
                Err(CaseError::NoAccount(_)) => {
                    errors.push(RowError { line: *line, why: format!("there is no account {sign_in:?}") });
                }
                Err(error) => return Err(error),
            }
        }
    }
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    let authority = app.storage.authority(&app.config.authority).await?.id;
    for _ in 0..TRIES {
        let (imported, plan) = planned(app, authority, &rows, &accounts).await?;
        if dry_run {
            return Ok(Ok(imported));
        }
        match app.storage.ledger().commit(plan).await {
            Ok(_) => return Ok(Ok(imported)),
            Err(CommitError::Moved) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CommitError::Moved.into())
}

/// What an import comes to now, as one plan: it is written whole, and only while every case stands as it was read.
async fn planned(
    app: &App,
    authority: OrganisationId,
    rows: &[(u64, Particulars)],
    accounts: &BTreeMap<String, Account>,
) -> Result<(Imported, Plan), CaseError> {
    let ledger = app.storage.ledger();
    let now = app.clock.now();
    let mut imported = Imported::default();
    let mut plan = Plan { by: By::console(now), writes: Vec::new() };
    for (_, row) in rows {
        let reference = row.reference.clone().unwrap_or_default();
        let known = ledger.case_by_reference(&reference).await?;
        let case = match &known {
            None => {
                let (case, writes) = opening(app, authority, row.clone());
                plan.writes.extend(writes);
                imported.opened.push(reference.clone());
                case
            }
            Some(known) => {
                let next = brought_up_to_date(known, row);
                if next == *known {
                    imported.same.push(reference.clone());
                    let of = Counted::Case(known.case);
                    plan.writes.push(Write::Expect { of, version: known.version });
                } else {
                    imported.changed.push(reference.clone());
                    plan.writes.push(Write::Case(next));
                }
                known.case
            }
        };
        let Some(account) = row.allocated_to.as_ref().and_then(|sign_in| accounts.get(sign_in)) else { continue };
        let relations = ledger.relations_to(&[case]).await?;
        let earlier = relations.iter().find(|row| row.account == account.id && row.relation == Relation::Allocated);
        match earlier {
            None => plan.writes.push(Write::Relation(RelationRow {
                account: account.id,
                case,
                relation: Relation::Allocated,
                commission: None,
                starts: now,
                ends: None,
            })),
            Some(earlier) if earlier.holds(now) => {}
            // Somebody ended it here; an older list from elsewhere doesn't know that.
            Some(_) => imported.left_ended.push(reference),
        }
    }
    Ok((imported, plan))
}

/// A case's row with what a file says. An empty cell says nothing: it takes nothing away.
fn brought_up_to_date(known: &CaseRow, row: &Particulars) -> CaseRow {
    CaseRow {
        name: row.name.clone(),
        address: row.address.clone(),
        contact: row.contact.clone().or(known.contact.clone()),
        visitor_risk: row.visitor_risk.clone().or(known.visitor_risk.clone()),
        uprn: row.uprn.clone().or(known.uprn.clone()),
        born: row.born.clone().or(known.born.clone()),
        nhs_number: row.nhs_number.clone().or(known.nhs_number.clone()),
        ..known.clone()
    }
}

/// The rows of a file with their lines, each checked and put into its one form.
fn read(csv: &[u8]) -> Result<Vec<(u64, Particulars)>, Vec<RowError>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(vec![RowError { line: 1, why: error.to_string() }]),
    };
    let mut rows: Vec<(u64, Particulars)> = Vec::new();
    let mut errors = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for record in reader.records() {
        let line = |position: Option<&csv::Position>| position.map_or(1, |position| line(csv, position));
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                errors.push(RowError { line: line(error.position()), why: error.to_string() });
                continue;
            }
        };
        let line = line(record.position());
        match record.deserialize(Some(&header)).map_err(|error| error.to_string()).and_then(checked) {
            Err(why) => errors.push(RowError { line, why }),
            Ok(row) => match seen.entry(row.reference.clone().unwrap_or_default()) {
                Entry::Vacant(entry) => {
                    entry.insert(rows.len());
                    rows.push((line, row));
                }
                // An export that lists a referral once for each of its services.
                Entry::Occupied(first) if rows[*first.get()].1 == row => {}
                Entry::Occupied(first) => {
                    let (reference, first) = (first.key(), rows[*first.get()].0);
                    let why = format!("the reference {reference:?} is on line {first} too, with other particulars");
                    errors.push(RowError { line, why });
                }
            },
        }
        if rows.len() + errors.len() > MOST_ROWS {
            errors.push(RowError { line, why: format!("a file has at most {MOST_ROWS} rows") });
            break;
        }
    }
    if errors.is_empty() { Ok(rows) } else { Err(errors) }
}

/// The line on which a record begins: its position is before the empty lines above it.
fn line(csv: &[u8], position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(csv.len());
    let empty = csv[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    position.line() + u64::try_from(empty.count()).unwrap_or_default()
}

/// A cell of several lines as one: exports break addresses so.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

fn checked(row: Particulars) -> Result<Particulars, String> {
    let filled = |field: &str, value: Option<String>, most: usize| match value
        .map(|text| one_line(&text))
        .filter(|text| !text.is_empty())
    {
        Some(text) if text.chars().count() > most => Err(format!("{field} has more than {most} characters")),
        Some(text) if text.chars().any(char::is_control) => Err(format!("{field} has unprintable characters")),
        other => Ok(other),
    };
    let needed = |field: &str, value: Option<String>, most: usize| {
        filled(field, value, most)?.ok_or_else(|| format!("{field} is missing"))
    };
    let uprn = filled("uprn", row.uprn, 20)?;
    let uprn = uprn.map(|text| text.parse::<Uprn>().map_err(|error| error.to_string())).transpose()?;
    let nhs_number = filled("nhs_number", row.nhs_number, 20)?;
    let nhs_number = nhs_number.map(|text| text.parse::<NhsNumber>().map_err(|error| error.to_string())).transpose()?;
    let born = filled("born", row.born, 10)?;
    if let Some(born) = &born {
        let date = time::Date::parse(born, &time::format_description::well_known::Iso8601::DATE);
        if date.is_err() || born.len() != 10 {
            return Err(format!("born {born:?} is not a date as YYYY-MM-DD"));
        }
    }
    Ok(Particulars {
        reference: Some(needed("reference", row.reference, 64)?),
        name: needed("name", Some(row.name), 200)?,
        address: needed("address", Some(row.address), 400)?,
        contact: filled("contact", row.contact, 400)?,
        visitor_risk: filled("visitor_risk", row.visitor_risk, 400)?,
        uprn: uprn.map(|uprn| uprn.digits()),
        born,
        nhs_number: nhs_number.map(|number| number.digits()),
        allocated_to: filled("allocated_to", row.allocated_to, 100)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "reference,name,address,uprn,nhs_number,born,allocated_to\n";

    fn why(row: &str) -> Vec<String> {
        match read(format!("{HEADER}{row}").as_bytes()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.to_string()).collect(),
        }
    }

    #[test]
    fn each_bad_row_is_named_by_its_line_with_what_to_mend() {
        assert!(why("R1,Elsie Marsh,\"4 Mill Lane, Brent\",100012345678,9434765919,1941-02-03,\n").is_empty());
        assert_eq!(why("R1,,4 Mill Lane,,,,\n"), ["line 2: name is missing"]);
        assert_eq!(why(",Elsie,4 Mill Lane,,,,\n"), ["line 2: reference is missing"]);
        assert_eq!(why("R1,E,4 Mill Lane,,9434765918,,\n").len(), 1);
        assert_eq!(why("R1,E,4 Mill Lane,,0000000000,,\n").len(), 1);
        assert_eq!(why("R1,E,4 Mill Lane,,,03/02/1941,\n").len(), 1);
        let twice = why("R1,E,4 Mill Lane,,,,\nR1,F,5 Mill Lane,,,,\n");
        assert_eq!(twice, ["line 3: the reference \"R1\" is on line 2 too, with other particulars"]);
        assert_eq!(why("R1,E\n").len(), 1);
    }

    #[test]
    fn lines_are_those_of_the_file_and_a_referral_listed_twice_alike_is_one() {
        let bad = why("R1,E,4 Mill Lane,,,,\n\nR1,F,5 Mill Lane,,,,\nR2,,6 Mill Lane,,,,\n");
        assert_eq!(bad.len(), 2);
        assert!(bad[0].starts_with("line 4: ") && bad[1].starts_with("line 5: "), "{bad:?}");
        let csv = format!("{HEADER}R1,E,\"4 Mill Lane\nBrent\",,,,\nR1,E,\"4 Mill Lane\nBrent\",,,,\nR2,,x,,,,\n");
        assert_eq!(read(csv.as_bytes()).unwrap_err()[0].line, 6);
        let csv = format!("{HEADER}R1,E,\"4 Mill Lane\nBrent\",,,,\nR1,E,\"4 Mill Lane\nBrent\",,,,\n");
        let rows = read(csv.as_bytes()).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].1.address, "4 Mill Lane, Brent");
    }
}
