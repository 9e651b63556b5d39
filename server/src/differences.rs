//! What is different in a prescription since somebody last looked: field by field, and word by word.

use std::cmp::Ordering;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use sync_core::domain::record::Value;
use sync_core::domain::signed::Content;

/// The longest text whose words are told apart, in bytes: what it takes grows with its length times what is different.
const LONGEST: usize = 20_000;
/// The most bytes of all texts whose words are told apart in one answer.
const MOST: usize = 10 * LONGEST;

/// A field that says something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: `specification/…` or `justification/…`.
    pub path: String,
    /// What it said; `None`: nothing.
    pub before: Option<Content>,
    /// What it says; `None`: nothing.
    pub after: Option<Content>,
    /// Of prose, what was left as it was, taken out and put in, in order; `None`: of anything else, and of what is too
    /// long, or too much, to be told apart.
    pub words: Option<Vec<Words>>,
}

/// Words behind one another that share a fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// They stayed.
    Same(String),
    /// They were taken out.
    Removed(String),
    /// They were put in.
    Added(String),
}

/// The differences between two states of a prescription, each by path, in the order of the paths.
pub fn between(before: &[(String, Content)], after: &[(String, Content)]) -> Vec<Difference> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let (mut found, mut left) = (Vec::new(), MOST);
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let was = if order == Ordering::Greater { None } else { old.next() };
        let is = if order == Ordering::Less { None } else { new.next() };
        let (before, after) = (was.map(|(_, content)| content.clone()), is.map(|(_, content)| content.clone()));
        if let Some((path, _)) = was.or(is)
            && before != after
        {
            let words = words(before.as_ref(), after.as_ref(), &mut left);
            found.push(Difference { path: path.clone(), before, after, words });
        }
    }
}

fn prose(content: &Content) -> Option<&str> {
    match content {
        Content::Text(text) | Content::Value(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn words(before: Option<&Content>, after: Option<&Content>, left: &mut usize) -> Option<Vec<Words>> {
    let (before, after) = (prose(before?)?, prose(after?)?);
    let longer = before.len().max(after.len());
    if longer > LONGEST || longer > *left {
        return None;
    }
    *left -= longer;
    let mut words: Vec<Words> = Vec::new();
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        let text = change.value();
        match (words.last_mut(), change.tag()) {
            (Some(Words::Same(run)), ChangeTag::Equal)
            | (Some(Words::Removed(run)), ChangeTag::Delete)
            | (Some(Words::Added(run)), ChangeTag::Insert) => run.push_str(text),
            (_, tag) => words.push(match tag {
                ChangeTag::Equal => Words::Same(text.to_owned()),
                ChangeTag::Delete => Words::Removed(text.to_owned()),
                ChangeTag::Insert => Words::Added(text.to_owned()),
            }),
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(of: &[(&str, Content)]) -> Vec<(String, Content)> {
        of.iter().map(|(path, content)| ((*path).to_owned(), content.clone())).collect()
    }

    fn text(words: &str) -> Content {
        Content::Text(words.to_owned())
    }

    #[test]
    fn a_field_that_came_went_or_says_something_else_is_told_and_no_other() {
        let height = |mm| Content::Value(Value::Number(mm));
        let before = contents(&[("a", height(1)), ("b", text("as it was")), ("c", height(680)), ("e", height(5))]);
        let after = contents(&[("b", text("as it was")), ("c", height(780)), ("d", height(4)), ("e", height(5))]);
        let found = between(&before, &after);
        let told: Vec<_> =
            found.iter().map(|one| (one.path.as_str(), one.before.is_some(), one.after.is_some())).collect();
        assert_eq!(told, [("a", true, false), ("c", true, true), ("d", false, true)]);
        assert_eq!(
            (&found[1].before, &found[1].after, &found[1].words),
            (&Some(height(680)), &Some(height(780)), &None)
        );
        assert_eq!(between(&after, &after), []);
        assert_eq!(between(&[], &after).len(), 4);
        assert_eq!(between(&before, &[]).len(), 4);
    }

    #[test]
    fn of_prose_each_word_that_was_taken_out_or_put_in_is_told() {
        let before = contents(&[("r", text("She fell twice in October."))]);
        let after = contents(&[("r", text("She fell three times in October, at night."))]);
        let words = between(&before, &after)[0].words.clone().unwrap();
        let joined = |keep: fn(&Words) -> Option<&str>| words.iter().filter_map(keep).collect::<String>();
        let was = joined(|word| match word {
            Words::Same(text) | Words::Removed(text) => Some(text),
            Words::Added(_) => None,
        });
        let is = joined(|word| match word {
            Words::Same(text) | Words::Added(text) => Some(text),
            Words::Removed(_) => None,
        });
        assert_eq!(
            (was.as_str(), is.as_str()),
            ("She fell twice in October.", "She fell three times in October, at night.")
        );
        assert_eq!(words[0], Words::Same("She fell ".to_owned()));
        assert_eq!(words[1], Words::Removed("twice".to_owned()));
        let put_in = joined(|word| match word {
            Words::Added(text) => Some(text),
            _ => None,
        });
        assert!(put_in.contains("three") && put_in.contains("times") && put_in.contains("night"), "{put_in}");
        let long = text(&"word ".repeat(LONGEST / 5 + 1));
        assert_eq!(between(&before, &contents(&[("r", long)]))[0].words, None, "too long to be told apart");
        let many = |words: &str| -> Vec<(String, Content)> {
            (0..30).map(|at| (format!("{at:02}"), text(&words.repeat(LONGEST / 10)))).collect()
        };
        let told = between(&many("one "), &many("two "));
        assert_eq!((told.len(), told.iter().filter(|one| one.words.is_some()).count()), (30, 25), "too much");
    }
}
