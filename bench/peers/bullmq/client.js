// submit N | bulk N | rate PER_SECOND N | chain N | fan N: does it, and prints what came of it as one line of JSON.
const { FlowProducer, Queue, QueueEvents } = require('bullmq');
const { connection, name, now } = require('./queue');

const PAYLOAD = { name: 'noop', args: [1, 2, 3], key: 'valuevalue', pad: 'x'.repeat(40) };
const UNANSWERED = 100;
const BULK = 500;
const queue = new Queue(name, { connection });
const many = (count, make) => Array.from({ length: count }, (_, number) => make(number));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function submit(count) {
  const began = now() / 1e3;
  for (let n = 0; n < count; n += UNANSWERED) await Promise.all(many(Math.min(UNANSWERED, count - n), () => queue.add('noop', PAYLOAD)));
  return { began };
}

async function bulk(count) {
  const began = now() / 1e3;
  for (let n = 0; n < count; n += BULK) await queue.addBulk(many(Math.min(BULK, count - n), () => ({ name: 'noop', data: PAYLOAD })));
  return { began };
}

async function rate(perSecond, count) {
  let due = now();
  for (let n = 0; n < count; n += 1) {
    due += 1e3 / perSecond;
    await sleep(Math.max(0, due - now()));
    await queue.add('stamp', { sent: now() });
  }
  return {};
}

// How long it takes until the job of this id is completed.
async function timed(id, start) {
  const events = new QueueEvents(name, { connection });
  await events.waitUntilReady();
  const completed = new Promise((resolve) => events.on('completed', ({ jobId }) => jobId === id && resolve()));
  const began = now();
  await start();
  await completed;
  return { ms: now() - began };
}

function chain(steps) {
  const id = `last-${Date.now()}`;
  // A parent waits for its children: the last step is the root.
  let flow;
  for (let n = 0; n < steps; n += 1) {
    const opts = n === steps - 1 ? { jobId: id } : {};
    flow = { name: 'step', queueName: name, data: { n }, opts, children: flow ? [flow] : undefined };
  }
  return timed(id, () => new FlowProducer({ connection }).add(flow));
}

function fan(width) {
  const id = `join-${Date.now()}`;
  return timed(id, () => queue.add('first', { join: id, width }));
}

(async () => {
  await queue.waitUntilReady();
  const [what, ...numbers] = process.argv.slice(2);
  const answer = await { submit, bulk, rate, chain, fan }[what](...numbers.map(Number));
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ ...answer, cpu: (user + system) / 1e6 }));
  process.exit(0);
})();
