-- Everything that happened around an incident at {at}, within {seconds}, on every host and in order: what a post-mortem
-- begins with. {about} narrows it to a process, address, name or message; '' shows all.
SELECT time, host_name, type, severity, message
FROM conn_observer.events
WHERE time >= {at:DateTime64(9, 'UTC')} - toIntervalSecond({seconds:UInt32})
  AND time <= {at:DateTime64(9, 'UTC')} + toIntervalSecond({seconds:UInt32})
  AND ({about:String} = '' OR position(message, {about:String}) > 0 OR position(raw, {about:String}) > 0)
ORDER BY time, host_name, seq
LIMIT 1000;
