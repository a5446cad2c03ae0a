// What BullMQ writes: a paused queue, a busy one with a stuck and a lost job, failures of two kinds, delayed ones overdue, priorities.
import {Queue, Worker, QueueEvents} from 'bullmq';
import {Redis} from 'ioredis';
const connection = {host: '127.0.0.1', port: +process.argv[2]};
const wait = ms => new Promise(r => setTimeout(r, ms));
const emails = new Queue('emails', {connection});
// failures of two kinds, one completed and one completed that is not kept
let w = new Worker('emails', async job => {
  if (job.name === 'welcome') throw new Error(`550 no mailbox for user${job.data.n}@example.com\n  at smtp`);
  if (job.name === 'invoice') throw new TypeError(`Cannot read properties of undefined (reading 'total') of order ${job.data.n}`);
  return {secret: 'r3turned'};
}, {connection, concurrency: 2, name: 'first'});
for (let n = 0; n < 5; n++) await emails.add('welcome', {n, to: 'someone@example.com', secret: 's3cretdata'});
for (let n = 0; n < 2; n++) await emails.add('invoice', {n});
for (let n = 0; n < 3; n++) await emails.add('digest', {n}, {removeOnComplete: true});
await emails.add('digest', {n: 9});
await wait(1500);
await w.close();
// stuck: takes very long, and keeps its lock; lost: lock is gone
w = new Worker('emails', async () => { await wait(3600e3); }, {connection, concurrency: 2, name: 'stuck', lockDuration: 3600e3});
await emails.add('report', {secret: 's3cretdata'});
await emails.add('export', {secret: 's3cretdata'});
await wait(800);
const client = new Redis(connection);
const active = await client.lrange('bull:emails:active', 0, -1);
await client.del(`bull:emails:${active[0]}:lock`);
// what waits
for (let n = 0; n < 6; n++) await emails.add('digest', {n});
await emails.add('welcome', {}, {priority: 5});
await emails.add('welcome', {}, {priority: 2});
await emails.add('later', {}, {delay: 3600e3});
const q2 = new Queue("'; DROP TABLE x; --", {connection, prefix: '{p}'});
await q2.pause();
await q2.add('../x', {});
await q2.add('overdue', {}, {delay: 200});
await wait(500);
const ev = new QueueEvents('emails', {connection});
await ev.waitUntilReady();
console.log(await client.client('LIST'));
console.log(await emails.getJobCounts(), await emails.getWorkersCount());
console.log(JSON.stringify(await client.xrange('bull:emails:events', '-', '+')).slice(0, 1500));
console.log(await client.hgetall('bull:emails:meta'), await client.hgetall('{p}:' + "'; DROP TABLE x; --" + ':meta'));
console.log(await client.keys('*'));
console.log(await client.hgetall('bull:emails:' + active[1]));
console.log('READY');
if (process.argv[3] === 'stay') await wait(3600e3);
process.exit(0);
