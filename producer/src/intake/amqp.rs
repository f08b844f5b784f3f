//! The AMQP entry: what any client in any language publishes with the routing key `submit`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use millrace_broker::{BrokerError, Delivery, Queue};
use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::run::Trigger;
use millrace_domain::submission::{Submission, SubmissionError};
use millrace_domain::{Code, RunId};
use millrace_runtime::Subscription;
use tokio::sync::Semaphore;

use super::gateway::Gateway;
use crate::context::Context;
use crate::partition::answer::{Answer, COME_AGAIN, Gather, complete, is_for_now, reject};
use crate::partition::command::Command;
use crate::partition::commands::submit::Submit;
use crate::partition::mailbox::Work;

/// Unsettled submissions of one producer, at most: they are committed in batches of about this size.
const PREFETCH: u16 = 2_000;

/// Refused parts of one array that the rejected queue is told of, at most.
const TOLD: usize = 5;

/// Submissions on their way to other producers, at most.
const FORWARDED: usize = 256;

/// Consumes the `submit` queue until the shutdown.
pub(crate) async fn run(context: Arc<Context>, gateway: Arc<Gateway>) {
    let forwarded = Arc::new(Semaphore::new(FORWARDED));
    let mut owned = context.owned.clone();
    let submit =
        Subscription::new(&context.broker, Queue::Submit, &context.attendance, context.shutdown.clone())
            .declaring(Queue::Rejected);
    while !submit.is_over() {
        // Nothing is taken in before there is a place for it.
        if owned.borrow_and_update().is_empty() {
            submit.rests();
            tokio::select! {
                biased;
                () = context.shutdown.begun() => return,
                _ = owned.changed() => continue,
            }
        }
        // What the store has no room for waits where it is.
        if context.backpressure.why_stopped().is_some() {
            submit.rests();
            tokio::select! {
                () = context.backpressure.opens() => {}
                () = context.shutdown.begun() => return,
            }
        }
        let tell = |error: &BrokerError| {
            // Whoever keeps the partitions looks at the queues, says what is wrong, and leaves them to others.
            if matches!(error, BrokerError::Configuration(_)) {
                context.open.store(false, Ordering::Release);
            }
            tracing::debug!(%error, "submissions cannot be consumed yet");
        };
        let Some(mut consumer) = submit.begin(PREFETCH, tell).await else { continue };
        loop {
            let batch = tokio::select! {
                biased;
                () = context.backpressure.stops() => break,
                _ = owned.wait_for(|owned| owned.is_empty()) => break,
                () = context.shutdown.begun() => return,
                batch = consumer.recv_many(512) => batch,
            };
            if batch.is_empty() {
                submit.ended();
                break;
            }
            for delivery in batch {
                accept(&context, &gateway, &forwarded, delivery).await;
            }
        }
    }
}

/// One message: a submission, an array of them, or something that is neither.
async fn accept(
    context: &Arc<Context>,
    gateway: &Arc<Gateway>,
    forwarded: &Arc<Semaphore>,
    delivery: Delivery,
) {
    if let Some(problem) = &delivery.properties.unreadable {
        let error = ReplyError::new(Code::UnreadableProperties, problem.clone());
        return refuse(context, delivery, error).await;
    }
    let is_array = delivery.payload.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let mut parsed = match Submission::parse(&delivery.payload) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(context, delivery, ReplyError::new(error.code, error.message)).await,
    };
    if let [Err(error)] = &mut parsed[..]
        && let Some(encoding) = unreadable_encoding(&delivery, error)
    {
        *error = encoding;
    }
    for (index, submission) in parsed.iter_mut().enumerate() {
        let completed = match submission {
            Ok(submission) => complete(submission, &delivery, is_array.then_some(index)),
            Err(_) => Ok(()),
        };
        if let Err(error) = completed {
            *submission = Err(error);
        }
    }
    if is_array {
        return accept_array(context, gateway, delivery, parsed).await;
    }
    let submission = match parsed.pop() {
        Some(Ok(submission)) => submission,
        Some(Err(error)) => {
            return refuse(context, delivery, ReplyError::new(error.code, error.message)).await;
        }
        None => return delivery.ack(),
    };
    let submit = Submit::of(submission, Trigger::Message, context.partitions);
    let reply_to = delivery.properties.reply_to.clone();
    let correlation_id = delivery.properties.correlation_id.clone();
    let answer = reply_to.map_or(Answer::Nobody, |reply_to| Answer::Message { reply_to, correlation_id });
    if gateway.is_here(submit.run.map(RunId::partition)) {
        let command = Command::Submit(Box::new(submit));
        return gateway.post(Work { command, delivery: Some(delivery), answer }).await;
    }
    // Its key belongs to another producer's partition: acked when that one has committed it.
    let Ok(permit) = Arc::clone(forwarded).acquire_owned().await else { return };
    let (context, gateway) = (Arc::clone(context), Arc::clone(gateway));
    tokio::spawn(async move {
        let _permit = permit;
        let Ok(reply) = gateway.submit(submit.submission, Trigger::Message).await else {
            tokio::time::sleep(COME_AGAIN).await;
            return delivery.requeue();
        };
        if is_for_now(&reply) && matches!(answer, Answer::Nobody) {
            tokio::time::sleep(COME_AGAIN).await;
            return delivery.requeue();
        }
        let mut messages = Vec::new();
        answer.give(reply, &mut messages);
        context.broker.publish(messages).await;
        delivery.ack();
    });
}

/// Takes an array in: it is acked and answered when all its parts are.
async fn accept_array(
    context: &Arc<Context>,
    gateway: &Arc<Gateway>,
    delivery: Delivery,
    parsed: Vec<Result<Submission, SubmissionError>>,
) {
    let reply_to =
        delivery.properties.reply_to.clone().map(|to| (to, delivery.properties.correlation_id.clone()));
    let whole = (delivery.payload.clone(), delivery.properties.clone());
    let gather = Gather::new(parsed.len(), Some(delivery), reply_to, None);
    let mut refused = Vec::new();
    for (index, submission) in parsed.into_iter().enumerate() {
        match submission {
            Ok(submission) => {
                let submit = Submit::of(submission, Trigger::Message, context.partitions);
                if gateway.is_here(submit.run.map(RunId::partition)) {
                    let command = Command::Submit(Box::new(submit));
                    gateway
                        .post(Work {
                            command,
                            delivery: None,
                            answer: Answer::Part(Arc::clone(&gather), index),
                        })
                        .await;
                } else {
                    let (context, gateway, gather) =
                        (Arc::clone(context), Arc::clone(gateway), Arc::clone(&gather));
                    tokio::spawn(async move {
                        let part = submit.submission;
                        loop {
                            let Ok(reply) = gateway.submit(part.clone(), Trigger::Message).await else {
                                // Then the array goes back whole.
                                return tokio::time::sleep(COME_AGAIN).await;
                            };
                            if is_for_now(&reply) && !gather.is_heard() {
                                tokio::time::sleep(COME_AGAIN).await;
                                continue;
                            }
                            let mut messages = Vec::new();
                            gather.give(index, reply, &mut messages);
                            context.broker.publish(messages).await;
                            break;
                        }
                    });
                }
            }
            Err(error) => {
                refused.push((index, ReplyError::new(error.code, format!("[{index}]: {}", error.message))));
            }
        }
    }
    if let Some(error) = of_all(&refused) {
        let context = Arc::clone(context);
        tokio::spawn(async move {
            // Unsettled, its parts let the array go back whole.
            if !reject(&*context.broker, whole.0, whole.1, &error).await {
                return;
            }
            let mut messages = Vec::new();
            for (index, error) in refused {
                gather.give(index, Reply::Error { error }, &mut messages);
            }
            context.broker.publish(messages).await;
        });
    }
}

/// The error of an array with refused parts, which goes to the rejected queue once, however many they are: the code of
/// the first, and the places of the first few.
fn of_all(refused: &[(usize, ReplyError)]) -> Option<ReplyError> {
    let (_, first) = refused.first()?;
    let mut told: Vec<&str> = refused.iter().take(TOLD).map(|(_, error)| error.message.as_str()).collect();
    let more = format!("and {} more", refused.len().saturating_sub(TOLD));
    if refused.len() > TOLD {
        told.push(&more);
    }
    Some(ReplyError::new(first.code.clone(), told.join("; ")))
}

/// The error of a body that is no JSON, when the message says that something was done to it. Clients put names of
/// charsets there as well, so that one that can be read is.
fn unreadable_encoding(delivery: &Delivery, error: &SubmissionError) -> Option<SubmissionError> {
    let encoding = delivery.properties.content_encoding.as_deref()?;
    let is_plain = ["", "identity", "utf-8", "utf8"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain));
    if error.code != Code::InvalidJson || is_plain {
        return None;
    }
    let shown: String = encoding.chars().take(64).collect();
    let message = format!(
        "a body with content_encoding {shown:?}: expected JSON as plain UTF-8, neither compressed nor in another charset"
    );
    Some(SubmissionError { code: Code::UnsupportedEncoding, message })
}

/// Puts a message into the rejected queue, and tells who sent it.
async fn refuse(context: &Arc<Context>, delivery: Delivery, error: ReplyError) {
    let (payload, properties) = (delivery.payload.clone(), delivery.properties.clone());
    if !reject(&*context.broker, payload, properties, &error).await {
        return delivery.requeue();
    }
    if let Some(reply_to) = delivery.properties.reply_to.clone() {
        let answer = Answer::Message { reply_to, correlation_id: delivery.properties.correlation_id.clone() };
        let mut messages = Vec::new();
        answer.give(Reply::Error { error }, &mut messages);
        context.broker.publish(messages).await;
    }
    delivery.ack();
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_broker::Properties;
    use tokio::sync::mpsc;

    fn delivery(payload: &[u8], properties: Properties) -> Delivery {
        Delivery::new(payload.to_vec().into(), properties, false, 1, mpsc::unbounded_channel().0)
    }

    #[test]
    fn a_body_that_is_encoded_is_refused_for_that() {
        let judge = |encoding: &str, payload: &[u8]| {
            let properties =
                Properties { content_encoding: Some(encoding.to_owned()), ..Properties::default() };
            let error = Submission::parse(payload).unwrap().remove(0).unwrap_err();
            unreadable_encoding(&delivery(payload, properties), &error)
                .map(|error| (error.code, error.message))
        };
        let (code, message) = judge("gzip", b"\x1f\x8b\x08").unwrap();
        assert_eq!(code, Code::UnsupportedEncoding);
        assert!(message.contains("\"gzip\": expected JSON as plain UTF-8"), "{message}");
        assert_eq!(judge("UTF-8", b"no json"), None, "a charset that can be read is not to blame");
        assert_eq!(judge("gzip", br#"{"rum":"x"}"#), None, "it can be read, whatever is said of it");
    }

    #[test]
    fn an_array_of_refused_parts_is_told_of_by_its_first_few_places() {
        let part = |index| (index, ReplyError::new(Code::Empty, format!("[{index}]: nothing to do")));
        assert!(of_all(&[]).is_none());
        let one = of_all(&[part(3)]).unwrap();
        assert_eq!((one.code.as_str(), one.message.as_str()), ("empty", "[3]: nothing to do"));
        let many = of_all(&(0..10_000).map(part).collect::<Vec<_>>()).unwrap();
        assert!(many.message.ends_with("[4]: nothing to do; and 9995 more"), "{}", many.message);
    }
}
