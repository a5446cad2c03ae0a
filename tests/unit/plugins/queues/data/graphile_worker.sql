-- What Graphile Worker 0.17.3 wrote into an empty PostgreSQL 15 in a run of ../capture/graphile_worker.mjs, without its functions.
-- captured at 2026-11-29 09:04:50.221632+00
CREATE SCHEMA graphile_worker;
CREATE TYPE graphile_worker.job_spec AS (
	identifier text,
	payload json,
	queue_name text,
	run_at timestamp with time zone,
	max_attempts smallint,
	job_key text,
	priority smallint,
	flags text[]
);
CREATE TABLE graphile_worker._private_jobs (
    id bigint NOT NULL,
    job_queue_id integer,
    task_id integer NOT NULL,
    payload json DEFAULT '{}'::json NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    key text,
    locked_at timestamp with time zone,
    locked_by text,
    revision integer DEFAULT 0 NOT NULL,
    flags jsonb,
    is_available boolean GENERATED ALWAYS AS (((locked_at IS NULL) AND (attempts < max_attempts))) STORED NOT NULL,
    CONSTRAINT jobs_key_check CHECK (((length(key) > 0) AND (length(key) <= 512))),
    CONSTRAINT jobs_max_attempts_check CHECK ((max_attempts >= 1))
);
CREATE TABLE graphile_worker._private_job_queues (
    id integer NOT NULL,
    queue_name text NOT NULL,
    locked_at timestamp with time zone,
    locked_by text,
    is_available boolean GENERATED ALWAYS AS ((locked_at IS NULL)) STORED NOT NULL,
    CONSTRAINT job_queues_queue_name_check CHECK ((length(queue_name) <= 128))
);
CREATE TABLE graphile_worker._private_known_crontabs (
    identifier text NOT NULL,
    known_since timestamp with time zone NOT NULL,
    last_execution timestamp with time zone
);
CREATE TABLE graphile_worker._private_tasks (
    id integer NOT NULL,
    identifier text NOT NULL,
    CONSTRAINT tasks_identifier_check CHECK ((length(identifier) <= 128))
);
ALTER TABLE graphile_worker._private_job_queues ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME graphile_worker.job_queues_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW graphile_worker.jobs AS
 SELECT jobs.id,
    job_queues.queue_name,
    tasks.identifier AS task_identifier,
    jobs.priority,
    jobs.run_at,
    jobs.attempts,
    jobs.max_attempts,
    jobs.last_error,
    jobs.created_at,
    jobs.updated_at,
    jobs.key,
    jobs.locked_at,
    jobs.locked_by,
    jobs.revision,
    jobs.flags
   FROM ((graphile_worker._private_jobs jobs
     JOIN graphile_worker._private_tasks tasks ON ((tasks.id = jobs.task_id)))
     LEFT JOIN graphile_worker._private_job_queues job_queues ON ((job_queues.id = jobs.job_queue_id)));
ALTER TABLE graphile_worker._private_jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME graphile_worker.jobs_id_seq1
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE graphile_worker.migrations (
    id integer NOT NULL,
    ts timestamp with time zone DEFAULT now() NOT NULL,
    breaking boolean DEFAULT false NOT NULL
);
ALTER TABLE graphile_worker._private_tasks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME graphile_worker.tasks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
INSERT INTO graphile_worker._private_job_queues OVERRIDING SYSTEM VALUE VALUES (1, 'one by one', NULL, NULL, DEFAULT);
INSERT INTO graphile_worker._private_job_queues OVERRIDING SYSTEM VALUE VALUES (2, 'q2', NULL, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (1, NULL, 1, '{"n":0,"secret":"s3cretdata"}', 0, '2026-11-29 09:00:05.463904+00', 1, 1, '550 no mailbox for user0@example.com', '2026-11-29 09:00:02.630093+00', '2026-11-29 09:00:02.630093+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (2, NULL, 1, '{"n":1,"secret":"s3cretdata"}', 0, '2026-11-29 09:00:05.477645+00', 1, 1, '550 no mailbox for user1@example.com', '2026-11-29 09:00:02.64185+00', '2026-11-29 09:00:02.64185+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (3, NULL, 1, '{"n":2,"secret":"s3cretdata"}', 0, '2026-11-29 09:00:05.493688+00', 1, 1, '550 no mailbox for user2@example.com', '2026-11-29 09:00:02.643871+00', '2026-11-29 09:00:02.643871+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (5, NULL, 7, '{"secret":"s3cretdata"}', 0, '2026-11-29 09:00:05.699354+00', 1, 25, NULL, '2026-11-29 09:00:05.699354+00', '2026-11-29 09:00:05.699354+00', NULL, '2026-11-29 09:00:05.705995+00', 'pool-b03668be0d3d5d8974', 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (6, 1, 9, '{}', 0, '2026-11-29 09:00:05.707345+00', 0, 25, NULL, '2026-11-29 09:00:05.707345+00', '2026-11-29 09:00:05.707345+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (7, 2, 10, '{}', 0, '2026-11-29 09:00:08.224138+00', 0, 25, NULL, '2026-11-29 09:00:08.224138+00', '2026-11-29 09:00:08.224138+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (8, 2, 10, '{}', 0, '2026-11-29 09:00:08.231408+00', 0, 25, NULL, '2026-11-29 09:00:08.231408+00', '2026-11-29 09:00:08.231408+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (9, 2, 10, '{}', 0, '2026-11-29 09:00:08.239361+00', 0, 25, NULL, '2026-11-29 09:00:08.239361+00', '2026-11-29 09:00:08.239361+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_jobs OVERRIDING SYSTEM VALUE VALUES (10, NULL, 10, '{}', 0, '2026-11-29 10:00:08.242+00', 0, 25, NULL, '2026-11-29 09:00:08.251031+00', '2026-11-29 09:00:08.251031+00', NULL, NULL, NULL, 0, NULL, DEFAULT);
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (1, 'welcome');
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (4, 'fine');
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (7, 'hang');
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (9, 'retrying');
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (10, 'fine2');
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (14, 'nothing');
INSERT INTO graphile_worker.migrations VALUES (1, '2026-11-29 09:00:02.475992+00', true);
INSERT INTO graphile_worker.migrations VALUES (2, '2026-11-29 09:00:02.498183+00', false);
INSERT INTO graphile_worker.migrations VALUES (3, '2026-11-29 09:00:02.508603+00', true);
INSERT INTO graphile_worker.migrations VALUES (4, '2026-11-29 09:00:02.517307+00', false);
INSERT INTO graphile_worker.migrations VALUES (5, '2026-11-29 09:00:02.524775+00', false);
INSERT INTO graphile_worker.migrations VALUES (6, '2026-11-29 09:00:02.527533+00', false);
INSERT INTO graphile_worker.migrations VALUES (7, '2026-11-29 09:00:02.5328+00', false);
INSERT INTO graphile_worker.migrations VALUES (8, '2026-11-29 09:00:02.539699+00', false);
INSERT INTO graphile_worker.migrations VALUES (9, '2026-11-29 09:00:02.546936+00', false);
INSERT INTO graphile_worker.migrations VALUES (10, '2026-11-29 09:00:02.548856+00', false);
INSERT INTO graphile_worker.migrations VALUES (11, '2026-11-29 09:00:02.55014+00', true);
INSERT INTO graphile_worker.migrations VALUES (12, '2026-11-29 09:00:02.590798+00', false);
INSERT INTO graphile_worker.migrations VALUES (13, '2026-11-29 09:00:02.597266+00', true);
INSERT INTO graphile_worker.migrations VALUES (14, '2026-11-29 09:00:02.606528+00', true);
INSERT INTO graphile_worker.migrations VALUES (15, '2026-11-29 09:00:02.608301+00', false);
INSERT INTO graphile_worker.migrations VALUES (16, '2026-11-29 09:00:02.612231+00', true);
INSERT INTO graphile_worker.migrations VALUES (17, '2026-11-29 09:00:02.615032+00', false);
INSERT INTO graphile_worker.migrations VALUES (18, '2026-11-29 09:00:02.619782+00', false);
INSERT INTO graphile_worker.migrations VALUES (19, '2026-11-29 09:00:02.621802+00', true);
SELECT pg_catalog.setval('graphile_worker.job_queues_id_seq', 4, true);
SELECT pg_catalog.setval('graphile_worker.jobs_id_seq1', 10, true);
SELECT pg_catalog.setval('graphile_worker.tasks_id_seq', 14, true);
ALTER TABLE ONLY graphile_worker._private_job_queues
    ADD CONSTRAINT job_queues_pkey1 PRIMARY KEY (id);
ALTER TABLE ONLY graphile_worker._private_job_queues
    ADD CONSTRAINT job_queues_queue_name_key UNIQUE (queue_name);
ALTER TABLE ONLY graphile_worker._private_jobs
    ADD CONSTRAINT jobs_key_key1 UNIQUE (key);
ALTER TABLE ONLY graphile_worker._private_jobs
    ADD CONSTRAINT jobs_pkey1 PRIMARY KEY (id);
ALTER TABLE ONLY graphile_worker._private_known_crontabs
    ADD CONSTRAINT known_crontabs_pkey PRIMARY KEY (identifier);
ALTER TABLE ONLY graphile_worker.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY graphile_worker._private_tasks
    ADD CONSTRAINT tasks_identifier_key UNIQUE (identifier);
ALTER TABLE ONLY graphile_worker._private_tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);
CREATE INDEX jobs_main_index ON graphile_worker._private_jobs USING btree (priority, run_at) INCLUDE (id, task_id, job_queue_id) WHERE (is_available = true);
CREATE INDEX jobs_no_queue_index ON graphile_worker._private_jobs USING btree (priority, run_at) INCLUDE (id, task_id) WHERE ((is_available = true) AND (job_queue_id IS NULL));
ALTER TABLE graphile_worker._private_job_queues ENABLE ROW LEVEL SECURITY;
ALTER TABLE graphile_worker._private_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE graphile_worker._private_known_crontabs ENABLE ROW LEVEL SECURITY;
ALTER TABLE graphile_worker._private_tasks ENABLE ROW LEVEL SECURITY;
