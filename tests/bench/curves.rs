//! Cost curves: what a sync costs the server as there is more of something, to find what grows faster than it should.

use std::fmt::Write as _;
use std::path::Path;

use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::SharedText;

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
    up: f64,
    down: f64,
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
        let url = format!("http://{}", self.host);
        server::account(self.path(), &url, sign_in);
        let row =
            |at| [format!("{sign_in}-{at}"), format!("Client {at}"), format!("{at} Mill Lane"), sign_in.to_owned()];
        server::import(self.path(), &url, (0..cases).map(row));
    }

    async fn device(&self, sign_in: &str) -> Thin {
        Thin::enrol(self.path(), &self.host, sign_in).await
    }

    /// The mean of so many exchanges by one device: of nothing, or of one of these pushes each.
    async fn cost(
        &self,
        thin: &mut Thin,
        mut next: impl FnMut(&mut Thin) -> Option<sync_core::engine::WaitingPush>,
        times: u32,
    ) -> Cost {
        let (up, down, before) = (thin.wire.up, thin.wire.down, cpu(self.serving.process()));
        for _ in 0..times {
            let push = next(thin);
            thin.sync(push.into_iter().collect()).await;
        }
        let each = |sum: f64| sum / f64::from(times);
        let total = (cpu(self.serving.process()) - before) * 1000.0;
        Cost {
            milliseconds: each(total),
            total,
            up: each((thin.wire.up - up) as f64),
            down: each((thin.wire.down - down) as f64),
        }
    }
}

fn table(name: &str, of: &str, rows: &[(usize, Vec<(&str, Cost)>)]) -> String {
    let mut said = format!("### {name}\n\n| {of} |");
    for (column, _) in &rows[0].1 {
        let _ = write!(said, " {column}: server CPU ms | bytes up | bytes down |");
    }
    let _ = writeln!(said, " grows |\n|---|{}---|", "---|---|---|".repeat(rows[0].1.len()));
    let mut before: Option<&(usize, Vec<(&str, Cost)>)> = None;
    for row in rows {
        let _ = write!(said, "| {} |", row.0);
        for (_, cost) in &row.1 {
            let _ = write!(said, " {:.2} | {:.0} | {:.0} |", cost.milliseconds, cost.up, cost.down);
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
    [documents(scale).await, history(scale).await, devices(scale).await, text(scale).await].concat()
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
            // Many changes in one push, as after a day's work.
            let pushes: Vec<_> =
                (0..(changes - made).min(500)).map(|at| thin.change(&mut held, &[reading(made + at)])).collect();
            made += pushes.len();
            let mut pushes = pushes.into_iter();
            let mut first = pushes.next().unwrap();
            first.changes.extend(pushes.flat_map(|push| push.changes));
            assert_eq!(thin.sync(vec![first]).await.refused, 0);
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
        let pieces: Vec<Edit> = words.as_bytes()[..length]
            .chunks(20_000)
            .enumerate()
            .map(|(at, piece)| splice(at * 20_000, std::str::from_utf8(piece).unwrap()))
            .collect();
        let first = thin.change(&mut held, &pieces);
        assert_eq!(thin.sync(vec![first]).await.refused, 0);
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
