//! Who waits for whom, and for which end of it: the DAG of a workflow by the places of its steps. It knows no names and
//! no states.

use crate::StepIndex;
use crate::rule::Status;

/// A dependency of a step: the step that it waits for, and how that is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// The step that is waited for.
    pub on: StepIndex,
    /// The status that is wanted of it.
    pub status: Status,
}

impl From<StepIndex> for Dependency {
    fn from(on: StepIndex) -> Self {
        Self { on, status: Status::default() }
    }
}

/// The DAG of a workflow, both ways round. Building it proves that there is no cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    dependencies: Adjacency,
    dependents: Adjacency,
    roots: Vec<StepIndex>,
}

/// A cycle of steps: each waits for the next, and the last for the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("steps {:?} wait for each other", self.steps.iter().map(|step| step.0).collect::<Vec<_>>())]
pub struct Cycle {
    /// The steps of the cycle, the lowest place first. A step that waits for itself is alone.
    pub steps: Vec<StepIndex>,
}

/// Lists of neighbours in one allocation: those of step `n` are `neighbours[starts[n]..starts[n + 1]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Adjacency {
    starts: Vec<u32>,
    neighbours: Vec<StepIndex>,
    /// The status that each of the edges wants; empty when all want success.
    statuses: Vec<Status>,
}

impl Adjacency {
    fn range(&self, step: StepIndex) -> std::ops::Range<usize> {
        match (self.starts.get(step.at()), self.starts.get(step.at() + 1)) {
            (Some(start), Some(end)) => *start as usize..*end as usize,
            _ => 0..0,
        }
    }

    fn of(&self, step: StepIndex) -> &[StepIndex] {
        &self.neighbours[self.range(step)]
    }

    fn edges(&self, step: StepIndex) -> impl Iterator<Item = (StepIndex, Status)> {
        let status = |edge: usize| self.statuses.get(edge).copied().unwrap_or_default();
        self.range(step).map(move |edge| (self.neighbours[edge], status(edge)))
    }
}

impl Graph {
    /// The graph in which step `n` has the dependencies `dependencies[n]`. O(steps + edges), without recursion.
    ///
    /// An index past the end names no step, and is left out.
    ///
    /// # Errors
    /// One [`Cycle`], when there is any.
    pub fn build(dependencies: &[Vec<Dependency>]) -> Result<Self, Cycle> {
        let count = dependencies.len();
        let known = |dependency: &Dependency| dependency.on.at() < count;
        let mut forward =
            Adjacency { starts: Vec::with_capacity(count + 1), neighbours: Vec::new(), statuses: Vec::new() };
        let mut starts = vec![0u32; count + 1];
        forward.starts.push(0);
        for list in dependencies {
            for dependency in list.iter().copied().filter(known) {
                forward.neighbours.push(dependency.on);
                starts[dependency.on.at() + 1] += 1;
            }
            forward.starts.push(forward.neighbours.len() as u32);
        }
        let all = || dependencies.iter().flatten().filter(|dependency| known(dependency));
        if all().any(|dependency| dependency.status != Status::default()) {
            forward.statuses = all().map(|dependency| dependency.status).collect();
        }
        for step in 0..count {
            starts[step + 1] += starts[step];
        }
        let mut next = starts.clone();
        let mut neighbours = vec![StepIndex(0); forward.neighbours.len()];
        let mut statuses = forward.statuses.clone();
        for step in 0..count {
            for edge in forward.range(step.into()) {
                let slot = &mut next[forward.neighbours[edge].at()];
                neighbours[*slot as usize] = step.into();
                if let Some(status) = forward.statuses.get(edge) {
                    statuses[*slot as usize] = *status;
                }
                *slot += 1;
            }
        }
        let roots = (0..count).map(StepIndex::from).filter(|step| forward.of(*step).is_empty()).collect();
        let dependents = Adjacency { starts, neighbours, statuses };
        let graph = Self { dependencies: forward, dependents, roots };
        graph.check_order()?;
        Ok(graph)
    }

    /// The graph of one step that waits for nobody.
    pub fn single() -> Self {
        let none = || Adjacency { starts: vec![0, 0], neighbours: Vec::new(), statuses: Vec::new() };
        Self { dependencies: none(), dependents: none(), roots: vec![StepIndex(0)] }
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.dependencies.starts.len() - 1
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The steps that wait for `step`, in the order of the definition.
    pub fn dependents(&self, step: StepIndex) -> &[StepIndex] {
        self.dependents.of(step)
    }

    /// The steps that `step` waits for, in the order they were given.
    pub fn dependencies(&self, step: StepIndex) -> &[StepIndex] {
        self.dependencies.of(step)
    }

    /// The dependents of `step` as [`Graph::dependents`] lists them, each with the status that it wants.
    pub fn dependent_edges(&self, step: StepIndex) -> impl Iterator<Item = (StepIndex, Status)> {
        self.dependents.edges(step)
    }

    /// The dependencies of `step` as [`Graph::dependencies`] lists them, each with the status that it wants.
    pub fn dependency_edges(&self, step: StepIndex) -> impl Iterator<Item = (StepIndex, Status)> {
        self.dependencies.edges(step)
    }

    /// Whether a dependency wants anything but success.
    pub fn has_statuses(&self) -> bool {
        !self.dependencies.statuses.is_empty()
    }

    /// The roots: the steps that wait for nobody.
    pub fn roots(&self) -> &[StepIndex] {
        &self.roots
    }

    /// The depth of each step: the length of the longest path to it from a root, above that of all it waits for.
    pub fn depths(&self) -> Vec<u32> {
        let mut depths = vec![0; self.len()];
        self.visit_edges(|step, dependent| {
            let depth: u32 = depths[step.at()] + 1;
            let slot: &mut u32 = &mut depths[dependent.at()];
            *slot = depth.max(*slot);
        });
        depths
    }

    /// Visits every edge once, in topological order: a step is complete before its own edges are visited. Answers how
    /// many dependencies of each step were never met: none, without a cycle.
    fn visit_edges(&self, mut edge: impl FnMut(StepIndex, StepIndex)) -> Vec<u32> {
        let mut open: Vec<u32> =
            (0..self.len()).map(|step| self.dependencies(step.into()).len() as u32).collect();
        let mut ready = self.roots.clone();
        while let Some(step) = ready.pop() {
            for &dependent in self.dependents(step) {
                edge(step, dependent);
                open[dependent.at()] -= 1;
                if open[dependent.at()] == 0 {
                    ready.push(dependent);
                }
            }
        }
        open
    }

    fn check_order(&self) -> Result<(), Cycle> {
        let open = self.visit_edges(|_, _| ());
        let Some(first) = open.iter().position(|open| *open > 0) else { return Ok(()) };
        // Every open step waits for another open one, so a walk along them must come back to where it was.
        let mut seen = vec![u32::MAX; self.len()];
        let mut walk: Vec<StepIndex> = Vec::new();
        let mut step = StepIndex::from(first);
        while seen[step.at()] == u32::MAX {
            seen[step.at()] = walk.len() as u32;
            walk.push(step);
            match self.dependencies(step).iter().find(|next| open[next.at()] > 0) {
                Some(next) => step = *next,
                None => break,
            }
        }
        let mut steps = walk.split_off(seen[step.at()] as usize);
        let lowest = steps.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(at, _)| at);
        steps.rotate_left(lowest);
        Err(Cycle { steps })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lists(edges: &[&[u32]]) -> Vec<Vec<Dependency>> {
        edges.iter().map(|list| list.iter().map(|n| StepIndex(*n).into()).collect()).collect()
    }

    #[test]
    fn an_edge_wants_the_same_status_seen_from_either_end() {
        let edge = |on: u32, status| Dependency { on: StepIndex(on), status };
        let graph = Graph::build(&[
            vec![],
            vec![edge(0, Status::Failed)],
            vec![edge(1, Status::Success), edge(0, Status::Skipped)],
        ])
        .unwrap();
        let dependents: Vec<_> = graph.dependent_edges(StepIndex(0)).collect();
        assert_eq!(dependents, [(StepIndex(1), Status::Failed), (StepIndex(2), Status::Skipped)]);
        let dependencies: Vec<_> = graph.dependency_edges(StepIndex(2)).collect();
        assert_eq!(dependencies, [(StepIndex(1), Status::Success), (StepIndex(0), Status::Skipped)]);
        assert_eq!(graph.dependent_edges(StepIndex(9)).count(), 0);
    }

    #[test]
    fn a_diamond_is_seen_both_ways_round() {
        let graph = Graph::build(&lists(&[&[], &[0], &[0], &[2, 1]])).unwrap();
        assert_eq!(graph.len(), 4);
        assert_eq!(graph.roots(), [StepIndex(0)]);
        assert_eq!(graph.dependents(StepIndex(0)), [StepIndex(1), StepIndex(2)]);
        assert_eq!(graph.dependencies(StepIndex(3)), [StepIndex(2), StepIndex(1)]);
        assert_eq!(graph.dependents(StepIndex(3)), []);
        assert_eq!(graph.depths(), [0, 1, 1, 2]);
        assert_eq!(graph.dependents(StepIndex(99)), []);
    }

    #[test]
    fn a_cycle_is_named_in_order_from_its_lowest_step() {
        let cycle = Graph::build(&lists(&[&[], &[3], &[1], &[2], &[2]])).unwrap_err();
        assert_eq!(cycle.steps, [StepIndex(1), StepIndex(3), StepIndex(2)]);
        let own = Graph::build(&lists(&[&[], &[1]])).unwrap_err();
        assert_eq!(own.steps, [StepIndex(1)]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_steps_does_not_exhaust_the_stack() {
        let before = |n: u32| n.checked_sub(1).map(|n| StepIndex(n).into()).into_iter().collect();
        let chain: Vec<Vec<Dependency>> = (0..100_000).map(before).collect();
        assert_eq!(Graph::build(&chain).unwrap().depths()[99_999], 99_999);
        let mut ring = chain;
        ring[0].push(StepIndex(99_999).into());
        assert_eq!(Graph::build(&ring).unwrap_err().steps.len(), 100_000);
    }

    #[test]
    fn no_steps_and_unknown_steps_are_no_trouble() {
        assert!(Graph::build(&[]).unwrap().is_empty());
        assert_eq!(Graph::build(&lists(&[&[]])).unwrap(), Graph::single());
        assert_eq!(Graph::build(&lists(&[&[7]])).unwrap().roots(), [StepIndex(0)]);
    }

    /// Up to 40 steps with any edges at all, cycles and repetitions among them.
    fn any_edges() -> impl Strategy<Value = Vec<Vec<Dependency>>> {
        (1usize..40).prop_flat_map(|count| {
            proptest::collection::vec(
                proptest::collection::vec((0..count as u32).prop_map(|n| StepIndex(n).into()), 0..4),
                count,
            )
        })
    }

    proptest! {
        #[test]
        fn edges_that_point_back_always_build_and_mirror_each_other(edges in any_edges()) {
            let back: Vec<Vec<Dependency>> = edges
                .iter()
                .enumerate()
                .map(|(n, list)| list.iter().copied().filter(|d| d.on.at() < n).collect())
                .collect();
            let graph = Graph::build(&back).unwrap();
            for (step, list) in back.iter().enumerate() {
                prop_assert!(graph.dependencies(step.into()).iter().eq(list.iter().map(|d| &d.on)));
                for dependency in list {
                    prop_assert!(graph.dependents(dependency.on).contains(&step.into()));
                }
            }
            let there: usize = (0..graph.len()).map(|n| graph.dependencies(n.into()).len()).sum();
            let back: usize = (0..graph.len()).map(|n| graph.dependents(n.into()).len()).sum();
            prop_assert_eq!(there, back);
        }

        #[test]
        fn either_every_edge_goes_down_or_the_named_cycle_is_real(edges in any_edges()) {
            match Graph::build(&edges) {
                Ok(graph) => {
                    let depths = graph.depths();
                    for (step, list) in edges.iter().enumerate() {
                        for dependency in list {
                            prop_assert!(depths[dependency.on.at()] < depths[step]);
                        }
                    }
                }
                Err(Cycle { steps }) => {
                    for (at, step) in steps.iter().enumerate() {
                        let next = steps[(at + 1) % steps.len()];
                        prop_assert!(edges[step.at()].contains(&next.into()));
                    }
                }
            }
        }
    }
}
