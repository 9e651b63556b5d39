//! Cost curves: what a sync costs the server as there is more of something, to find what grows faster than it should.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::SharedText;
use sync_core::engine::WaitingPush;

use crate::load::reading;
use crate::machine::cpu;
use crate::server::{self, Serving};
use crate::thin::{Held, Thin};

/// What one exchange of a kind costs.
#[derive(Debug, Clone, Copy)]
struct Cost {
    milliseconds: f64,
    /// Of all exchanges together: the kernel counts in steps of ten milliseconds.
    total: f64,
    /// What the device does itself is in it.
    wall: f64,
    up: f64,
    down: f64,
}

impl Cost {
    /// The mean of what the same cost with each of several devices.
    fn mean(costs: &[Self]) -> Self {
        let sum = |of: fn(&Self) -> f64| costs.iter().map(of).sum::<f64>();
        let each = |of: fn(&Self) -> f64| sum(of) / costs.len() as f64;
        Self {
            milliseconds: each(|cost| cost.milliseconds),
            total: sum(|cost| cost.total),
            wall: each(|cost| cost.wall),
            up: each(|cost| cost.up),
            down: each(|cost| cost.down),
        }
    }

    /// So many times as much, counted as finely as it was.
    fn times(self, factor: f64) -> Self {
        Self {
            milliseconds: self.milliseconds * factor,
            total: self.total,
            wall: self.wall * factor,
            up: self.up * factor,
            down: self.down * factor,
        }
    }
}

/// A fresh data folder and its server.
struct House {
    folder: tempfile::TempDir,
    serving: Serving,
    host: String,
}

impl House {
    async fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = format!("127.0.0.1:{port}");
        let serving = Serving::start(folder.path(), &host).await;
        Self { folder, serving, host }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Somebody with so many cases of their own.
    fn person(&self, sign_in: &str, cases: usize) {
        self.colleague(sign_in, sign_in, cases);
    }

    /// Somebody to whom so many cases of this person's are allocated too.
    fn colleague(&self, sign_in: &str, of: &str, cases: usize) {
        let url = format!("http://{}", self.host);
        server::account(self.path(), &url, sign_in);
        let row = |at| [format!("{of}-{at}"), format!("Client {at}"), format!("{at} Mill Lane"), sign_in.to_owned()];
        server::import(self.path(), &url, (0..cases).map(row));
    }

    async fn device(&self, sign_in: &str) -> Thin {
        Thin::enrol(self.path(), &self.host, sign_in).await
    }

    /// The mean of so many exchanges by one device: of nothing, or of one of these pushes each.
    async fn cost(&self, thin: &mut Thin, mut next: impl FnMut(&mut Thin) -> Option<WaitingPush>, times: u32) -> Cost {
        let (up, down, before, began) = (thin.wire.up, thin.wire.down, cpu(self.serving.process()), Instant::now());
        for _ in 0..times {
            let push = next(thin);
            thin.sync(push.into_iter().collect()).await;
        }
        let each = |sum: f64| sum / f64::from(times);
        let wall = each(began.elapsed().as_secs_f64() * 1000.0);
        let total = (cpu(self.serving.process()) - before) * 1000.0;
        Cost {
            milliseconds: each(total),
            total,
            wall,
            up: each((thin.wire.up - up) as f64),
            down: each((thin.wire.down - down) as f64),
        }
    }
}

fn table(name: &str, of: &str, rows: &[(usize, Vec<(&str, Cost)>)]) -> String {
    let mut said = format!("### {name}\n\n| {of} |");
    for (column, _) in &rows[0].1 {
        let _ = write!(said, " {column}: server CPU ms | wall ms | bytes up | bytes down |");
    }
    let _ = writeln!(said, " grows |\n|---|{}---|", "---|---|---|---|".repeat(rows[0].1.len()));
    let mut before: Option<&(usize, Vec<(&str, Cost)>)> = None;
    for row in rows {
        let _ = write!(said, "| {} |", row.0);
        for (_, cost) in &row.1 {
            let _ = write!(said, " {:.2} | {:.2} | {:.0} | {:.0} |", cost.milliseconds, cost.wall, cost.up, cost.down);
        }
        // The cost's exponent: 0 is flat, 1 grows with its input, 2 with its square. Not told of what is too little to count.
        let grows = before.map(|before| {
            let input = (row.0 as f64 / before.0 as f64).ln();
            let pairs = row.1.iter().zip(&before.1);
            let told = pairs.filter(|((_, now), (_, then))| now.total >= 100.0 && then.total >= 100.0);
            let grown = told.map(|((column, now), (_, then))| {
                format!("{column} n^{:.1}", (now.milliseconds / then.milliseconds).ln() / input)
            });
            grown.collect::<Vec<_>>().join(", ")
        });
        let _ = writeln!(said, " {} |", grows.unwrap_or_default());
        before = Some(row);
    }
    said + "\n"
}

/// All curves, as Markdown. `scale` shortens them for a look.
pub(crate) async fn all(scale: usize) -> String {
    [documents(scale).await, history(scale).await, devices(scale).await, text(scale).await, news(scale).await].concat()
}

/// So many changes of a document in one push, as after a day's work.
fn many(thin: &mut Thin, held: &mut Held, readings: Range<usize>) -> Option<WaitingPush> {
    let mut pushes = readings.map(|at| thin.change(held, &[reading(at)]));
    let mut first = pushes.next()?;
    first.changes.extend(pushes.flat_map(|push| push.changes));
    Some(first)
}

/// Against the number of cases a device carries, each with a document in use.
async fn documents(scale: usize) -> String {
    let house = House::start(19801).await;
    let mut rows = Vec::new();
    for (at, cases) in [50, 200, 800, 2000].map(|cases| cases / scale).into_iter().enumerate() {
        let who = format!("documents{at}.ot");
        house.person(&who, cases);
        let mut thin = house.device(&who).await;
        let got = thin.sync(Vec::new()).await;
        let mut held: Vec<Held> = got.cards.iter().map(|card| Held::planned(card, Kind::Home)).collect();
        for some in held.chunks_mut(500) {
            let first = some.iter_mut().map(|held| thin.change(held, &[reading(0)])).collect();
            assert_eq!(thin.sync(first).await.refused, 0);
        }
        let nothing = house.cost(&mut thin, |_| None, 100).await;
        let mut turn = 0;
        let one = house
            .cost(
                &mut thin,
                |thin| {
                    turn += 1;
                    Some(thin.change(&mut held[0], &[reading(turn)]))
                },
                50,
            )
            .await;
        let mut new = house.device(&who).await;
        let cold = house.cost(&mut new, |_| None, 1).await;
        rows.push((cases, vec![("nothing new", nothing), ("one push", one), ("cold", cold)]));
    }
    table("Cases carried, each with one document in use", "cases", &rows)
}

/// Against the changes that a document has.
async fn history(scale: usize) -> String {
    let house = House::start(19802).await;
    house.person("history.ot", 1);
    let mut thin = house.device("history.ot").await;
    let got = thin.sync(Vec::new()).await;
    let mut held = Held::planned(&got.cards[0], Kind::Home);
    let (mut rows, mut made) = (Vec::new(), 0);
    for changes in [20, 100, 500, 2000].map(|changes| changes / scale) {
        while made < changes {
            let until = changes.min(made + 500);
            let push = many(&mut thin, &mut held, made..until);
            assert_eq!(thin.sync(push.into_iter().collect()).await.refused, 0);
            made = until;
        }
        let one = house
            .cost(
                &mut thin,
                |thin| {
                    made += 1;
                    Some(thin.change(&mut held, &[reading(made)]))
                },
                20,
            )
            .await;
        let nothing = house.cost(&mut thin, |_| None, 100).await;
        let mut new = house.device("history.ot").await;
        let cold = house.cost(&mut new, |_| None, 1).await;
        rows.push((changes, vec![("nothing new", nothing), ("one push", one), ("cold", cold)]));
    }
    table("Changes in the document that is pushed to", "changes", &rows)
}

/// Against the devices of one account, all of which carry the case.
async fn devices(scale: usize) -> String {
    let house = House::start(19803).await;
    house.person("devices.ot", 20);
    let mut thin = house.device("devices.ot").await;
    let got = thin.sync(Vec::new()).await;
    let mut held = Held::planned(&got.cards[0], Kind::Home);
    let (mut others, mut rows, mut made) = (Vec::new(), Vec::new(), 0);
    for count in [2, 10, 50].map(|count: usize| (count / scale).max(2)) {
        while others.len() + 1 < count {
            let mut other = house.device("devices.ot").await;
            other.sync(Vec::new()).await;
            others.push(other);
        }
        let one = house
            .cost(
                &mut thin,
                |thin| {
                    made += 1;
                    Some(thin.change(&mut held, &[reading(made)]))
                },
                50,
            )
            .await;
        let other = others.last_mut().unwrap();
        let news = house.cost(other, |_| None, 1).await;
        let nothing = house.cost(other, |_| None, 100).await;
        rows.push((count, vec![("nothing new", nothing), ("one push", one), ("50 changes of another's", news)]));
    }
    table("Devices that carry the case", "devices", &rows)
}

/// Against the length of a shared text in which ten characters are typed.
async fn text(scale: usize) -> String {
    let house = House::start(19804).await;
    house.person("text.ot", 4);
    let mut thin = house.device("text.ot").await;
    let got = thin.sync(Vec::new()).await;
    let mut rows = Vec::new();
    for (card, length) in got.cards.iter().zip([2_000, 10_000, 40_000, 90_000].map(|length| length / scale)) {
        let mut held = Held::planned(card, Kind::Home);
        let words = "The hall is narrow, and the step at the door is high. ".repeat(length / 54 + 1);
        let text = SharedText::Summary;
        let splice = |at: usize, insert: &str| Edit::Splice {
            text,
            at: u32::try_from(at).unwrap(),
            delete: 0,
            insert: insert.to_owned(),
        };
        // No change may say as much as the longest of these.
        for (at, piece) in words.as_bytes()[..length].chunks(20_000).enumerate() {
            let piece = thin.change(&mut held, &[splice(at * 20_000, std::str::from_utf8(piece).unwrap())]);
            assert_eq!(thin.sync(vec![piece]).await.refused, 0);
        }
        let mut at = length / 2;
        let one = house
            .cost(
                &mut thin,
                |thin| {
                    at += 10;
                    Some(thin.change(&mut held, &[splice(at - 10, "and so on ")]))
                },
                20,
            )
            .await;
        rows.push((length, vec![("ten characters typed", one)]));
    }
    table("Characters of the text that is typed in", "characters", &rows)
}

/// Against the changes that a colleague made since the device's last sync, spread over the cases that it carries.
async fn news(scale: usize) -> String {
    const CASES: usize = 100;
    let house = House::start(19805).await;
    house.person("news.ot", CASES);
    house.colleague("colleague.ot", "news.ot", CASES);
    let mut colleague = house.device("colleague.ot").await;
    let got = colleague.sync(Vec::new()).await;
    let mut held: Vec<Held> = got.cards.iter().map(|card| Held::planned(card, Kind::Home)).collect();
    assert_eq!(held.len(), CASES);
    // A document that is new to a device comes whole: these are there before.
    let first: Vec<WaitingPush> = held.iter_mut().map(|held| colleague.change(held, &[reading(0)])).collect();
    assert_eq!(colleague.sync(first).await.refused, 0);
    // The same is news for each of them: what one pays for little is less than a step of the kernel's clock.
    let mut devices = Vec::new();
    for _ in 0..21 {
        let mut device = house.device("news.ot").await;
        device.sync(Vec::new()).await;
        // The last page's acknowledgement is no part of it.
        device.sync(Vec::new()).await;
        devices.push(device);
    }
    // One that is not measured is asked what came.
    let mut witness = devices.pop().unwrap();
    let mut rows = Vec::new();
    for news in [100, 1_000, 10_000].map(|news: usize| (news / scale).max(1)) {
        let mut made = 0;
        while made < news {
            // A few in every case with each of the colleague's syncs.
            let together = (news - made).min(5 * CASES);
            let push = |(at, held): (usize, &mut Held)| {
                let count = together / CASES + usize::from(at < together % CASES);
                many(&mut colleague, held, made..made + count)
            };
            let pushes: Vec<WaitingPush> = held.iter_mut().enumerate().filter_map(push).collect();
            // The server lets go of who says nothing for as long as the others take.
            colleague.wire.again().await;
            assert_eq!(colleague.sync(pushes).await.refused, 0);
            made += together;
        }
        witness.wire.again().await;
        let got = witness.sync(Vec::new()).await;
        assert_eq!(got.news.iter().map(|(.., changes)| changes.len()).sum::<usize>(), news);
        let mut costs = Vec::new();
        for device in &mut devices {
            device.wire.again().await;
            costs.push(house.cost(device, |_| None, 1).await);
        }
        let cost = Cost::mean(&costs);
        rows.push((news, vec![("the news", cost), ("for each 1,000 of them", cost.times(1000.0 / news as f64))]));
    }
    table("Changes by a colleague since the last sync, in 100 cases", "changes", &rows)
}
