-- Before and after a deployment at {deployed}: findings per hour by process and cause, and what is new.
-- Counted from the rates, which outlive the events; hours without a finding count too.
WITH
    {deployed:DateTime('UTC')} AS deployed,
    {hours:UInt16} AS hours
SELECT
    process_comm,
    cause,
    sumIf(findings, minute < deployed) / hours AS before_per_hour,
    sumIf(findings, minute >= deployed) / hours AS after_per_hour,
    if(before_per_hour = 0, NULL, round(after_per_hour / before_per_hour, 2)) AS factor,
    before_per_hour = 0 AS is_new
FROM conn_observer.findings_by_minute
WHERE minute >= deployed - toIntervalHour(hours) AND minute < deployed + toIntervalHour(hours)
GROUP BY process_comm, cause
ORDER BY after_per_hour - before_per_hour DESC, process_comm, cause;
