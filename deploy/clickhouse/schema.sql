-- Events of conn-observer in ClickHouse 24.8 or later:
--
--   clickhouse-client --multiquery < schema.sql
--   clickhouse-client --query "INSERT INTO conn_observer.ingest FORMAT LineAsString" < events.ndjson
--
-- A line goes into `ingest`, which keeps nothing; the views put it into `events` or, if it is no event, `rejected`.
-- `raw` is the line as it came, so no field is lost that has no column: JSONExtract(raw, …).
-- A column has the name of the event's field with `_` for `.` (docs/events.md). Absent: NULL for a number, '' for text.
-- Shippers deliver at least once: `LIMIT 1 BY host_name, time, seq` leaves one of each line.

CREATE DATABASE IF NOT EXISTS conn_observer;

CREATE TABLE IF NOT EXISTS conn_observer.ingest
(
    raw String
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS conn_observer.events
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    host_name LowCardinality(String),
    seq UInt64,
    type LowCardinality(String),
    message String CODEC(ZSTD(3)),

    cause LowCardinality(String),
    cause_source LowCardinality(String),
    severity LowCardinality(String),

    process_pid Nullable(UInt32),
    process_comm LowCardinality(String),
    process_thread_name LowCardinality(String),
    process_executable_path LowCardinality(String),
    process_command_args Array(String) CODEC(ZSTD(3)),
    process_user_name LowCardinality(String),
    process_runtime_name LowCardinality(String),
    process_attribution LowCardinality(String),
    counterpart_pid Nullable(UInt32),
    counterpart_comm LowCardinality(String),
    container_id String,
    systemd_unit LowCardinality(String),
    k8s_pod_uid String,

    network_role LowCardinality(String),
    network_local_address String,
    network_local_port Nullable(UInt16),
    network_peer_address String,
    network_peer_port Nullable(UInt16),
    network_peer_name LowCardinality(String),
    network_namespace Nullable(UInt32),
    -- The peer as people name it: name or address, and the port where that is a server's.
    peer LowCardinality(String),

    tcp_state LowCardinality(String),
    tcp_unread_bytes Nullable(UInt32),
    tcp_unacked_bytes Nullable(UInt32),
    tcp_duration_ms Nullable(Float64),
    tcp_reset_sent Nullable(Bool),
    tcp_reset_id String,
    tcp_kernel_reason LowCardinality(String),

    -- Frames of stack.user, innermost first: `function (file:line)`, or `module+offset`.
    stack Array(String) CODEC(ZSTD(3)),
    hint_advice LowCardinality(String),

    verdict LowCardinality(String),
    rate_per_s Nullable(Float64),
    handshakes_wasted Nullable(UInt64),

    lost Nullable(UInt64),
    namespace Nullable(UInt32),
    residual Nullable(UInt64),

    raw String CODEC(ZSTD(6)),

    INDEX by_reset_id tcp_reset_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_process process_comm TYPE set(100) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toDate(time)
-- The hour in front: of a range of time, what belongs to one host and cause lies together.
ORDER BY (toStartOfHour(time), host_name, cause, time)
TTL toDateTime(time) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1;

-- One look at each line. `address` is not used, but an element with none of a tuple's members would be left out.
CREATE MATERIALIZED VIEW IF NOT EXISTS conn_observer.ingest_events TO conn_observer.events AS
WITH
    JSONExtract(raw, 'Tuple(
        time String,
        host Tuple(name String),
        seq UInt64,
        type String,
        message String,
        cause String,
        cause_source String,
        severity String,
        process Tuple(
            pid Nullable(UInt32),
            comm String,
            thread Tuple(name String),
            executable Tuple(path String),
            command_args Array(String),
            user Tuple(name String),
            runtime Tuple(name String),
            attribution String),
        counterpart Tuple(pid Nullable(UInt32), comm String),
        container Tuple(id String),
        systemd Tuple(unit String),
        k8s Tuple(pod_uid String),
        network Tuple(
            role String,
            local Tuple(address String, port Nullable(UInt16)),
            peer Tuple(address String, port Nullable(UInt16), name String),
            namespace Nullable(UInt32)),
        tcp Tuple(
            state String,
            unread_bytes Nullable(UInt32),
            unacked_bytes Nullable(UInt32),
            duration_ms Nullable(Float64),
            reset_sent Nullable(Bool),
            reset_id String,
            kernel_reason String),
        stack Tuple(user Array(Tuple(
            address String, symbol String, file String, line Nullable(UInt32), module String, offset String))),
        hint Tuple(advice String),
        verdict String,
        rate_per_s Nullable(Float64),
        handshakes_wasted Nullable(UInt64),
        lost Nullable(UInt64),
        namespace Nullable(UInt32),
        residual Nullable(UInt64))') AS event
SELECT
    parseDateTime64BestEffort(event.time, 9, 'UTC') AS time,
    event.host.name AS host_name,
    event.seq AS seq,
    event.type AS type,
    event.message AS message,
    event.cause AS cause,
    event.cause_source AS cause_source,
    event.severity AS severity,
    event.process.pid AS process_pid,
    event.process.comm AS process_comm,
    event.process.thread.name AS process_thread_name,
    event.process.executable.path AS process_executable_path,
    event.process.command_args AS process_command_args,
    event.process.user.name AS process_user_name,
    event.process.runtime.name AS process_runtime_name,
    event.process.attribution AS process_attribution,
    event.counterpart.pid AS counterpart_pid,
    event.counterpart.comm AS counterpart_comm,
    event.container.id AS container_id,
    event.systemd.unit AS systemd_unit,
    event.k8s.pod_uid AS k8s_pod_uid,
    event.network.role AS network_role,
    event.network.local.address AS network_local_address,
    event.network.local.port AS network_local_port,
    event.network.peer.address AS network_peer_address,
    event.network.peer.port AS network_peer_port,
    event.network.peer.name AS network_peer_name,
    event.network.namespace AS network_namespace,
    concat(
        if(network_peer_name = '', network_peer_address, network_peer_name),
        if(network_role = 'client' AND network_peer_port IS NOT NULL, concat(':', toString(assumeNotNull(network_peer_port))), '')
    ) AS peer,
    event.tcp.state AS tcp_state,
    event.tcp.unread_bytes AS tcp_unread_bytes,
    event.tcp.unacked_bytes AS tcp_unacked_bytes,
    event.tcp.duration_ms AS tcp_duration_ms,
    event.tcp.reset_sent AS tcp_reset_sent,
    event.tcp.reset_id AS tcp_reset_id,
    event.tcp.kernel_reason AS tcp_kernel_reason,
    arrayMap(
        frame -> multiIf(
            frame.symbol = '', if(frame.module = '', '?', concat(frame.module, '+', frame.offset)),
            frame.file = '', frame.symbol,
            concat(frame.symbol, ' (', frame.file, ':', toString(ifNull(frame.line, 0)), ')')),
        event.stack.user
    ) AS stack,
    event.hint.advice AS hint_advice,
    event.verdict AS verdict,
    event.rate_per_s AS rate_per_s,
    event.handshakes_wasted AS handshakes_wasted,
    event.lost AS lost,
    event.namespace AS namespace,
    event.residual AS residual,
    raw
FROM conn_observer.ingest
WHERE startsWith(JSONExtractString(raw, 'schema'), 'conn-observer/')
  AND parseDateTime64BestEffortOrNull(JSONExtractString(raw, 'time'), 9, 'UTC') IS NOT NULL;

-- Torn lines and other people's: one bad line must not hold up a whole batch, nor vanish.
CREATE TABLE IF NOT EXISTS conn_observer.rejected
(
    received DateTime DEFAULT now(),
    raw String CODEC(ZSTD(6))
)
ENGINE = MergeTree
ORDER BY received
TTL received + INTERVAL 7 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS conn_observer.ingest_rejected TO conn_observer.rejected AS
SELECT now() AS received, raw
FROM conn_observer.ingest
WHERE NOT (startsWith(JSONExtractString(raw, 'schema'), 'conn-observer/')
  AND parseDateTime64BestEffortOrNull(JSONExtractString(raw, 'time'), 9, 'UTC') IS NOT NULL);

-- Rates, kept longer than the events. Summed when parts are merged, so always read with sum() and GROUP BY.
CREATE TABLE IF NOT EXISTS conn_observer.findings_by_minute
(
    minute DateTime('UTC'),
    host_name LowCardinality(String),
    type LowCardinality(String),
    cause LowCardinality(String),
    severity LowCardinality(String),
    process_comm LowCardinality(String),
    peer LowCardinality(String),
    findings UInt64,
    resets_sent UInt64,
    unread_bytes UInt64
)
ENGINE = SummingMergeTree((findings, resets_sent, unread_bytes))
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, host_name, type, cause, severity, process_comm, peer)
TTL minute + INTERVAL 400 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS conn_observer.events_by_minute TO conn_observer.findings_by_minute AS
SELECT
    toStartOfMinute(toDateTime(time, 'UTC')) AS minute,
    host_name,
    type,
    cause,
    severity,
    process_comm,
    peer,
    count() AS findings,
    countIf(tcp_reset_sent) AS resets_sent,
    sum(ifNull(tcp_unread_bytes, 0)) AS unread_bytes
FROM conn_observer.events
WHERE type IN ('close', 'reset_sent', 'reset_received')
GROUP BY minute, host_name, type, cause, severity, process_comm, peer;
