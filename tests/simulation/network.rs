//! The line between a device and the server, and its weather.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use sync_core::device::link::{HttpReply, HttpRequest, Sending};
use sync_core::device::{Link, LinkError, Transport};

use crate::council::Council;
use crate::dice::Dice;

/// What requests are counted as that arrived behind others.
pub(crate) const LATE: &str = "late requests that arrived";

/// What becomes of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    RequestLost,
    ReplyLost,
    Twice,
    /// It arrives once something else has.
    Late,
    RequestCut,
    ReplyCut,
    /// A sign-in page answers.
    Portal,
}

impl Fate {
    /// What it is counted as.
    const fn name(self) -> &'static str {
        match self {
            Self::Arrives => "exchanges that arrived",
            Self::RequestLost => "requests dropped",
            Self::ReplyLost => "replies dropped",
            Self::Twice => "requests duplicated",
            Self::Late => "requests delayed behind others",
            Self::RequestCut => "requests truncated",
            Self::ReplyCut => "replies truncated",
            Self::Portal => "sign-in pages",
        }
    }
}

const FATES: [Fate; 7] =
    [Fate::RequestLost, Fate::ReplyLost, Fate::Twice, Fate::Late, Fate::RequestCut, Fate::ReplyCut, Fate::Portal];

#[derive(Debug)]
struct State {
    dice: Dice,
    /// One exchange in so many goes wrong; `None`: none does.
    bad: Option<usize>,
    late: Vec<HttpRequest>,
    /// What went wrong, for the trace.
    said: Vec<String>,
    /// How often what went wrong.
    counts: BTreeMap<&'static str, u64>,
}

/// The weather of all lines.
#[derive(Debug, Clone)]
pub(crate) struct Weather(Arc<Mutex<State>>);

impl Weather {
    pub(crate) fn new(dice: Dice, bad: Option<usize>) -> Self {
        Self(Arc::new(Mutex::new(State { dice, bad, late: Vec::new(), said: Vec::new(), counts: BTreeMap::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// From now on one exchange in so many goes wrong.
    pub(crate) fn blows(&self, bad: Option<usize>) {
        self.state().bad = bad;
    }

    /// From now on nothing goes wrong, and nothing that is late comes any more.
    pub(crate) fn clears(&self) {
        let mut state = self.state();
        state.bad = None;
        state.late.clear();
    }

    /// What went wrong since this was last asked.
    pub(crate) fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.state().said)
    }

    pub(crate) fn counted(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.clone()
    }

    /// The requests that are late, if it is time for them.
    fn arrivals(&self) -> Vec<HttpRequest> {
        let mut state = self.state();
        if state.late.is_empty() || !state.dice.one_in(3) { Vec::new() } else { std::mem::take(&mut state.late) }
    }

    fn fate(&self) -> Fate {
        let mut state = self.state();
        let Some(bad) = state.bad else { return Fate::Arrives };
        if !state.dice.one_in(bad) {
            return Fate::Arrives;
        }
        let fate = state.dice.pick(&FATES).unwrap();
        state.said.push(format!("{fate:?}"));
        *state.counts.entry(fate.name()).or_default() += 1;
        fate
    }

    fn cut(&self, bytes: &mut Vec<u8>) {
        let length = self.state().dice.below(bytes.len().max(1));
        bytes.truncate(length);
    }
}

/// One device's line.
pub(crate) struct Line {
    council: Arc<Council>,
    weather: Weather,
}

impl Line {
    pub(crate) fn link(council: &Arc<Council>, weather: &Weather) -> Link {
        Link::over(Self { council: council.clone(), weather: weather.clone() })
    }

    async fn carries(&self, mut request: HttpRequest) -> Result<HttpReply, LinkError> {
        let lost = || LinkError::Offline("no signal".to_owned());
        let fate = self.weather.fate();
        match fate {
            Fate::RequestLost => return Err(lost()),
            Fate::Late => {
                self.weather.state().late.push(request);
                return Err(lost());
            }
            Fate::Portal => {
                let body = b"<html>Welcome to the library's wifi</html>".to_vec();
                return Ok(HttpReply { status: 200, content_type: "text/html".to_owned(), body });
            }
            Fate::RequestCut => self.weather.cut(&mut request.body),
            Fate::Twice => drop(self.council.answers(&request).await?),
            Fate::Arrives | Fate::ReplyLost | Fate::ReplyCut => {}
        }
        let mut reply = self.council.answers(&request).await?;
        for late in self.weather.arrivals() {
            self.council.counts(LATE, 1);
            // What it changes is in no reply that was made before. Its answer goes nowhere.
            self.weather.state().said.push("something late arrives".to_owned());
            let _ = self.council.answers(&late).await;
        }
        match fate {
            Fate::ReplyLost => return Err(lost()),
            Fate::ReplyCut => self.weather.cut(&mut reply.body),
            _ => {}
        }
        Ok(reply)
    }
}

impl Transport for Line {
    fn send(&self, request: HttpRequest) -> Sending<'_> {
        Box::pin(self.carries(request))
    }
}
