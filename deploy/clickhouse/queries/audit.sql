-- The kernel's own counters against what was seen: the last audit of each namespace, counter by counter.
SELECT
    host_name,
    namespace,
    JSONExtractString(counter, 'counter') AS counter_name,
    argMax(JSONExtractString(counter, 'relation'), time) AS relation,
    argMax(JSONExtractUInt(counter, 'kernel'), time) AS kernel,
    argMax(JSONExtractUInt(counter, 'seen'), time) AS seen,
    argMax(JSONExtractInt(counter, 'residual'), time) AS residual
FROM conn_observer.events
ARRAY JOIN JSONExtractArrayRaw(raw, 'counters') AS counter
WHERE time >= {from:DateTime64(9, 'UTC')} AND time < {to:DateTime64(9, 'UTC')}
  AND type = 'audit'
GROUP BY host_name, namespace, counter_name
HAVING kernel > 0 OR seen > 0 OR residual != 0
ORDER BY abs(residual) DESC, host_name, namespace, counter_name;
