//! What is asked of other producers by message, until the reply comes or nobody waits for it any more.

use std::collections::HashMap;
use std::sync::Mutex;

use millrace_domain::message::Reply;
use tokio::sync::oneshot;

/// Who waits for a reply, by what the reply will carry.
pub(crate) type Waiting = Mutex<HashMap<String, oneshot::Sender<Reply>>>;

/// A question to another producer. Dropped, nobody waits for its reply any more.
pub(crate) struct Question<'a> {
    waiting: &'a Waiting,
    key: String,
    reply: oneshot::Receiver<Reply>,
}

impl<'a> Question<'a> {
    /// Begins to wait for the reply that carries this key.
    pub(crate) fn ask(waiting: &'a Waiting, key: String) -> Self {
        let (sender, reply) = oneshot::channel();
        if let Ok(mut waiting) = waiting.lock() {
            waiting.insert(key.clone(), sender);
        }
        Self { waiting, key, reply }
    }

    /// The reply.
    pub(crate) fn reply(&mut self) -> &mut oneshot::Receiver<Reply> {
        &mut self.reply
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.remove(&self.key);
        }
    }
}

/// Hands a reply to whoever waits for it, if anybody still does.
pub(crate) fn answer(waiting: &Waiting, key: &str, reply: Reply) {
    let sender = waiting.lock().ok().and_then(|mut waiting| waiting.remove(key));
    if let Some(sender) = sender {
        let _ = sender.send(reply);
    }
}
