-- Both ends of each RST, also on two hosts: who sent it and why, and who was hit. An id is made from the addresses and a
-- sequence number, so it may come again after a long time: ends that belong together are near in time.
SELECT
    sender.time AS time,
    sender.host_name AS culprit_host,
    sender.process_comm AS culprit,
    sender.process_pid AS culprit_pid,
    sender.cause AS cause,
    sender.tcp_unread_bytes AS culprit_unread_bytes,
    victim.host_name AS victim_host,
    victim.process_comm AS victim,
    victim.process_pid AS victim_pid,
    victim.tcp_unacked_bytes AS victim_lost_bytes,
    sender.stack[1] AS innermost,
    sender.tcp_reset_id AS reset_id
FROM conn_observer.events AS sender
INNER JOIN conn_observer.events AS victim ON victim.tcp_reset_id = sender.tcp_reset_id
WHERE sender.time >= {from:DateTime64(9, 'UTC')} AND sender.time < {to:DateTime64(9, 'UTC')}
  AND victim.time >= {from:DateTime64(9, 'UTC')} - INTERVAL 1 MINUTE
  AND victim.time < {to:DateTime64(9, 'UTC')} + INTERVAL 1 MINUTE
  AND sender.tcp_reset_id != ''
  AND sender.tcp_reset_sent
  AND victim.type = 'reset_received'
  AND abs(dateDiff('second', sender.time, victim.time)) <= 60
ORDER BY time
LIMIT 1000;
