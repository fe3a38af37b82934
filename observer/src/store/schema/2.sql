-- What is looked up of single events: by time, by number, by reset id. Findings by process, peer or kind are counted by
-- the minute, and otherwise gone through by time: indices for those were written with each event and asked by nobody.
DROP INDEX event_process;
DROP INDEX event_peer;
DROP INDEX event_kind;

-- Of the observer itself: only findings have ends.
CREATE INDEX event_notice ON event (kind, time) WHERE local IS NULL;
CREATE INDEX event_seq ON event (seq);

-- Reset ids are random. In one order of all of them each event would go to a page of its own; in blocks of 16,384 events
-- those being written stay in memory, and a question is one look into each block.
CREATE INDEX event_reset ON event (id / 16384, reset_id) WHERE reset_id IS NOT NULL;
