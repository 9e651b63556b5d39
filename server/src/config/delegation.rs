//! The delegation in force: the council's own, from the file that the setting `delegation` names, or the one that comes
//! with the program. The file is read once, when the program starts.

use std::path::{Path, PathBuf};

use sync_core::access::delegation::{BadDelegation, DEFAULT, Delegation, Pack};

/// Most of a file of rules, in bytes: each of the most rules can name every word there is.
const MOST: u64 = 1 << 20;

/// Why a file of rules can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadPack {
    /// It can't be read.
    #[error("{0} can't be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// It is no file of rules.
    #[error("{0} has more than {MOST} bytes: it is no file of rules")]
    TooLarge(PathBuf),
    /// It isn't TOML, or says what no rule has.
    #[error("{of} is not a file of rules: {source}")]
    NotToml {
        /// Which file.
        of: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// One of its rules can't be one.
    #[error("{of}: {source}")]
    Rules {
        /// Which file.
        of: String,
        /// Which rule, and what is wrong with it.
        source: BadDelegation,
    },
}

/// The delegation of this file; of none, the one that comes with the program.
///
/// # Errors
/// [`BadPack`].
pub fn in_force(file: Option<&Path>) -> Result<Delegation, BadPack> {
    match file {
        Some(file) => read(file),
        None => built_in(),
    }
}

/// Reads and checks a file of rules.
///
/// # Errors
/// [`BadPack`] names the file and, in it, the rule.
pub fn read(file: &Path) -> Result<Delegation, BadPack> {
    let failed = |error| BadPack::Unreadable(file.to_owned(), error);
    if std::fs::metadata(file).map_err(failed)?.len() > MOST {
        return Err(BadPack::TooLarge(file.to_owned()));
    }
    of_text(&std::fs::read_to_string(file).map_err(failed)?, &file.display().to_string())
}

/// The delegation that comes with the program.
///
/// # Errors
/// [`BadPack`] if this program's own rules are none; a test holds that they are.
pub fn built_in() -> Result<Delegation, BadPack> {
    of_text(DEFAULT, "the delegation of this program")
}

fn of_text(text: &str, of: &str) -> Result<Delegation, BadPack> {
    let pack: Pack =
        toml::from_str(text).map_err(|source| BadPack::NotToml { of: of.to_owned(), source: Box::new(source) })?;
    Delegation::try_from(pack).map_err(|source| BadPack::Rules { of: of.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sync_core::access::Role;
    use sync_core::access::delegation::{Needed, Prescribed, deciders};
    use sync_core::domain::vocabulary::field::ROUTES;

    use super::*;

    fn refused(text: &str) -> String {
        of_text(text, "rules.toml").unwrap_err().to_string()
    }

    #[test]
    fn what_comes_with_the_program_lets_supervisors_sign_everything_and_asks_two_of_an_assistants_grants() {
        let all = built_in().unwrap();
        assert_eq!(all.version(), 1);
        for route in ROUTES.iter().copied().map(Some).chain([None]) {
            for author in Role::ALL.map(Some).into_iter().chain([None]) {
                let of = Prescribed { route: route.map(str::to_owned), ..Prescribed::default() }.by([author]);
                let Needed { signatures, signers, because } = all.needed(&of);
                assert_eq!(signers, deciders(), "{of:?}");
                let grant = route.is_none_or(|route| route == "dfg");
                let assistant = author.is_none_or(|role| role == Role::OtAssistant);
                assert_eq!(signatures, if grant && assistant { 2 } else { 1 }, "{of:?}");
                let private = author.is_none_or(|role| role == Role::PrivateOt);
                assert_eq!(because.iter().any(|words| words.contains("private OT")), private, "{of:?}");
            }
        }
    }

    #[test]
    fn a_file_that_says_what_no_rule_has_or_names_nobody_is_refused_where_it_is() {
        let good = "version = 2\n[[rules]]\nsigners = [\"principal_ot\"]\nsignatures = 1\nbecause = \"ours\"\n";
        let needed = of_text(good, "rules.toml").unwrap().needed(&Prescribed::default());
        assert_eq!(needed.signers, BTreeSet::from([Role::PrincipalOt]));
        let said = refused(&format!("{good}cost_over = 5\n"));
        assert!(said.contains("rules.toml") && said.contains("line 6") && said.contains("`cost_over`"), "{said}");
        let said = refused(&good.replace("principal_ot", "surveyor"));
        assert!(said.starts_with("rules.toml: rule 1 (\"ours\"): surveyor may not sign"), "{said}");
        assert!(refused("version = 2").contains("it has 0 rules"));
        assert!(refused("rules = [").contains("not a file of rules"));
        let gone = read(Path::new("no/such/rules.toml")).unwrap_err().to_string();
        assert!(gone.starts_with("no/such/rules.toml can't be read"), "{gone}");
    }
}
