//! Several private RabbitMQ nodes that form one broker.

use anyhow::Result;
use tokio::try_join;

use crate::node::RabbitNode;

/// A cluster of three nodes of the test's own, each with its ports and folder. Their virtual host
/// `/` is the same.
#[derive(Debug)]
pub struct Cluster {
    nodes: [RabbitNode; 3],
}

impl Cluster {
    /// Starts three nodes and joins them.
    ///
    /// # Errors
    /// As [`RabbitNode::start`], and if the nodes do not find each other.
    pub async fn start() -> Result<Self> {
        let (one, two, three) = try_join!(
            RabbitNode::start(),
            RabbitNode::start(),
            RabbitNode::start()
        )?;
        // In turn: each has to know of those before it.
        for node in [&two, &three] {
            node.ctl(&["stop_app"]).await?;
            node.ctl(&["join_cluster", one.name()]).await?;
            node.ctl(&["start_app"]).await?;
        }
        Ok(Self {
            nodes: [one, two, three],
        })
    }

    /// The URL of all nodes, from the one of that number on, as the user `guest`.
    #[must_use]
    pub fn url(&self, first: usize) -> String {
        let hosts = (0..self.nodes.len()).map(|place| {
            let node = &self.nodes[(first + place) % self.nodes.len()];
            format!("127.0.0.1:{}", node.port())
        });
        let hosts: Vec<_> = hosts.collect();
        format!("amqp://guest:guest@{}/%2f", hosts.join(","))
    }

    /// The nodes, to be killed and restarted.
    pub fn nodes(&mut self) -> &mut [RabbitNode; 3] {
        &mut self.nodes
    }
}
