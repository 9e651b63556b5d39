//! Items: subjects inside a document that have fields of their own.

use minicbor::{Decode, Encode};

use super::words;
use crate::domain::kind::Kind;

words! {
    /// What an item is. Its kind of document follows from it; its fields are in [`super::field`].
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub enum ItemKind = "a kind of item" {
        /// A piece of equipment in the home, whoever owns it.
        #[n(0)] Equipment = "equipment",
        /// Something a visitor must know before entering: a dog, a history of violence, an unsafe stair.
        #[n(1)] VisitorRisk = "visitor-risk",
        /// A goal of the client's, scored by the client before and after.
        #[n(2)] Outcome = "outcome",
        /// A referral made to somebody else.
        #[n(3)] Referral = "referral",
        /// Level-access shower.
        #[n(4)] LevelAccessShower = "level-access-shower",
        /// Shower over a bath.
        #[n(5)] OverBathShower = "over-bath-shower",
        /// Stairlift.
        #[n(6)] Stairlift = "stairlift",
        /// Through-floor lift.
        #[n(7)] ThroughFloorLift = "through-floor-lift",
        /// Ramp, permanent or modular.
        #[n(8)] Ramp = "ramp",
        /// Half steps.
        #[n(9)] HalfSteps = "half-steps",
        /// Grab rail.
        #[n(10)] GrabRail = "grab-rail",
        /// Banister or stair rail.
        #[n(11)] StairRail = "stair-rail",
        /// Door widening.
        #[n(12)] DoorWidening = "door-widening",
        /// Ceiling track hoist.
        #[n(13)] CeilingTrackHoist = "ceiling-track-hoist",
        /// Wash-dry WC.
        #[n(14)] WashDryWc = "wash-dry-wc",
        /// Kitchen adaptation.
        #[n(15)] Kitchen = "kitchen",
        /// Extension or ground-floor facilities.
        #[n(16)] Extension = "extension",
        /// An item of equipment from the store.
        #[n(17)] EquipmentItem = "equipment-item",
        /// A surveyor's answers about one prescribed item.
        #[n(18)] ItemCheck = "item-check",
        /// What a surveyor proposes instead.
        #[n(19)] Alternative = "alternative",
        /// A score by a named tool: its total, never its items' text, which is others' copyright.
        #[n(20)] ToolScore = "tool-score",
    }
}

/// Everything that can be prescribed.
pub const PRESCRIBED: &[ItemKind] = &[
    ItemKind::LevelAccessShower,
    ItemKind::OverBathShower,
    ItemKind::Stairlift,
    ItemKind::ThroughFloorLift,
    ItemKind::Ramp,
    ItemKind::HalfSteps,
    ItemKind::GrabRail,
    ItemKind::StairRail,
    ItemKind::DoorWidening,
    ItemKind::CeilingTrackHoist,
    ItemKind::WashDryWc,
    ItemKind::Kitchen,
    ItemKind::Extension,
    ItemKind::EquipmentItem,
];

/// What lifts the whole of a person: without the load it must bear nothing holds it against their weight (hazard H16).
pub const LIFTS: &[ItemKind] = &[ItemKind::Stairlift, ItemKind::ThroughFloorLift, ItemKind::CeilingTrackHoist];

impl ItemKind {
    /// The kind of document such an item lives in.
    pub const fn kind_of_document(self) -> Kind {
        match self {
            Self::Equipment | Self::VisitorRisk => Kind::Home,
            Self::Outcome | Self::Referral | Self::ToolScore => Kind::Clinical,
            Self::LevelAccessShower
            | Self::OverBathShower
            | Self::Stairlift
            | Self::ThroughFloorLift
            | Self::Ramp
            | Self::HalfSteps
            | Self::GrabRail
            | Self::StairRail
            | Self::DoorWidening
            | Self::CeilingTrackHoist
            | Self::WashDryWc
            | Self::Kitchen
            | Self::Extension
            | Self::EquipmentItem => Kind::Prescription,
            Self::ItemCheck | Self::Alternative => Kind::Survey,
        }
    }

    /// Whether it is something prescribed.
    pub fn is_prescribed(self) -> bool {
        self.kind_of_document() == Kind::Prescription
    }

    /// Whether a prescribed item changes the building rather than being put into it: an adaptation, to which the
    /// £1,000 limit of the minor route applies, and not an aid or equipment.
    pub fn is_adaptation(self) -> bool {
        self.is_prescribed() && self != Self::EquipmentItem
    }

    /// What it is called on a screen or printout.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Equipment => "Equipment in the home",
            Self::VisitorRisk => "Risk to visitors",
            Self::Outcome => "Goal",
            Self::Referral => "Referral",
            Self::LevelAccessShower => "Level-access shower",
            Self::OverBathShower => "Over-bath shower",
            Self::Stairlift => "Stairlift",
            Self::ThroughFloorLift => "Through-floor lift",
            Self::Ramp => "Ramp",
            Self::HalfSteps => "Half steps",
            Self::GrabRail => "Grab rail",
            Self::StairRail => "Stair rail",
            Self::DoorWidening => "Door widening",
            Self::CeilingTrackHoist => "Ceiling track hoist",
            Self::WashDryWc => "Wash-dry WC",
            Self::Kitchen => "Kitchen adaptation",
            Self::Extension => "Extension or ground-floor facilities",
            Self::EquipmentItem => "Equipment",
            Self::ItemCheck => "Check of an item",
            Self::Alternative => "Alternative proposed",
            Self::ToolScore => "Score by a named tool",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_kinds_keep_their_numbers_and_travel_by_name_in_json() {
        for (number, item) in ItemKind::ALL.iter().enumerate() {
            let number = u8::try_from(number).unwrap();
            assert_eq!(minicbor::decode::<ItemKind>(&minicbor::to_vec(number).unwrap()).unwrap(), *item);
            assert_eq!(item.name().parse(), Ok(*item));
            let json = serde_json::to_string(item).unwrap();
            assert_eq!(serde_json::from_str::<ItemKind>(&json).unwrap(), *item);
        }
        assert_eq!(minicbor::to_vec(ItemKind::Alternative).unwrap(), minicbor::to_vec(19u8).unwrap());
    }

    #[test]
    fn what_is_prescribed_is_listed_once() {
        let by_kind: Vec<ItemKind> = ItemKind::ALL.iter().copied().filter(|item| item.is_prescribed()).collect();
        assert_eq!(by_kind, PRESCRIBED);
        assert!(ItemKind::GrabRail.is_adaptation() && !ItemKind::EquipmentItem.is_adaptation());
    }
}
