-- Who resets whom: pairs of process and peer by the RSTs that went out, with the data that nobody read.
SELECT
    host_name,
    process_comm,
    peer,
    topK(3)(cause) AS causes,
    count() AS resets,
    sum(tcp_unread_bytes) AS unread_bytes,
    min(time) AS first,
    max(time) AS last
FROM conn_observer.events
WHERE time >= {from:DateTime64(9, 'UTC')} AND time < {to:DateTime64(9, 'UTC')}
  AND tcp_reset_sent
GROUP BY host_name, process_comm, peer
ORDER BY resets DESC, unread_bytes DESC
LIMIT 100;
