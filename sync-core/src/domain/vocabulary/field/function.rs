//! Fields of function: for each activity how it is done, what is hard about it, and which Care Act outcome hangs on
//! it (SI 2015/313 reg 2).

use super::ValueKind::{Choice, Choices, Flag};
use super::clinical::{CARE_ACT_OUTCOMES, clinical};
use super::{FieldSpec, LINE, Need, ValueKind, mm, number};
use crate::domain::vocabulary::Unit;

const LEVEL: ValueKind = Choice(&[
    "independent",
    "independent-with-equipment",
    "supervision",
    "assistance-of-1",
    "assistance-of-2",
    "hoist",
    "unable",
    "not-assessed",
]);

/// How much: of pain, distress or anxiety; of danger to the person or others; of time.
const DEGREE: ValueKind = Choice(&["none", "some", "significant", "not-assessed"]);

/// One row of fields for each activity. Those that decide whether the essential facilities can be used (WC, bed,
/// washing, stairs, the way in) are expected of every assessment; the others where they matter.
macro_rules! activities {
    ($($activity:literal, $label:literal, $need:ident;)*) => {
        &[
            $(
                FieldSpec { need: Need::$need, ..clinical(concat!("function.", $activity, ".level"), $label, LEVEL) },
                clinical(concat!("function.", $activity, ".pain"), concat!($label, ": pain, distress or anxiety"), DEGREE),
                clinical(concat!("function.", $activity, ".risk"), concat!($label, ": danger to self or others"), DEGREE),
                clinical(concat!("function.", $activity, ".time"), concat!($label, ": takes longer"), DEGREE),
                clinical(concat!("function.", $activity, ".fluctuates"), concat!($label, ": fluctuates"), Flag),
                clinical(concat!("function.", $activity, ".outcome"), concat!($label, ": Care Act outcomes"), Choices(CARE_ACT_OUTCOMES)),
                clinical(concat!("function.", $activity, ".detail"), concat!($label, ": how"), LINE),
            )*
            clinical("function.standing-tolerance", "Standing tolerance", number(Unit::Minute, 0, 120)),
            clinical("function.sitting-balance", "Sitting balance", Choice(&["good", "fair", "poor", "none", "not-assessed"])),
            clinical("function.reach-up", "Reach up from the floor, standing or seated as usual", mm(600, 2300)),
            clinical("function.reach-down", "Reach down to, from the floor", mm(0, 1000)),
            clinical("function.reach-forward", "Reach forward", mm(100, 900)),
            clinical("function.grip-left", "Grip, left", Choice(&["full", "reduced", "none", "not-assessed"])),
            clinical("function.grip-right", "Grip, right", Choice(&["full", "reduced", "none", "not-assessed"])),
        ]
    };
}

pub(super) const FIELDS: &[FieldSpec] = activities! {
    "indoor-mobility", "Indoor mobility", Expected;
    "outdoor-mobility", "Outdoor mobility", Optional;
    "stairs", "Stairs", Expected;
    "steps", "Steps", Expected;
    "car", "Car", Optional;
    "chair-transfer", "Chair transfer", Optional;
    "bed-transfer", "Bed transfer", Expected;
    "wc-transfer", "WC transfer", Expected;
    "bath-transfer", "Bath transfer", Optional;
    "shower-transfer", "Shower transfer", Optional;
    "wheelchair-transfer", "Wheelchair transfer", Optional;
    "standing", "Standing", Optional;
    "reach", "Reach", Optional;
    "grip", "Grip", Optional;
    "washing-upper", "Washing, upper body", Expected;
    "washing-lower", "Washing, lower body", Expected;
    "dressing", "Dressing", Optional;
    "toileting", "Toileting", Expected;
    "feeding", "Feeding", Optional;
    "meal", "Preparing a meal", Optional;
    "hot-drink", "Making a hot drink", Optional;
    "domestic", "Domestic tasks", Optional;
    "medication", "Taking medication", Optional;
};
