//! An example of each verb, as its `--help` ends with it. A test types them all.

pub(super) const FIELD: &str = "\
A visit, from the office to the office:

  export GRABRAIL_FIELD_STORE=ana.store         (or --store FILE each time)
  export GRABRAIL_FIELD_PASSPHRASE=…            (or type it when asked)
  grabrail field enrol 'grabrail:enrol?v=1&…' --name \"Ana's tablet\"
  grabrail field sync
  grabrail field cases
  grabrail field open R-1

  grabrail field photo R-1 home door.jpg --place bathroom-1/door-1 --subject feature --consent
  grabrail field measure R-1 bathroom-1/door-1 door-clear-width 712 --photo 7.1
  grabrail field set R-1 clinical person.weight 82
  grabrail field entry R-1 clinical visit 'Seen at home with her daughter.'

  grabrail field prescribe R-1 stairlift
  grabrail field set R-1 prescription:1 prescription.route dfg
  grabrail field set R-1 prescription:1 stairlift.clear-width-remaining 450 --item 7.5 --min --cites home/7.2
  grabrail field findings R-1
  grabrail field submit R-1 prescription:1
  grabrail field sync

`grabrail field words measures` lists what can be measured, `words fields stairlift` what can be said of a stairlift.

A case is named by its referral number or its id. A document is named by its kind (home, clinical, prescription:1) or its
id, a record by its key (7.4); `show` prints the keys. Everything but enrol, sync and photo-get of a photo that is not here
works without a network. With --json each command prints one JSON value, and an error is a problem object on standard
error. Exit codes: 0 done, 1 failed, 2 wrongly asked.";

pub(super) const ENROL: &str = "\
Example, with the text that an administrator makes by `grabrail device code ana.ot`:

  grabrail field enrol 'grabrail:enrol?v=1&…' --name \"Ana's tablet\" --store ana.store";

pub(super) const SYNC: &str = "\
Example, over a certificate of the council's own authority:

  grabrail field sync --ca council.pem

Cut off, it is simply run again: nothing is handed in twice.";

pub(super) const STATUS: &str = "\
Example:

  grabrail field status";

pub(super) const REFUSED: &str = "\
Example:

  grabrail field refused

What is listed is in no document. The server keeps it in quarantine, where supervisors see that it is there and
why.";

pub(super) const WORDS: &str = "\
Examples:

  grabrail field words measures                  everything that can be measured
  grabrail field words measures door             what has door in its name or label
  grabrail field words fields clinical           what a clinical document says
  grabrail field words fields stairlift          what is said of a prescribed stairlift
  grabrail field words fields prescription.route --json

It needs no store. What lies outside the bounds is saved and doubted (see findings), never refused.";

pub(super) const CASES: &str = "\
Example:

  grabrail field cases";

pub(super) const VISIT: &str = "\
Example; it prints the case's id, by which the case is named from then on:

  grabrail field visit --name 'Vera Example' --address '2 Sample Street' --born 1941-05-06";

pub(super) const CARRY: &str = "\
Examples:

  grabrail field carry 6hoqcwdulqi7xhtnnic7h4v4pu
  grabrail field carry 6hoqcwdulqi7xhtnnic7h4v4pu --off";

pub(super) const OPEN: &str = "\
Example:

  grabrail field open R-1";

pub(super) const SHOW: &str = "\
Examples:

  grabrail field show R-1 home
  grabrail field show R-1 prescription:1";

pub(super) const BEGIN: &str = "\
Example:

  grabrail field begin R-1 restricted";

pub(super) const MEASURE: &str = "\
Examples; each prints the reading's key:

  grabrail field measure R-1 bathroom-1/door-1 door-clear-width 712
  grabrail field measure R-1 stairs-1 stair-clear-width 76cm --method laser --photo 7.1
  grabrail field measure R-1 entrance-1 floor-level-difference -150

`grabrail field words measures` lists the measures, `words places` the places.";

pub(super) const SET: &str = "\
Examples; each prints the fact's key:

  grabrail field set R-1 clinical person.weight 82kg
  grabrail field set R-1 prescription:1 item.purposes d,e --item 7.5
  grabrail field set R-1 prescription:1 grab-rail.height 680 --item 7.5 --exact --cites home/7.2

`grabrail field words fields clinical` lists the fields of a kind of document, `words fields grab-rail` those of an item.";

pub(super) const ITEM: &str = "\
Example; it prints the item's key, for `set --item`:

  grabrail field item R-1 clinical outcome

`grabrail field words items` lists the items.";

pub(super) const ENTRY: &str = "\
Examples; each prints the entry's key:

  grabrail field entry R-1 clinical visit 'Seen at home with her daughter.'
  grabrail field entry R-1 clinical visit 'Seen at home with her son.' --amends 7.6

`grabrail field words sections` lists the headings.";

pub(super) const TEXT: &str = "\
Examples:

  grabrail field text R-1 home summary 'Parking for one van at the front.'
  grabrail field text R-1 home summary --read";

pub(super) const PHOTO: &str = "\
Example; it prints the photo's key and hash:

  grabrail field photo R-1 home door.jpg --place bathroom-1/door-1 --subject feature --consent --share housing";

pub(super) const PHOTO_GET: &str = "\
Example; `show R-1 home` lists the photos:

  grabrail field photo-get R-1 home 7.1 door.jpg";

pub(super) const STRIKE: &str = "\
Example:

  grabrail field strike R-1 home 7.2 --reason 'Measured the wrong door'";

pub(super) const JOIN: &str = "\
Example:

  grabrail field join R-1 shower-room-1 bathroom-1 --reason 'One room, named twice'";

pub(super) const CLASHES: &str = "\
Example:

  grabrail field clashes R-1";

pub(super) const SETTLE: &str = "\
Example; `clashes` lists the keys:

  grabrail field settle R-1 7.2 --reason 'Measured again, door at 90 degrees'";

pub(super) const FINDINGS: &str = "\
Example:

  grabrail field findings R-1";

pub(super) const TO_DO: &str = "\
Example:

  grabrail field to-do R-1";

pub(super) const PRESCRIBE: &str = "\
Example:

  grabrail field prescribe R-1 stairlift grab-rail

`grabrail field words items prescription` lists what can be prescribed, `words fields stairlift` what is then to be said of it.";

pub(super) const SUBMIT: &str = "\
Example:

  grabrail field submit R-1 prescription:1";

pub(super) const WITHDRAW: &str = "\
Example:

  grabrail field withdraw R-1 prescription:1";

pub(super) const RELEASE: &str = "\
Example:

  grabrail field release R-1 --consent 'She said yes, at the kitchen table'";

pub(super) const END_RELEASE: &str = "\
Example:

  grabrail field end-release R-1 --reason 'She took her consent back'";

pub(super) const CLOSE: &str = "\
Example:

  grabrail field close R-1 --reason 'Works done, reviewed in May'";

pub(super) const COMPLETE: &str = "\
Example; `findings R-1` says what is missing:

  grabrail field complete R-1";

pub(super) const SURVEY: &str = "\
Example; it prints the survey's name:

  grabrail field survey R-1";

pub(super) const REMARK: &str = "\
Example:

  grabrail field remark R-1 survey:1 'Lath and plaster behind the tiles' --about prescription:1/7.5";

pub(super) const POST: &str = "\
Examples, a question and its answer:

  grabrail field post R-1 thread:1 'Left or right of the door?' --about prescription:1/7.5 --field grab-rail.wall
  grabrail field post R-1 thread:1 'Left, from inside.' --answers 9.3";

pub(super) const DECIDE: &str = "\
Examples:

  grabrail field decide R-1 survey:1 prescription:1 yes
  grabrail field decide R-1 survey:1 prescription:1 with-change --reason 'The wall takes no fixing at 680 mm'";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use crate::verbs::Cli;

    /// The words of a line as a shell would take them apart.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote, mut open) = (Vec::new(), None, false);
        for letter in line.chars() {
            match (quote, letter) {
                (Some(mark), _) if mark == letter => quote = None,
                (None, '\'' | '"') => quote = Some(letter),
                (None, ' ') => open = false,
                _ => {
                    if !open {
                        words.push(String::new());
                        open = true;
                    }
                    words.last_mut().unwrap().push(letter);
                }
            }
        }
        words
    }

    #[test]
    fn every_verb_has_an_example_and_every_example_can_be_typed() {
        let command = Cli::command();
        let field = command.find_subcommand("field").unwrap();
        let mut typed = 0;
        for verb in field.get_subcommands().chain([field]) {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = help.lines().map(str::trim).filter(|line| line.starts_with("grabrail field "));
            // After two spaces stands what it is for.
            let examples: Vec<&str> = examples.filter_map(|line| line.split("  ").next()).collect();
            assert!(!examples.is_empty(), "{} has no example", verb.get_name());
            for example in examples {
                let parsed = Cli::command().try_get_matches_from(words(example));
                let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
                assert!(verb.get_name() == "field" || words(example)[2] == verb.get_name(), "{example}");
                typed += 1;
            }
        }
        assert!(typed > 40, "{typed}");
    }
}
