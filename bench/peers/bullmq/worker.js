// The jobs of the bench for BullMQ.
const { appendFileSync } = require('fs');
const { FlowProducer, Worker } = require('bullmq');
const { connection, name, now } = require('./queue');

const flows = new FlowProducer({ connection });

// The first step of a fan: only now the branches may start, and the join waits for all of them.
async function fanOut({ join, width }) {
  const children = Array.from({ length: width }, (_, number) => ({ name: 'noop', queueName: name, data: { number } }));
  await flows.add({ name: 'noop', queueName: name, opts: { jobId: join }, children });
}

async function work(job) {
  if (job.name === 'stamp') appendFileSync(`${process.env.PEER_WAITS}/${process.pid}`, `${now() - job.data.sent}\n`);
  if (job.name === 'first') await fanOut(job.data);
  return job.name === 'noop' ? null : 1;
}

new Worker(name, work, { connection, concurrency: 50 });
