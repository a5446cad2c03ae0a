// What pg-boss writes: failures, a job that hangs, jobs that wait, delayed ones, a job beyond its expiry.
import {createRequire} from 'module';
const require = createRequire(process.cwd() + '/x.js');
const lib = require('pg-boss'); const PgBoss = lib.PgBoss ?? lib;
const major = +process.argv[3];
const boss = new PgBoss({host: '127.0.0.1', port: +process.argv[2], user: 'app', database: 'boss' + major});
boss.on('error', e => console.log('error', e.message));
await boss.start();
const wait = ms => new Promise(r => setTimeout(r, ms));
if (major > 9) for (const q of ['email', 'slow', 'empty']) await boss.createQueue(q);
const one = major > 9 ? f => async jobs => f(jobs[0]) : f => f;
for (let n = 0; n < 4; n++) await boss.send('email', {n, secret: 's3cretdata'}, {retryLimit: 0});
await boss.work('email', {pollingIntervalSeconds: 0.5, newJobCheckInterval: 500}, one(async job => {
  if (job.data.n < 3) throw new Error(`550 no mailbox for user${job.data.n}@example.com`);
  return {secret: 'r3turned'};
}));
await wait(6000);
await boss.offWork('email');
await boss.send('slow', {secret: 's3cretdata'}, major > 9 ? {expireInSeconds: 1, retryLimit: 0} : {expireInSeconds: 1, retryLimit: 0});
await boss.send('slow', {}, {expireInSeconds: 3600});
const taken = await boss.fetch('slow', major > 9 ? {batchSize: 2} : 2);
console.log('taken', taken.length);
for (let n = 0; n < 3; n++) await boss.send('email', {n: 9});
await boss.send('email', {n: 9}, {startAfter: 3600});
await wait(1500);
console.log('READY');
process.exit(0);
