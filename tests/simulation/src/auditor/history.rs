//! The history of runs: each advance is told by an entry or by the end that a result has brought about, and all of them
//! together make the run again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_domain::run::history::{Entry, History, What, as_created, replay};
use millrace_domain::run::record::StepRecord;
use millrace_domain::run::{Ended, Run, Spec};
use millrace_domain::{Outcome, RunId, StepIndex, Unit};
use millrace_store::RunDelta;
use serde_json::Value;

use super::Auditor;
use super::books::{Book, Past};

impl Auditor {
    /// Checks that a change to a run tells of all its advances after the one numbered `last`, in order; and of a run that
    /// has ended, that what was told makes it again.
    pub(super) fn check_history(&mut self, book: &mut Book, delta: &RunDelta, last: u64) {
        let run = delta.run;
        let mut before = last;
        for (n, entry) in &delta.history {
            let is_sound = serde_json::from_str::<Entry>(entry).is_ok_and(|entry| entry.n == *n);
            if *n <= before || !is_sound {
                self.object(3, || format!("entry {n} of run {run} after {before}: {entry}"));
            }
            before = *n;
        }
        let told = book.past.add(delta);
        if let Some(missing) = (last + 1..=book.advance).find(|n| !told.contains(n)) {
            self.object(3, || format!("nothing tells of advance {missing} of run {run}, after {last}"));
        }
        if let Some(early) = told.first().filter(|n| **n <= last || told.last() > Some(&book.advance)) {
            let now = book.advance;
            self.object(3, || format!("run {run} is told of advance {early} after {last}, and is at {now}"));
        }
        if book.has_ended()
            && let Err(why) = book.replayed(run)
        {
            self.object(3, || format!("the history of run {run} does not make it again: {why}"));
        }
    }
}

impl Past {
    /// Adds a change, and answers the numbers of the advances of which it tells.
    fn add(&mut self, delta: &RunDelta) -> BTreeSet<u64> {
        let created = delta.create.iter().map(|_| 1);
        let mut told: BTreeSet<u64> = created.chain(delta.history.iter().map(|(n, _)| *n)).collect();
        let items = delta.ended_items.iter();
        let items = items.filter_map(|(unit, end)| Some((*unit, serde_json::from_str::<Ended>(end).ok()?)));
        let steps =
            delta.steps.iter().filter_map(|(unit, record)| match serde_json::from_str(record).ok()? {
                StepRecord::Ended(end) => Some((*unit, *end)),
                _ => None,
            });
        for (unit, end) in items.chain(steps) {
            let is_told = end.attempts.attempt > 0 && end.started_at.is_some() && end.items.is_none();
            told.extend(is_told.then_some(end.advance));
            self.ends.insert(unit, end);
        }
        self.entries.extend(delta.history.iter().cloned());
        self.apart.extend(delta.apart.iter().cloned());
        if let Some(head) = &delta.head {
            self.head.clone_from(head);
        }
        told
    }

    /// What a step gave that is kept apart, as it is lent.
    fn outputs(&self, step: StepIndex) -> Arc<Value> {
        if self.ends.get(&step.into()).is_some_and(|end| end.outputs_bytes > 0) {
            let apart = self.apart.get(&step).and_then(|outputs| serde_json::from_str(outputs).ok());
            return Arc::new(apart.unwrap_or_default());
        }
        let counts = self.ends.get(&step.into()).and_then(|end| end.items.as_deref());
        let items = (0..counts.map_or(0, |counts| counts.total)).map(|item| {
            match self.ends.get(&Unit { step, item: Some(item) }) {
                Some(end) if end.outcome == Outcome::Succeeded => Value::Object(end.outputs.clone()),
                _ => Value::Null,
            }
        });
        Arc::new(items.collect())
    }
}

impl Book {
    /// Makes a run that has ended again, from its history.
    fn replayed(&self, id: RunId) -> Result<(), String> {
        let spec: Spec = serde_json::from_str(&self.past.spec).map_err(|e| e.to_string())?;
        let of_steps = self.past.ends.iter().filter(|(unit, _)| unit.item.is_none());
        let records = of_steps.map(|(unit, end)| {
            let record = serde_json::to_string(&StepRecord::Ended(Box::new(end.clone())));
            record.map(|record| (*unit, record)).map_err(|e| e.to_string())
        });
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let workflow = Arc::clone(&self.workflow);
        let mut run = Run::restore(id, workflow, Arc::new(spec), &self.past.head, &records, &[])
            .map_err(|e| e.to_string())?;
        run.head.carried = None;
        // What came of it after its end, its history does not tell.
        run.head.continuations.clear();
        let mut history = History::of(&run, 0, usize::MAX);
        let of_items =
            self.past.ends.iter().filter(|(unit, end)| unit.item.is_some() && end.carried.is_none());
        of_items.for_each(|(unit, end)| history.add_end(*unit, end.clone()));
        self.past.entries.iter().for_each(|(n, entry)| history.add_entry(*n, entry.clone()));

        let (mut again, created) = as_created(&run);
        let mut items: BTreeMap<Unit, Box<Ended>> = created.ended_items.into_iter().collect();
        for happened in history.happened(&run) {
            if matches!(happened.what, What::Created) {
                continue;
            }
            let entry = happened.entry().ok_or_else(|| format!("{happened:?}"))?;
            let advanced = replay(&mut again, entry, |step| self.past.outputs(step));
            items.extend(advanced.map_err(|refusal| format!("{entry:?}: {refusal}"))?.ended_items);
        }
        if (&again.head, &again.steps) != (&run.head, &run.steps) {
            return Err(format!("{:?} {:?}, not {:?} {:?}", again.head, again.steps, run.head, run.steps));
        }
        let differs = items.iter().find(|(unit, end)| self.past.ends.get(unit) != Some(&***end));
        differs.map_or(Ok(()), |(unit, end)| Err(format!("item {unit} ended as {end:?}")))
    }
}
