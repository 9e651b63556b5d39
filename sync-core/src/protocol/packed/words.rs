//! The words that both ends know: what stands in a document as one of them travels as its number.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A format for ever: nothing but lines at its end may change, and those only with another layout.
const LIST: &str = include_str!("../../../golden/words-1.txt");

struct Words {
    all: Vec<&'static str>,
    numbers: BTreeMap<&'static str, u64>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let all: Vec<&str> = LIST.lines().collect();
    let numbers = all.iter().copied().zip(0..).collect();
    Words { all, numbers }
});

pub(super) fn number(word: &str) -> Option<u64> {
    WORDS.numbers.get(word).copied()
}

pub(super) fn word(number: u64) -> Option<&'static str> {
    WORDS.all.get(usize::try_from(number).ok()?).copied()
}

/// A place of one or two words with ordinals, by the words' numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) room: (u64, u64),
    pub(super) feature: Option<(u64, u64)>,
}

impl Path {
    /// Reads a place; `None` when it is none that [`Path::text`] gives again.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let step = |step: &str| {
            let (word, ordinal) = step.rsplit_once('-')?;
            Some((number(word)?, ordinal.parse::<u8>().ok()?.into()))
        };
        let path = match text.split_once('/') {
            Some((room, feature)) => Self { room: step(room)?, feature: Some(step(feature)?) },
            None => Self { room: step(text)?, feature: None },
        };
        (path.text()? == text).then_some(path)
    }

    pub(super) fn text(&self) -> Option<String> {
        let (room, ordinal) = self.room;
        let mut text = format!("{}-{ordinal}", word(room)?);
        if let Some((feature, ordinal)) = self.feature {
            text = format!("{text}/{}-{ordinal}", word(feature)?);
        }
        Some(text)
    }
}

/// The places that were named so far: the next is often the same again, or the next of its sort in the same room.
#[derive(Debug, Default)]
pub(super) struct Places {
    last: Option<Path>,
    /// The highest ordinal of a feature in a room so far.
    ordinals: BTreeMap<((u64, u64), u64), u64>,
}

impl Places {
    pub(super) const fn last(&self) -> Option<Path> {
        self.last
    }

    /// The next of this feature in the room that was named last.
    pub(super) fn next(&self, feature: u64) -> Option<Path> {
        let room = self.last?.room;
        let ordinal = self.ordinals.get(&(room, feature)).map_or(1, |ordinal| ordinal.saturating_add(1));
        Some(Path { room, feature: Some((feature, ordinal)) })
    }

    pub(super) fn named(&mut self, path: Path) {
        self.last = Some(path);
        if let Some((feature, ordinal)) = path.feature {
            self.ordinals.insert((path.room, feature), ordinal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Hash;

    #[test]
    fn a_word_keeps_its_number_for_ever() {
        let first = LIST.lines().take(1403).map(|word| format!("{word}\n")).collect::<String>();
        assert_eq!(
            Hash::of(first.as_bytes()).to_string(),
            "d6cd981b26089440e4c6105ab18e204bc94d5b375c1b6a2f44ef715d0ba9ea4a"
        );
        assert_eq!(WORDS.all.len(), WORDS.numbers.len(), "a word twice");
    }
}
