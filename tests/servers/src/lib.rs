//! Private RabbitMQ and Redis servers for tests.
