//! The demonstration is the story of a home visit, and it checks every sentence of it: here it must hold.

use std::process::Command;

use grabrail_tests::built;

#[test]
fn a_home_visit_from_a_device_with_no_signal_to_the_surveyors_desk() {
    let ran = Command::new(built("grabrail")).args(["demo", "--once"]).output().unwrap();
    let (told, failed) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}\n{failed}");
    assert_eq!(told.lines().filter(|line| line.contains('✓')).count(), 18, "{told}");
    assert!(told.contains("Every step was as it should be"), "{told}");
}
