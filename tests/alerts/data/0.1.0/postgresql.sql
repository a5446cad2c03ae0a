CREATE TABLE public.oncall_control (
    name text NOT NULL,
    value text NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.oncall_episodes (
    id text NOT NULL,
    runbook text NOT NULL,
    host text NOT NULL,
    fingerprint text NOT NULL,
    alert text NOT NULL,
    mode text NOT NULL,
    state text NOT NULL,
    stage text NOT NULL,
    reason text NOT NULL,
    outcome text NOT NULL,
    summary text NOT NULL,
    plan_hash text NOT NULL,
    result text NOT NULL,
    received_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    queued_at double precision NOT NULL,
    resolved_at double precision,
    ended_at double precision,
    until double precision,
    cancel text NOT NULL,
    note text NOT NULL,
    runs integer NOT NULL
);
CREATE TABLE public.oncall_inbox (
    id integer NOT NULL,
    received_at double precision NOT NULL,
    alerts bytea NOT NULL
);
CREATE SEQUENCE public.oncall_inbox_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.oncall_inbox_id_seq OWNED BY public.oncall_inbox.id;
CREATE TABLE public.oncall_quarantine (
    id text NOT NULL,
    reason text NOT NULL,
    alert text NOT NULL,
    first_at double precision NOT NULL,
    last_at double precision NOT NULL,
    count integer NOT NULL
);
CREATE TABLE public.oncall_remedies (
    run text NOT NULL,
    runbook text NOT NULL,
    host text NOT NULL,
    helped boolean NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.oncall_runs (
    id text NOT NULL,
    episode text NOT NULL,
    runbook text NOT NULL,
    host text NOT NULL,
    acts boolean NOT NULL,
    node text NOT NULL,
    admitted_at double precision NOT NULL,
    began_at double precision,
    ended_at double precision,
    outcome text NOT NULL
);
ALTER TABLE ONLY public.oncall_inbox ALTER COLUMN id SET DEFAULT nextval('public.oncall_inbox_id_seq'::regclass);
INSERT INTO public.oncall_control VALUES ('watchdog', '', 1767225613.5);
INSERT INTO public.oncall_control VALUES ('paused', 'storage is moved (ann)', 1767225630);
INSERT INTO public.oncall_episodes VALUES ('dddddddddddddddddddd', 'cache', 'h003', 'b0b0f00dcafe0001', '{"labels": {"alertname": "RedisDown", "instance": "h003:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}', 'suggest', 'queued', 'check', '', '', '', '', '', 1767225607.5, 1767225607.5, 1767225607.5, NULL, NULL, NULL, '', '', 0);
INSERT INTO public.oncall_episodes VALUES ('cccccccccccccccccccc', 'cache', 'h002', 'b0b0f00dcafe0001', '{"labels": {"alertname": "RedisDown", "instance": "h002:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}', 'auto', 'running', 'act', '', '', '', '', '', 1767225606, 1767225606, 1767225606, NULL, NULL, NULL, '', '', 1);
INSERT INTO public.oncall_episodes VALUES ('aaaaaaaaaaaaaaaaaaaa', 'cache', 'h000', 'b0b0f00dcafe0001', '{"labels": {"alertname": "RedisDown", "instance": "h000:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}', 'auto', 'ended', 'act', '', 'resolved', 'Redis answers again', '', '{"schema": 1, "outcome": "resolved"}', 1767225603, 1767225603, 1767225603, NULL, 1767225624, NULL, '', '', 1);
INSERT INTO public.oncall_episodes VALUES ('bbbbbbbbbbbbbbbbbbbb', 'cache', 'h001', 'b0b0f00dcafe0001', '{"labels": {"alertname": "RedisDown", "instance": "h001:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}', 'approve', 'waiting', 'check', '', 'planned', 'restart redis', 'p0123456789abcde', '', 1767225604.5, 1767225604.5, 1767225604.5, NULL, NULL, 2767225627, '', '', 1);
INSERT INTO public.oncall_inbox VALUES (2, 1767225631.5, '\x7b22616c65727473223a5b7b22737461747573223a22666972696e67222c226c6162656c73223a7b22616c6572746e616d65223a225265646973446f776e227d2c227374617274734174223a22323032362d30312d30315430303a30303a30305a222c2266696e6765727072696e74223a226162227d5d2c22626164223a5b5d7d');
INSERT INTO public.oncall_inbox VALUES (3, 1767225631.5, '\x7b22616c65727473223a5b5d2c22626164223a5b7b22726561736f6e223a226974206973206e6f6e65222c2274657874223a22c3bc20e29c93227d5d7d');
INSERT INTO public.oncall_quarantine VALUES ('eeeeeeeeeeeeeeeeeeee', 'no host ''x'' in the inventory', '{"labels": {"instance": "x"}}', 1767225609, 1767225610.5, 3);
INSERT INTO public.oncall_remedies VALUES ('aaaaaaaaaaaaaaaaaaaar1', 'cache', 'h000', true, 1767225625.5);
INSERT INTO public.oncall_runs VALUES ('ccccccccccccccccccccr1', 'cccccccccccccccccccc', 'cache', 'h002', true, 'east', 1767225618, 1767225622.5, NULL, '');
INSERT INTO public.oncall_runs VALUES ('aaaaaaaaaaaaaaaaaaaar1', 'aaaaaaaaaaaaaaaaaaaa', 'cache', 'h000', true, 'east', 1767225615, 1767225619.5, 1767225625.5, 'resolved');
INSERT INTO public.oncall_runs VALUES ('bbbbbbbbbbbbbbbbbbbbr1', 'bbbbbbbbbbbbbbbbbbbb', 'cache', 'h001', false, 'east', 1767225616.5, 1767225621, 1767225628.5, 'planned');
SELECT pg_catalog.setval('public.oncall_inbox_id_seq', 3, true);
ALTER TABLE ONLY public.oncall_control
    ADD CONSTRAINT oncall_control_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.oncall_episodes
    ADD CONSTRAINT oncall_episodes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.oncall_inbox
    ADD CONSTRAINT oncall_inbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.oncall_quarantine
    ADD CONSTRAINT oncall_quarantine_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.oncall_remedies
    ADD CONSTRAINT oncall_remedies_pkey PRIMARY KEY (run, runbook);
ALTER TABLE ONLY public.oncall_runs
    ADD CONSTRAINT oncall_runs_pkey PRIMARY KEY (id);
CREATE INDEX ix_oncall_runs_admitted_at ON public.oncall_runs USING btree (admitted_at);
CREATE INDEX ix_oncall_runs_episode ON public.oncall_runs USING btree (episode);
CREATE INDEX oncall_episodes_state ON public.oncall_episodes USING btree (state, queued_at);
CREATE INDEX oncall_runs_open ON public.oncall_runs USING btree (ended_at);
