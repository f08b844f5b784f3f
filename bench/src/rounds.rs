//! The order of measuring: in each round the raw limit, then the same work on the fleet and on the embedded server, so
//! that a machine that changes its speed changes it for all of them.

use crate::api::Api;
use crate::arguments::{Arguments, Workload};
use crate::catalogue::{EMBEDDED, MAIN};
use crate::cpu::{self, Meter};
use crate::embedded::Embedded;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::latency::Waits;
use crate::report::Report;
use crate::{footprint, graph, latency, machine, peers, raw, schedules, throughput};

/// The number of tasks in one array.
const ARRAY: usize = 500;
/// The number of chains and of fans in one round.
const GRAPHS: usize = 3;

/// The rounds of one column: what is measured, and on what.
pub(crate) struct Rounds<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) sync: &'static str,
    pub(crate) fleet: Fleet,
    pub(crate) embedded: Option<Embedded>,
    pub(crate) report: &'a mut Report,
}

impl<'a> Rounds<'a> {
    /// Starts what is measured. The embedded server has no Redis: it is measured beside the main column only.
    pub(crate) async fn start(
        arguments: &'a Arguments,
        sync: &'static str,
        report: &'a mut Report,
    ) -> Result<Self, Failure> {
        let fleet = Fleet::start(sync).await?;
        let embedded = if sync == MAIN { Some(Embedded::start().await?) } else { None };
        Ok(Self { arguments, sync, fleet, embedded, report })
    }

    /// Measures all rounds of all workloads that are wanted.
    pub(crate) async fn run(&mut self) {
        for round in 1..=self.arguments.rounds {
            self.report.round = round;
            self.report.note("calibration_ms", self.sync, machine::calibration_ms());
            if self.arguments.wants(Workload::W1) {
                self.throughput().await;
            }
            if self.arguments.wants(Workload::W2) {
                self.latency().await;
            }
            if self.arguments.wants(Workload::W3) {
                self.graph().await;
            }
            if self.arguments.wants(Workload::W9) {
                self.runs_within_runs().await;
            }
            if self.arguments.wants(Workload::W7) {
                self.shell().await;
            }
            if self.arguments.wants(Workload::W5) {
                self.idle().await;
            }
            if let Some(home) = self.arguments.peers.as_ref().filter(|_| self.sync == MAIN) {
                peers::round(home, &self.fleet.servers, self.arguments, self.report).await;
            }
        }
        if self.arguments.wants(Workload::W5) {
            footprint::loaded(&self.fleet, self.embedded.as_ref(), self.sync, self.report);
        }
        // Last, so that what is stored burdens nothing else.
        if self.arguments.wants(Workload::W4) {
            self.schedules().await;
        }
    }

    fn note(&mut self, key: &'static str, column: &'static str, value: Result<f64, Failure>) {
        match value {
            Ok(value) => self.report.note(key, column, value),
            Err(why) => self.report.note_failure(key, &why),
        }
    }

    fn note_waits(&mut self, keys: [&'static str; 2], column: &'static str, waits: Result<Waits, Failure>) {
        match waits {
            Ok(waits) => {
                self.report.note(keys[0], column, waits.p50);
                self.report.note(keys[1], column, waits.p99);
            }
            Err(why) => self.report.note_failure(keys[0], &why),
        }
    }

    /// Keeps a speed, and what it cost.
    fn note_speed(
        &mut self,
        key: &'static str,
        column: &'static str,
        meter: &Meter,
        tasks: usize,
        speed: Result<f64, Failure>,
    ) {
        if speed.is_ok() {
            self.report.note_cpu(key, column, meter.per_thousand(tasks));
        }
        self.note(key, column, speed);
    }

    async fn raw_throughput(&mut self) {
        let mut processes = self.fleet.servers.processes();
        processes.push(cpu::own());
        let (meter, tasks) = (Meter::start(processes), self.arguments.tasks());
        let speed = raw::throughput(&self.fleet.servers, tasks).await;
        self.note_speed("raw.throughput", self.sync, &meter, tasks, speed);
    }

    async fn throughput(&mut self) {
        let tasks = self.arguments.tasks();
        self.raw_throughput().await;
        for (key, in_arrays_of) in [("w1.singly", 1), ("w1.batches", ARRAY)] {
            let meter = Meter::start(self.fleet.processes());
            let speed = throughput::over_amqp(&self.fleet, throughput::NOOP, tasks, in_arrays_of).await;
            self.note_speed(key, self.sync, &meter, tasks, speed);
        }
        for (key, in_arrays_of) in [("w1.rest", ARRAY), ("w1.rest_singly", 1)] {
            let meter = Meter::start(self.fleet.processes());
            let speed = throughput::over_rest(&self.fleet.api, throughput::NOOP, tasks, in_arrays_of).await;
            self.note_speed(key, self.sync, &meter, tasks, speed);
            if let Some(embedded) = &self.embedded {
                let meter = Meter::start(embedded.processes());
                let speed = throughput::over_rest(&embedded.api, throughput::NOOP, tasks, in_arrays_of).await;
                self.note_speed(key, EMBEDDED, &meter, tasks, speed);
            }
        }
        self.raw_throughput().await;
    }

    async fn latency(&mut self) {
        let count = self.arguments.latencies();
        let waits = raw::latency(&self.fleet.servers, latency::RATE, count).await;
        self.note_waits(["raw.latency_p50", "raw.latency_p99"], self.sync, waits);
        let waits = latency::over_amqp(&self.fleet, count).await;
        self.note_waits(["w2.p50", "w2.p99"], self.sync, waits);
        let over_rest = ["w2.rest_p50", "w2.rest_p99"];
        let waits = latency::over_rest(&self.fleet.api, count).await;
        self.note_waits(over_rest, self.sync, waits);
        if let Some(embedded) = &self.embedded {
            let waits = latency::over_rest(&embedded.api, count).await;
            self.note_waits(over_rest, EMBEDDED, waits);
        }
    }

    async fn graph(&mut self) {
        for _ in 0..GRAPHS {
            let took = raw::chain(&self.fleet.servers, graph::CHAIN).await;
            self.note("raw.chain", self.sync, took);
            let took = graph::chain(&self.fleet.api).await;
            self.note("w3.chain", self.sync, took);
            let took = raw::fan(&self.fleet.servers, graph::FAN).await;
            self.note("raw.fan", self.sync, took);
            let took = graph::fan(&self.fleet.api).await;
            self.note("w3.fan", self.sync, took);
            if let Some(embedded) = &self.embedded {
                let (chain, fan) = (graph::chain(&embedded.api).await, graph::fan(&embedded.api).await);
                self.note("w3.chain", EMBEDDED, chain);
                self.note("w3.fan", EMBEDDED, fan);
            }
        }
    }

    async fn runs_within_runs(&mut self) {
        let mut apis = vec![(self.sync, self.fleet.api.clone())];
        apis.extend(self.embedded.as_ref().map(|embedded| (EMBEDDED, embedded.api.clone())));
        for (column, api) in apis {
            if let Err(why) = graph::store_parts(&api).await {
                self.report.note_failure("w9.chain", &why);
                continue;
            }
            for _ in 0..GRAPHS {
                let (chain, fan) = (graph::chain_of_runs(&api).await, graph::fan_of_runs(&api).await);
                self.note("w9.chain", column, chain);
                self.note("w9.fan", column, fan);
                let chain = graph::chain_of_locks(&api).await;
                let apart = graph::fan_of_locks(&api, "${{ item_index }}").await;
                let queue = graph::fan_of_locks(&api, "one").await;
                self.note("w9.lock_chain", column, chain);
                self.note("w9.lock_fan", column, apart);
                self.note("w9.lock_queue", column, queue);
                let (apart, queue) = (graph::fan_of_slots(&api).await, graph::queue_of_slots(&api).await);
                self.note("w9.slot_fan", column, apart);
                self.note("w9.slot_queue", column, queue);
            }
        }
    }

    async fn idle(&mut self) {
        if let Err(why) = footprint::idle(&self.fleet.servers, self.sync, self.report).await {
            self.report.note_failure("w5.producer_idle", &why);
        }
        if self.embedded.is_some()
            && let Err(why) = footprint::idle_embedded(self.report).await
        {
            self.report.note_failure("w5.dev_idle", &why);
        }
    }

    async fn shell(&mut self) {
        let tasks = (self.arguments.tasks() / 10).max(ARRAY);
        let speed = raw::spawn(tasks).await;
        self.note("raw.spawn", self.sync, speed);
        let meter = Meter::start(self.fleet.processes());
        let speed = throughput::over_amqp(&self.fleet, throughput::SHELL, tasks, ARRAY).await;
        self.note_speed("w7.shell", self.sync, &meter, tasks, speed);
        if let Some(embedded) = &self.embedded {
            let meter = Meter::start(embedded.processes());
            let speed = throughput::over_rest(&embedded.api, throughput::SHELL, tasks, ARRAY).await;
            self.note_speed("w7.shell", EMBEDDED, &meter, tasks, speed);
        }
    }

    async fn schedules(&mut self) {
        let apis = [
            (self.sync, Some(self.fleet.api.clone())),
            (EMBEDDED, self.embedded.as_ref().map(|e| e.api.clone())),
        ];
        for (column, api) in apis.into_iter().filter_map(|(column, api)| Some((column, api?))) {
            self.report.round = 0;
            let due = self.arguments.due.min(self.arguments.schedules);
            let speed = match schedules::store_idle(&api, 0..self.arguments.schedules).await {
                Ok(speed) => speed,
                Err(why) => {
                    self.report.note_failure("w4.apply", &why);
                    continue;
                }
            };
            self.report.note("w4.apply", column, speed);
            for round in 1..=self.arguments.rounds {
                self.report.round = round;
                self.fires(&api, column, due, speed).await;
            }
        }
    }

    async fn fires(&mut self, api: &Api, column: &'static str, due: usize, speed: f64) {
        match schedules::fire(api, 0..due, speed).await {
            Ok(fires) => {
                self.note_waits(["w4.fire_p50", "w4.fire_p99"], column, Ok(fires.fire));
                self.note_waits(["w4.start_p50", "w4.start_p99"], column, Ok(fires.start));
                let counts =
                    [("w4.early", fires.early), ("w4.twice", fires.twice), ("w4.missing", fires.missing)];
                for (key, count) in counts {
                    self.report.note(key, column, count as f64);
                }
            }
            Err(why) => self.report.note_failure("w4.start_p99", &why),
        }
    }
}
