use super::*;
use crate::clock::Seeded;
use crate::domain::testing::{Tablet, below};

fn rule(signers: &[&str], signatures: i64, because: &str) -> PackRule {
    let signers = signers.iter().map(|role| (*role).to_owned()).collect();
    PackRule { signers, signatures, because: because.to_owned(), ..PackRule::default() }
}

fn words(of: &[&str]) -> Option<Vec<String>> {
    Some(of.iter().map(|word| (*word).to_owned()).collect())
}

fn delegation(rules: Vec<PackRule>) -> Delegation {
    Pack { version: 1, rules }.try_into().unwrap()
}

fn fault(change: impl FnOnce(&mut PackRule)) -> String {
    let mut bad = rule(&["senior_ot"], 1, "ramps");
    change(&mut bad);
    let pack = Pack { version: 1, rules: vec![rule(&["senior_ot"], 1, "all"), bad] };
    Delegation::try_from(pack).unwrap_err().to_string()
}

const SUPERVISORS: [&str; 2] = ["senior_ot", "principal_ot"];

fn of(route: &str, author: Role, cost: Option<i64>) -> Prescribed {
    let items = BTreeSet::from([ItemKind::Ramp]);
    Prescribed { route: Some(route.to_owned()), items, cost, ..Prescribed::default() }.by([Some(author)])
}

#[test]
fn a_rule_that_can_be_none_is_refused_by_its_number_and_what_is_wrong() {
    assert_eq!(
        fault(|rule| rule.signers = vec!["ot".to_owned()]),
        "rule 2 (\"ramps\"): ot may not sign; those who may are: senior_ot principal_ot"
    );
    assert!(fault(|rule| rule.signers.clear()).ends_with("`signers` names nobody"));
    assert!(fault(|rule| rule.signers.push("king".to_owned())).contains("\"king\" is not a role"));
    assert!(fault(|rule| rule.authors = words(&["king"])).contains("\"king\" is not a role"));
    assert!(fault(|rule| rule.authors = words(&[])).contains("`authors` names nothing"));
    assert!(fault(|rule| rule.routes = words(&["lottery"])).contains("\"lottery\" is not a route"));
    assert!(fault(|rule| rule.items = words(&["castle"])).contains("\"castle\" is not a kind of item"));
    assert!(fault(|rule| rule.items = words(&["equipment"])).contains("\"equipment\" is not a kind of item"));
    assert!(fault(|rule| rule.cost_from = Some(-1)).contains("`cost_from` is -1"));
    for signatures in [0, 4, -1, 257] {
        assert!(fault(|rule| rule.signatures = signatures).contains(&format!("`signatures` is {signatures}")));
    }
    for because in [String::new(), " ".to_owned(), "two\nlines".to_owned(), "x".repeat(MOST_BECAUSE + 1)] {
        let said = fault(|rule| rule.because = because);
        assert!(said.starts_with("rule 2 ") && said.contains("`because`"), "{said}");
    }
}

#[test]
fn a_pack_without_rules_with_too_many_or_of_no_version_is_refused() {
    let pack =
        |version, rules| Delegation::try_from(Pack { version, rules: vec![rule(&["senior_ot"], 1, "x"); rules] });
    assert_eq!(pack(1, 0), Err(BadDelegation::Count(0)));
    assert_eq!(pack(1, MOST_RULES + 1), Err(BadDelegation::Count(MOST_RULES + 1)));
    assert_eq!(pack(0, 1), Err(BadDelegation::Version(0)));
    assert_eq!(pack(7, MOST_RULES).unwrap().version(), 7);
    let unknown = serde_json::from_str::<Pack>(r#"{"version": 1, "rules": [{"signer": ["senior_ot"]}]}"#);
    assert!(unknown.unwrap_err().to_string().contains("`signer`"));
}

#[test]
fn whoever_the_table_lets_decide_can_be_named_and_nobody_else() {
    assert_eq!(deciders(), BTreeSet::from([Role::SeniorOt, Role::PrincipalOt]));
}

#[test]
fn every_rule_that_fits_applies_and_what_none_fits_nobody_may_sign() {
    let dear = PackRule { cost_from: Some(1_000_000), ..rule(&["principal_ot"], 1, "dear") };
    let assistants =
        PackRule { authors: words(&["ot_assistant"]), routes: words(&["dfg"]), ..rule(&SUPERVISORS, 2, "two") };
    let all = delegation(vec![rule(&SUPERVISORS, 1, "all"), dear.clone(), assistants]);
    let needed = |of: &Prescribed| {
        let Needed { signatures, signers, because } = all.needed(of);
        (signatures, signers.len(), because.join(" "))
    };
    assert_eq!(needed(&of("dfg", Role::Ot, Some(999_999))), (1, 2, "all".to_owned()));
    assert_eq!(needed(&of("dfg", Role::Ot, Some(1_000_000))), (1, 1, "all dear".to_owned()));
    assert_eq!(needed(&of("dfg", Role::OtAssistant, Some(0))), (2, 2, "all two".to_owned()));
    assert_eq!(needed(&of("minor", Role::OtAssistant, Some(0))), (1, 2, "all".to_owned()));
    // What nobody knows counts as what asks the most.
    assert_eq!(needed(&of("dfg", Role::OtAssistant, None)), (2, 1, "all dear two".to_owned()));
    let unknown = Prescribed { route: None, ..of("dfg", Role::OtAssistant, Some(0)) };
    assert_eq!(needed(&unknown).0, 2);
    let stranger = of("dfg", Role::Ot, Some(0)).by([Some(Role::Ot), None]);
    assert_eq!(needed(&stranger).0, 2);
    // One assistant among the authors is enough.
    assert_eq!(needed(&of("dfg", Role::Ot, Some(0)).by([Some(Role::Ot), Some(Role::OtAssistant)])).0, 2);

    assert_eq!(all.against(&of("dfg", Role::Ot, None), Role::SeniorOt), ["dear"]);
    assert!(all.against(&of("dfg", Role::Ot, None), Role::PrincipalOt).is_empty());
    let only = delegation(vec![dear]);
    let cheap = of("dfg", Role::Ot, Some(5));
    assert!(only.needed(&cheap).signers.is_empty());
    assert_eq!(only.against(&cheap, Role::PrincipalOt), [NO_RULE]);
}

#[test]
fn a_rule_about_items_fits_if_any_of_them_is_of_its_kinds() {
    let lifts = PackRule { items: words(&["stairlift", "ramp"]), ..rule(&["principal_ot"], 1, "lifts") };
    let all = delegation(vec![rule(&SUPERVISORS, 1, "all"), lifts]);
    let with = |items: &[ItemKind]| {
        let items = items.iter().copied().collect();
        all.needed(&Prescribed { items, ..of("dfg", Role::Ot, Some(0)) }).signers.len()
    };
    assert_eq!(with(&[ItemKind::GrabRail]), 2);
    assert_eq!(with(&[ItemKind::GrabRail, ItemKind::Ramp]), 1);
    assert_eq!(with(&[]), 2);
}

/// Some of these, or none at all.
fn some<T: Copy>(chance: &mut Seeded, of: &[T]) -> Vec<T> {
    of.iter().copied().filter(|_| below(chance, 2) == 0).collect()
}

fn any_rule(chance: &mut Seeded) -> PackRule {
    let listed = |words: Vec<&str>| (!words.is_empty()).then(|| words.into_iter().map(str::to_owned).collect());
    let mut signers = some(chance, &SUPERVISORS);
    if signers.is_empty() {
        signers.push("senior_ot");
    }
    let signatures = 1 + i64::try_from(below(chance, 3)).unwrap();
    PackRule {
        routes: listed(some(chance, &["dfg", "minor"])),
        items: listed(some(chance, &["ramp", "stairlift"])),
        authors: listed(some(chance, &["ot", "ot_assistant", "private_ot"])),
        cost_from: (below(chance, 2) == 0).then(|| i64::try_from(below(chance, 5)).unwrap()),
        ..rule(&signers, signatures, "because")
    }
}

fn any_prescription(chance: &mut Seeded) -> Prescribed {
    Prescribed {
        route: [None, Some("dfg"), Some("minor"), Some("private")][below(chance, 4)].map(str::to_owned),
        items: some(chance, &[ItemKind::Ramp, ItemKind::Stairlift, ItemKind::GrabRail]).into_iter().collect(),
        authors: some(chance, &[None, Some(Role::Ot), Some(Role::OtAssistant)]).into_iter().collect(),
        cost: (below(chance, 3) > 0).then(|| i64::try_from(below(chance, 5)).unwrap()),
    }
}

/// What makes adding a rule safe: it can't let in whom another keeps out, nor ask less than another.
#[test]
fn where_a_rule_fits_another_never_makes_signing_easier_and_one_less_never_harder() {
    let mut chance = Seeded::new(11);
    let mut differed = 0;
    for _ in 0..4_000 {
        let rules: Vec<PackRule> = (0..1 + below(&mut chance, 4)).map(|_| any_rule(&mut chance)).collect();
        let more = rules.iter().cloned().chain([any_rule(&mut chance)]).collect();
        let (fewer, more) = (delegation(rules), delegation(more));
        let of = any_prescription(&mut chance);
        let (less, much) = (fewer.needed(&of), more.needed(&of));
        if fewer.fitting(&of).next().is_none() {
            assert!(less.signers.is_empty(), "what none fits nobody may sign");
            continue;
        }
        assert!(much.signers.is_subset(&less.signers) && much.signatures >= less.signatures, "{of:?}");
        differed += u32::from(less.signers != much.signers || less.signatures != much.signatures);
        // Nor does it matter in which order they stand.
        let turned = Delegation { rules: more.rules.iter().rev().cloned().collect(), ..more.clone() }.needed(&of);
        assert_eq!((turned.signatures, &turned.signers), (much.signatures, &much.signers));
        // What is known of it asks no more than what is not.
        let unknown = Prescribed { cost: None, route: None, ..of.clone() };
        let most = more.needed(&unknown);
        assert!(most.signers.is_subset(&much.signers) && most.signatures >= much.signatures, "{of:?}");
        for role in [Role::SeniorOt, Role::PrincipalOt] {
            assert_eq!(more.against(&of, role).is_empty(), much.signers.contains(&role));
        }
    }
    assert!(differed > 200, "{differed}");
}

#[test]
fn a_prescription_costs_no_less_than_anybody_says_and_what_nobody_says_is_unknown() {
    let mut ann = Tablet::new(Kind::Prescription, 1);
    let cost = |ann: &Tablet| Prescribed::of(&ann.view()).cost;
    assert_eq!(cost(&ann), None, "nothing is prescribed");
    let (rail, ramp) = (ann.item(ItemKind::GrabRail), ann.item(ItemKind::Ramp));
    ann.say(Some(rail), "item.cost", Value::Number(4_000));
    assert_eq!(cost(&ann), None, "the ramp's is missing");
    ann.say(Some(ramp), "item.cost", Value::Number(600_000));
    assert_eq!(cost(&ann), Some(604_000));
    ann.say(None, "prescription.cost", Value::Number(500_000));
    assert_eq!(cost(&ann), Some(604_000), "the larger");
    ann.correct(None, "prescription.cost", Value::Number(700_000));
    assert_eq!(cost(&ann), Some(700_000));
    // Two that clash: nobody may sign before somebody settles them, and till then the higher counts.
    ann.say(None, "prescription.cost", Value::Number(900_000));
    assert_eq!(cost(&ann), Some(900_000));
    ann.correct(None, "prescription.cost", Value::Number(-1));
    assert_eq!(cost(&ann), None, "no cost at all");
    ann.strike(rail);
    assert_eq!(Prescribed::of(&ann.view()).items, BTreeSet::from([ItemKind::Ramp]));
}

#[test]
fn the_route_is_the_one_that_stands_and_several_are_none() {
    let mut ann = Tablet::new(Kind::Prescription, 1);
    let route = |ann: &Tablet| Prescribed::of(&ann.view()).route;
    assert_eq!(route(&ann), None);
    ann.say(None, "prescription.route", Value::Choice("minor".to_owned()));
    assert_eq!(route(&ann).as_deref(), Some("minor"));
    ann.say(None, "prescription.route", Value::Choice("dfg".to_owned()));
    assert_eq!(route(&ann), None, "they clash");
    ann.correct(None, "prescription.route", Value::Choice("dfg".to_owned()));
    assert_eq!(route(&ann).as_deref(), Some("dfg"));
}

#[test]
fn a_rule_reads_as_people_say_it() {
    let all = PackRule {
        routes: words(&["landlord", "dfg"]),
        items: words(&["ramp"]),
        authors: words(&["ot_assistant"]),
        cost_from: Some(1_000_000),
        ..rule(&SUPERVISORS, 2, "ramps are dear")
    };
    let said: Vec<String> =
        delegation(vec![all, rule(&["principal_ot"], 1, "all")]).rules().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "any prescription on the route dfg or landlord with a ramp with ot_assistant among its authors of \
             £10,000.00 or more, or of an unknown cost: 2 signatures, each by another senior_ot or principal_ot: ramps are dear",
            "any prescription: 1 signature, by principal_ot: all",
        ]
    );
}
