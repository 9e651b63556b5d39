//! Measures of the way in, the doors, the passages, the stairs, lifts and services.

use super::Area::{Approach, Circulation, Entrance, HoistLift, Services, Stairs};
use super::MeasureSpec;
use super::Safer::{Larger, Smaller};

/// Left or right, seen by someone facing the thing (for stairs: going up).
const SIDES: &[&str] = &["left", "right", "both", "none"];
const HINGE: &[&str] = &["left", "right", "sliding", "folding", "double"];
const SWING: &[&str] = &["in", "out", "both-ways", "sliding"];
const JOISTS: &[&str] = &["across-route", "along-route", "concrete", "not-known"];

#[rustfmt::skip] // one measure a line
pub(super) const MEASURES: &[MeasureSpec] = &[
    // Approach
    MeasureSpec::mm("path-width", Approach, (500, 5000), Smaller, "Path width at narrowest"),
    MeasureSpec::mm("path-cross-fall", Approach, (0, 200), Larger, "Fall across the path's width"),
    MeasureSpec::mm("gradient-rise", Approach, (0, 3000), Larger, "Gradient: rise"),
    MeasureSpec::mm("gradient-going", Approach, (200, 30000), Smaller, "Gradient: going"),
    MeasureSpec::mm("gate-clear-width", Approach, (400, 4000), Smaller, "Gate clear width"),
    MeasureSpec::count("step-count", Approach, (0, 40), Larger, "Number of steps"),
    MeasureSpec::mm("step-rise", Approach, (20, 350), Larger, "Step riser height"),
    MeasureSpec::mm("step-going", Approach, (100, 2000), Smaller, "Step tread going"),
    MeasureSpec::mm("step-width", Approach, (400, 6000), Smaller, "Step width"),
    MeasureSpec::mm("distance-between-rails", Approach, (400, 3000), Smaller, "Distance between rails"),
    MeasureSpec::mm("drop-at-side", Approach, (0, 3000), Larger, "Drop at the side"),
    MeasureSpec::mm("floor-level-difference", Approach, (-3000, 3000), Larger, "Level above (+) or below (-) finished floor level"),
    MeasureSpec::code("path-surface", Approach, &["concrete", "tarmac", "slabs", "block-paving", "gravel", "grass", "other"], "Path surface"),
    // Entrance and every other door
    MeasureSpec::mm("door-clear-width", Entrance, (400, 1500), Smaller, "Door clear opening width"),
    MeasureSpec::mm("door-height", Entrance, (1700, 2600), Smaller, "Door height"),
    MeasureSpec::mm("threshold-upstand-inside", Entrance, (0, 250), Larger, "Threshold upstand, inside"),
    MeasureSpec::mm("threshold-upstand-outside", Entrance, (0, 400), Larger, "Threshold upstand, outside"),
    MeasureSpec::mm("door-nib", Entrance, (0, 1500), Smaller, "Nib: space beside the leading edge"),
    MeasureSpec::mm("landing-depth", Entrance, (200, 5000), Smaller, "Landing depth"),
    MeasureSpec::mm("landing-width", Entrance, (400, 6000), Smaller, "Landing width"),
    MeasureSpec::mm("door-handle-height", Entrance, (600, 1500), Larger, "Door handle height"),
    MeasureSpec::mm("door-lock-height", Entrance, (100, 2000), Larger, "Door lock height"),
    MeasureSpec::code("door-hinge-side", Entrance, HINGE, "Hinge side, from the side it opens towards"),
    MeasureSpec::code("door-swing", Entrance, SWING, "Swing, seen from inside the room"),
    // Circulation
    MeasureSpec::mm("passage-width", Circulation, (500, 4000), Smaller, "Hall or passage width at narrowest"),
    MeasureSpec::mm("width-opposite-door", Circulation, (400, 6000), Smaller, "Width opposite the door"),
    MeasureSpec::mm("obstruction-width", Circulation, (10, 3000), Larger, "Obstruction: width along the wall"),
    MeasureSpec::mm("obstruction-depth", Circulation, (10, 1500), Larger, "Obstruction: depth from the wall"),
    MeasureSpec::mm("obstruction-height", Circulation, (10, 2600), Larger, "Obstruction: height"),
    MeasureSpec::mm("turning-diameter", Circulation, (500, 4000), Smaller, "Turning space: diameter"),
    MeasureSpec::mm("turning-length", Circulation, (500, 6000), Smaller, "Turning space: length"),
    MeasureSpec::mm("turning-width", Circulation, (500, 6000), Smaller, "Turning space: width"),
    MeasureSpec::mm("room-length", Circulation, (600, 15000), Smaller, "Room length"),
    MeasureSpec::mm("room-width", Circulation, (600, 15000), Smaller, "Room width"),
    // Stairs
    MeasureSpec::count("stair-risers", Stairs, (1, 40), Larger, "Number of risers"),
    MeasureSpec::mm("stair-rise", Stairs, (80, 260), Larger, "Stair rise"),
    MeasureSpec::mm("stair-going", Stairs, (120, 450), Smaller, "Stair going"),
    MeasureSpec::mm("stair-clear-width", Stairs, (450, 2000), Smaller, "Clear width, wall to string or rail"),
    MeasureSpec { unit: super::Unit::Degree, tolerance: 1, ..MeasureSpec::mm("stair-pitch", Stairs, (20, 60), Larger, "Pitch") },
    MeasureSpec::mm("stair-headroom", Stairs, (1500, 4000), Smaller, "Headroom"),
    MeasureSpec::count("stair-winders", Stairs, (0, 12), Larger, "Number of winders"),
    MeasureSpec::mm("stair-winder-going", Stairs, (20, 600), Smaller, "Winder going at the narrow end"),
    MeasureSpec::mm("stair-landing-length", Stairs, (300, 5000), Smaller, "Intermediate or top landing length"),
    MeasureSpec::mm("stair-landing-width", Stairs, (300, 5000), Smaller, "Intermediate or top landing width"),
    MeasureSpec::code("stair-rail-sides", Stairs, SIDES, "Existing rails, going up"),
    MeasureSpec::mm("stair-rail-height", Stairs, (500, 1300), Smaller, "Existing rail: height above pitch line"),
    MeasureSpec::mm("stair-rail-start", Stairs, (-1500, 1500), Larger, "Existing rail starts after (+) or before (-) the first riser"),
    MeasureSpec::mm("stair-rail-stop", Stairs, (-1500, 1500), Larger, "Existing rail stops before (+) or after (-) the last riser"),
    MeasureSpec::code("stair-bottom-obstruction", Stairs, &["none", "door", "radiator", "window", "socket", "furniture", "other"], "Obstruction at the bottom"),
    MeasureSpec::code("stair-top-obstruction", Stairs, &["none", "door", "radiator", "window", "socket", "furniture", "other"], "Obstruction at the top"),
    MeasureSpec::mm("stair-bottom-landing-length", Stairs, (200, 6000), Smaller, "Bottom landing length"),
    // Hoist and lift
    MeasureSpec::mm("ceiling-height", HoistLift, (1800, 4500), Smaller, "Ceiling height"),
    MeasureSpec::mm("joist-span", HoistLift, (500, 8000), Larger, "Joist span"),
    MeasureSpec::code("joist-direction", HoistLift, JOISTS, "Joist direction"),
    MeasureSpec::mm("track-route-length", HoistLift, (500, 20000), Larger, "Track route length"),
    MeasureSpec::mm("door-header-height", HoistLift, (0, 1500), Smaller, "Door header: height between door head and ceiling"),
    MeasureSpec::mm("lift-aperture-length", HoistLift, (600, 2500), Smaller, "Lift aperture length"),
    MeasureSpec::mm("lift-aperture-width", HoistLift, (600, 2000), Smaller, "Lift aperture width"),
    MeasureSpec::code("room-above", HoistLift, &["bedroom", "bathroom", "landing", "living-room", "roof-space", "another-dwelling", "none", "other"], "Room above"),
    MeasureSpec::code("room-below", HoistLift, &["living-room", "dining-room", "kitchen", "hall", "bedroom", "garage", "another-dwelling", "none", "other"], "Room below"),
    MeasureSpec::code("structure", HoistLift, &["timber-joists", "engineered-joists", "concrete", "steel", "truss-rafters", "not-known", "engineer-needed"], "Structure"),
    MeasureSpec::code("wall-construction", HoistLift, &["solid-brick", "cavity-brick", "block", "stud", "lath-and-plaster", "dry-lining", "concrete", "timber-frame", "not-known"], "Wall construction at the fixing point"),
    // Services
    MeasureSpec::mm("socket-height", Services, (0, 2000), Smaller, "Socket height"),
    MeasureSpec::mm("switch-height", Services, (300, 2200), Larger, "Switch height"),
    MeasureSpec::mm("window-handle-height", Services, (400, 2600), Larger, "Window handle height"),
    MeasureSpec::mm("window-sill-height", Services, (0, 2000), Larger, "Window sill height"),
    MeasureSpec::mm("door-entry-height", Services, (600, 2000), Larger, "Door entry height"),
    MeasureSpec::mm("control-height", Services, (200, 2200), Larger, "Control height (thermostat, meter, heater)"),
];
