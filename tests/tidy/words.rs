//! Words that don't belong in what is shipped.

use crate::source::{Source, all};
use crate::{made_up, none};

/// What stands for work not done. In pieces, so that this file doesn't say them.
fn unfinished() -> Vec<String> {
    [["to", "do!"], ["unimple", "mented!"], ["TO", "DO"], ["FIX", "ME"], ["dum", "my"], ["place", "holder"]]
        .map(|word| word.concat())
        .into()
}

/// Folders of some machine, and where packages come from: both are the surroundings', not the project's.
fn surroundings() -> Vec<String> {
    let folders = ["/wo rk", "/ro ot", "/ho me/", "/tmp/ta rget"];
    let hosts = ["crates. io", "registry.npm js", "pypi. org", "pythonhosted. org", "proxy. golang", "deb. debian"];
    folders.iter().chain(&hosts).map(|word| word.replace(' ', "")).collect()
}

fn said(sources: &[Source], words: &[String]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| source.path != "Cargo.lock") {
        for (at, line) in source.text.lines().enumerate() {
            for word in words {
                let ends = |end: usize| {
                    word.ends_with('/')
                        || !line[end..].starts_with(|next: char| next.is_alphanumeric() || next == '-' || next == '_')
                };
                let starts = |at: usize| {
                    !word.starts_with('/') || !line[..at].ends_with(|before: char| before.is_alphanumeric())
                };
                if line.match_indices(word.as_str()).any(|(at, _)| starts(at) && ends(at + word.len())) {
                    offences.push(format!("{}:{}: {word}", source.path, at + 1));
                }
            }
        }
    }
    offences
}

#[test]
fn nothing_says_that_it_is_unfinished() {
    none(said(&all(), &unfinished()));
}

#[test]
fn nothing_names_a_folder_of_some_machine_or_a_package_registry() {
    none(said(&all(), &surroundings()));
}

#[test]
fn a_word_that_does_not_belong_is_found() {
    let words = unfinished();
    assert_eq!(said(&made_up("a.rs", &format!("fn f() {{ {}() }}", words[0])), &words).len(), 1);
    assert_eq!(said(&made_up("a.md", &format!("a {} text", words[5])), &words).len(), 1);
    let words = surroundings();
    assert_eq!(said(&made_up("a.sh", &format!("cd {}/x", words[0])), &words).len(), 1);
    assert_eq!(said(&made_up("a.sh", &format!("curl https://index.{}/x", words[4])), &words).len(), 1);
    assert!(said(&made_up("a.txt", &format!("kitchen-1{}top-1", words[0])), &words).is_empty());
}
