-- What is said once and meant often has a row of its own. `seen` is the time of the last event that meant it, ns since
-- 1970, kept to within a minute: what nothing means any more is removed.

-- A stream of events: a run of the observer, or what was read from a file.
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,      -- host name
    schema TEXT NOT NULL,    -- version of the event format
    begin INTEGER NOT NULL,  -- time of its first event, ns since 1970
    last INTEGER NOT NULL,   -- time of its last event, ns since 1970
    version TEXT,            -- of the observer
    kernel TEXT,             -- release of the kernel
    ended INTEGER NOT NULL DEFAULT 0, -- 1 when its `stopped` is here
    missing INTEGER          -- events of its end that were not written before the observer was killed
);

-- What events of one kind have in common.
CREATE TABLE kind (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    cause TEXT,
    cause_source TEXT,
    severity TEXT,
    family TEXT,             -- network.type
    role TEXT,               -- network.role
    host_namespace INTEGER,
    state TEXT,              -- tcp.state
    kernel_reason TEXT,
    fin_received INTEGER,
    reset_sent INTEGER NOT NULL DEFAULT 0,
    disagreement INTEGER,
    advice TEXT,             -- hint.advice
    reference TEXT           -- hint.reference
);

-- A program where it runs: what does not change from one of its processes to the next.
CREATE TABLE program (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    comm TEXT NOT NULL,
    executable TEXT,         -- path
    runtime TEXT,            -- name
    uid INTEGER NOT NULL,    -- real user id
    user TEXT,               -- its name
    unit TEXT,               -- systemd unit, of the user's manager where there is one
    container TEXT,          -- id
    pod TEXT                 -- UID
);
CREATE INDEX program_all ON program (comm, executable, host, runtime, uid, user, unit, container, pod);

CREATE TABLE process (
    id INTEGER PRIMARY KEY,
    program INTEGER NOT NULL REFERENCES program,
    pid INTEGER NOT NULL,
    start_time TEXT,
    detail TEXT NOT NULL,    -- JSON: process, cgroup, container, systemd and k8s as events have them, without the thread
    seen INTEGER NOT NULL,
    UNIQUE (detail, program)
);
CREATE INDEX process_program ON process (program);
CREATE INDEX process_seen ON process (seen);

-- A thread in its part: who acted, owned, or was the peer.
CREATE TABLE actor (
    id INTEGER PRIMARY KEY,
    process INTEGER NOT NULL REFERENCES process,
    tid INTEGER NOT NULL,
    thread TEXT NOT NULL,    -- its name
    attribution TEXT NOT NULL,
    exiting INTEGER
);
CREATE INDEX actor_all ON actor (process, tid, thread, attribution, exiting);

-- A host at one end of a connection.
CREATE TABLE address (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL,
    name TEXT,
    name_source TEXT,
    seen INTEGER NOT NULL
);
CREATE INDEX address_all ON address (address, name, name_source);
CREATE INDEX address_seen ON address (seen);

CREATE TABLE stack (
    id INTEGER PRIMARY KEY,
    place TEXT,              -- the innermost function of the program, with file and line where they are known
    detail TEXT NOT NULL UNIQUE, -- JSON: `stack` as events have it
    seen INTEGER NOT NULL
);
CREATE INDEX stack_seen ON stack (seen);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,   -- ns since 1970
    session INTEGER NOT NULL REFERENCES session,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL REFERENCES kind,
    process INTEGER REFERENCES process,
    actor INTEGER REFERENCES actor,
    peer INTEGER REFERENCES address,
    peer_port INTEGER,
    local INTEGER REFERENCES address,
    local_port INTEGER,
    namespace INTEGER,       -- inode of the network namespace
    stack INTEGER REFERENCES stack,
    counterpart INTEGER REFERENCES actor,
    unread_bytes INTEGER,
    unacked_bytes INTEGER,
    unsent_bytes INTEGER,
    segment_bytes INTEGER,
    received_bytes INTEGER,
    sent_bytes INTEGER,
    srtt_us INTEGER,
    duration_ms REAL,
    closed_ms_ago REAL,
    reset_id TEXT,
    detail TEXT              -- JSON: of a finding what no column holds; of another event the whole
);
CREATE INDEX event_time ON event (time);
CREATE INDEX event_kind ON event (kind, time);
CREATE INDEX event_process ON event (process, time) WHERE process IS NOT NULL;
CREATE INDEX event_peer ON event (peer, time) WHERE peer IS NOT NULL;

-- Findings counted by the minute: exact also where single events were removed. 0 stands for unknown.
CREATE TABLE tally (
    minute INTEGER NOT NULL, -- its beginning, s since 1970
    kind INTEGER NOT NULL,
    program INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    port INTEGER NOT NULL,   -- of the service: the peer's, or the local one of a server
    stack INTEGER NOT NULL,
    events INTEGER NOT NULL,
    unread_bytes INTEGER NOT NULL,
    PRIMARY KEY (minute, kind, program, peer, port, stack)
) WITHOUT ROWID;

-- Findings with names instead of numbers, for people.
CREATE VIEW finding AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', event.time / 1000000000, 'unixepoch')
           || printf('.%09dZ', event.time % 1000000000) AS time,
       kind.type, kind.cause, kind.severity, program.comm, process.pid, actor.tid, actor.thread, actor.attribution,
       program.host, program.executable, program.runtime, program.user, program.unit, program.container, program.pod,
       kind.role, local.address AS local_address, event.local_port,
       peer.address AS peer_address, event.peer_port, peer.name AS peer_name, event.namespace, kind.state,
       event.unread_bytes, event.unacked_bytes, event.received_bytes, event.sent_bytes, event.srtt_us,
       event.duration_ms, kind.reset_sent, kind.kernel_reason, event.reset_id, stack.place, kind.advice, event.id
FROM event
JOIN kind ON kind.id = event.kind
LEFT JOIN process ON process.id = event.process
LEFT JOIN program ON program.id = process.program
LEFT JOIN actor ON actor.id = event.actor
LEFT JOIN address AS local ON local.id = event.local
LEFT JOIN address AS peer ON peer.id = event.peer
LEFT JOIN stack ON stack.id = event.stack
WHERE kind.cause IS NOT NULL;
