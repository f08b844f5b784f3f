// Where the jobs of the bench are.
const { hostname, port, pathname } = new URL(process.env.PEER_REDIS_URL);
const db = Number(pathname.slice(1));

exports.name = process.env.PEER_QUEUE;
exports.connection = { host: hostname, port: Number(port), db, maxRetriesPerRequest: null };
// Milliseconds since the epoch, finer than Date.now().
exports.now = () => performance.timeOrigin + performance.now();
