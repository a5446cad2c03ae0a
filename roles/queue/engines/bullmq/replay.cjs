// Copyright: (c) 2026, oncall.runbooks maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sends failed jobs of BullMQ again, with the library of the application. The module queue_replay hands it to the application's Node.js on its
// standard input, with what it is to do in the place of REQUEST. It prints one line: the ids of the jobs that it has sent.
'use strict';

const REQUEST = JSON.parse("REQUEST");
const end = performance.now() + REQUEST.seconds * 1000;

// As options that every version of the library takes.
function connection() {
  const variable = REQUEST.application_url_variable;
  if (!process.env[variable]) throw new Error(`the application has no ${variable} in its environment`);
  const url = new URL(process.env[variable]);
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(url.pathname.slice(1) || 0),
    tls: url.protocol === 'rediss:' ? {} : undefined,
    maxRetriesPerRequest: 1,
  };
}

function mark(values) {
  return values.map(value => value ?? '').join('-');
}

async function send(queue, Job) {
  const client = await (queue.backend ? queue.backend.client : queue.client);
  const sent = [];
  for (const [id, copied] of REQUEST.marks) {
    // What is late is left: a run that follows must know when nothing more is sent.
    if (performance.now() > end || Date.now() / 1000 > REQUEST.until_seconds) break;
    const [opts, ...ofMark] = await client.hmget(queue.toKey(id), 'opts', 'finishedOn', 'atm', 'attemptsMade', 'timestamp');
    if (mark(ofMark) !== copied) continue;
    // Without what it carries, which is not read for this.
    const job = new Job(queue, '', null, {lifo: JSON.parse(opts || '{}').lifo}, id);
    try {
      await job.retry('failed');
    } catch (error) {
      // It is not among the failed ones any more.
      if (!/not in the|not in a|[Mm]issing key/.test(error.message)) throw error;
      continue;
    }
    sent.push(id);
  }
  return sent;
}

async function main() {
  const {Queue, Job} = require('bullmq');
  const queue = new Queue(REQUEST.queue, {connection: connection(), prefix: REQUEST.prefix, skipMetasUpdate: true});
  let trouble;
  queue.on('error', error => { trouble = error; });
  const late = new Promise((_resolve, reject) => setTimeout(
    () => reject(trouble || new Error('its store does not answer')), REQUEST.seconds * 1000));
  return Promise.race([send(queue, Job), late]);
}

main().then(
  answer => console.log(JSON.stringify({answer})),
  error => { console.log(JSON.stringify({error: String(error.message).split('\n')[0]})); process.exitCode = 1; },
).finally(() => process.stdout.write('', () => process.exit()));
