//! Places: where in the home something is. A path of words and ordinals, never a created object, so that two people
//! who have never met name the same door alike: `bathroom-1/door-1`.

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

/// First words of a place: rooms, and areas outside and between them. Sorted.
pub const ROOMS: &[&str] = &[
    "approach",
    "balcony",
    "bathroom",
    "bedroom",
    "cellar",
    "communal-entrance",
    "communal-hall",
    "communal-lift",
    "communal-stairs",
    "conservatory",
    "corridor",
    "dining-room",
    "drive",
    "entrance",
    "extension",
    "family-room",
    "garage",
    "garden",
    "hall",
    "kitchen",
    "landing",
    "lift",
    "living-room",
    "loft",
    "outhouse",
    "porch",
    "roof-space",
    "shower-room",
    "stairs",
    "study",
    "utility-room",
    "wc",
    "wet-room",
    "yard",
];

/// Further words of a place: what is in a room or area. Sorted.
pub const FEATURES: &[&str] = &[
    "appliance",
    "basin",
    "bath",
    "bed",
    "boiler",
    "ceiling",
    "chair",
    "consumer-unit",
    "cooker",
    "cupboard",
    "door",
    "door-entry",
    "drop",
    "extractor",
    "floor",
    "flush",
    "gate",
    "grab-rail",
    "gulley",
    "half-step",
    "handle",
    "heater",
    "hob",
    "hoist",
    "joist",
    "kerb",
    "landing",
    "lift-aperture",
    "light",
    "lock",
    "meter",
    "newel",
    "nib",
    "obstruction",
    "oven",
    "path",
    "radiator",
    "rail",
    "ramp",
    "riser",
    "roll-holder",
    "shower",
    "shower-enclosure",
    "shower-tray",
    "sink",
    "socket",
    "sofa",
    "soil-pipe",
    "stairlift",
    "step",
    "stopcock",
    "switch",
    "tap",
    "thermostat",
    "threshold",
    "toilet",
    "track",
    "tread",
    "turning-space",
    "wall",
    "waste",
    "wheelchair",
    "winder",
    "window",
    "worktop",
];

/// Longest text of a place, in bytes.
pub const MOST_BYTES: usize = 64;

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Over [`MOST_BYTES`].
    #[error("a place is at most 64 bytes of text, not {0}")]
    TooLong(usize),
    /// None, or more than three segments.
    #[error("a place is one to three segments, not {0}")]
    Segments(usize),
    /// A segment that isn't `word-ordinal`, with an ordinal of 1 to 99 and no leading zero.
    #[error("{0:?} is not a word, a hyphen and a number of 1 to 99")]
    Segment(String),
    /// The first word is no room or area.
    #[error("{0:?} is no room or area")]
    UnknownRoom(String),
    /// A later word is no feature.
    #[error("{0:?} is no feature of a room")]
    UnknownFeature(String),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Segment {
    word: &'static str,
    ordinal: NonZeroU8,
}

impl Segment {
    fn read(text: &str, words: &'static [&'static str], unknown: fn(String) -> PlaceError) -> Result<Self, PlaceError> {
        let refuse = || PlaceError::Segment(text.to_owned());
        let (word, ordinal) = text.rsplit_once('-').ok_or_else(refuse)?;
        if !matches!(ordinal.as_bytes(), [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9']) {
            return Err(refuse());
        }
        let ordinal = ordinal.parse().map_err(|_| refuse())?;
        let index = words.binary_search(&word).map_err(|_| unknown(word.to_owned()))?;
        Ok(Self { word: words[index], ordinal })
    }
}

/// One to three segments `word-ordinal` joined by `/`: a room or area of [`ROOMS`], then [`FEATURES`]. Ordered by
/// word, then number, a room before what is in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    room: Segment,
    feature: Option<Segment>,
    part: Option<Segment>,
}

impl Place {
    /// The room or area it is in (itself, when it is one).
    pub fn room(&self) -> Self {
        Self { feature: None, part: None, ..*self }
    }

    /// Whether it is `other` or something in `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.room == other.room
            && (other.feature.is_none() || self.feature == other.feature)
            && (other.part.is_none() || self.part == other.part)
    }

    /// Itself and what it is in, from the innermost to the room.
    pub(crate) fn outwards(&self) -> impl Iterator<Item = Self> {
        let around = self.part.map(|_| Self { part: None, ..*self });
        let room = self.feature.map(|_| self.room());
        [Some(*self), around, room].into_iter().flatten()
    }

    /// Where it is when what it is in, `from`, is `to`; `None` where that would be too deep for a place.
    pub(crate) fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        let mut inside = to.inside().chain(self.inside().skip(from.inside().count()));
        let moved = Self { room: to.room, feature: inside.next(), part: inside.next() };
        inside.next().is_none().then_some(moved)
    }

    fn inside(&self) -> impl Iterator<Item = Segment> {
        [self.feature, self.part].into_iter().flatten()
    }

    /// The word of the room or area: `bathroom`.
    pub fn room_word(&self) -> &'static str {
        self.room.word
    }

    /// The last word, which says what the place is: `door`.
    pub fn word(&self) -> &'static str {
        self.part.or(self.feature).unwrap_or(self.room).word
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if text.len() > MOST_BYTES {
            return Err(PlaceError::TooLong(text.len()));
        }
        let mut segments = text.split('/');
        let count = segments.clone().count();
        if count > 3 || text.is_empty() {
            return Err(PlaceError::Segments(if text.is_empty() { 0 } else { count }));
        }
        let room = Segment::read(segments.next().unwrap_or_default(), ROOMS, PlaceError::UnknownRoom)?;
        let mut feature =
            || segments.next().map(|text| Segment::read(text, FEATURES, PlaceError::UnknownFeature)).transpose();
        Ok(Self { room, feature: feature()?, part: feature()? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.room.word, self.room.ordinal)?;
        for segment in [self.feature, self.part].into_iter().flatten() {
            write!(f, "/{}-{}", segment.word, segment.ordinal)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

impl serde::Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<C> minicbor::Encode<C> for Place {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Place {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(minicbor::decode::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn the_word_tables_are_sorted_unique_and_in_lower_case_kebab() {
        for words in [ROOMS, FEATURES] {
            assert!(words.is_sorted_by(|a, b| a < b), "{words:?}");
            for word in words {
                assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{word}");
            }
        }
    }

    #[test]
    fn a_place_has_one_text_and_one_reading_on_every_wire() {
        for text in ["bathroom-1/door-1", "stairs-1", "approach-1/step-3", "communal-hall-2/door-entry-12/switch-99"] {
            let place = place(text);
            assert_eq!(place.to_string(), text);
            let bytes = minicbor::to_vec(place).unwrap();
            assert_eq!(bytes, minicbor::to_vec(text).unwrap());
            assert_eq!(minicbor::decode::<Place>(&bytes).unwrap(), place);
            assert_eq!(serde_json::from_str::<Place>(&serde_json::to_string(&place).unwrap()).unwrap(), place);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_by_its_own_error() {
        use PlaceError::*;
        assert_eq!("ballroom-1".parse::<Place>(), Err(UnknownRoom("ballroom".into())));
        assert_eq!("door-1".parse::<Place>(), Err(UnknownRoom("door".into())));
        assert_eq!("hall-1/throne-1".parse::<Place>(), Err(UnknownFeature("throne".into())));
        assert_eq!("hall-1/hall-1".parse::<Place>(), Err(UnknownFeature("hall".into())));
        assert_eq!("hall-1/door-1/lock-1/handle-1".parse::<Place>(), Err(Segments(4)));
        assert_eq!("".parse::<Place>(), Err(Segments(0)));
        assert_eq!("hall-1/".repeat(20).parse::<Place>(), Err(TooLong(140)));
        for text in
            ["hall", "hall-", "hall-0", "hall-01", "hall-100", "hall-+1", "hall--1x", "hall-1/", "/hall-1", "hällé"]
        {
            assert!(matches!(text.parse::<Place>(), Err(Segment(_))), "{text}");
        }
        assert!(minicbor::decode::<Place>(&minicbor::to_vec("ballroom-1").unwrap()).unwrap_err().is_custom());
    }

    #[test]
    fn a_place_knows_its_room_and_what_it_is_within() {
        let lock = place("hall-1/door-2/lock-1");
        assert_eq!(lock.room(), place("hall-1"));
        assert_eq!((lock.room_word(), lock.word()), ("hall", "lock"));
        for outer in ["hall-1", "hall-1/door-2", "hall-1/door-2/lock-1"] {
            assert!(lock.is_within(&place(outer)), "{outer}");
        }
        for other in ["hall-2", "hall-1/door-1", "hall-1/door-2/lock-2"] {
            assert!(!lock.is_within(&place(other)), "{other}");
        }
        assert!(!place("hall-1").is_within(&lock));
    }

    #[test]
    fn what_is_in_a_place_moves_with_it_as_deep_as_a_place_goes() {
        let lock = place("hall-1/door-2/lock-1");
        let outwards: Vec<Place> = lock.outwards().collect();
        assert_eq!(outwards, ["hall-1/door-2/lock-1", "hall-1/door-2", "hall-1"].map(place));
        for (from, to, there) in [
            ("hall-1", "wc-3", Some("wc-3/door-2/lock-1")),
            ("hall-1/door-2", "wc-3", Some("wc-3/lock-1")),
            ("hall-1/door-2", "wc-3/gate-4", Some("wc-3/gate-4/lock-1")),
            ("hall-1/door-2/lock-1", "wc-3/gate-4/handle-2", Some("wc-3/gate-4/handle-2")),
            ("hall-1", "wc-3/gate-4", None),
            ("hall-1/door-2", "wc-3/gate-4/handle-2", None),
        ] {
            assert_eq!(lock.moved(&place(from), &place(to)), there.map(place), "{from} to {to}");
        }
    }

    #[test]
    fn places_stand_in_the_order_a_person_would_list_them() {
        let mut places = ["hall-10", "hall-2/door-1", "hall-2", "bathroom-1/door-10", "bathroom-1/door-9"].map(place);
        places.sort();
        assert_eq!(
            places.map(|place| place.to_string()),
            ["bathroom-1/door-9", "bathroom-1/door-10", "hall-2", "hall-2/door-1", "hall-10"]
        );
    }

    #[test]
    fn no_place_the_tables_allow_is_too_long() {
        let longest = |words: &[&str]| words.iter().map(|word| word.len()).max().unwrap() + 3;
        assert!(longest(ROOMS) + 2 * (longest(FEATURES) + 1) <= MOST_BYTES);
    }

    #[test]
    fn every_part_of_a_home_that_is_measured_has_a_place() {
        let places = "approach-1/path-1 approach-1/ramp-1 approach-1/gate-1 approach-1/step-1 approach-1/rail-1 \
                      approach-1/drop-1 entrance-1/door-1 entrance-1/door-1/threshold-1 entrance-1/door-1/nib-1 \
                      entrance-1/landing-1 entrance-1/door-1/handle-1 entrance-1/door-1/lock-1 entrance-1/door-entry-1 \
                      hall-1 hall-1/obstruction-1 hall-1/turning-space-1 corridor-1 stairs-1/riser-1 stairs-1/tread-1 \
                      stairs-1/winder-1 stairs-1/landing-1 stairs-1/rail-1 stairs-1/newel-1 stairs-1/radiator-1 \
                      landing-1 bedroom-1/bed-1 bedroom-1/ceiling-1 bedroom-1/socket-1 living-room-1/chair-1 wc-1/toilet-1 \
                      wc-1/toilet-1/flush-1 wc-1/roll-holder-1 wc-1/wall-1 bathroom-1/bath-1 bathroom-1/bath-1/tap-1 \
                      shower-room-1/shower-tray-1 wet-room-1/gulley-1 bathroom-1/shower-enclosure-1 bathroom-1/waste-1 \
                      bathroom-1/window-1 bathroom-1/basin-1 kitchen-1/worktop-1 kitchen-1/sink-1 kitchen-1/appliance-1 \
                      kitchen-1/cupboard-1 bedroom-1/joist-1 bedroom-1/track-1 living-room-1/lift-aperture-1 \
                      hall-1/switch-1 hall-1/consumer-unit-1 garden-1 balcony-1 yard-1 outhouse-1";
        for text in places.split_whitespace() {
            assert_eq!(place(text).to_string(), text);
        }
    }
}
