-- The worst process, peer and cause over the fleet, and on how many hosts.
SELECT
    process_comm,
    peer,
    cause,
    count() AS findings,
    uniqExact(host_name) AS hosts,
    countIf(severity = 'harmful') AS harmful,
    sum(tcp_unread_bytes) AS unread_bytes,
    sum(tcp_unacked_bytes) AS unacked_bytes,
    quantile(0.5)(tcp_duration_ms) AS median_duration_ms,
    anyIf(hint_advice, hint_advice != '') AS hint
FROM conn_observer.events
WHERE time >= {from:DateTime64(9, 'UTC')} AND time < {to:DateTime64(9, 'UTC')}
  AND type IN ('close', 'reset_sent', 'reset_received')
GROUP BY process_comm, peer, cause
ORDER BY findings DESC, harmful DESC, process_comm, peer, cause
LIMIT 50;
