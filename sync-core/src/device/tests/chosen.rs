//! Cases that are carried because their person chose to.

use super::*;
use crate::access::Relation;
use crate::protocol::sync::Choice;

#[tokio::test]
async fn a_case_chosen_away_is_told_until_the_server_has_heard_it_leaves_and_can_be_chosen_again() {
    let server = Server::new();
    let (case, home, _) = server.case(Role::Ot);
    let (own, ..) = server.another_case(Role::Ot, 78);
    server.state().cards[0].relations = vec![Relation::Team];
    let tablet = Tablet::new(&server, 91);
    let device = tablet.enrolled().await;
    device.carry(case).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let choice = |carry| Some(vec![Choice { case, carry }]);
    assert_eq!(server.state().choices.last().cloned(), choice(true));

    // What their part in it brings stays, whatever they choose; and what is not here can't go.
    assert!(matches!(device.drop_case(own).await, Err(DeviceError::OwnCase(refused)) if refused == own));
    let nowhere = CaseId::from_bytes([1; 16]);
    assert!(matches!(device.drop_case(nowhere).await, Err(DeviceError::NoSuchCase(_))));

    device.drop_case(case).await.unwrap();
    assert_eq!(device.cases().await.unwrap().len(), 2, "the server has not heard of it");
    device.measure(home, door(712)).await.unwrap();
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    let device = tablet.reopened(device).await;
    server.state().line = Line::Good;
    server.state().purge = vec![case];
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.receipted, report.purged), (1, vec![case]), "what was typed is handed in first");
    assert_eq!(server.state().choices[1..], [choice(false).unwrap(), choice(false).unwrap()]);
    server.state().choices.clear();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().choices, [] as [Vec<Choice>; 0], "it is told no more");

    device.carry(case).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().choices.last().cloned(), choice(true));
}

/// A month of asking, in no request more than it may name.
#[tokio::test]
async fn however_much_waits_to_be_asked_it_goes_up_in_order_and_no_case_waits_behind_it_to_be_opened() {
    let server = Server::new();
    let (case, ..) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 97);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    let reasons: Vec<String> = (0..2 * sync::MOST_ROWS + 1).map(|number| format!("Reason {number}")).collect();
    for reason in &reasons {
        device.close_case(case, reason).await.unwrap();
    }
    let begun = device.start_visit("Fred Fictional", "2 Made Up Street", None).await.unwrap();
    let home = device.documents(begun).await.unwrap()[0].document;
    device.measure(home, door(712)).await.unwrap();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.exchanges, report.receipted, report.granted), (3, 1, reasons.len() + 1));
    let asks = server.state().asks.clone();
    assert!(matches!(asks[0], Request::OpenCase(_)));
    let closing = reasons.into_iter().map(|reason| Request::CloseCase { reason });
    assert_eq!(asks[1..], closing.collect::<Vec<_>>());
}
