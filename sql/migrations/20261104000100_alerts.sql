-- What alerts keep: one row a thing that can fail, and the messages to deliver.

-- migrate:up

SET LOCAL lock_timeout = '30s';

CREATE TABLE IF NOT EXISTS shopify_internal.alert_episodes (
  subject text NOT NULL,
  state text NOT NULL,
  summary text NOT NULL,
  link text NOT NULL,
  since timestamptz NOT NULL,
  last_event_id bigint NOT NULL,
  last_event_at timestamptz NOT NULL,
  CONSTRAINT alert_episodes_pkey PRIMARY KEY (subject)
);
CREATE INDEX IF NOT EXISTS alert_episodes_open_idx ON shopify_internal.alert_episodes (since) WHERE state <> 'ok';
COMMENT ON TABLE shopify_internal.alert_episodes IS 'What is wrong, or was: one row each check, job or freshness that ever failed. An episode lasts from a failure to the next success.';
COMMENT ON COLUMN shopify_internal.alert_episodes.subject IS 'What it is about: check …, run of …, freshness of …';
COMMENT ON COLUMN shopify_internal.alert_episodes.state IS 'ok, warning or error.';
COMMENT ON COLUMN shopify_internal.alert_episodes.summary IS 'What was found, without personal data.';
COMMENT ON COLUMN shopify_internal.alert_episodes.link IS 'Page of the Dagster UI.';
COMMENT ON COLUMN shopify_internal.alert_episodes.since IS 'When the state began.';
COMMENT ON COLUMN shopify_internal.alert_episodes.last_event_id IS 'Number of the last event of Dagster''s log that was taken into account; older ones are not.';
COMMENT ON COLUMN shopify_internal.alert_episodes.last_event_at IS 'Time of that event.';
SELECT shopify_internal.protect('shopify_internal.alert_episodes');

CREATE TABLE IF NOT EXISTS shopify_internal.alert_messages (
  id bigint GENERATED ALWAYS AS IDENTITY,
  destination text NOT NULL,
  level text NOT NULL,
  title text NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  state text NOT NULL DEFAULT 'pending',
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL DEFAULT now(),
  settled_at timestamptz,
  last_error text,
  CONSTRAINT alert_messages_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS alert_messages_pending_idx ON shopify_internal.alert_messages (due_at) WHERE state = 'pending';
COMMENT ON TABLE shopify_internal.alert_messages IS 'Messages of alerts, one row each message and destination.';
COMMENT ON COLUMN shopify_internal.alert_messages.id IS 'Order of the messages.';
COMMENT ON COLUMN shopify_internal.alert_messages.destination IS 'Digest of the URL in ALERT_URLS; the URL itself may hold a secret.';
COMMENT ON COLUMN shopify_internal.alert_messages.level IS 'failure, warning or success.';
COMMENT ON COLUMN shopify_internal.alert_messages.title IS 'Title.';
COMMENT ON COLUMN shopify_internal.alert_messages.body IS 'Text, without personal data.';
COMMENT ON COLUMN shopify_internal.alert_messages.created_at IS 'When it was written.';
COMMENT ON COLUMN shopify_internal.alert_messages.state IS 'pending, delivered, or dropped: its destination is no longer set, or refused it for three days.';
COMMENT ON COLUMN shopify_internal.alert_messages.attempts IS 'Attempts at delivery.';
COMMENT ON COLUMN shopify_internal.alert_messages.due_at IS 'When the next attempt is due.';
COMMENT ON COLUMN shopify_internal.alert_messages.settled_at IS 'When it was delivered or dropped.';
COMMENT ON COLUMN shopify_internal.alert_messages.last_error IS 'Why the last attempt failed, without the URL.';
SELECT shopify_internal.protect('shopify_internal.alert_messages');

-- migrate:down
