//! `uses: approval` and `uses: input`: steps that ask people, for their approval or for values. They make no task and hold
//! no worker: somebody answers, or a timer of the run ends them.

/// The name under which a step asks for approval.
pub const APPROVAL: &str = "approval";

/// The name under which a step asks for values.
pub const INPUT: &str = "input";

/// The most people that a question names, and the most that may have to approve.
pub const MAX_PEOPLE: u32 = 100;

/// The most characters of the name of somebody who may answer.
const MAX_NAME: usize = 200;

/// The most characters of a message.
const MAX_MESSAGE: usize = 4_000;

/// The most bytes (JSON) of the values that somebody supplies: the history of the run keeps them.
pub(crate) const MAX_VALUE_BYTES: u64 = 64 * 1024;

/// Checks the names of those who may answer, of whom so many have to approve.
///
/// # Errors
/// A sentence that says what was expected.
pub(crate) fn check_people(who: &[&str], of: u32) -> Result<(), String> {
    if who.is_empty() {
        return Err("it is empty, so that nobody may answer".to_owned());
    }
    if who.len() > MAX_PEOPLE as usize {
        return Err(format!("{} names: expected at most {MAX_PEOPLE}", who.len()));
    }
    for (place, name) in who.iter().enumerate() {
        if name.is_empty() || name.trim() != *name || name.chars().any(char::is_control) {
            return Err(format!("{name:?} is no name: expected one such as ann, without spaces around it"));
        }
        if name.chars().count() > MAX_NAME {
            return Err(format!("a name has more than {MAX_NAME} characters"));
        }
        if who[..place].contains(name) {
            return Err(format!("`{name}` is named twice"));
        }
    }
    match who.len() < of as usize {
        true => Err(too_few(who.len(), of)),
        false => Ok(()),
    }
}

/// What is said of an approval that nobody may give.
pub(crate) fn too_few(who: usize, of: u32) -> String {
    let people = if who == 1 { "1 may" } else { &format!("{who} may") };
    format!("an approval nobody may give: {of} have to approve, and {people}")
}

/// Checks a message.
///
/// # Errors
/// What was expected.
pub(crate) fn check_message(message: &str) -> Result<(), String> {
    match message.chars().count() {
        0..=MAX_MESSAGE => Ok(()),
        found => Err(format!("{found} characters: expected at most {MAX_MESSAGE}")),
    }
}

/// Names as a sentence lists them: `ann, bob and zed`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => "anybody".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_different_people_and_enough_of_them() {
        assert_eq!(check_people(&["ann", "bob"], 2), Ok(()));
        for (who, of, told) in [
            (&[][..], 1, "it is empty, so that nobody may answer"),
            (&["ann"], 2, "an approval nobody may give: 2 have to approve, and 1 may"),
            (&["ann", "bob", "ann"], 1, "`ann` is named twice"),
            (&["ann", ""], 1, "\"\" is no name: expected one such as ann, without spaces around it"),
            (&[" ann"], 1, "\" ann\" is no name: expected one such as ann, without spaces around it"),
        ] {
            assert_eq!(check_people(who, of).unwrap_err(), told);
        }
        assert!(check_people(&["x"; 101], 1).unwrap_err().starts_with("101 names"));
        assert!(check_people(&[&"x".repeat(201)], 1).unwrap_err().starts_with("a name has more than 200"));
    }

    #[test]
    fn people_are_listed_as_a_sentence_lists_them() {
        let names = |names: &[&str]| list(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(names(&[]), "anybody");
        assert_eq!(names(&["ann"]), "ann");
        assert_eq!(names(&["ann", "bob", "zed"]), "ann, bob and zed");
    }
}
