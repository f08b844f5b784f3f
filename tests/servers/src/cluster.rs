//! A private RabbitMQ cluster: three nodes on loopback that share one epmd. Queues are replicated when they are
//! declared as quorum queues; this starts nodes and knows no queues.

use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::rabbitmq::Common;
use crate::{RabbitMq, port};

/// The number of nodes: the fewest of which one can be lost.
const NODES: usize = 3;

/// A node that sees less than half stops serving; one that went silent is missed after seconds, not a minute.
const CONFIG: [&str; 2] = ["cluster_partition_handling = pause_minority", "net_ticktime = 8"];

/// A cluster with its own data, ended and removed when dropped.
#[derive(Debug)]
pub struct RabbitMqCluster {
    // Dropped in this order: epmd goes last.
    nodes: Vec<RabbitMq>,
    _epmd: Process,
    _folder: TempDir,
}

impl RabbitMqCluster {
    /// Starts the nodes with these lines added to the `rabbitmq.conf` of each, and waits until all have joined
    /// and speak AMQP. That takes about 20 s of processor time.
    pub fn start(config: &[&str]) -> Self {
        let folder = match TempDir::with_prefix("millrace-epmd-") {
            Ok(folder) => folder,
            Err(error) => panic!("a temporary folder for epmd cannot be made: {error}"),
        };
        let common = Common { epmd_port: port::free(), cookie: format!("millrace{}", std::process::id()) };
        let mut command = Command::new("epmd");
        command.args(["-address", "127.0.0.1", "-port", &common.epmd_port.to_string()]);
        let started = Process::start(&mut command, folder.path()).and_then(|mut epmd| {
            epmd.wait_until(|| port::connect(common.epmd_port).is_ok())?;
            Ok(epmd)
        });
        let epmd = match started {
            Ok(epmd) => epmd,
            Err(error) => panic!("epmd did not start: {error}: apt-get install rabbitmq-server"),
        };
        let config = [&CONFIG, config].concat();
        let mut nodes = vec![RabbitMq::start_as(&config, Some(&common))];
        let join = format!("cluster_formation.classic_config.nodes.1 = {}", nodes[0].node_name());
        let joining = [&config[..], &[&join]].concat();
        // One after the other, since two that join at once may each wait for the other.
        nodes.extend((1..NODES).map(|_| RabbitMq::start_as(&joining, Some(&common))));
        Self { nodes, _epmd: epmd, _folder: folder }
    }

    /// The `amqp://` URL of each node.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RabbitMq::url).collect()
    }

    /// A node by its number, from 0, to stop, kill and start again. Start one again while others run: it waits for
    /// them.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&mut self, number: usize) -> &mut RabbitMq {
        &mut self.nodes[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_nodes_are_one_cluster_and_a_killed_one_comes_back() {
        let mut cluster = RabbitMqCluster::start(&[]);
        let names: Vec<String> = cluster.nodes.iter().map(RabbitMq::node_name).collect();
        let running = |cluster: &mut RabbitMqCluster| {
            let answer = cluster.node(0).ctl(&["eval", "rabbit_nodes:all_running()."]);
            names.iter().filter(|name| answer.contains(name.as_str())).count()
        };
        assert_eq!(running(&mut cluster), 3);
        cluster.node(2).kill();
        assert_eq!(running(&mut cluster), 2);
        cluster.node(2).start_again();
        assert_eq!(running(&mut cluster), 3);
    }
}
