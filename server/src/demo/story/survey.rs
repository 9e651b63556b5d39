//! The surveyor's part: what she reads on site, what she may not, and what she adds.

use super::super::stage::{Failed, Stage, check};
use super::super::wire::Trouble;
use super::{
    ANA, BEN, CASE, CLINICAL, Cast, FUNCTION, GROUNDS, REASONING, SUE, Tablet, list, number, of_document, shows_number,
    sync, tablet, text,
};

const ON_SITE: &str = "2026-11-23T10:00:00Z";

/// What must never come to Housing: words of health, of the visit and of the justification, and the client's numbers.
const SECRETS: [&str; 7] = [CLINICAL, FUNCTION, REASONING, GROUNDS, "At work until six", "9434765919", "1948-03-09"];
/// The names under which a weight and a justification would come. In what a device pushes such names are numbers, so on
/// the OTs' links there is nothing to find; what came to the surveyor is unpacked before it is searched.
const NAMES: [&str; 2] = ["person.weight", "justification/"];
/// The client's weight: too short to look for among bytes, so it is looked for as a number among what is shown.
const WEIGHT: u64 = 118;
/// What she must have: whose home it is, and a signed dimension.
const HERS: [&str; 2] = ["Elsie Marsh", "stairlift.stair-clear-width"];

/// Looks for every secret in all that passed to and from the surveyor's device, and in all that it shows; gives the
/// requests and replies that were searched, and their bytes. Each search has to find what it looks for where that is.
async fn nothing_clinical(stage: &Stage, clock: &'static str) -> Result<(usize, usize), Failed> {
    let (of_ana, of_ben, of_sue) = (stage.wire(ANA)?.heard(), stage.wire(BEN)?.heard(), stage.wire(SUE)?.heard());
    let device = |store| tablet(stage, store, clock);
    let (ana, ben, sue) = (device(ANA), device(BEN), device(SUE));
    let (by_ana, by_ben, by_sue) = tokio::try_join!(ana.everything(), ben.everything(), sue.everything())?;
    let (ana_reads, ben_reads, sue_reads) = (by_ana.to_string(), by_ben.to_string(), by_sue.to_string());

    // Every exchange is a request and a reply, and all were read to their end.
    let synced = stage.syncs.iter().filter(|sync| sync.store == SUE);
    let exchanges: u64 = synced.map(|sync| number(&sync.report["exchanges"])).sum();
    let all = of_sue.read as u64 == 2 * exchanges && of_sue.cut == 0;
    check(all, format!("of {exchanges} exchanges, {} halves were heard, {} in part", of_sue.read, of_sue.cut))?;
    for word in HERS {
        let found = of_sue.holds(word.as_bytes()) && sue_reads.contains(word);
        check(found, format!("the search is blind: {word:?} came to the surveyor and is not found"))?;
    }
    for secret in SECRETS {
        let passed = of_ana.holds(secret.as_bytes()) || of_ben.holds(secret.as_bytes());
        let read = ana_reads.contains(secret) || ben_reads.contains(secret);
        check(passed && read, format!("the search is blind: {secret:?} is with the OTs and is not found"))?;
        check(!of_sue.holds(secret.as_bytes()), format!("{secret:?} passed over the link of the surveyor's device"))?;
        check(!sue_reads.contains(secret), format!("the surveyor's device shows {secret:?}"))?;
    }
    for name in NAMES {
        let read = ana_reads.contains(name) || ben_reads.contains(name);
        check(read, format!("the search is blind: {name:?} is with the OTs and is not found"))?;
        let hers = of_sue.holds(name.as_bytes()) || sue_reads.contains(name);
        check(!hers, format!("{name:?} came to the surveyor's device"))?;
    }
    check(shows_number(&by_ben, WEIGHT), "the search is blind: it does not find the client's weight on Ben's phone")?;
    check(!shows_number(&by_sue, WEIGHT), "the surveyor's device shows the client's weight")?;
    Ok((of_sue.read, of_sue.bytes().len()))
}

pub(super) async fn reads(stage: &mut Stage) -> Result<(), Failed> {
    let ana = tablet(stage, ANA, ON_SITE);
    ana.does(&["release", CASE, "--consent", "Mrs Marsh agreed at the visit, in writing"]).await?;
    sync(stage, ANA, ON_SITE, "Ana's tablet, the release").await?;
    sync(stage, SUE, ON_SITE, "Sue's tablet, signed specifications and the released home").await?;
    stage.wire(SUE)?.suffers(Trouble::DeadSpot);
    let sue = tablet(stage, SUE, ON_SITE);
    check(sue.tries(&["sync"]).await?.is_err(), "there is a signal on site")?;
    let open = sue.does(&["open", CASE]).await?;
    let home = sue.does(&["show", CASE, "home"]).await?;
    check(
        shows_number(&home, 712) && shows_number(&home, 760),
        format!("the released home lacks its readings: {home}"),
    )?;
    let signed = open.to_string();
    check(
        signed.contains("grab-rail.height") && signed.contains("stairlift.side"),
        "a signed specification is missing",
    )?;
    let kinds = list(&open["documents"]).iter().map(|document| text(&document["kind"]));
    let whole: Vec<String> = kinds.filter(|kind| !["survey", "thread"].contains(&kind.as_str())).collect();
    check(whole.is_empty(), format!("the surveyor's device holds whole documents: {whole:?}"))?;
    nothing_clinical(stage, ON_SITE).await?;
    stage.tell(
        "Monday",
        "Sue reads the signed specifications and the released home, offline on site: not one clinical byte, no \
         justification.",
    );
    Ok(())
}

pub(super) async fn adds(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    let sue = tablet(stage, SUE, ON_SITE);
    let survey = text(&sue.does(&["survey", CASE]).await?["document"]);
    sue.key(&["measure", CASE, "stairs-1", "stair-clear-width", "758", "--in", &survey]).await?;
    sue.key(&["remark", CASE, &survey, "Consumer unit has a spare way."]).await?;
    let thread = thread_of(&sue, &cast.stairlift).await?;
    let about = format!("{}/{}", cast.stairlift, cast.lift);
    let words = "May the rail start one step lower?";
    let question = sue.key(&["post", CASE, &thread, words, "--about", &about, "--field", "stairlift.side"]).await?;
    stage.wire(SUE)?.has_signal();
    sync(stage, SUE, ON_SITE, "Sue's tablet, survey and question").await?;

    sync(stage, ANA, ON_SITE, "Ana's tablet, Sue's survey").await?;
    let surveyed = tablet(stage, ANA, ON_SITE).does(&["show", CASE, &survey]).await?;
    let told = surveyed.to_string();
    let whole = shows_number(&surveyed, 758) && told.contains("spare way") && told.contains("Sue Patel");
    check(whole, format!("Ana does not see the survey: {told}"))?;
    let grace = stage.sign_in("grace.senior").await?;
    let (_, card) = stage.call("GET", &format!("/v1/cases/{}", cast.case), Some(&grace), None).await?;
    check(!of_document(&card["documents"], &survey).is_null(), format!("the API does not tell of the survey: {card}"))?;
    // Under the 760 mm that were signed as the least: the council's own page says so at once.
    let lift = of_document(&card["prescriptions"], &cast.stairlift);
    check(lift["changed_since"] == true, format!("the API does not see the surveyor's reading: {lift}"))?;
    stage.tell(
        "Monday",
        "Sue measures the stairs again (758 mm) and adds a remark: both reach Ana; the office sees the stairlift changed.",
    );

    sync(stage, BEN, ON_SITE, "Ben's phone, Sue's question").await?;
    let ben = tablet(stage, BEN, ON_SITE);
    let asked = ben.does(&["show", CASE, &thread]).await?.to_string();
    check(asked.contains("one step lower"), "the question did not reach Ben")?;
    ben.key(&["post", CASE, &thread, "Yes, the park position stays as signed.", "--answers", &question]).await?;
    sync(stage, BEN, ON_SITE, "Ben's phone, the answer").await?;
    sync(stage, SUE, ON_SITE, "Sue's tablet, the answer").await?;
    let answered = tablet(stage, SUE, ON_SITE).does(&["show", CASE, &thread]).await?.to_string();
    check(answered.contains("park position stays"), "the answer did not reach Sue")?;
    stage.tell("Monday", "Sue asked a question about a signed field; Ben answers, and the answer reaches her.");
    Ok(())
}

/// After her last contact.
pub(super) async fn was_listened_to(stage: &Stage) -> Result<(), Failed> {
    let (messages, bytes) = nothing_clinical(stage, "2026-11-24T12:30:00Z").await?;
    let said = format!(
        "All that ever passed to or from Sue's tablet ({messages} messages, {bytes} bytes when unpacked) is searched: \
         nothing clinical."
    );
    stage.tell("Tuesday", &said);
    Ok(())
}

async fn thread_of(device: &Tablet<'_>, document: &str) -> Result<String, Failed> {
    let thread = device.prescription(document).await?["thread"].as_str().map(str::to_owned);
    thread.ok_or_else(|| Failed::Check("the signed prescription has no thread".to_owned()))
}
