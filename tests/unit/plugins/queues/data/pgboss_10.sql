-- What pg-boss 10.4.2 wrote into an empty PostgreSQL 15 in a run of ../capture/pgboss.mjs, without its functions.
-- captured at 2026-11-29 09:04:48.58307+00
CREATE SCHEMA pgboss;
CREATE TYPE pgboss.job_state AS ENUM (
    'created',
    'retry',
    'active',
    'completed',
    'cancelled',
    'failed'
);
CREATE TABLE pgboss.archive (
    id uuid NOT NULL,
    name text NOT NULL,
    priority integer NOT NULL,
    data jsonb,
    state pgboss.job_state NOT NULL,
    retry_limit integer NOT NULL,
    retry_count integer NOT NULL,
    retry_delay integer NOT NULL,
    retry_backoff boolean NOT NULL,
    start_after timestamp with time zone NOT NULL,
    started_on timestamp with time zone,
    singleton_key text,
    singleton_on timestamp without time zone,
    expire_in interval NOT NULL,
    created_on timestamp with time zone NOT NULL,
    completed_on timestamp with time zone,
    keep_until timestamp with time zone NOT NULL,
    output jsonb,
    dead_letter text,
    policy text,
    archived_on timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pgboss.job (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    data jsonb,
    state pgboss.job_state DEFAULT 'created'::pgboss.job_state NOT NULL,
    retry_limit integer DEFAULT 2 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    retry_delay integer DEFAULT 0 NOT NULL,
    retry_backoff boolean DEFAULT false NOT NULL,
    start_after timestamp with time zone DEFAULT now() NOT NULL,
    started_on timestamp with time zone,
    singleton_key text,
    singleton_on timestamp without time zone,
    expire_in interval DEFAULT '00:15:00'::interval NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    completed_on timestamp with time zone,
    keep_until timestamp with time zone DEFAULT (now() + '14 days'::interval) NOT NULL,
    output jsonb,
    dead_letter text,
    policy text
)
PARTITION BY LIST (name);
CREATE TABLE pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    data jsonb,
    state pgboss.job_state DEFAULT 'created'::pgboss.job_state NOT NULL,
    retry_limit integer DEFAULT 2 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    retry_delay integer DEFAULT 0 NOT NULL,
    retry_backoff boolean DEFAULT false NOT NULL,
    start_after timestamp with time zone DEFAULT now() NOT NULL,
    started_on timestamp with time zone,
    singleton_key text,
    singleton_on timestamp without time zone,
    expire_in interval DEFAULT '00:15:00'::interval NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    completed_on timestamp with time zone,
    keep_until timestamp with time zone DEFAULT (now() + '14 days'::interval) NOT NULL,
    output jsonb,
    dead_letter text,
    policy text,
    CONSTRAINT cjc CHECK ((name = 'slow'::text))
);
CREATE TABLE pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3 (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    data jsonb,
    state pgboss.job_state DEFAULT 'created'::pgboss.job_state NOT NULL,
    retry_limit integer DEFAULT 2 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    retry_delay integer DEFAULT 0 NOT NULL,
    retry_backoff boolean DEFAULT false NOT NULL,
    start_after timestamp with time zone DEFAULT now() NOT NULL,
    started_on timestamp with time zone,
    singleton_key text,
    singleton_on timestamp without time zone,
    expire_in interval DEFAULT '00:15:00'::interval NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    completed_on timestamp with time zone,
    keep_until timestamp with time zone DEFAULT (now() + '14 days'::interval) NOT NULL,
    output jsonb,
    dead_letter text,
    policy text,
    CONSTRAINT cjc CHECK ((name = '__pgboss__send-it'::text))
);
CREATE TABLE pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15 (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    data jsonb,
    state pgboss.job_state DEFAULT 'created'::pgboss.job_state NOT NULL,
    retry_limit integer DEFAULT 2 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    retry_delay integer DEFAULT 0 NOT NULL,
    retry_backoff boolean DEFAULT false NOT NULL,
    start_after timestamp with time zone DEFAULT now() NOT NULL,
    started_on timestamp with time zone,
    singleton_key text,
    singleton_on timestamp without time zone,
    expire_in interval DEFAULT '00:15:00'::interval NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    completed_on timestamp with time zone,
    keep_until timestamp with time zone DEFAULT (now() + '14 days'::interval) NOT NULL,
    output jsonb,
    dead_letter text,
    policy text,
    CONSTRAINT cjc CHECK ((name = 'empty'::text))
);
CREATE TABLE pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    data jsonb,
    state pgboss.job_state DEFAULT 'created'::pgboss.job_state NOT NULL,
    retry_limit integer DEFAULT 2 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    retry_delay integer DEFAULT 0 NOT NULL,
    retry_backoff boolean DEFAULT false NOT NULL,
    start_after timestamp with time zone DEFAULT now() NOT NULL,
    started_on timestamp with time zone,
    singleton_key text,
    singleton_on timestamp without time zone,
    expire_in interval DEFAULT '00:15:00'::interval NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    completed_on timestamp with time zone,
    keep_until timestamp with time zone DEFAULT (now() + '14 days'::interval) NOT NULL,
    output jsonb,
    dead_letter text,
    policy text,
    CONSTRAINT cjc CHECK ((name = 'email'::text))
);
CREATE TABLE pgboss.queue (
    name text NOT NULL,
    policy text,
    retry_limit integer,
    retry_delay integer,
    retry_backoff boolean,
    expire_seconds integer,
    retention_minutes integer,
    dead_letter text,
    partition_name text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
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
    cron_on timestamp with time zone,
    monitored_on timestamp with time zone
);
ALTER TABLE ONLY pgboss.job ATTACH PARTITION pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 FOR VALUES IN ('slow');
ALTER TABLE ONLY pgboss.job ATTACH PARTITION pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3 FOR VALUES IN ('__pgboss__send-it');
ALTER TABLE ONLY pgboss.job ATTACH PARTITION pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15 FOR VALUES IN ('empty');
ALTER TABLE ONLY pgboss.job ATTACH PARTITION pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb FOR VALUES IN ('email');
INSERT INTO pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 VALUES ('5c389e60-3458-40df-8bc8-747952d8716e', 'slow', 0, '{"secret": "s3cretdata"}', 'active', 0, 0, 0, false, '2026-11-29 09:00:00.289877+00', '2026-11-29 09:00:00.299325+00', NULL, NULL, '00:00:01', '2026-11-29 09:00:00.289877+00', NULL, '2026-12-13 09:00:00.289877+00', NULL, NULL, 'standard');
INSERT INTO pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 VALUES ('8ff37276-c49d-42ae-b6d8-c5b49bd53432', 'slow', 0, '{}', 'active', 2, 0, 0, false, '2026-11-29 09:00:00.29717+00', '2026-11-29 09:00:00.299325+00', NULL, NULL, '01:00:00', '2026-11-29 09:00:00.29717+00', NULL, '2026-12-13 09:00:00.29717+00', NULL, NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('a4385d4a-75f4-4401-8c05-5eba578ba798', 'email', 0, '{"n": 0, "secret": "s3cretdata"}', 'failed', 0, 0, 0, false, '2026-11-29 08:59:54.271347+00', '2026-11-29 08:59:54.285128+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:54.271347+00', '2026-11-29 08:59:54.300891+00', '2026-12-13 08:59:54.271347+00', '{"name": "Error", "stack": "Error: 550 no mailbox for user0@example.com", "message": "550 no mailbox for user0@example.com"}', NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('f9253193-7046-4b0c-a4ed-3ec82c6e39a8', 'email', 0, '{"n": 1, "secret": "s3cretdata"}', 'failed', 0, 0, 0, false, '2026-11-29 08:59:54.276248+00', '2026-11-29 08:59:54.792889+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:54.276248+00', '2026-11-29 08:59:54.795689+00', '2026-12-13 08:59:54.276248+00', '{"name": "Error", "stack": "Error: 550 no mailbox for user1@example.com", "message": "550 no mailbox for user1@example.com"}', NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('0f37e988-2297-4b94-a1d1-ade993d94927', 'email', 0, '{"n": 2, "secret": "s3cretdata"}', 'failed', 0, 0, 0, false, '2026-11-29 08:59:54.278065+00', '2026-11-29 08:59:55.295635+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:54.278065+00', '2026-11-29 08:59:55.302205+00', '2026-12-13 08:59:54.278065+00', '{"name": "Error", "stack": "Error: 550 no mailbox for user2@example.com", "message": "550 no mailbox for user2@example.com"}', NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('fa0594c5-124b-49f1-a525-f52822f8a80d', 'email', 0, '{"n": 3, "secret": "s3cretdata"}', 'completed', 0, 0, 0, false, '2026-11-29 08:59:54.280555+00', '2026-11-29 08:59:55.799516+00', NULL, NULL, '00:15:00', '2026-11-29 08:59:54.280555+00', '2026-11-29 08:59:55.802901+00', '2026-12-13 08:59:54.280555+00', '{"secret": "r3turned"}', NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('78a09255-ea30-4e45-bedd-f8c480c05f2d', 'email', 0, '{"n": 9}', 'created', 2, 0, 0, false, '2026-11-29 09:00:00.310259+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 09:00:00.310259+00', NULL, '2026-12-13 09:00:00.310259+00', NULL, NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('6c1a1394-c2c7-40b8-887e-1b2e2b4d4e4a', 'email', 0, '{"n": 9}', 'created', 2, 0, 0, false, '2026-11-29 09:00:00.312763+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 09:00:00.312763+00', NULL, '2026-12-13 09:00:00.312763+00', NULL, NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('3b372c0f-d612-4cdf-a121-e88d0cb85a23', 'email', 0, '{"n": 9}', 'created', 2, 0, 0, false, '2026-11-29 09:00:00.314015+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 09:00:00.314015+00', NULL, '2026-12-13 09:00:00.314015+00', NULL, NULL, 'standard');
INSERT INTO pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb VALUES ('99c261df-162c-48d9-9290-9dba11239583', 'email', 0, '{"n": 9}', 'created', 2, 0, 0, false, '2026-11-29 10:00:00.315161+00', NULL, NULL, NULL, '00:15:00', '2026-11-29 09:00:00.315161+00', NULL, '2026-12-13 10:00:00.315161+00', NULL, NULL, 'standard');
INSERT INTO pgboss.queue VALUES ('__pgboss__send-it', 'standard', NULL, NULL, NULL, NULL, NULL, NULL, 'j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3', '2026-11-29 08:59:54.152752+00', '2026-11-29 08:59:54.152752+00');
INSERT INTO pgboss.queue VALUES ('email', 'standard', NULL, NULL, NULL, NULL, NULL, NULL, 'je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb', '2026-11-29 08:59:54.185402+00', '2026-11-29 08:59:54.185402+00');
INSERT INTO pgboss.queue VALUES ('slow', 'standard', NULL, NULL, NULL, NULL, NULL, NULL, 'j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548', '2026-11-29 08:59:54.227511+00', '2026-11-29 08:59:54.227511+00');
INSERT INTO pgboss.queue VALUES ('empty', 'standard', NULL, NULL, NULL, NULL, NULL, NULL, 'j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15', '2026-11-29 08:59:54.247351+00', '2026-11-29 08:59:54.247351+00');
INSERT INTO pgboss.version VALUES (24, NULL, '2026-11-29 08:59:54.187359+00', NULL);
ALTER TABLE ONLY pgboss.archive
    ADD CONSTRAINT archive_pkey PRIMARY KEY (name, id);
ALTER TABLE ONLY pgboss.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name, id);
ALTER TABLE ONLY pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548
    ADD CONSTRAINT j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548_pkey PRIMARY KEY (name, id);
ALTER TABLE ONLY pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3
    ADD CONSTRAINT j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3_pkey PRIMARY KEY (name, id);
ALTER TABLE ONLY pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15
    ADD CONSTRAINT j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15_pkey PRIMARY KEY (name, id);
ALTER TABLE ONLY pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb
    ADD CONSTRAINT je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb_pkey PRIMARY KEY (name, id);
ALTER TABLE ONLY pgboss.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (name);
ALTER TABLE ONLY pgboss.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (name);
ALTER TABLE ONLY pgboss.subscription
    ADD CONSTRAINT subscription_pkey PRIMARY KEY (event, name);
ALTER TABLE ONLY pgboss.version
    ADD CONSTRAINT version_pkey PRIMARY KEY (version);
CREATE INDEX archive_i1 ON pgboss.archive USING btree (archived_on);
CREATE UNIQUE INDEX j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548_i1 ON pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'created'::pgboss.job_state) AND (policy = 'short'::text));
CREATE UNIQUE INDEX j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548_i2 ON pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'active'::pgboss.job_state) AND (policy = 'singleton'::text));
CREATE UNIQUE INDEX j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548_i3 ON pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 USING btree (name, state, COALESCE(singleton_key, ''::text)) WHERE ((state <= 'active'::pgboss.job_state) AND (policy = 'stately'::text));
CREATE UNIQUE INDEX j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548_i4 ON pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 USING btree (name, singleton_on, COALESCE(singleton_key, ''::text)) WHERE ((state <> 'cancelled'::pgboss.job_state) AND (singleton_on IS NOT NULL));
CREATE INDEX j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548_i5 ON pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548 USING btree (name, start_after) INCLUDE (priority, created_on, id) WHERE (state < 'active'::pgboss.job_state);
CREATE UNIQUE INDEX j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3_i1 ON pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3 USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'created'::pgboss.job_state) AND (policy = 'short'::text));
CREATE UNIQUE INDEX j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3_i2 ON pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3 USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'active'::pgboss.job_state) AND (policy = 'singleton'::text));
CREATE UNIQUE INDEX j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3_i3 ON pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3 USING btree (name, state, COALESCE(singleton_key, ''::text)) WHERE ((state <= 'active'::pgboss.job_state) AND (policy = 'stately'::text));
CREATE UNIQUE INDEX j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3_i4 ON pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3 USING btree (name, singleton_on, COALESCE(singleton_key, ''::text)) WHERE ((state <> 'cancelled'::pgboss.job_state) AND (singleton_on IS NOT NULL));
CREATE INDEX j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3_i5 ON pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3 USING btree (name, start_after) INCLUDE (priority, created_on, id) WHERE (state < 'active'::pgboss.job_state);
CREATE UNIQUE INDEX j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15_i1 ON pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15 USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'created'::pgboss.job_state) AND (policy = 'short'::text));
CREATE UNIQUE INDEX j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15_i2 ON pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15 USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'active'::pgboss.job_state) AND (policy = 'singleton'::text));
CREATE UNIQUE INDEX j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15_i3 ON pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15 USING btree (name, state, COALESCE(singleton_key, ''::text)) WHERE ((state <= 'active'::pgboss.job_state) AND (policy = 'stately'::text));
CREATE UNIQUE INDEX j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15_i4 ON pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15 USING btree (name, singleton_on, COALESCE(singleton_key, ''::text)) WHERE ((state <> 'cancelled'::pgboss.job_state) AND (singleton_on IS NOT NULL));
CREATE INDEX j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15_i5 ON pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15 USING btree (name, start_after) INCLUDE (priority, created_on, id) WHERE (state < 'active'::pgboss.job_state);
CREATE UNIQUE INDEX je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb_i1 ON pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'created'::pgboss.job_state) AND (policy = 'short'::text));
CREATE UNIQUE INDEX je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb_i2 ON pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb USING btree (name, COALESCE(singleton_key, ''::text)) WHERE ((state = 'active'::pgboss.job_state) AND (policy = 'singleton'::text));
CREATE UNIQUE INDEX je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb_i3 ON pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb USING btree (name, state, COALESCE(singleton_key, ''::text)) WHERE ((state <= 'active'::pgboss.job_state) AND (policy = 'stately'::text));
CREATE UNIQUE INDEX je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb_i4 ON pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb USING btree (name, singleton_on, COALESCE(singleton_key, ''::text)) WHERE ((state <> 'cancelled'::pgboss.job_state) AND (singleton_on IS NOT NULL));
CREATE INDEX je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb_i5 ON pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb USING btree (name, start_after) INCLUDE (priority, created_on, id) WHERE (state < 'active'::pgboss.job_state);
ALTER INDEX pgboss.job_pkey ATTACH PARTITION pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548_pkey;
ALTER INDEX pgboss.job_pkey ATTACH PARTITION pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3_pkey;
ALTER INDEX pgboss.job_pkey ATTACH PARTITION pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15_pkey;
ALTER INDEX pgboss.job_pkey ATTACH PARTITION pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb_pkey;
ALTER TABLE ONLY pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548
    ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3
    ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15
    ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb
    ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.j2e9c4b53f4a0bb90499209b010f1011f7d07726caeb318303c15b548
    ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.j3f168501ed9816b51a9f5765e0742e1eb034ab6bf72c9ae3f3a975e3
    ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.j73faf2ee0bc5d6848e2e4caef93817ef1329fcf314120e742ac78d15
    ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.je5d86f75ef6411d6af5760811945499fac12f4e3dc2b23a9bf903adb
    ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES pgboss.queue(name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY pgboss.queue
    ADD CONSTRAINT queue_dead_letter_fkey FOREIGN KEY (dead_letter) REFERENCES pgboss.queue(name);
ALTER TABLE ONLY pgboss.schedule
    ADD CONSTRAINT schedule_name_fkey FOREIGN KEY (name) REFERENCES pgboss.queue(name) ON DELETE CASCADE;
ALTER TABLE ONLY pgboss.subscription
    ADD CONSTRAINT subscription_name_fkey FOREIGN KEY (name) REFERENCES pgboss.queue(name) ON DELETE CASCADE;
