BEGIN TRANSACTION;
CREATE TABLE oncall_control (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "oncall_control" VALUES('watchdog','',1767225613.5);
INSERT INTO "oncall_control" VALUES('paused','storage is moved (ann)',1767225630.0);
CREATE TABLE oncall_episodes (
	id TEXT NOT NULL, 
	runbook TEXT NOT NULL, 
	host TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	alert TEXT NOT NULL, 
	mode TEXT NOT NULL, 
	state TEXT NOT NULL, 
	stage TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	summary TEXT NOT NULL, 
	plan_hash TEXT NOT NULL, 
	result TEXT NOT NULL, 
	received_at FLOAT NOT NULL, 
	seen_at FLOAT NOT NULL, 
	queued_at FLOAT NOT NULL, 
	resolved_at FLOAT, 
	ended_at FLOAT, 
	until FLOAT, 
	cancel TEXT NOT NULL, 
	note TEXT NOT NULL, 
	runs INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "oncall_episodes" VALUES('aaaaaaaaaaaaaaaaaaaa','cache','h000','b0b0f00dcafe0001','{"labels": {"alertname": "RedisDown", "instance": "h000:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}','auto','ended','act','','resolved','Redis answers again','','{"schema": 1, "outcome": "resolved"}',1767225603.0,1767225603.0,1767225603.0,NULL,1767225624.0,NULL,'','',1);
INSERT INTO "oncall_episodes" VALUES('bbbbbbbbbbbbbbbbbbbb','cache','h001','b0b0f00dcafe0001','{"labels": {"alertname": "RedisDown", "instance": "h001:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}','approve','waiting','check','','planned','restart redis','p0123456789abcde','',1767225604.5,1767225604.5,1767225604.5,NULL,NULL,2767225627.0,'','',1);
INSERT INTO "oncall_episodes" VALUES('cccccccccccccccccccc','cache','h002','b0b0f00dcafe0001','{"labels": {"alertname": "RedisDown", "instance": "h002:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}','auto','running','act','','','','','',1767225606.0,1767225606.0,1767225606.0,NULL,NULL,NULL,'','',1);
INSERT INTO "oncall_episodes" VALUES('dddddddddddddddddddd','cache','h003','b0b0f00dcafe0001','{"labels": {"alertname": "RedisDown", "instance": "h003:6379", "note": "it''s \u00fc \u2713 100%"}, "starts_at": "2026-01-01T00:00:00Z", "annotations": {}}','suggest','queued','check','','','','','',1767225607.5,1767225607.5,1767225607.5,NULL,NULL,NULL,'','',0);
CREATE TABLE oncall_inbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	received_at FLOAT NOT NULL, 
	alerts BLOB NOT NULL
);
INSERT INTO "oncall_inbox" VALUES(2,1767225631.5,X'7B22616C65727473223A5B7B22737461747573223A22666972696E67222C226C6162656C73223A7B22616C6572746E616D65223A225265646973446F776E227D2C227374617274734174223A22323032362D30312D30315430303A30303A30305A222C2266696E6765727072696E74223A226162227D5D2C22626164223A5B5D7D');
INSERT INTO "oncall_inbox" VALUES(3,1767225631.5,X'7B22616C65727473223A5B5D2C22626164223A5B7B22726561736F6E223A226974206973206E6F6E65222C2274657874223A22C3BC20E29C93227D5D7D');
CREATE TABLE oncall_quarantine (
	id TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	alert TEXT NOT NULL, 
	first_at FLOAT NOT NULL, 
	last_at FLOAT NOT NULL, 
	count INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "oncall_quarantine" VALUES('eeeeeeeeeeeeeeeeeeee','no host ''x'' in the inventory','{"labels": {"instance": "x"}}',1767225609.0,1767225610.5,3);
CREATE TABLE oncall_remedies (
	run TEXT NOT NULL, 
	runbook TEXT NOT NULL, 
	host TEXT NOT NULL, 
	helped BOOLEAN NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (run, runbook)
);
INSERT INTO "oncall_remedies" VALUES('aaaaaaaaaaaaaaaaaaaar1','cache','h000',1,1767225625.5);
CREATE TABLE oncall_runs (
	id TEXT NOT NULL, 
	episode TEXT NOT NULL, 
	runbook TEXT NOT NULL, 
	host TEXT NOT NULL, 
	acts BOOLEAN NOT NULL, 
	node TEXT NOT NULL, 
	admitted_at FLOAT NOT NULL, 
	began_at FLOAT, 
	ended_at FLOAT, 
	outcome TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "oncall_runs" VALUES('aaaaaaaaaaaaaaaaaaaar1','aaaaaaaaaaaaaaaaaaaa','cache','h000',1,'east',1767225615.0,1767225619.5,1767225625.5,'resolved');
INSERT INTO "oncall_runs" VALUES('bbbbbbbbbbbbbbbbbbbbr1','bbbbbbbbbbbbbbbbbbbb','cache','h001',0,'east',1767225616.5,1767225621.0,1767225628.5,'planned');
INSERT INTO "oncall_runs" VALUES('ccccccccccccccccccccr1','cccccccccccccccccccc','cache','h002',1,'east',1767225618.0,1767225622.5,NULL,'');
CREATE INDEX oncall_episodes_state ON oncall_episodes (state, queued_at);
CREATE INDEX ix_oncall_runs_episode ON oncall_runs (episode);
CREATE INDEX ix_oncall_runs_admitted_at ON oncall_runs (admitted_at);
CREATE INDEX oncall_runs_open ON oncall_runs (ended_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('oncall_inbox',3);
COMMIT;
