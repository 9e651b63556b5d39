//! One table of a run: ours beside the alternatives, the goals beside ours, and how far repeated runs of one figure lie
//! apart on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use crate::arguments::Arguments;
use crate::machine::median;

const OURS: &str = "grabrail";
const ALTERNATIVES: [&str; 3] = ["automerge-v2", "pouch-ka", "hocuspocus"];

/// A figure of the table: of which rows, and how it reads.
struct Figure {
    name: &'static str,
    profile: &'static str,
    step: &'static str,
    of: fn(&Json) -> Option<f64>,
    unit: &'static str,
    /// What it should be, if the issue says so; more is better for rates.
    goal: Option<f64>,
    more_is_better: bool,
}

fn number(row: &Json, name: &str) -> Option<f64> {
    row[name].as_f64()
}

const fn figure(
    name: &'static str,
    (profile, step): (&'static str, &'static str),
    of: fn(&Json) -> Option<f64>,
    unit: &'static str,
    goal: Option<f64>,
) -> Figure {
    Figure { name, profile, step, of, unit, goal, more_is_better: false }
}

const LAN: &str = "lan";
const MOBILE: &str = "mobile";
const DELAY: &str = "delay300";
const A: &str = "A cold (fresh server)";
const WARM: &str = "A2 cold (warm server)";
const B1: &str = "B1 device1 pushes";
const B2: &str = "B2 device2 push+pull";
const B3: &str = "B3 device1 pulls";
const C: &str = "C no-op (fresh server)";
const C2: &str = "C2 no-op (warm server)";
const E: &str = "E load";

#[rustfmt::skip] // one figure a line
const FIGURES: &[Figure] = &[
    figure("A cold: bytes down", (LAN, A), |row| number(row, "down"), "B", Some(500_000.0)),
    figure("A cold, every reading stamped: bytes down", ("lan stamped", A), |row| number(row, "down"), "B", Some(620_000.0)),
    figure("A cold: wall, server fresh", (LAN, A), |row| number(row, "wall_s"), "s", Some(0.3)),
    figure("A cold: wall, server warm", (LAN, WARM), |row| number(row, "wall_s"), "s", Some(0.3)),
    figure("A cold: server CPU", (LAN, A), |row| number(row, "srv_cpu"), "s", None),
    figure("A cold, bad link: wall", (MOBILE, A), |row| number(row, "wall_s"), "s", Some(7.0)),
    figure("A cold, 300 ms: wall", (DELAY, A), |row| number(row, "wall_s"), "s", None),
    figure("B1 evening push: bytes up", (LAN, B1), |row| number(row, "up"), "B", Some(25_000.0)),
    figure("B1: turns", (LAN, B1), |row| number(row, "turns"), "", Some(1.0)),
    figure("B1: wall", (LAN, B1), |row| number(row, "wall_s"), "s", None),
    figure("B1: server CPU", (LAN, B1), |row| number(row, "srv_cpu"), "s", None),
    figure("B1, bad link: wall", (MOBILE, B1), |row| number(row, "wall_s"), "s", Some(2.0)),
    figure("B2: bytes both ways", (LAN, B2), |row| Some(number(row, "up")? + number(row, "down")?), "B", None),
    figure("B2: wall", (LAN, B2), |row| number(row, "wall_s"), "s", None),
    figure("B2: edits not visible", (LAN, B2), lost, "", Some(0.0)),
    figure("B2: texts lost", (LAN, B2), texts_lost, "", Some(0.0)),
    figure("B2: clashes not listed", (LAN, B2), |row| Some(number(&row["merged"], "clashing")? - number(&row["merged"], "clashes")?), "", Some(0.0)),
    figure("B3: bytes both ways", (LAN, B3), |row| Some(number(row, "up")? + number(row, "down")?), "B", None),
    figure("C nothing new: bytes both ways", (LAN, C2), |row| Some(number(row, "up")? + number(row, "down")?), "B", Some(1200.0)),
    figure("C: wall, server fresh", (LAN, C), |row| number(row, "wall_s"), "s", None),
    figure("C, bad link: wall", (MOBILE, C), |row| number(row, "wall_s"), "s", Some(1.0)),
    figure("C: server CPU, mean of 1,000", ("", "mean"), |row| number(row, "cpu_ms_each"), "ms", Some(0.3)),
    figure("C, 20,000 cases, 2,000 carried: bytes", ("", "many"), |row| Some(number(row, "up_each")? + number(row, "down_each")?), "B", Some(1200.0)),
    figure("C, 20,000 cases, 2,000 carried: server CPU", ("", "many"), |row| number(row, "cpu_ms_each"), "ms", Some(0.3)),
    figure("device start, first case open", ("", "start"), |row| number(row, "first_case_ms"), "ms", Some(50.0)),
    Figure { more_is_better: true, ..figure("E: no-op syncs a second", ("", E), |row| number(row, "noop_per_s"), "/s", Some(3000.0)) },
    figure("E: server CPU a no-op sync", ("", E), |row| number(row, "noop_cpu_ms_each").or_else(|| Some(number(row, "srv_cpu_noop")? * 1000.0 / number(row, "n")?)), "ms", None),
    Figure { more_is_better: true, ..figure("E: durable pushes a second", ("", E), |row| number(row, "push_per_s"), "/s", Some(300.0)) },
    figure("E: server CPU a push", ("", E), |row| number(row, "push_cpu_ms_each"), "ms", None),
    figure("E: server memory, idle", ("", E), |row| number(row, "rss_idle_after_restart"), "MB", Some(30.0)),
    figure("E: server memory, peak", ("", E), |row| number(row, "rss_peak"), "MB", Some(100.0)),
    figure("F: of 100 acknowledged edits, lost", ("", "F durability"), |row| Some(100.0 * number(row, "lostEdits")? / number(row, "ackedEdits")?), "", Some(0.0)),
];

fn lost(row: &Json) -> Option<f64> {
    number(&row["merged"], "lost").or_else(|| row["verified"].as_str()?.split('/').next()?.parse().ok())
}

fn texts_lost(row: &Json) -> Option<f64> {
    let merged = &row["merged"];
    let found = merged["textTotal"].as_f64().zip(merged["textOk"].as_f64()).map(|(total, kept)| total - kept);
    found.or_else(|| {
        let text = row["verified"].as_str()?.split("text ").nth(1)?.split(',').next()?;
        let (kept, total) = text.split_once('/')?;
        Some(total.parse::<f64>().ok()? - kept.parse::<f64>().ok()?)
    })
}

/// The rows of a run, and of the recorded one those of peers that did not run.
fn rows(arguments: &Arguments) -> (Vec<Json>, BTreeSet<String>) {
    let text = std::fs::read_to_string(arguments.path("results")).unwrap_or_default();
    let mut rows: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ran: BTreeSet<String> = rows.iter().filter_map(|row| Some(row["peer"].as_str()?.to_owned())).collect();
    let recorded: Json = serde_json::from_slice(&std::fs::read(arguments.path("recorded")).unwrap()).unwrap();
    let older = recorded["rows"].as_array().unwrap().iter();
    rows.extend(older.filter(|row| !ran.contains(row["peer"].as_str().unwrap_or_default())).cloned());
    (rows, ran)
}

fn values(rows: &[Json], peer: &str, figure: &Figure) -> Vec<f64> {
    let (profile, stamped) = figure.profile.split_once(' ').map_or((figure.profile, false), |(of, _)| (of, true));
    // Keeping a connection alive changes neither load nor durability: those were taken of plain pouch.
    let peer_of = |row: &Json| match row["profile"].as_str() {
        None if peer == "pouch-ka" => row["peer"] == "pouch" || row["peer"] == peer,
        _ => row["peer"] == peer,
    };
    let fits = |row: &&Json| {
        peer_of(row)
            && row["failed"] != true
            && row["step"] == figure.step
            && (profile.is_empty() || row["profile"] == profile)
            && (row["mode"] == "stamped") == stamped
    };
    rows.iter().filter(fits).filter_map(figure.of).collect()
}

fn shown(value: f64, unit: &str) -> String {
    match unit {
        "B" if value >= 1e6 => format!("{:.2} MB", value / 1e6),
        "B" if value >= 10_000.0 => format!("{:.0} kB", value / 1e3),
        "B" => format!("{value:.0} B"),
        "" => format!("{value:.0}"),
        _ if value >= 100.0 => format!("{value:.0} {unit}"),
        _ => format!("{value:.2} {unit}"),
    }
}

/// The table, as Markdown.
pub(crate) fn table(arguments: &Arguments) -> String {
    let (rows, ran) = rows(arguments);
    let recorded: Json = serde_json::from_slice(&std::fs::read(arguments.path("recorded")).unwrap()).unwrap();
    let mut said = String::new();
    let older: Vec<&str> = ALTERNATIVES.into_iter().filter(|peer| !ran.contains(*peer)).collect();
    if !older.is_empty() {
        let (measured, machine) = (recorded["measured"].as_str(), recorded["machine"].as_str());
        let _ = writeln!(
            said,
            "{} as recorded on {} ({}); `--peers` measures them here and now.\n",
            older.join(", "),
            measured.unwrap_or_default(),
            machine.unwrap_or_default()
        );
    }
    let _ = writeln!(
        said,
        "| figure | {OURS} | range | goal | | {} | best of them / ours |\n|---|---|---|---|---|{}---|",
        ALTERNATIVES.join(" | "),
        "---|".repeat(ALTERNATIVES.len())
    );
    for figure in FIGURES {
        let ours = values(&rows, OURS, figure);
        let theirs = ALTERNATIVES.map(|peer| values(&rows, peer, figure));
        if ours.is_empty() && theirs.iter().all(Vec::is_empty) {
            continue;
        }
        let cell = |values: &[f64]| if values.is_empty() { String::new() } else { shown(median(values), figure.unit) };
        let met = figure.goal.filter(|_| !ours.is_empty()).map(|goal| {
            let value = median(&ours);
            if if figure.more_is_better { value >= goal } else { value <= goal } { "met" } else { "MISSED" }
        });
        let sign = if figure.more_is_better { "≥" } else { "≤" };
        let goal = figure.goal.map(|goal| format!("{sign} {}", shown(goal, figure.unit))).unwrap_or_default();
        let medians = theirs.iter().filter(|values| !values.is_empty()).map(|values| median(values));
        let best = if figure.more_is_better { medians.reduce(f64::max) } else { medians.reduce(f64::min) };
        let ratio = best.filter(|_| !figure.unit.is_empty() && !ours.is_empty() && median(&ours) > 0.0).map(|best| {
            let ours = median(&ours);
            format!("{:.1}", if figure.more_is_better { ours / best } else { best / ours })
        });
        let _ = writeln!(
            said,
            "| {} | {} | {} | {goal} | {} | {} | {} |",
            figure.name,
            cell(&ours),
            range(&ours, figure.unit),
            met.unwrap_or_default(),
            theirs.iter().map(|values| cell(values)).collect::<Vec<_>>().join(" | "),
            ratio.unwrap_or_default()
        );
    }
    let _ = write!(said, "\nThe last column: how many times better than the best of them. {}", noise(&rows));
    said
}

fn range(values: &[f64], unit: &str) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.len() < 2 { String::new() } else { format!("{}–{}", shown(least, unit), shown(most, unit)) }
}

/// How far repeated runs lie apart: the widest span of a step's walls, as a share of its median.
fn noise(rows: &[Json]) -> String {
    let mut walls: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["peer"] == OURS && row["profile"] == LAN) {
        let step = format!("{} {}", row["step"].as_str().unwrap_or_default(), row["mode"].as_str().unwrap_or_default());
        if let Some(wall) = number(row, "wall_s") {
            walls.entry(step).or_default().push(wall);
        }
    }
    let spans = walls.iter().filter(|(_, walls)| walls.len() > 1).map(|(step, walls)| {
        let span = walls.iter().copied().fold(0.0, f64::max) - walls.iter().copied().fold(f64::INFINITY, f64::min);
        (100.0 * span / median(walls), step)
    });
    match spans.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((share, step)) => {
            format!("Noise: repeated walls on loopback lie up to {share:.0} % apart ({}).\n", step.trim())
        }
        None => "Noise is unknown: nothing ran twice.\n".to_owned(),
    }
}

/// Adds one of our own figures to the results.
pub(crate) fn add(results: &Path, step: &str, mut result: Json) {
    use std::io::Write as _;
    result["peer"] = OURS.into();
    result["step"] = step.into();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(results).unwrap();
    writeln!(file, "{result}").unwrap();
}
