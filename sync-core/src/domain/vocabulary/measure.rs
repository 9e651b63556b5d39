//! Measures: what can be read of a place. A reading is one immutable value of one measure at one place.

use std::sync::LazyLock;

use minicbor::{Decode, Encode};

use super::{Unit, handle, words};

mod home;
mod rooms;

words! {
    /// Which part of the measurements table a measure stands in: how a person finds it on a screen.
    pub enum Area = "an area of the measurements" {
        /// From the street to the door.
        Approach = "approach",
        /// Any door, outer or inner.
        Entrance = "entrance",
        /// Halls, landings, room to turn.
        Circulation = "circulation",
        /// Stairs.
        Stairs = "stairs",
        /// Bedroom.
        Bedroom = "bedroom",
        /// Chairs.
        Chair = "chair",
        /// WC.
        Wc = "wc",
        /// Bath and shower.
        BathShower = "bath-shower",
        /// Basin and kitchen.
        BasinKitchen = "basin-kitchen",
        /// Hoists and lifts.
        HoistLift = "hoist-lift",
        /// Sockets, switches, handles, supplies.
        Services = "services",
    }
}

words! {
    /// Which of two agreeing readings is the safer one to show and to build by.
    pub enum Safer = "a side to err on" {
        /// The smaller one: of a door that a wheelchair must pass.
        Smaller = "smaller",
        /// The larger one: of a step that a ramp must reach.
        Larger = "larger",
    }
}

words! {
    /// How a reading was taken.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub enum Method = "a method of measuring" {
        /// With a tape or rule.
        #[n(0)] Tape = "tape",
        /// With a laser measure.
        #[n(1)] Laser = "laser",
        /// By eye or by hearsay: never good enough for a critical dimension.
        #[n(2)] Estimate = "estimate",
        /// Taken off a plan, not the building.
        #[n(3)] Plan = "plan",
    }
}

/// What the vocabulary says of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasureSpec {
    /// As documents store it, for ever.
    pub name: &'static str,
    /// Under which heading it is found.
    pub area: Area,
    /// What the value counts; [`Unit::Code`] for what is seen rather than measured.
    pub unit: Unit,
    /// Smallest and largest value that raises no finding. Outside it is doubtful, never refused.
    pub plausible: (i32, i32),
    /// Which of two agreeing readings to show and to build by.
    pub safer: Safer,
    /// How far two readings may differ, in the unit, before they clash: 5 mm for lengths, 0 for counts and codes.
    pub tolerance: i32,
    /// For people.
    pub label: &'static str,
}

impl MeasureSpec {
    /// A length in millimetres.
    const fn mm(name: &'static str, area: Area, plausible: (i32, i32), safer: Safer, label: &'static str) -> Self {
        Self { name, area, unit: Unit::Millimetre, plausible, safer, tolerance: 5, label }
    }

    /// A count, which two people must agree on exactly.
    const fn count(name: &'static str, area: Area, plausible: (i32, i32), safer: Safer, label: &'static str) -> Self {
        Self { name, area, unit: Unit::Count, plausible, safer, tolerance: 0, label }
    }

    /// One of `words`, which two people must agree on exactly.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // tables of a dozen words
    const fn code(name: &'static str, area: Area, words: &'static [&'static str], label: &'static str) -> Self {
        let plausible = (0, words.len() as i32 - 1);
        Self { name, area, unit: Unit::Code(words), plausible, safer: Safer::Smaller, tolerance: 0, label }
    }

    /// Whether `value` raises no finding.
    pub const fn is_plausible(&self, value: i32) -> bool {
        self.plausible.0 <= value && value <= self.plausible.1
    }

    /// Whether two readings agree, that is, differ by no more than the tolerance.
    pub const fn agree(&self, a: i32, b: i32) -> bool {
        a.abs_diff(b) <= self.tolerance.unsigned_abs()
    }

    /// The one of two agreeing values that is safer to show and to build by.
    pub const fn safer_of(&self, a: i32, b: i32) -> i32 {
        match self.safer {
            Safer::Smaller => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            Safer::Larger => {
                if a > b {
                    a
                } else {
                    b
                }
            }
        }
    }

    /// The value of a code's word, or of a number written out; `None` for anything else.
    pub fn read(&self, text: &str) -> Option<i32> {
        match self.unit {
            Unit::Code(words) => {
                words.iter().position(|word| *word == text).and_then(|index| i32::try_from(index).ok())
            }
            _ => text.parse().ok(),
        }
    }
}

static TABLE: LazyLock<Vec<&'static MeasureSpec>> = LazyLock::new(|| {
    let mut table: Vec<_> = home::MEASURES.iter().chain(rooms::MEASURES).collect();
    table.sort_by_key(|spec| spec.name);
    table
});

/// A measure of the vocabulary. Ordered by name; JSON and CBOR carry the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Measure(u16);

handle!(Measure, MeasureSpec, "a measure", TABLE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_lower_case_kebab() {
        let names: Vec<_> = Measure::all().map(Measure::name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "a name twice");
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert_eq!(Measure::named(name).unwrap().name(), name);
        }
        assert_eq!(Measure::named("door-clear-width "), None);
    }

    #[test]
    fn ranges_are_ordered_and_every_area_has_measures() {
        for measure in Measure::all() {
            let spec = measure.spec();
            assert!(spec.plausible.0 < spec.plausible.1, "{measure}");
            assert!(spec.tolerance >= 0, "{measure}");
            assert!(!spec.label.is_empty(), "{measure}");
        }
        for area in Area::ALL {
            assert!(Measure::all().any(|measure| measure.spec().area == *area), "{area}");
        }
    }

    #[test]
    fn the_ranges_of_the_hazard_log_are_the_ranges_here() {
        for (name, range) in [("door-clear-width", (400, 1500)), ("stair-rise", (80, 260)), ("bed-height", (250, 900))]
        {
            assert_eq!(Measure::named(name).unwrap().spec().plausible, range);
        }
        // A door in centimetres, and one with a digit too many.
        let door = Measure::named("door-clear-width").unwrap().spec();
        assert!(!door.is_plausible(76) && !door.is_plausible(7620) && door.is_plausible(762));
    }

    #[test]
    fn agreeing_readings_show_the_safer_and_others_clash() {
        let door = Measure::named("door-clear-width").unwrap().spec();
        assert!(door.agree(760, 765) && !door.agree(760, 766) && !door.agree(i32::MIN, i32::MAX));
        assert_eq!(door.safer_of(760, 765), 760);
        let rise = Measure::named("stair-rise").unwrap().spec();
        assert_eq!(rise.safer_of(190, 193), 193);
        let hinge = Measure::named("door-hinge-side").unwrap().spec();
        assert!(!hinge.agree(0, 1));
    }

    #[test]
    fn a_level_difference_has_a_sign() {
        let level = Measure::named("floor-level-difference").unwrap().spec();
        assert!(level.is_plausible(-150) && level.is_plausible(150));
    }

    #[test]
    fn a_code_is_read_and_shown_by_its_word() {
        let hinge = Measure::named("door-hinge-side").unwrap().spec();
        let left = hinge.read("left").unwrap();
        assert_eq!(hinge.unit.show(left.into()), "left");
        assert_eq!(hinge.read("up"), None);
        assert_eq!(Measure::named("door-clear-width").unwrap().spec().read("762"), Some(762));
    }

    #[test]
    fn a_measure_travels_by_name_and_an_unknown_one_is_refused() {
        for measure in Measure::all() {
            let bytes = minicbor::to_vec(measure).unwrap();
            assert_eq!(minicbor::decode::<Measure>(&bytes).unwrap(), measure);
            let json = serde_json::to_string(&measure).unwrap();
            assert_eq!(serde_json::from_str::<Measure>(&json).unwrap(), measure);
        }
        assert!(minicbor::decode::<Measure>(&minicbor::to_vec("shoe-size").unwrap()).unwrap_err().is_custom());
        assert_eq!(minicbor::to_vec(Method::Plan).unwrap(), [3]);
        assert_eq!("estimate".parse(), Ok(Method::Estimate));
    }
}
