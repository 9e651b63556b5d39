//! What one device signed, said again by another device, of another document or to another server: by people who may
//! write there, so that nothing but the signature stands in the way.

use sync_core::id::OrganisationId;
use sync_core::protocol::PackLimits;

use super::*;

fn receipted(reply: &SyncReply) -> usize {
    reply.receipts.as_ref().map_or(0, |signed| signed.receipts.documents.len())
}

/// Sends a push that has to be refused for this reason and set aside, and to change nothing else.
async fn refuses(world: &World, from: &mut Forger, how: &str, push: Push, expected: &Refusal) {
    let before = Kept::by(world).await;
    let reply = from.sync(world, &SyncRequest { pushes: vec![push], ..empty() }).await;
    let refused: Vec<&Refusal> = reply.refused.iter().map(|refused| &refused.reason).collect();
    assert_eq!(refused, [expected], "{how}");
    assert!(reply.refused[0].quarantine.is_some(), "{how}: a supervisor finds it");
    assert_eq!(receipted(&reply), 0, "{how}");
    only_changed(&before, &Kept::by(world).await, &SET_ASIDE);
}

/// The signature is over who sends, of which document and to which server: none of them can be another's.
#[tokio::test]
async fn what_one_device_signed_is_no_other_devices_documents_organisations_or_servers() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.account("eve", Role::Ot);
    world.case("R-1", "olu");
    world.say(&["case", "allocate", "R-1", "eve"], "").done();
    let mut olu = Forger::enrol(&world, "olu").await;
    let mut eve = Forger::enrol(&world, "eve").await;
    let (case, home) = home_of(&world, &mut olu).await;
    assert_eq!(home_of(&world, &mut eve).await, (case, home), "it is hers as well");
    // Another home of the case, which Olu wrote in.
    let other = DocumentId::mint(&mut SystemChance);
    let begun = olu.push(case, other, Kind::Home, &rail());
    assert_eq!(receipted(&olu.sync(&world, &SyncRequest { pushes: vec![begun], ..empty() }).await), 1);
    // The same person has a device with the same key at another council.
    let second = World::start().await;
    second.account("olu", Role::Ot);
    second.case("R-1", "olu");
    let mut there = Forger::enrol_with(&second, "olu", olu.key.clone(), olu.generation).await;
    let (case_there, home_there) = home_of(&second, &mut there).await;

    let push = olu.push(case, home, Kind::Home, &rail());
    let (olus, eves, theirs) = (olu.sender(), eve.sender(), there.sender());
    let known = |of: &Sender, push: &Push| Known::push(of, (push.document, push.kind), push.fork, &push.base);
    let unpacked = push.changes.unpack(&known(&olus, &push), PackLimits::REPLY).unwrap();
    let (hashes, changes): (Vec<Hash>, Vec<Vec<u8>>) = unpacked.into_iter().unzip();
    // Who unpacks goes by who sends and of what document. Packed for that, the very changes that were signed come out.
    let repacked = |of: &Sender, push: Push| Push { changes: Packed::pack(&changes, &known(of, &push)), ..push };
    let signed = |key: &SigningKey, sender: &Sender| {
        let envelope = Envelope::new(sender, home, 0, push.base.clone(), hashes.clone());
        sign(key, &envelope.to_bytes())
    };
    assert_eq!(signed(&olu.key, &olus), push.signature, "what is altered below is all that differs");

    // By another device, whose person may write there.
    let hers = Push { signature: signed(&eve.key, &eves), ..repacked(&eves, push.clone()) };
    for (how, push, expected) in [
        ("as it came", push.clone(), Refusal::Signature),
        ("byte for byte", repacked(&eves, push.clone()), Refusal::Signature),
        ("under her own signature", hers, Refusal::Actor { at: 0 }),
    ] {
        refuses(&world, &mut eve, how, push, &expected).await;
    }

    // By the same device, of something else or signed in another name.
    let of = |document: DocumentId| repacked(&olus, Push { document, ..push.clone() });
    let named = |alter: &dyn Fn(&mut Sender)| {
        let mut named = olus;
        alter(&mut named);
        Push { signature: signed(&olu.key, &named), ..push.clone() }
    };
    let replays = [
        ("another home of the case", of(other)),
        ("a home that is not there yet", of(DocumentId::mint(&mut SystemChance))),
        ("another beginning in it", repacked(&olus, Push { fork: 1, ..push.clone() })),
        ("another organisation", named(&|sender| sender.organisation = OrganisationId::mint(&mut SystemChance))),
        ("another server", named(&|sender| sender.server = theirs.server)),
        ("another device", named(&|sender| sender.device = eves.device)),
        ("another person", named(&|sender| sender.account = eves.account)),
        ("another life of the store", named(&|sender| sender.generation = Generation::from_bytes([7; 16]))),
    ];
    for (how, push) in replays {
        refuses(&world, &mut olu, how, push, &Refusal::Signature).await;
    }

    // To another server: the whole request, the same said to be of the device that is known there, and the push alone.
    let request = olu.signed(&SyncRequest { pushes: vec![push.clone()], ..empty() });
    let whole: SignedRequest = minicbor::decode(&request).unwrap();
    let readdressed = minicbor::to_vec(SignedRequest { device: theirs.device, ..whole }).unwrap();
    let before = Kept::by(&second).await;
    for body in [request.clone(), readdressed] {
        let (status, answer) = post(&second, PATH, body).await;
        assert_eq!((status, kind_of(&answer).as_str()), (403, "device-unknown"));
    }
    only_changed(&before, &Kept::by(&second).await, &[]);
    let alone = repacked(&theirs, Push { case: case_there, document: home_there, ..push.clone() });
    refuses(&second, &mut there, "at another server", alone, &Refusal::Signature).await;

    // Where it belongs, that request goes through, and so does what Eve writes herself.
    let (status, answer) = post(&world, PATH, request).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let reply: SignedReply = minicbor::decode(&answer).unwrap();
    let reply: SyncReply = unpack(&reply.body, Limits::REPLY).unwrap();
    assert_eq!((receipted(&reply), reply.refused.len()), (1, 0), "{:?}", reply.refused);
    let own = eve.push(case, home, Kind::Home, &rail());
    let reply = eve.sync(&world, &SyncRequest { pushes: vec![own], ..empty() }).await;
    assert_eq!((receipted(&reply), reply.refused.len()), (1, 0), "{:?}", reply.refused);
}
