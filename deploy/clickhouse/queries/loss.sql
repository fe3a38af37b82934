-- What is missing, by host: lost before the observer (`loss`), unexplained by the kernel's counters (`audit`), and lost
-- between the observer and this table (gaps in `seq`, which begins with 0 at each `started`).
WITH
    lines AS
    (
        SELECT host_name, time, seq, type, lost, residual, namespace,
               sum(type = 'started') OVER (PARTITION BY host_name ORDER BY time, seq) AS run
        FROM
        (
            SELECT host_name, time, seq, type, lost, residual, namespace FROM conn_observer.events
            WHERE time >= {from:DateTime64(9, 'UTC')} AND time < {to:DateTime64(9, 'UTC')}
            LIMIT 1 BY host_name, time, seq
        )
    ),
    runs AS
    (
        SELECT host_name, run, max(seq) - min(seq) + 1 - count() AS missing
        FROM lines GROUP BY host_name, run
    ),
    namespaces AS
    (
        SELECT host_name, run, namespace, argMax(residual, time) AS residual
        FROM lines WHERE type = 'audit' GROUP BY host_name, run, namespace
    )
SELECT
    runs.host_name AS host_name,
    runs.runs AS runs,
    ifNull(losses.lost, 0) AS lost_in_kernel,
    ifNull(audits.residual, 0) AS audit_residual,
    runs.missing AS lost_in_pipeline
FROM (SELECT host_name, count() AS runs, sum(missing) AS missing FROM runs GROUP BY host_name) AS runs
LEFT JOIN (SELECT host_name, sum(lost) AS lost FROM lines WHERE type = 'loss' GROUP BY host_name) AS losses
    ON losses.host_name = runs.host_name
LEFT JOIN (SELECT host_name, sum(residual) AS residual FROM namespaces GROUP BY host_name) AS audits
    ON audits.host_name = runs.host_name
ORDER BY lost_in_pipeline + lost_in_kernel + audit_residual DESC, host_name;
