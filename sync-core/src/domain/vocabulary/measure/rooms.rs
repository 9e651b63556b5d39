//! Measures of what stands in a room: bed, chair, WC, bath and shower, basin, kitchen.

use super::Area::{BasinKitchen, BathShower, Bedroom, Chair, Wc};
use super::MeasureSpec;
use super::Safer::{Larger, Smaller};

#[rustfmt::skip] // one measure a line
pub(super) const MEASURES: &[MeasureSpec] = &[
    // Bedroom
    MeasureSpec::mm("bed-height", Bedroom, (250, 900), Smaller, "Bed height, compressed"),
    MeasureSpec::mm("bed-length", Bedroom, (1500, 2400), Larger, "Bed length"),
    MeasureSpec::mm("bed-width", Bedroom, (700, 2200), Larger, "Bed width"),
    MeasureSpec::code("bed-type", Bedroom, &["single", "double", "divan", "profiling", "hospital", "water", "sofa-bed", "cot", "other"], "Bed type"),
    MeasureSpec::mm("bed-space-left", Bedroom, (0, 5000), Smaller, "Space at the bed's left side, lying on the back"),
    MeasureSpec::mm("bed-space-right", Bedroom, (0, 5000), Smaller, "Space at the bed's right side, lying on the back"),
    MeasureSpec::mm("bed-space-foot", Bedroom, (0, 5000), Smaller, "Space at the bed's foot"),
    // Chair
    MeasureSpec::mm("chair-seat-height", Chair, (250, 750), Smaller, "Chair seat height, compressed"),
    MeasureSpec::mm("chair-seat-depth", Chair, (300, 750), Smaller, "Chair seat depth"),
    MeasureSpec::mm("chair-width-between-arms", Chair, (350, 900), Smaller, "Width between the arms"),
    MeasureSpec::mm("chair-arm-height", Chair, (100, 400), Smaller, "Arm height above the seat"),
    // WC
    MeasureSpec::mm("wc-seat-height", Wc, (300, 650), Smaller, "WC height to the top of the seat"),
    MeasureSpec::mm("wc-centreline-left", Wc, (150, 4000), Smaller, "WC centreline to the wall at the left, seated"),
    MeasureSpec::mm("wc-centreline-right", Wc, (150, 4000), Smaller, "WC centreline to the wall at the right, seated"),
    MeasureSpec::mm("wc-projection", Wc, (400, 1000), Smaller, "WC projection from the rear wall"),
    MeasureSpec::mm("wc-clear-front", Wc, (100, 5000), Smaller, "Clear space in front of the WC"),
    MeasureSpec::mm("wc-clear-transfer-side", Wc, (0, 4000), Smaller, "Clear space at the transfer side"),
    MeasureSpec::code("wc-flush-position", Wc, &["left", "right", "top", "rear-wall", "high-level", "sensor"], "Flush position, seated"),
    MeasureSpec::mm("wc-roll-reach", Wc, (0, 1500), Larger, "Reach to the roll, from the front of the seat"),
    // Bath and shower
    MeasureSpec::mm("bath-length", BathShower, (1000, 2000), Smaller, "Bath length"),
    MeasureSpec::mm("bath-external-width", BathShower, (550, 1200), Smaller, "Bath width, outside"),
    MeasureSpec::mm("bath-internal-width", BathShower, (350, 1000), Smaller, "Bath width, inside"),
    MeasureSpec::mm("bath-rim-height", BathShower, (350, 800), Larger, "Bath rim height from the floor"),
    MeasureSpec::mm("bath-internal-depth", BathShower, (250, 600), Larger, "Bath depth, inside"),
    MeasureSpec::code("bath-tap-end", BathShower, &["left", "right", "centre", "foot", "wall"], "Tap end, facing the bath"),
    MeasureSpec::mm("shower-tray-upstand", BathShower, (0, 400), Larger, "Shower tray upstand"),
    MeasureSpec::mm("shower-step-in", BathShower, (0, 700), Larger, "Step into the bath or shower"),
    MeasureSpec::mm("shower-enclosure-length", BathShower, (500, 2500), Smaller, "Shower enclosure length"),
    MeasureSpec::mm("shower-enclosure-width", BathShower, (500, 2000), Smaller, "Shower enclosure width"),
    MeasureSpec::mm("shower-door-clear-width", BathShower, (300, 1500), Smaller, "Shower door clear opening"),
    MeasureSpec::mm("waste-distance", BathShower, (0, 10000), Larger, "Waste or gulley: distance to the soil stack"),
    MeasureSpec::mm("waste-level", BathShower, (-600, 600), Larger, "Waste level above (+) or below (-) finished floor level"),
    MeasureSpec::code("waste-kind", BathShower, &["trap", "gulley", "pumped", "not-known"], "Kind of waste"),
    // Basin and kitchen
    MeasureSpec::mm("basin-rim-height", BasinKitchen, (550, 1050), Larger, "Basin rim height"),
    MeasureSpec::mm("knee-space-height", BasinKitchen, (300, 1000), Smaller, "Knee space height"),
    MeasureSpec::mm("knee-space-depth", BasinKitchen, (0, 900), Smaller, "Knee space depth"),
    MeasureSpec::mm("knee-space-width", BasinKitchen, (200, 3000), Smaller, "Knee space width"),
    MeasureSpec::mm("worktop-height", BasinKitchen, (600, 1100), Larger, "Worktop height"),
    MeasureSpec::mm("worktop-depth", BasinKitchen, (250, 900), Larger, "Worktop depth"),
    MeasureSpec::mm("aisle-width", BasinKitchen, (500, 4000), Smaller, "Aisle width"),
    MeasureSpec::mm("sink-depth", BasinKitchen, (80, 350), Larger, "Sink depth"),
    MeasureSpec::mm("appliance-door-clearance", BasinKitchen, (0, 3000), Smaller, "Clearance in front of the open appliance door"),
    MeasureSpec::mm("reach-height-high", BasinKitchen, (600, 2200), Larger, "Highest shelf or control in use"),
    MeasureSpec::mm("reach-height-low", BasinKitchen, (0, 1000), Smaller, "Lowest shelf or control in use"),
];
