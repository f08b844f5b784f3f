//! Whatever text arrives, it is accepted or refused: nothing panics, and a refusal says something.

use millrace_domain::definition;
use millrace_domain::expression::Template;
use millrace_domain::submission::Submission;
use proptest::prelude::*;

const SOUND: &str = include_str!("../../../examples/daily_sales.yaml");

/// What YAML and expressions are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "name: w\n",
        "steps:\n",
        "  - ",
        "- ",
        "name: a",
        "run: x",
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "\n",
        "  ",
        "\t",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "#",
        "&a ",
        "*a",
        "!t ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "${{ ",
        " }}",
        "params.a",
        "outputs.a.b",
        "depends_on: [a]",
        "retry: {limit: 1}",
        "@daily",
        "*/5 * * * *",
        "é",
        "\u{feff}",
        "\0",
        "\r\n",
        "~",
        "? ",
        "null",
        "0",
        "-",
        "env: {A: ",
        "params: [{name: a}]\n",
        "<<: ",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A sound definition in which a few bytes were changed, inserted or lost.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        0..SOUND.len(),
        prop::option::of(prop::sample::select(b"{}[]:,-#&*!|>'\"%@` \n\t$0a\xff".to_vec())),
        any::<bool>(),
    );
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut bytes = SOUND.as_bytes().to_vec();
        for (at, byte, insert) in edits {
            let at = at.min(bytes.len() - 1);
            match (byte, insert) {
                (Some(byte), true) => bytes.insert(at, byte),
                (Some(byte), false) => bytes[at] = byte,
                (None, _) => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn judge(bytes: &[u8]) {
    if let Err(problems) = definition::parse_bytes(bytes, "f") {
        assert!(!problems.0.is_empty() && problems.0.len() <= 100);
        assert!(problems.0.is_sorted_by_key(|problem| (problem.line, problem.column)), "{problems}");
        assert!(
            problems
                .0
                .iter()
                .all(|problem| problem.line > 0 && problem.column > 0 && !problem.message.is_empty())
        );
    }
}

proptest! {
    #[test]
    fn any_pieces_of_yaml_are_judged(text in pieces()) {
        judge(text.as_bytes());
    }

    #[test]
    fn any_damage_to_a_sound_definition_is_judged(bytes in damaged()) {
        judge(&bytes);
    }

    #[test]
    fn any_bytes_are_judged_as_a_submission(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Submission::parse(&bytes);
    }

    #[test]
    fn any_text_is_judged_as_a_template(text in "(\\$\\{\\{|\\}\\}|params\\.a|[ -~]|é){0,30}") {
        let _ = Template::parse(&text);
    }
}
