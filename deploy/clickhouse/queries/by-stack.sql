-- Which lines of code: findings by the innermost {frames} functions of the stack.
SELECT
    process_comm,
    cause,
    arraySlice(stack, 1, {frames:UInt8}) AS code,
    count() AS findings,
    uniqExact(host_name) AS hosts,
    sum(tcp_unread_bytes) AS unread_bytes,
    groupUniqArray(5)(peer) AS peers,
    anyIf(hint_advice, hint_advice != '') AS hint
FROM conn_observer.events
WHERE time >= {from:DateTime64(9, 'UTC')} AND time < {to:DateTime64(9, 'UTC')}
  AND notEmpty(stack)
GROUP BY process_comm, cause, code
ORDER BY findings DESC, process_comm, cause
LIMIT 50;
