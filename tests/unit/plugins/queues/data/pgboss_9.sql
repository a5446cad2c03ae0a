-- What pg-boss 9.0.3 wrote into an empty PostgreSQL 15 in a run of ../capture/pgboss.mjs, without its functions.
-- captured at 2026-11-29 09:04:48.016308+00
CREATE SCHEMA pgboss;
CREATE TYPE pgboss.job_state AS ENUM (
    'created',
    'retry',
    'active',
    'completed',
    'expired',
    'cancelled',
    'failed'
);
CREATE TABLE pgboss.archive (
    id uuid NOT NULL,
    name text NOT NULL,
    priority integer NOT NULL,
    data jsonb,
    state pgboss.job_state NOT NULL,
    retrylimit integer NOT NULL,
    retrycount integer NOT NULL,
    retrydelay integer NOT NULL,
    retrybackoff boolean NOT NULL,
    startafter timestamp with time zone NOT NULL,
    startedon timestamp with time zone,
    singletonkey text,
    singletonon timestamp without time zone,
    expirein interval NOT NULL,
    createdon timestamp with time zone NOT NULL,
    completedon timestamp with time zone,
    keepuntil timestamp with time zone NOT NULL,
    on_complete boolean NOT NULL,
    output jsonb,
    archivedon timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pgboss.job (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    data jsonb,
    state pgboss.job_state DEFAULT 'created'::pgboss.job_state NOT NULL,
    retrylimit integer DEFAULT 0 NOT NULL,
    retrycount integer DEFAULT 0 NOT NULL,
    retrydelay integer DEFAULT 0 NOT NULL,
    retrybackoff boolean DEFAULT false NOT NULL,
    startafter timestamp with time zone DEFAULT now() NOT NULL,
    startedon timestamp with time zone,
    singletonkey text,
    singletonon timestamp without time zone,
    expirein interval DEFAULT '00:15:00'::interval NOT NULL,
    createdon timestamp with time zone DEFAULT now() NOT NULL,
    completedon timestamp with time zone,
    keepuntil timestamp with time zone DEFAULT (now() + '14 days'::interval) NOT NULL,
    on_complete boolean DEFAULT false NOT NULL,
    output jsonb
);
CREATE TABLE pgboss.schedule (
    name text NOT NULL,
    cron text NOT NULL,
    timezone text,
    data jsonb,
    options jsonb,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pgboss.subscription (
    event text NOT NULL,
    name text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pgboss.version (
    version integer NOT NULL,
    maintained_on timestamp with time zone,
    cron_on timestamp with time zone
);
INSERT INTO pgboss.job VALUES ('520bb7f9-0f22-4f9f-9484-0a401749d8dd', '__pgboss__maintenance', 0, NULL, 'completed', 0, 0, 0, false, '2026-11-29 08:59:46.094302+00', '2026-11-29 08:59:46.105051+00', '__pgboss__maintenance', NULL, '00:15:00', '2026-11-29 08:59:46.094302+00', '2026-11-29 08:59:46.13047+00', '2026-11-29 09:07:46.094302+00', false, NULL);
INSERT INTO pgboss.job VALUES ('244318de-a6ec-4af4-a4f2-21f0582867a4', '__pgboss__maintenance', 0, NULL, 'created', 0, 0, 0, false, '2026-11-29 09:01:46.138185+00', NULL, '__pgboss__maintenance', NULL, '00:15:00', '2026-11-29 08:59:46.138185+00', NULL, '2026-11-29 09:09:46.138185+00', false, NULL);
INSERT INTO pgboss.job VALUES ('479c26cf-110a-48ee-b4a2-49d16e6e374e', 'email', 0, '{"n": 0, "secret": "s3cretdata"}', 'failed', 0, 0, 0, false, '2026-11-29 08:59:46.156524+00', '2026-11-29 08:59:46.162958+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:46.156524+00', '2026-11-29 08:59:46.169041+00', '2026-12-13 08:59:46.156524+00', false, '{"name": "Error", "stack": "Error: 550 no mailbox for user0@example.com", "message": "550 no mailbox for user0@example.com"}');
INSERT INTO pgboss.job VALUES ('4149a3d1-19d2-4c36-8c03-77892bb8f322', 'email', 0, '{"n": 1, "secret": "s3cretdata"}', 'failed', 0, 0, 0, false, '2026-11-29 08:59:46.157968+00', '2026-11-29 08:59:46.664459+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:46.157968+00', '2026-11-29 08:59:46.668037+00', '2026-12-13 08:59:46.157968+00', false, '{"name": "Error", "stack": "Error: 550 no mailbox for user1@example.com", "message": "550 no mailbox for user1@example.com"}');
INSERT INTO pgboss.job VALUES ('9d067b8a-fdc8-4a3a-994c-adbbd4c658e2', 'email', 0, '{"n": 2, "secret": "s3cretdata"}', 'failed', 0, 0, 0, false, '2026-11-29 08:59:46.159444+00', '2026-11-29 08:59:47.168477+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:46.159444+00', '2026-11-29 08:59:47.171368+00', '2026-12-13 08:59:46.159444+00', false, '{"name": "Error", "stack": "Error: 550 no mailbox for user2@example.com", "message": "550 no mailbox for user2@example.com"}');
INSERT INTO pgboss.job VALUES ('f6253efa-25f8-4346-bc14-d0ee14b5cca7', 'email', 0, '{"n": 3, "secret": "s3cretdata"}', 'completed', 0, 0, 0, false, '2026-11-29 08:59:46.161527+00', '2026-11-29 08:59:47.676037+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:46.161527+00', '2026-11-29 08:59:47.677494+00', '2026-12-13 08:59:46.161527+00', false, '{"secret": "r3turned"}');
INSERT INTO pgboss.job VALUES ('b0dcb666-d576-461d-abb1-c3d1b298a759', '__pgboss__cron', 0, NULL, 'created', 2, 0, 0, false, '2026-11-29 09:00:01.129028+00', NULL, NULL, '2026-11-29 09:00:00', '00:15:00', '2026-11-29 08:59:50.129028+00', NULL, '2026-11-29 09:01:01.129028+00', false, NULL);
INSERT INTO pgboss.job VALUES ('a846695a-e2b2-4558-980a-d0b5ae8bc11d', '__pgboss__cron', 0, NULL, 'completed', 2, 0, 0, false, '2026-11-29 08:59:46.151702+00', '2026-11-29 08:59:50.120363+00', NULL, '2026-11-29 08:59:00', '00:15:00', '2026-11-29 08:59:46.151702+00', '2026-11-29 08:59:50.129949+00', '2026-11-29 09:00:46.151702+00', false, NULL);
INSERT INTO pgboss.job VALUES ('5ea0c035-5a4c-408d-9231-7eca6153314e', 'slow', 0, '{"secret": "s3cretdata"}', 'active', 0, 0, 0, false, '2026-11-29 08:59:52.171353+00', '2026-11-29 08:59:52.180641+00', NULL, NULL, '00:00:01', '2026-11-29 08:59:52.171353+00', NULL, '2026-12-13 08:59:52.171353+00', false, NULL);
INSERT INTO pgboss.job VALUES ('15d4e06d-9ba2-4259-af34-ed412bb7b45e', 'slow', 0, '{}', 'active', 0, 0, 0, false, '2026-11-29 08:59:52.175237+00', '2026-11-29 08:59:52.180641+00', NULL, NULL, '01:00:00', '2026-11-29 08:59:52.175237+00', NULL, '2026-12-13 08:59:52.175237+00', false, NULL);
INSERT INTO pgboss.job VALUES ('e9b479eb-09d6-4909-9483-a60f2219210d', 'email', 0, '{"n": 9}', 'created', 0, 0, 0, false, '2026-11-29 08:59:52.187087+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 08:59:52.187087+00', NULL, '2026-12-13 08:59:52.187087+00', false, NULL);
INSERT INTO pgboss.job VALUES ('d3bb06b2-ab4f-41cb-9a84-f2268db3406e', 'email', 0, '{"n": 9}', 'created', 0, 0, 0, false, '2026-11-29 08:59:52.195353+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 08:59:52.195353+00', NULL, '2026-12-13 08:59:52.195353+00', false, NULL);
INSERT INTO pgboss.job VALUES ('43752107-d436-41f1-97d7-094dc321be80', 'email', 0, '{"n": 9}', 'created', 0, 0, 0, false, '2026-11-29 08:59:52.201061+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 08:59:52.201061+00', NULL, '2026-12-13 08:59:52.201061+00', false, NULL);
INSERT INTO pgboss.job VALUES ('5970b6b0-b0f8-4b14-8946-b0050c37b510', 'email', 0, '{"n": 9}', 'created', 0, 0, 0, false, '2026-11-29 09:59:52.203334+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 08:59:52.203334+00', NULL, '2026-12-13 09:59:52.203334+00', false, NULL);
INSERT INTO pgboss.version VALUES (20, '2026-11-29 08:59:46.116289+00', '2026-11-29 08:59:50.124467+00');
ALTER TABLE ONLY pgboss.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY pgboss.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (name);
ALTER TABLE ONLY pgboss.subscription
    ADD CONSTRAINT subscription_pkey PRIMARY KEY (event, name);
ALTER TABLE ONLY pgboss.version
    ADD CONSTRAINT version_pkey PRIMARY KEY (version);
CREATE INDEX archive_archivedon_idx ON pgboss.archive USING btree (archivedon);
CREATE INDEX archive_id_idx ON pgboss.archive USING btree (id);
CREATE INDEX job_fetch ON pgboss.job USING btree (name text_pattern_ops, startafter) WHERE (state < 'active'::pgboss.job_state);
CREATE INDEX job_name ON pgboss.job USING btree (name text_pattern_ops);
CREATE UNIQUE INDEX job_singleton_queue ON pgboss.job USING btree (name, singletonkey) WHERE ((state < 'active'::pgboss.job_state) AND (singletonon IS NULL) AND (singletonkey ~~ '\_\_pgboss\_\_singleton\_queue%'::text));
CREATE UNIQUE INDEX job_singletonkey ON pgboss.job USING btree (name, singletonkey) WHERE ((state < 'completed'::pgboss.job_state) AND (singletonon IS NULL) AND (NOT (singletonkey ~~ '\_\_pgboss\_\_singleton\_queue%'::text)));
CREATE UNIQUE INDEX job_singletonkeyon ON pgboss.job USING btree (name, singletonon, singletonkey) WHERE (state < 'expired'::pgboss.job_state);
CREATE UNIQUE INDEX job_singletonon ON pgboss.job USING btree (name, singletonon) WHERE ((state < 'expired'::pgboss.job_state) AND (singletonkey IS NULL));
