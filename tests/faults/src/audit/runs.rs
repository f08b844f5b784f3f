//! Every accepted submission is one run, which has ended once, as its definition says; and there is no other.

use std::collections::HashSet;

use super::check::Check;
use super::evidence::Evidence;
use crate::shape::{PART, PARTS, Shape};
use crate::states::TERMINAL;

pub(super) fn judge(evidence: &Evidence<'_>) -> Vec<Check> {
    let mut present = Check::new("accepted is present");
    let mut ended = Check::new("accepted has ended");
    let mut state = Check::new("ended as defined");
    let mut stays = Check::new("terminal state stays");
    let mut once = Check::new("a key is one run");
    let mut stranger = Check::new("no run is unasked for");
    let mut children = Check::new("each child is one run");

    let (books, states) = (evidence.books, evidence.states);
    for entry in books.entries.iter().filter(|entry| entry.accepted.is_some()) {
        let known = entry.run.as_ref().and_then(|run| Some((run, states.runs.get(run)?)));
        present.expect(known.is_some(), || format!("{} ({:?}), run {:?}", entry.key, entry.shape, entry.run));
        let Some((run, (_, seen))) = known else { continue };
        let terminal = TERMINAL.contains(&seen.as_str());
        ended.expect(terminal, || format!("{} ({:?}), run {run}: {seen}", entry.key, entry.shape));
        let wanted = entry.shape.state();
        state.expect(!terminal || seen == wanted, || {
            format!("{} ({:?}), run {run}: {seen}, not {wanted}", entry.key, entry.shape)
        });
        if entry.shape == Shape::Nested {
            let found = states.children.get(run).map_or(0, HashSet::len);
            children.expect(!terminal || found == PARTS, || {
                format!("{}, run {run}: {found} runs are steps of it, not {PARTS}", entry.key)
            });
        }
    }

    stays.evaluated = states.looked_again;
    stays.broken.clone_from(&states.changed);
    once.evaluated = books.repeated + books.of_run.len() as u64;
    once.broken.clone_from(&books.surprises);

    for (run, (workflow, seen)) in &states.runs {
        let is_tick = workflow.starts_with("tick");
        let is_part = workflow == PART && states.children.values().any(|children| children.contains(run));
        let is_known = is_tick || is_part || books.of_run.contains_key(run);
        stranger.expect(is_known, || format!("run {run} of {workflow}"));
        if is_tick || is_part {
            ended.expect(TERMINAL.contains(&seen.as_str()), || format!("{workflow}, run {run}: {seen}"));
            state.expect(seen == Shape::Quick.state(), || format!("{workflow}, run {run}: {seen}"));
        }
    }
    vec![present, ended, state, stays, once, stranger, children]
}
