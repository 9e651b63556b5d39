//! Who may sign which prescription off, and how many have to: the council's delegation, as data. A private OT's prescription is
//! always signed by the council (A 12.4.1).
//!
//! The table of rights says who may decide on prescriptions at all; a delegation narrows that by route, kind of item,
//! the author's role and the cost. A council writes its own; where it has none, [`DEFAULT`] is in force. Every rule that
//! fits a prescription applies, so that where one fits already another never loosens what is asked; what none fits,
//! nobody may sign.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, NotARole, Role, TABLE};
use crate::domain::kind::Kind;
use crate::domain::record::Value;
use crate::domain::view::View;
use crate::domain::vocabulary::field::ROUTES;
use crate::domain::vocabulary::{Field, ItemKind, Unit, UnknownWord};
use crate::id::Key;

/// The delegation that comes with the program, in TOML: a [`Pack`].
pub const DEFAULT: &str = include_str!("../../rules/delegation-1.toml");

/// The most rules of a delegation.
pub const MOST_RULES: usize = 200;
/// The most signatures that a rule asks.
pub const MOST_SIGNATURES: u8 = 3;
/// The most characters of a rule's words.
pub const MOST_BECAUSE: usize = 200;

/// A delegation as a file tells it, before anybody has checked it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Counts up from 1 whenever the council changes its rules: people name a delegation by it.
    pub version: i64,
    /// The rules, 1 to [`MOST_RULES`].
    #[serde(default)]
    pub rules: Vec<PackRule>,
}

/// A rule as a file tells it. What is missing is told of by the rule's number, like what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PackRule {
    /// Values of `prescription.route`; none: any.
    pub routes: Option<Vec<String>>,
    /// Kinds of item; none: any.
    pub items: Option<Vec<String>>,
    /// Roles; none: any.
    pub authors: Option<Vec<String>>,
    /// Pence; none: any cost.
    pub cost_from: Option<i64>,
    /// Roles.
    pub signers: Vec<String>,
    /// 1 to [`MOST_SIGNATURES`].
    pub signatures: i64,
    /// 1 to [`MOST_BECAUSE`] characters.
    pub because: String,
}

/// Why a pack is no delegation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDelegation {
    /// A version that counts nothing.
    #[error("`version` is {0}: it counts up from 1")]
    Version(i64),
    /// None, or too many.
    #[error("it has {0} rules: 1 to {MOST_RULES} are allowed")]
    Count(usize),
    /// A rule that can't be one.
    #[error("rule {number} ({because:?}): {fault}")]
    Rule {
        /// Which, from 1.
        number: usize,
        /// Its words, cut to 64 characters.
        because: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A list that names nothing.
    #[error("`{0}` names nothing; a rule that asks nothing of them has no `{0}`")]
    Empty(&'static str),
    /// Nobody would sign.
    #[error("`signers` names nobody")]
    Nobody,
    /// No route of prescriptions.
    #[error("{0:?} is not a route; the routes are: {list}", list = ROUTES.join(" "))]
    Route(String),
    /// No kind of item, or of one that is never prescribed.
    #[error("{0:?} is not a kind of item that can be prescribed")]
    Item(String),
    /// No role.
    #[error(transparent)]
    Role(#[from] NotARole),
    /// A role that decides on no prescription.
    #[error("{role} may not sign; those who may are: {}", joined(allowed, " "))]
    Signer {
        /// The role.
        role: Role,
        /// The roles that the table of rights lets decide on prescriptions.
        allowed: BTreeSet<Role>,
    },
    /// Too few or too many.
    #[error("`signatures` is {0}: 1 to {MOST_SIGNATURES} are allowed")]
    Signatures(i64),
    /// A cost below nothing.
    #[error("`cost_from` is {0}: it is a number of pence, from 0")]
    Cost(i64),
    /// No words for whoever is refused, too many, or such as break a line.
    #[error("`because` has to tell people why, in one line of 1 to {MOST_BECAUSE} characters")]
    Because,
}

impl From<UnknownWord> for Fault {
    fn from(unknown: UnknownWord) -> Self {
        Self::Item(unknown.text)
    }
}

/// A rule of a delegation: which prescriptions it fits, and what it asks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The routes it fits; empty: any.
    routes: BTreeSet<String>,
    /// It fits if an item is of one of these kinds; empty: whatever the items.
    items: BTreeSet<ItemKind>,
    /// It fits if an author has one of these roles; empty: whoever wrote it.
    authors: BTreeSet<Role>,
    /// It fits if the cost is at least so many pence, or unknown; `None`: whatever it costs.
    cost_from: Option<i64>,
    /// Who may sign: at least one.
    signers: BTreeSet<Role>,
    /// How many have to: 1 to [`MOST_SIGNATURES`].
    signatures: u8,
    /// Why, for people.
    because: String,
}

/// A delegation that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    version: u32,
    rules: Vec<Rule>,
}

/// What of a prescription the rules look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prescribed {
    /// Its route; `None`: it has none, or several that clash. Then every rule about a route fits it.
    pub route: Option<String>,
    /// What its items are.
    pub items: BTreeSet<ItemKind>,
    /// The roles of all who wrote in it; `None`: of somebody whose role nobody knows, who counts as any.
    pub authors: BTreeSet<Option<Role>>,
    /// What it costs, in pence; `None`: nobody knows, which counts as the highest.
    pub cost: Option<i64>,
}

/// What signing a prescription takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// How many people have to sign, each for themselves.
    pub signatures: u8,
    /// The roles of those who may; empty: nobody may.
    pub signers: BTreeSet<Role>,
    /// Why, in the words of every rule that fits.
    pub because: Vec<String>,
}

/// Why nobody may sign what no rule fits.
const NO_RULE: &str = "no rule of the council's delegation fits it";

/// The roles that the table of rights lets decide on prescriptions: no delegation names others as signers.
pub fn deciders() -> BTreeSet<Role> {
    let decide = TABLE.iter().filter(|line| {
        line.kinds.contains(&Kind::Prescription) && line.actions.contains(&Action::Decide) && line.of_council
    });
    decide.flat_map(|line| line.roles.iter().copied()).collect()
}

fn joined<T: fmt::Display>(of: impl IntoIterator<Item = T>, between: &str) -> String {
    of.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(between)
}

/// A list that may be missing and, if it is there, names something: empty where it is missing.
fn listed<T: Ord>(
    name: &'static str,
    list: Option<Vec<String>>,
    read: impl Fn(String) -> Result<T, Fault>,
) -> Result<BTreeSet<T>, Fault> {
    match list {
        None => Ok(BTreeSet::new()),
        Some(list) if list.is_empty() => Err(Fault::Empty(name)),
        Some(list) => list.into_iter().map(read).collect(),
    }
}

fn route(text: String) -> Result<String, Fault> {
    if ROUTES.contains(&text.as_str()) { Ok(text) } else { Err(Fault::Route(text.chars().take(64).collect())) }
}

fn item(text: String) -> Result<ItemKind, Fault> {
    let kind: ItemKind = text.parse()?;
    if kind.kind_of_document() == Kind::Prescription { Ok(kind) } else { Err(Fault::Item(text)) }
}

fn role(text: String) -> Result<Role, Fault> {
    Ok(text.parse::<Role>()?)
}

impl TryFrom<PackRule> for Rule {
    type Error = Fault;

    fn try_from(rule: PackRule) -> Result<Self, Fault> {
        let PackRule { routes, items, authors, cost_from, signers, signatures, because } = rule;
        let one_line = !because.trim().is_empty() && !because.chars().any(char::is_control);
        if !one_line || because.chars().count() > MOST_BECAUSE {
            return Err(Fault::Because);
        }
        if let Some(cost) = cost_from.filter(|cost| *cost < 0) {
            return Err(Fault::Cost(cost));
        }
        let allowed = deciders();
        let signers = signers.into_iter().map(role).collect::<Result<BTreeSet<Role>, Fault>>()?;
        if signers.is_empty() {
            return Err(Fault::Nobody);
        }
        if let Some(role) = signers.iter().copied().find(|role| !allowed.contains(role)) {
            return Err(Fault::Signer { role, allowed });
        }
        let asked = u8::try_from(signatures).ok().filter(|asked| (1..=MOST_SIGNATURES).contains(asked));
        Ok(Self {
            routes: listed("routes", routes, route)?,
            items: listed("items", items, item)?,
            authors: listed("authors", authors, role)?,
            cost_from,
            signers,
            signatures: asked.ok_or(Fault::Signatures(signatures))?,
            because,
        })
    }
}

impl TryFrom<Pack> for Delegation {
    type Error = BadDelegation;

    fn try_from(pack: Pack) -> Result<Self, BadDelegation> {
        let version = u32::try_from(pack.version).ok().filter(|version| *version > 0);
        let version = version.ok_or(BadDelegation::Version(pack.version))?;
        if !(1..=MOST_RULES).contains(&pack.rules.len()) {
            return Err(BadDelegation::Count(pack.rules.len()));
        }
        let rule = |(at, rule): (usize, PackRule)| {
            let because = rule.because.chars().take(64).collect();
            Rule::try_from(rule).map_err(|fault| BadDelegation::Rule { number: at + 1, because, fault })
        };
        Ok(Self { version, rules: pack.rules.into_iter().enumerate().map(rule).collect::<Result<_, _>>()? })
    }
}

impl Rule {
    fn fits(&self, of: &Prescribed) -> bool {
        let any_author = |author: &Option<Role>| author.is_none_or(|role| self.authors.contains(&role));
        (self.routes.is_empty() || of.route.as_ref().is_none_or(|route| self.routes.contains(route)))
            && (self.items.is_empty() || !self.items.is_disjoint(&of.items))
            && (self.authors.is_empty() || of.authors.iter().any(any_author))
            && self.cost_from.is_none_or(|from| of.cost.is_none_or(|cost| cost >= from))
    }
}

impl fmt::Display for Rule {
    /// In words, on one line: which prescriptions, how many signatures, whose, and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { routes, items, authors, cost_from, signers, signatures, because } = self;
        f.write_str("any prescription")?;
        if !routes.is_empty() {
            write!(f, " on the route {}", joined(routes, " or "))?;
        }
        if !items.is_empty() {
            write!(f, " with a {}", joined(items, " or "))?;
        }
        if !authors.is_empty() {
            write!(f, " with {} among its authors", joined(authors, " or "))?;
        }
        if let Some(from) = cost_from {
            write!(f, " of {} or more, or of an unknown cost", Unit::Pence.show(*from))?;
        }
        let asked = if *signatures == 1 {
            "1 signature, by".to_owned()
        } else {
            format!("{signatures} signatures, each by another")
        };
        write!(f, ": {asked} {}: {because}", joined(signers, " or "))
    }
}

impl Delegation {
    /// Which of the council's delegations it is, from 1.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Its rules, 1 to [`MOST_RULES`], in the order of the file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn fitting<'a>(&'a self, of: &'a Prescribed) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(|rule| rule.fits(of))
    }

    /// What signing this takes: the signers whom all rules that fit name, as many signatures as any of them asks.
    pub fn needed(&self, of: &Prescribed) -> Needed {
        let mut fitting = self.fitting(of);
        let Some(first) = fitting.next() else {
            return Needed { signatures: 1, signers: BTreeSet::new(), because: vec![NO_RULE.to_owned()] };
        };
        let needed = Needed {
            signatures: first.signatures,
            signers: first.signers.clone(),
            because: vec![first.because.clone()],
        };
        fitting.fold(needed, |mut needed, rule| {
            needed.signatures = needed.signatures.max(rule.signatures);
            needed.signers.retain(|role| rule.signers.contains(role));
            if !needed.because.contains(&rule.because) {
                needed.because.push(rule.because.clone());
            }
            needed
        })
    }

    /// Why somebody of this role may not sign this, in the words of the rules that leave them out; empty: they may.
    pub fn against(&self, of: &Prescribed, role: Role) -> Vec<String> {
        let mut fitting = self.fitting(of).peekable();
        if fitting.peek().is_none() {
            return vec![NO_RULE.to_owned()];
        }
        fitting.filter(|rule| !rule.signers.contains(&role)).map(|rule| rule.because.clone()).collect()
    }
}

impl Prescribed {
    /// What this prescription is, but for who wrote in it.
    ///
    /// Its cost is the one given for the whole; where that is missing, the sum of its items' if each has one. Of several
    /// that stand the highest counts, and of the whole and its items together as well: a prescription costs no less than
    /// anybody says.
    pub fn of(view: &View) -> Self {
        let facts = view.facts();
        let values = |item: Option<Key>, name: &str| -> Vec<&Value> {
            let register = Field::named(name).and_then(|field| facts.get(&(item, field)));
            let standing = register.map(|register| register.current.as_slice()).unwrap_or_default();
            standing.iter().filter_map(|key| Some(&view.fact(*key)?.value)).collect()
        };
        let routes: BTreeSet<Option<&str>> = values(None, "prescription.route")
            .into_iter()
            .map(|value| match value {
                Value::Choice(route) => Some(route.as_str()),
                _ => None,
            })
            .collect();
        let route = if routes.len() == 1 { routes.into_iter().next().flatten() } else { None };
        let (whole, costs) = (
            values(None, "prescription.cost"),
            view.items().map(|(key, _)| pence(&values(Some(key), "item.cost"))).collect::<Vec<_>>(),
        );
        let sum = costs.iter().flatten().fold(0, |sum: i64, cost| sum.saturating_add(*cost));
        let cost = match pence(&whole) {
            Some(whole) => Some(whole.max(sum)),
            // Something was said that is no cost.
            None if !whole.is_empty() => None,
            None => (!costs.is_empty() && costs.iter().all(Option::is_some)).then_some(sum),
        };
        let items = view.items().map(|(_, item)| item.kind).collect();
        Self { route: route.map(str::to_owned), items, authors: BTreeSet::new(), cost }
    }

    /// The same, written in by people of these roles; `None`: by somebody whose role nobody knows.
    #[must_use]
    pub fn by(self, authors: impl IntoIterator<Item = Option<Role>>) -> Self {
        Self { authors: authors.into_iter().collect(), ..self }
    }
}

/// The highest of these costs; `None` where there is none, or one of them is no cost.
fn pence(values: &[&Value]) -> Option<i64> {
    let costs = values.iter().map(|value| match value {
        Value::Number(pence) if *pence >= 0 => Some(*pence),
        _ => None,
    });
    costs.collect::<Option<Vec<i64>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests;
