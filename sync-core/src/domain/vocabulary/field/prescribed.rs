//! Fields of each type of prescribed item: what it specifies. A dimension is what a surveyor builds by; the load a
//! thing must bear is `item.required-load` of every item.

use super::ValueKind::{Choice, Choices, Flag};
use super::prescription::{item, reason};
use super::{
    FieldSpec, LINE, PARAGRAPH, PLACE, SHORT, SIDE, SIDES, ValueKind, YES_NO_UNSURE, count, dimension, number,
};
use crate::domain::vocabulary::Unit;
use crate::domain::vocabulary::item::ItemKind;

/// Tables of one type of item, its name before each field's.
macro_rules! fields {
    ($($kind:ident $group:literal { $($how:ident $field:literal, $label:literal, $value:expr $(, $need:ident)?;)* })*) => {
        &[$($(
            $how(&[ItemKind::$kind], concat!($group, ".", $field), $label, $value)$(.$need())?,
        )*)*]
    };
}

const THERMOSTATIC: ValueKind = Choice(&["thermostatic-mixer", "thermostatic-electric", "existing", "pumped"]);
const FIXING: ValueKind =
    Choice(&["solid-wall", "cavity-wall", "stud-with-pattress", "floor", "wall-to-floor", "fold-down"]);
const SURFACE: ValueKind =
    Choice(&["slip-resistant-concrete", "tarmac", "slabs", "timber-with-grip", "aluminium", "grp", "other"]);
const CONTRAST: ValueKind = Choice(&["white", "blue", "dark", "contrast-with-wall", "no-preference"]);

pub(super) const FIELDS: &[FieldSpec] = fields! {
    LevelAccessShower "level-access-shower" {
        item "floor", "Floor", Choice(&["wet-floor", "level-tray", "low-tray"]), expected;
        item "area-length", "Showering area: length", dimension(700, 2500), expected;
        item "area-width", "Showering area: width", dimension(700, 2500), expected;
        item "door-position", "Door position", LINE;
        item "door-clear-width", "Door clear opening width", dimension(600, 1500);
        item "fall", "Fall over the showering area", dimension(5, 60);
        item "drainage", "Gulley or waste", Choice(&["gravity-gulley", "pumped-waste", "existing-waste", "surveyor-to-advise"]);
        item "screening", "Doors or curtain", Choice(&["half-height-doors", "full-height-doors", "curtain", "half-height-doors-and-curtain", "fixed-screen", "none"]), expected;
        item "seat", "Seat", Choice(&["none", "fold-down", "fold-down-with-arms", "freestanding", "wheeled-chair"]), expected;
        item "seat-side", "Seat: side, facing the shower", SIDE;
        item "seat-height", "Seat height", dimension(350, 600);
        item "rails", "Rails: position, height, orientation, length (or as grab rail items)", PARAGRAPH;
        item "control", "Control", THERMOSTATIC, expected;
        item "control-height", "Control height", dimension(700, 1300), expected;
        item "control-side", "Control: side, facing the shower", SIDE;
        item "head-lowest", "Shower head riser: lowest", dimension(700, 1600);
        item "head-highest", "Shower head riser: highest", dimension(1200, 2200);
        item "basin-re-siting", "Basin to be re-sited", LINE;
        item "wc-re-siting", "WC to be re-sited", LINE;
        item "flooring", "Flooring: slip rating", Choice(&["r10", "r11", "ptv-36-wet", "as-manufacturer"]);
        item "heating", "Heating", LINE;
        item "extractor", "Extractor", Flag;
        item "lighting", "Light", LINE;
        item "wall-strengthening", "Wall strengthening", LINE;
        item "bath-removed", "Bath to be removed", YES_NO_UNSURE, expected;
        reason "transfer", "How the client will transfer and be helped", PARAGRAPH;
    }
    OverBathShower "over-bath-shower" {
        item "control", "Control", THERMOSTATIC, expected;
        item "control-side", "Control: side, facing the taps", SIDE, expected;
        item "control-height", "Control height", dimension(700, 1500);
        item "head-lowest", "Shower head riser: lowest", dimension(700, 1600);
        item "head-highest", "Shower head riser: highest", dimension(1200, 2300);
        item "screen", "Screen", Choice(&["curtain", "half-screen", "folding-screen", "full-screen", "none"]), expected;
        item "rails", "Rail set (or as grab rail items)", PARAGRAPH;
        item "bath-aid", "Bath board or seat it must suit", Choice(&["none", "bath-board", "bath-seat", "swivel-seat", "bath-lift"]), expected;
        item "rim-height", "Bath rim height", dimension(350, 800);
        item "internal-width", "Bath width, inside", dimension(350, 1000);
        item "tiling", "Tiling", LINE;
        reason "transfer", "How the client will transfer and be helped", PARAGRAPH;
    }
    Stairlift "stairlift" {
        item "track", "Track", Choice(&["straight", "curved", "two-straight"]), expected;
        item "side", "Side, going up", SIDE, expected;
        item "seating", "Seating", Choice(&["seated", "perch", "standing", "platform"]), expected;
        item "seat-height", "Seat height", dimension(350, 700), expected;
        item "seat-width", "Seat width, between the arms", dimension(350, 700);
        item "footrest-clearance", "Footrest clearance", dimension(300, 800);
        item "rail", "Rail at the bottom", Choice(&["fixed", "hinged-powered", "hinged-manual", "slide-track"]);
        item "swivel", "Swivel at the top", Choice(&["manual", "powered", "none"]);
        item "park-position", "Park position", Choice(&["top", "bottom", "round-corner-top", "round-corner-bottom"]);
        item "control-side", "Arm or joystick side, seated", SIDE, expected;
        item "stairs", "Number of stairs", count(1, 40), expected;
        item "stair-clear-width", "Stair clear width", dimension(450, 2000), expected;
        item "clear-width-remaining", "Width remaining for others", dimension(200, 1500), expected;
        item "call-stations", "Call stations", Choice(&["top-and-bottom", "with-carer-control", "none"]);
        item "second-user", "Second user", Flag;
        item "harness", "Belt or harness", Choice(&["lap-belt", "retractable-belt", "harness", "none"]);
        item "obstructions", "Door, radiator or window in the way", LINE;
        reason "user-control", "Client's cognition and trunk control for the ride", PARAGRAPH, expected;
        reason "transfer", "How the client will get on and off", PARAGRAPH;
    }
    ThroughFloorLift "through-floor-lift" {
        item "room-below", "Room below", PLACE, expected;
        item "room-above", "Room above", PLACE, expected;
        item "car-length", "Car length", dimension(700, 1600), expected;
        item "car-width", "Car width", dimension(600, 1300), expected;
        item "carries", "Carries", Choice(&["wheelchair-user", "wheelchair-user-and-attendant", "standing-user", "seated-user"]), expected;
        item "door-side-below", "Door side below", Choice(&["front", "left", "right", "rear", "through"]);
        item "door-side-above", "Door side above", Choice(&["front", "left", "right", "rear", "through"]);
        item "aperture-length", "Aperture length", dimension(800, 2000);
        item "aperture-width", "Aperture width", dimension(700, 1700);
        item "controls", "Call and attendant controls", LINE;
        item "control-height", "Control height", dimension(700, 1300);
        item "structure", "Structure", LINE;
        item "fire-stopping", "Fire-stopping", LINE;
        item "egress", "Escape if it stops", LINE, expected;
        reason "transfer", "How the client will get in and out", PARAGRAPH;
    }
    Ramp "ramp" {
        item "construction", "Construction", Choice(&["permanent", "modular", "portable"]), expected;
        item "start-level", "Start level, from finished floor level", dimension(-3000, 3000), expected;
        item "finish-level", "Finish level, from finished floor level", dimension(-3000, 3000), expected;
        item "total-rise", "Total rise", dimension(20, 3000), expected;
        item "total-going", "Total going", dimension(200, 40000);
        item "flights", "Flights", count(1, 10);
        item "flight-rise", "Rise of the steepest flight", dimension(20, 1000);
        item "flight-going", "Going of that flight", dimension(200, 12000);
        item "flights-each", "Rise and going of each flight, in order", LINE;
        item "width", "Width between kerbs", dimension(700, 2500), expected;
        item "landing-top", "Top landing: length", dimension(600, 3000), expected;
        item "landing-bottom", "Bottom landing: length", dimension(600, 3000);
        item "landing-intermediate", "Intermediate landing: length", dimension(600, 3000);
        item "landing-turn", "Turn: length", dimension(600, 3000);
        item "kerb-height", "Kerb height", dimension(50, 250);
        item "rail-sides", "Rails", SIDES;
        item "rail-height", "Rail height", dimension(600, 1200);
        item "rail-second-height", "Second, lower rail: height", dimension(400, 900);
        item "surface", "Surface", SURFACE;
        item "threshold", "Threshold", LINE, expected;
        item "door-swing", "Door swing", Choice(&["in", "out-over-landing", "sliding"]);
        item "guarding", "Guarding", LINE;
        item "drainage", "Drainage and damp-proof course", LINE;
    }
    HalfSteps "half-steps" {
        item "steps", "Number", count(1, 6), expected;
        item "rise", "Rise of each", dimension(50, 200), expected;
        item "tread-depth", "Tread depth", dimension(250, 1200), expected;
        item "width", "Width", dimension(400, 2500), expected;
        item "fixing", "Fixed or portable", Choice(&["fixed", "portable"]), expected;
        item "rail-side", "Rail", SIDES;
        item "rail-length", "Rail length", dimension(200, 2500);
        item "rail-height", "Rail height", dimension(600, 1200);
        item "material", "Material", SURFACE;
        item "nosing", "Contrasting nosing", Flag;
    }
    GrabRail "grab-rail" {
        item "wall", "Wall", LINE, expected;
        item "orientation", "Orientation", Choice(&["vertical", "horizontal", "diagonal-45", "drop-down", "angled"]), expected;
        item "height", "Height from finished floor level to the stated point", dimension(200, 2000), expected;
        item "height-point", "Height is to", Choice(&["centre", "lower-end", "upper-end", "lower-fixing", "top-of-rail"]), expected;
        item "offset", "Offset from the edge", dimension(0, 2500);
        item "offset-from", "Offset is from", SHORT;
        item "length", "Length", dimension(200, 1800), expected;
        item "diameter", "Diameter", dimension(25, 50);
        item "wall-clearance", "Clearance from the wall", dimension(30, 100);
        item "hand", "Hand", SIDES;
        item "wall-type", "Wall type and fixing", FIXING, expected;
        item "colour-contrast", "Colour contrast", CONTRAST;
        item "finish", "Finish", Choice(&["fluted-plastic", "coated-metal", "stainless-steel", "wood", "exterior"]);
    }
    StairRail "stair-rail" {
        item "side", "Side, going up", SIDES, expected;
        item "height", "Height above pitch line", dimension(600, 1200), expected;
        item "length", "Length", dimension(300, 8000);
        item "start-extension", "Extension before the first riser", dimension(0, 1000), expected;
        item "end-extension", "Extension after the last riser", dimension(0, 1000), expected;
        item "profile", "Profile", Choice(&["mop-stick", "pigs-ear", "round-metal", "existing-to-match"]), expected;
        item "diameter", "Diameter", dimension(30, 60);
        item "brackets", "Brackets", LINE;
        item "newel", "Newel rail", Choice(&["none", "top", "bottom", "both"]);
        item "wall-type", "Wall type and fixing", FIXING;
        item "clear-width-remaining", "Width remaining on the stair", dimension(400, 2000);
    }
    DoorWidening "door-widening" {
        item "door", "Door", PLACE, expected;
        item "current-clear-width", "Clear opening width now", dimension(400, 1500), expected;
        item "required-clear-width", "Clear opening width required", dimension(600, 1500), expected;
        item "operation", "Hinge, swing or sliding", Choice(&["hinged-in", "hinged-out", "sliding", "pocket", "folding", "double-swing", "open-archway"]), expected;
        item "hinge-side", "Hinge side, from the side it opens towards", SIDE;
        item "threshold", "Threshold", Choice(&["level", "low", "existing", "ramped"]);
        item "threshold-height", "Threshold height", dimension(0, 150);
        item "handles", "Handles", Choice(&["lever", "d-pull", "existing", "kick-plate-and-lever"]);
        item "handle-height", "Handle height", dimension(700, 1200);
        item "lintel", "Structural lintel", Choice(&["needed", "not-needed", "surveyor-to-advise"]);
        item "nib", "Nib: space beside the leading edge", dimension(0, 1000);
        item "automatic", "Automatic opener", Choice(&["none", "powered", "powered-with-entry"]);
    }
    CeilingTrackHoist "ceiling-track-hoist" {
        item "rooms", "Rooms", LINE, expected;
        item "layout", "Track layout", Choice(&["straight", "curve", "x-y", "room-to-room"]), expected;
        item "track-length", "Track length", dimension(500, 20000), expected;
        item "lifting-range", "Lifting range needed", dimension(800, 2500);
        item "ceiling-height", "Ceiling height on the route", dimension(1800, 4500);
        item "spreader", "Spreader", Choice(&["two-point", "four-point", "powered-tilt", "compact", "supplier-to-advise"]);
        item "sling", "Sling type (prescribed apart)", SHORT, expected;
        item "motor-side", "Motor side", SIDE;
        item "traverse", "Traverse", Choice(&["manual", "powered"]);
        item "charge-point", "Charge point", LINE;
        item "ceiling-construction", "Ceiling construction", LINE, expected;
        item "door-header", "Door header treatment", Choice(&["none", "cut-out", "transfer-between-tracks", "full-height-door", "surveyor-to-advise"]);
        item "emergency-lowering", "Lowering when the power fails", LINE;
        reason "handling-plan", "Who will use it, with what training", PARAGRAPH;
    }
    WashDryWc "wash-dry-wc" {
        item "model", "Model features", PARAGRAPH, expected;
        item "height", "Height to the top of the seat", dimension(380, 600), expected;
        item "controls", "Controls", Choice(&["remote", "elbow", "touch", "head", "foot", "attendant", "automatic"]), expected;
        item "control-side", "Control: side, seated", SIDE;
        item "power", "Power supply", Choice(&["existing-spur", "new-spur", "surveyor-to-advise"]), expected;
        item "water", "Water supply", Choice(&["existing-cold", "new-cold", "surveyor-to-advise"]), expected;
        item "cistern", "Cistern", Choice(&["close-coupled", "low-level", "concealed", "existing"]);
        item "rails", "Rails (or as grab rail items)", PARAGRAPH;
        item "transfer-side", "Transfer side, seated", SIDES, expected;
        item "transfer-space", "Clear space at the transfer side", dimension(0, 2000);
        item "centreline", "Centreline to the side wall", dimension(200, 2000);
        item "seat", "Seat", Choice(&["standard", "soft", "wide-aperture", "child", "raised"]);
        reason "self-care", "What the client manages with it and without", PARAGRAPH;
    }
    Kitchen "kitchen" {
        item "worktop-height", "Work height, fixed", dimension(600, 1050);
        item "worktop-lowest", "Work height, adjustable: lowest", dimension(550, 950);
        item "worktop-highest", "Work height, adjustable: highest", dimension(700, 1200);
        item "adjustment", "Work heights", Choice(&["fixed", "manual", "powered"]), expected;
        item "sink", "Sink", Choice(&["shallow", "shallow-insulated", "existing", "height-adjustable"]), expected;
        item "sink-depth", "Sink depth", dimension(80, 250);
        item "taps", "Taps", Choice(&["lever", "sensor", "existing"]);
        item "hob", "Hob", Choice(&["induction", "ceramic", "gas-with-cut-off", "existing", "split-level"]), expected;
        item "oven", "Oven", Choice(&["side-opening", "drop-door", "slide-away-door", "existing"]), expected;
        item "oven-height", "Oven shelf height", dimension(400, 1200);
        item "knee-height", "Knee space: height", dimension(550, 800);
        item "knee-depth", "Knee space: depth", dimension(300, 700);
        item "knee-width", "Knee space: width", dimension(600, 1500);
        item "storage-highest", "Storage reach: highest", dimension(800, 1800);
        item "storage-lowest", "Storage reach: lowest", dimension(100, 800);
        item "aisle-width", "Aisle", dimension(800, 3000), expected;
        item "task-zone", "Task zone", Choices(&["prepare", "cook", "wash-up", "hot-drink", "microwave", "laundry"]), expected;
        item "sockets", "Sockets and switches within reach", LINE;
    }
    Extension "extension" {
        item "brief", "Functional brief", PARAGRAPH, expected;
        item "facilities", "Facilities", Choices(&["bed-space", "shower", "wc", "basin", "hoist", "turning-space", "storage", "wheelchair-charging", "carer-space", "kitchen-access"]), expected;
        item "bed-space-length", "Bed space: length", dimension(2000, 6000);
        item "bed-space-width", "Bed space: width", dimension(1500, 6000);
        item "transfer-side", "Transfer side, lying on the back", SIDES;
        item "transfer-space", "Clear space at the transfer side", dimension(600, 2500);
        item "turning", "Turning space: diameter", dimension(900, 2500), expected;
        item "shower-length", "Shower: length", dimension(700, 2500);
        item "shower-width", "Shower: width", dimension(700, 2500);
        item "door-clear-width", "Door clear opening width", dimension(700, 1500);
        item "hoist", "Hoist", Flag;
        item "adjacency", "Adjacency: what must be beside what", PARAGRAPH;
        item "storey", "Storey", number(Unit::Count, -1, 20);
        item "form", "How provided", Choice(&["extension", "conversion-of-room", "conversion-of-garage", "modular-building", "loft"]), expected;
        item "planning", "Planning and building control", LINE;
        reason "existing-space", "Why existing space cannot serve", PARAGRAPH, expected;
    }
    EquipmentItem "equipment-item" {
        item "name", "Item", SHORT, expected;
        item "catalogue", "Catalogue number", SHORT;
        item "iso-9999", "ISO 9999 code (cc ss dd)", ValueKind::Text { most: 8 };
        item "size", "Size", SHORT;
        item "seat-height", "Seat height", dimension(250, 900);
        item "height", "Height", dimension(50, 2000);
        item "width", "Width", dimension(50, 2500);
        item "source", "Source", Choice(&["store-stock", "store-recycled", "special-order", "private-purchase"]), expected;
        item "delivery", "Delivery", Choice(&["deliver-and-fit", "deliver", "collect", "left-by-assessor"]), expected;
        item "delivery-instructions", "Delivery instructions", LINE;
        item "demonstration", "Demonstration", Choice(&["by-ot", "by-assistant", "by-store", "by-supplier", "not-needed"]);
    }
};
