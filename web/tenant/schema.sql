-- Version 1. Times are seconds since 1970. Whatever a server answers from is followed
-- by revision, whoever changes it.
CREATE TABLE tenants (
  id       TEXT PRIMARY KEY,
  name     TEXT NOT NULL,
  created  INTEGER NOT NULL,
  deleted  INTEGER,          -- kept for the sake of its usage
  settings TEXT NOT NULL     -- JSON, see Settings
) STRICT;
CREATE UNIQUE INDEX tenants_name ON tenants (name) WHERE deleted IS NULL;

CREATE TABLE keys (
  id        TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  name      TEXT NOT NULL,
  hash      BLOB NOT NULL UNIQUE, -- SHA-256
  hint      TEXT NOT NULL,
  created   INTEGER NOT NULL,
  expires   INTEGER,
  revoked   INTEGER
) STRICT;
CREATE UNIQUE INDEX keys_name ON keys (tenant_id, name) WHERE revoked IS NULL;

-- Apart from keys, so that using one is no change of it.
CREATE TABLE key_uses (
  key_id TEXT PRIMARY KEY REFERENCES keys (id),
  at     INTEGER NOT NULL
) STRICT;

CREATE TABLE guests (
  tenant_id TEXT PRIMARY KEY REFERENCES tenants (id),
  sha256    BLOB NOT NULL,
  module    BLOB NOT NULL
) STRICT;

CREATE TABLE adapters (
  model   TEXT NOT NULL,
  name    TEXT NOT NULL,
  path    TEXT NOT NULL, -- under the adapters' root
  created INTEGER NOT NULL,
  PRIMARY KEY (model, name)
) STRICT;

CREATE TABLE usage (
  tenant_id         TEXT NOT NULL, -- or 'local': that of a server without keys
  day               TEXT NOT NULL, -- UTC, 2006-01-02
  model             TEXT NOT NULL,
  adapter           TEXT NOT NULL, -- '' for none
  requests          INTEGER NOT NULL,
  errors            INTEGER NOT NULL,
  prompt_tokens     INTEGER NOT NULL,
  cached_tokens     INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, day, model, adapter)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_day ON usage (day);

CREATE TABLE revision (n INTEGER NOT NULL) STRICT;
INSERT INTO revision VALUES (1);
CREATE TRIGGER tenants_insert AFTER INSERT ON tenants BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER tenants_update AFTER UPDATE ON tenants BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER tenants_delete AFTER DELETE ON tenants BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER keys_insert AFTER INSERT ON keys BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER keys_update AFTER UPDATE ON keys BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER keys_delete AFTER DELETE ON keys BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER guests_insert AFTER INSERT ON guests BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER guests_update AFTER UPDATE ON guests BEGIN UPDATE revision SET n = n + 1; END;
CREATE TRIGGER guests_delete AFTER DELETE ON guests BEGIN UPDATE revision SET n = n + 1; END;
