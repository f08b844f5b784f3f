//! Where a dispatched task waits for a worker: its queue, and its priority there.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{IdError, Namespace, PoolName, Priority, ShapeName};

/// A lane: tasks that wait in one queue with one priority, and overtake each other in no other way than by that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The queue in which they wait.
    pub queue: TaskQueue,
    /// The priority with which they wait there.
    pub priority: Priority,
}

/// The queue of tasks that the same workers can take: those of a pool, and within it those of one namespace, and of one
/// shape, where such have a queue of their own. Its text is part of the queue's name on the broker and of what is stored:
/// `<pool>`, `<pool>.ns.<namespace>`, `<pool>.shape.<shape>` or `<pool>.ns.<namespace>.shape.<shape>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskQueue(Arc<str>);

impl TaskQueue {
    /// The queue of a pool, within it of a namespace and of a shape. `None` is what all that have no queue of their own
    /// share.
    pub fn new(pool: &PoolName, namespace: Option<&Namespace>, shape: Option<&ShapeName>) -> Self {
        let mut text = pool.to_string();
        if let Some(namespace) = namespace {
            text = format!("{text}.ns.{namespace}");
        }
        if let Some(shape) = shape {
            text = format!("{text}.shape.{shape}");
        }
        Self(text.into())
    }

    /// The name of the pool.
    pub fn pool(&self) -> &str {
        self.0.split_once('.').map_or(&self.0, |(pool, _)| pool)
    }

    /// The name of the namespace whose queue it is.
    pub fn namespace(&self) -> Option<&str> {
        self.part("ns")
    }

    /// The name of the shape whose queue it is.
    pub fn shape(&self) -> Option<&str> {
        self.part("shape")
    }

    /// The queue as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of a part of the text. No name has a dot in it.
    fn part(&self, key: &str) -> Option<&str> {
        let mut parts = self.0.split('.').skip(1);
        while let (Some(found), Some(value)) = (parts.next(), parts.next()) {
            if found == key {
                return Some(value);
            }
        }
        None
    }
}

impl From<PoolName> for TaskQueue {
    fn from(pool: PoolName) -> Self {
        Self(pool.into())
    }
}

impl Default for TaskQueue {
    fn default() -> Self {
        PoolName::default().into()
    }
}

impl fmt::Display for TaskQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TaskQueue {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.split('.');
        let pool: PoolName = parts.next().unwrap_or_default().parse()?;
        let parts: Vec<&str> = parts.collect();
        let (namespace, shape) = match parts[..] {
            [] => return Ok(pool.into()),
            ["ns", namespace] => (Some(namespace), None),
            ["shape", shape] => (None, Some(shape)),
            ["ns", namespace, "shape", shape] => (Some(namespace), Some(shape)),
            _ => {
                return Err(IdError(format!("{text:?} is not the queue of a pool, a namespace and a shape")));
            }
        };
        let namespace: Option<Namespace> = namespace.map(str::parse).transpose()?;
        let shape: Option<ShapeName> = shape.map(str::parse).transpose()?;
        Ok(Self::new(&pool, namespace.as_ref(), shape.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_its_text_and_that_of_a_pool_is_its_name() {
        for (text, namespace, shape) in [
            ("gpu", None, None),
            ("gpu.ns.billing", Some("billing"), None),
            ("gpu.shape.a100-2", None, Some("a100-2")),
            ("gpu.ns.shape.shape.ns", Some("shape"), Some("ns")),
        ] {
            let queue: TaskQueue = text.parse().unwrap();
            assert_eq!((queue.pool(), queue.namespace(), queue.shape()), ("gpu", namespace, shape));
            assert_eq!(queue.to_string(), text);
        }
        assert_eq!(TaskQueue::from("gpu".parse::<PoolName>().unwrap()), "gpu".parse().unwrap());
    }

    #[test]
    fn no_other_text_is_a_queue() {
        for text in ["", "Gpu", "gpu.", "gpu.p0", "gpu.ns", "gpu.ns.", "gpu.ns.a.b", "gpu.shape.a.ns.b"] {
            assert!(text.parse::<TaskQueue>().is_err(), "{text}");
        }
    }
}
