// Copyright: (c) 2026, oncall.runbooks maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sends failed jobs of pg-boss again, with the library of the application, which knows retry() from version 10 on. The module queue_replay hands
// it to the application's Node.js on its standard input, with what it is to do in the place of REQUEST. It prints one line: the ids of the
// jobs that it has sent.
'use strict';

const REQUEST = JSON.parse("REQUEST");
const end = performance.now() + REQUEST.seconds * 1000;

async function send(boss) {
  const sent = [];
  for (const [id, copied] of REQUEST.marks) {
    // What is late is left: a run that follows must know when nothing more is sent.
    if (performance.now() > end || Date.now() / 1000 > REQUEST.until_seconds) break;
    const job = await boss.getJobById(REQUEST.queue, id);
    if (!job || job.state !== 'failed' || `${job.retryCount}` !== copied.split('-')[0]) continue;
    await boss.retry(REQUEST.queue, id);
    sent.push(id);
  }
  return sent;
}

async function main() {
  const variable = REQUEST.application_url_variable;
  if (!process.env[variable]) throw new Error(`the application has no ${variable} in its environment`);
  // By this way modules of both kinds are found.
  const library = await import('pg-boss');
  const PgBoss = library.PgBoss ?? library.default;
  // Only what is asked for: no migration, no maintenance and no schedule.
  const boss = new PgBoss({
    connectionString: process.env[variable], schema: REQUEST.schema, application_name: 'oncall.runbooks', max: 1,
    migrate: false, supervise: false, schedule: false,
  });
  let trouble;
  boss.on('error', error => { trouble = error; });
  const late = new Promise((_resolve, reject) => setTimeout(
    () => reject(trouble || new Error('its store does not answer')), REQUEST.seconds * 1000));
  return Promise.race([boss.start().then(() => send(boss)), late]);
}

main().then(
  answer => console.log(JSON.stringify({answer})),
  error => { console.log(JSON.stringify({error: String(error.message).split('\n')[0]})); process.exitCode = 1; },
).finally(() => process.stdout.write('', () => process.exit()));
