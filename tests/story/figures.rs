//! What supervision looks like from above: figures, and no names of clients.

use sync_core::access::Role;
use sync_core::protocol::Request;

use crate::office::{Visit, ask, fetch, heads};

#[tokio::test]
async fn a_months_figures_say_what_was_submitted_returned_and_signed_and_name_no_client() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let pat = visit.joined_by("pat", Role::Performance).await;
    let outside = visit.joined_from_outside("asha", Role::SeniorOt).await;
    let figures = async |token: &str| {
        let (status, bytes) = fetch(&visit.world, token, "/v1/figures").await;
        (status, String::from_utf8(bytes).unwrap())
    };
    let (status, text) = figures(&grace).await;
    assert_eq!((status, text.lines().count()), (200, 1), "a header: {text}");

    let document = visit.submitted_rail().await;
    let seen = heads(&visit.tablet, document).await;
    let reject = Request::Reject { document, heads: seen, grounds: "A hand-held shower will do".to_owned() };
    assert_eq!(ask(&visit.world, &grace, visit.case, reject).await, Ok(()));
    let second = visit.submitted_rail().await;
    assert_eq!(visit.sign(&grace, second).await, Ok(()));
    visit.submitted_rail().await;

    let (status, text) = figures(&pat).await;
    assert_eq!(status, 200, "{text}");
    let mut lines = text.lines();
    let header = "month,author,role,organisation,submitted,withdrawn,returned,rejected,signed_off,\
                  waited_hours_median,waited_hours_longest";
    assert_eq!(lines.next(), Some(header));
    let line = lines.next().unwrap();
    assert!(line.contains(",olu of the story,ot,") && line.contains(",3,0,0,1,1,0.0,0.0"), "{text}");
    assert_eq!(lines.next(), None);
    assert!(!text.contains("Doris"), "{text}");
    for stranger in [&visit.token, &outside] {
        assert_eq!(figures(stranger).await.0, 403);
    }
}
