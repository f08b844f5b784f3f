//! The head of a stored workflow: what is known of it beside its versions, and which of its schedules is which.

use millrace_domain::carried::{unknown_fields, with_fields};
use millrace_domain::definition::Workflow;
use millrace_domain::schedule::{Schedule, Zone};
use millrace_domain::{Timestamp, TriggerId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The head of a workflow: what is known of it beside its versions. The owner of its home partition alone writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkflowHead {
    /// The current version.
    pub(crate) version: u32,
    /// Whether its schedules rest.
    #[serde(default)]
    pub(crate) paused: bool,
    /// Whether it was deleted: then only its runs remember it.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// When the current version came.
    pub(crate) applied_at: Timestamp,
    /// Where its shell steps start, when it came from a file of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base_dir: Option<String>,
    /// When each schedule fires next, by its place.
    #[serde(default)]
    pub(crate) next: Vec<Option<Timestamp>>,
    /// The ids of the schedules, by their places; nothing as long as each one's is its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    triggers: Vec<TriggerId>,
    /// The id of the next new schedule, where that is not the number of those there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_trigger: Option<u32>,
    /// The description, for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// The schedules as written: for lists, and to know each of them again.
    #[serde(default)]
    pub(crate) schedules: Vec<String>,
    /// The zones of the schedules, by their places; one, when it is the same for all that follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) zones: Vec<String>,
    /// The number of steps, for lists.
    #[serde(default)]
    pub(crate) steps: usize,
    /// The fields that a newer version has written here and this one does not know.
    #[serde(skip)]
    pub(crate) carried: Map<String, Value>,
}

impl WorkflowHead {
    /// The head of the next version of a workflow, before its fires are planned. A schedule that `before` has as well, in
    /// whatever place, keeps its id; no other gets an id that there was.
    pub(crate) fn of(
        workflow: &Workflow,
        base_dir: Option<String>,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let mut head = Self {
            version: before.map_or(0, |before| before.version) + 1,
            paused: before.is_some_and(|before| before.paused && !before.deleted),
            deleted: false,
            applied_at: now,
            base_dir,
            next: Vec::new(),
            triggers: Vec::new(),
            next_trigger: None,
            description: workflow.description.clone(),
            schedules: workflow.schedules.iter().map(ToString::to_string).collect(),
            zones: zones_of(workflow),
            steps: workflow.steps.len(),
            carried: before.map(|before| before.carried.clone()).unwrap_or_default(),
        };
        if let Some(before) = before {
            head.take_ids(before);
        }
        head
    }

    /// Takes over the ids of the schedules that are the same as before, and gives the others new ones.
    fn take_ids(&mut self, before: &Self) {
        let mut left: Vec<usize> = (0..before.schedules.len()).collect();
        let mut fresh = before.fresh_trigger()..;
        let mut ids = Vec::with_capacity(self.schedules.len());
        for place in 0..self.schedules.len() {
            let is_same = |other: &usize| {
                let zone = before.zone(*other);
                before.schedules[*other] == self.schedules[place]
                    && (zone.is_none() || zone == self.zone(place))
            };
            let kept = left.iter().position(is_same).map(|at| before.trigger(left.remove(at)));
            ids.extend(kept.or_else(|| fresh.next().map(TriggerId)));
        }
        let places = 0..ids.len() as u32;
        self.next_trigger = Some(fresh.start).filter(|fresh| *fresh != places.end);
        self.triggers = if places.map(TriggerId).eq(ids.iter().copied()) { Vec::new() } else { ids };
    }

    /// The id of the schedule at a place.
    pub(crate) fn trigger(&self, place: usize) -> TriggerId {
        self.triggers.get(place).copied().unwrap_or(TriggerId(place as u32))
    }

    /// The ids of all schedules, by their places.
    pub(crate) fn triggers(&self) -> impl Iterator<Item = TriggerId> {
        (0..self.schedules.len()).map(|place| self.trigger(place))
    }

    /// The place of the schedule with an id.
    pub(crate) fn place_of(&self, trigger: TriggerId) -> Option<usize> {
        self.triggers().position(|other| other == trigger)
    }

    /// The instant for which a schedule, by its id, is to fire next.
    pub(crate) fn next_of(&self, trigger: TriggerId) -> Option<Timestamp> {
        self.place_of(trigger).and_then(|place| self.next.get(place).copied().flatten())
    }

    /// The first id that no schedule has had.
    fn fresh_trigger(&self) -> u32 {
        self.next_trigger.unwrap_or(self.schedules.len() as u32)
    }

    /// The zone of the schedule at a place. 0.1 has stored none.
    pub(crate) fn zone(&self, place: usize) -> Option<&str> {
        self.zones.get(place).or(self.zones.last()).map(String::as_str)
    }

    /// Reads a head to be changed, as it is stored.
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        let head: Self = serde_json::from_str(text)?;
        Ok(Self { carried: unknown_fields(text, &head), ..head })
    }

    /// The head as it is stored.
    pub(crate) fn record(&self) -> String {
        with_fields(serde_json::to_string(self).unwrap_or_default(), &self.carried)
    }
}

/// The zones of a workflow's schedules, as a head keeps them.
fn zones_of(workflow: &Workflow) -> Vec<String> {
    let own = workflow.timezone.iana_name().unwrap_or("UTC");
    let zone = |schedule: &Schedule| schedule.zone().map_or(own, Zone::name).to_owned();
    let mut zones: Vec<String> = workflow.schedules.iter().map(zone).collect();
    if zones.iter().all(|zone| zones.first() == Some(zone)) {
        zones.truncate(1);
    }
    zones
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_domain::definition;

    const NOW: Timestamp = Timestamp::from_millis(1_772_407_800_000);

    fn workflow(schedules: &[&str]) -> Workflow {
        let list: String = schedules.iter().map(|schedule| format!("\n  - {schedule}")).collect();
        let schedules = if list.is_empty() { String::new() } else { format!("schedule:{list}\n") };
        let source = format!("name: daily\n{schedules}steps: [{{name: a, run: 'true'}}]\n");
        definition::parse(&source, "daily.yaml").unwrap().remove(0).workflow
    }

    fn ids(head: &WorkflowHead) -> Vec<u32> {
        head.triggers().map(|id| id.0).collect()
    }

    const THREE: &str = r#"cron: "0 3 * * *""#;
    const FOUR: &str = r#"cron: "0 4 * * *""#;
    const FIVE: &str = r#"cron: "0 5 * * *""#;

    #[test]
    fn a_schedule_keeps_its_id_in_another_place_and_no_other_gets_it() {
        let mut head = WorkflowHead::of(&workflow(&[THREE, FOUR]), None, None, NOW);
        assert_eq!(ids(&head), [0, 1]);
        for (version, schedules, expected) in [
            (2, vec![FOUR, THREE], vec![1, 0]),
            (3, vec![FIVE, FOUR], vec![2, 1]),
            // What is gone has had its id for good, also where nothing else is left.
            (4, vec![], vec![]),
            (5, vec![THREE, THREE], vec![3, 4]),
            (6, vec![THREE], vec![3]),
            (7, vec![THREE, FOUR], vec![3, 5]),
        ] {
            let stored = WorkflowHead::read(&head.record()).unwrap();
            assert_eq!(stored, head);
            head = WorkflowHead::of(&workflow(&schedules), None, Some(&stored), NOW);
            assert_eq!((head.version, ids(&head)), (version, expected), "{schedules:?}");
        }
    }

    #[test]
    fn the_same_time_of_day_in_another_zone_is_another_schedule() {
        let of = |zone: &str| {
            let source = format!(
                "name: d\ntimezone: {zone}\nschedule: [{{{THREE}}}]\nsteps: [{{name: a, run: 'true'}}]\n"
            );
            definition::parse(&source, "d.yaml").unwrap().remove(0).workflow
        };
        let head = WorkflowHead::of(&of("UTC"), None, None, NOW);
        assert_eq!(ids(&WorkflowHead::of(&of("UTC"), None, Some(&head), NOW)), [0]);
        assert_eq!(ids(&WorkflowHead::of(&of("Asia/Tokyo"), None, Some(&head), NOW)), [1]);
    }

    #[test]
    fn ids_that_are_places_are_not_stored_so_that_0_1_reads_what_it_wrote() {
        let head = WorkflowHead::of(&workflow(&[THREE, FOUR]), None, None, NOW);
        assert!(!head.record().contains("trigger"), "{}", head.record());
        let of_0_1 = r#"{"version":3,"applied_at":1772407800000,"next":[null,null],"schedules":["0 4 * * *","0 3 * * *"]}"#;
        let before = WorkflowHead::read(of_0_1).unwrap();
        assert_eq!(ids(&before), [0, 1]);
        assert_eq!(ids(&WorkflowHead::of(&workflow(&[THREE, FIVE]), None, Some(&before), NOW)), [1, 2]);
    }
}
