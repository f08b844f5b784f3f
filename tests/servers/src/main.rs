//! Starts a RabbitMQ and a Redis for tests, prints where they are as lines for a shell, and ends them when its
//! stdin closes.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let rabbitmq = millrace_servers::RabbitMq::start(&[]);
    let redis = millrace_servers::Redis::start(&[]);
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "export MILLRACE_TEST_AMQP_URL={}", rabbitmq.url())?;
    writeln!(stdout, "export MILLRACE_TEST_REDIS_URL={}", redis.url())?;
    stdout.flush()?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
