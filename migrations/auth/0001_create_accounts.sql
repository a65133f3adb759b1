-- +goose Up
-- An account is a person; its id is the user id of every other schema.
CREATE TABLE accounts (
    id         uuid        PRIMARY KEY,
    created_at timestamptz NOT NULL
);

-- A person is known by who vouches and under which name: never by an e-mail address, which
-- providers neither all verify nor keep for one person for ever.
CREATE TABLE identities (
    issuer        text        NOT NULL,
    subject       text        NOT NULL,
    account_id    uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    provider      text        NOT NULL,
    name          text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    last_login_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);

CREATE INDEX identities_of_account ON identities (account_id);

-- All replicas sign with the newest key whose signs_from has come, and publish every key whose
-- published_until has not: a new key can be published before it signs, an old one after.
CREATE TABLE signing_keys (
    kid             text        PRIMARY KEY,
    algorithm       text        NOT NULL CHECK (algorithm = 'EdDSA'),
    public_key      bytea       NOT NULL CHECK (octet_length(public_key) = 32),
    -- sealed_key is the private key under AUTH_MASTER_KEY: nonce, then AES-256-GCM, bound to kid.
    sealed_key      bytea       NOT NULL,
    created_at      timestamptz NOT NULL,
    signs_from      timestamptz NOT NULL,
    published_until timestamptz,
    CHECK (published_until IS NULL OR published_until > signs_from)
);

-- +goose Down
DROP TABLE signing_keys;
DROP TABLE identities;
DROP TABLE accounts;
