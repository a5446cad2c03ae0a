import {createRequire} from 'module';
const require = createRequire(process.cwd() + '/x.js');
const {run, makeWorkerUtils} = require('graphile-worker');
const wait = ms => new Promise(r => setTimeout(r, ms));
const connectionString = `postgres://app@127.0.0.1:${process.argv[2]}/graphile`;
const u = await makeWorkerUtils({connectionString});
await u.migrate();
for (let n = 0; n < 3; n++) await u.addJob('welcome', {n, secret: 's3cretdata'}, {maxAttempts: 1});
await u.addJob('fine', {});
let r = await run({connectionString, concurrency: 2, noHandleSignals: true, taskList: {
  welcome: async p => { throw new Error(`550 no mailbox for user${p.n}@example.com`); }, fine: async () => {}, hang: async () => { await wait(3600e3); }}});
await wait(3000);
await u.addJob('hang', {secret: 's3cretdata'});
await u.addJob('retrying', {}, {queueName: 'one by one'});
await wait(2500);
for (let n = 0; n < 3; n++) await u.addJob('fine2', {}, {queueName: 'q2'});
await u.addJob('fine2', {}, {runAt: new Date(Date.now() + 3600e3)});
console.log('READY');
process.exit(0);
