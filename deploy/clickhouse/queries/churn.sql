-- Who makes a connection for every request: the last word on each process and peer, worst first (--churn).
SELECT
    host_name,
    process_comm,
    peer,
    argMax(verdict, time) AS last_verdict,
    count() AS windows,
    max(rate_per_s) AS highest_rate_per_s,
    sum(handshakes_wasted) AS handshakes_wasted_sum,
    argMax(hint_advice, time) AS hint
FROM conn_observer.events
WHERE time >= {from:DateTime64(9, 'UTC')} AND time < {to:DateTime64(9, 'UTC')}
  AND type = 'churn'
GROUP BY host_name, process_comm, peer
ORDER BY handshakes_wasted_sum DESC, host_name, process_comm, peer
LIMIT 100;
