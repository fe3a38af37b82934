-- Findings per minute by host, cause and severity.
SELECT
    minute,
    host_name,
    cause,
    severity,
    sum(findings) AS findings,
    sum(resets_sent) AS resets_sent,
    sum(unread_bytes) AS unread_bytes
FROM conn_observer.findings_by_minute
WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
GROUP BY minute, host_name, cause, severity
ORDER BY minute, host_name, cause, severity;
