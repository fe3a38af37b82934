# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_conn_observer_global_optspecs
    string join \n pid= children comm= uid= port= peer= netns= cause= min-unread= severity= all-closes format= output= sink= record= config= count= duration= audit= churn= fail-on= redact-args= stack= stack-depth= symbol-budget= hooks= ring-size= owners= processes= churn-pairs= latency= dns ptr kernel-log sandbox= user= h/help V/version
end

function __fish_conn_observer_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_conn_observer_global_optspecs) -- $cmd 2>/dev/null
    or argparse -s (__fish_conn_observer_global_optspecs) -- $cmd '' 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_conn_observer_using_subcommand
    set -l cmd (__fish_conn_observer_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c conn-observer -n "__fish_conn_observer_needs_command" -l pid -d 'Observe this process; may be given several times' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l comm -d 'Observe processes or threads of this name (15 bytes count)' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l uid -d 'Observe processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l port -d 'Observe connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l peer -d 'Observe connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l netns -d 'Observe this network namespace (`stat -Lc %i /proc/PID/ns/net`)' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l cause -d 'Report these causes only, separated by commas; see the list below' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l min-unread -d 'Report findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l severity -d 'Report findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l format -d 'Format of the events' -r -f -a "json\t'One JSON object a line'
text\t'One sentence a line'"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l output -d 'Write the events to this file, made anew, instead of standard output' -r -F
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l sink -d 'Send the events there; may be given several times: file, journald, syslog, otlp, prometheus or record, and its settings. Nothing then goes to standard output unless --output asks for it' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l record -d 'Record the events in this store, for query, explain, report and top; short for --sink record,path=PATH' -r -F
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l config -d 'Take options from this file, too; `conn-observer config default` prints one. SIGHUP then reads it again' -r -F
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l count -d 'Stop after so many findings' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l duration -d 'Stop after this time, e.g. 500ms, 10s, 2m, 1h' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l audit -d 'Compare the totals with the kernel\'s own counters this often, and at the end; 0 for never' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l churn -d 'Tell which processes make connections to a peer and close them again and again within this time, a sliding window; at most once in it, and at the end. 0 for never' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l fail-on -d 'Exit with 1 when one of these causes passed the filters' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l redact-args -d 'Arguments of processes to mask' -r -f -a "secrets\t'Values of options that are named like passwords or tokens, and passwords in addresses'
all\t'All but the program\'s name'
none\t'None'"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l stack -d 'Call stacks to record' -r -f -a "user\t'The process\'s'
kernel\t'The kernel\'s'
both\t'The process\'s and the kernel\'s'
none\t'None'"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l stack-depth -d 'Frames of each stack to record, 0 to 64' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l symbol-budget -d 'Longest time that an event may wait for symbols; 0 for those that are known already. Later events have them' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l hooks -d 'Kernel hooks: auto, fentry, kprobe or tracepoint' -r -f -a "auto\t''
fentry\t''
kprobe\t''
tracepoint\t''"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l ring-size -d 'Size of the buffer between kernel and observer in bytes, a power of two' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l owners -d 'Connections whose owners are remembered, for RSTs that come later' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l processes -d 'Processes that are remembered after their end, for findings that come later' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l churn-pairs -d 'Pairs of process and peer whose connections are counted within half the time of --churn' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l latency -d 'Longest time in milliseconds that a finding may wait in the kernel; 0 wakes the observer for each one' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l sandbox -d 'What to give up once the hooks are attached; COMMAND keeps all' -r -f -a "strict\t'All but what observing needs, or exit with 2, naming what the kernel refused'
best-effort\t'As much of it as the kernel allows; `started` tells what it refused'
off\t'Nothing'"
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l user -d 'Go on as this user, a NAME or UID:GID; COMMAND does not' -r
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l children -d 'Observe the children of the named processes too, from their first instruction'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l all-closes -d 'Report orderly closes too'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l dns -d 'Watch DNS answers over UDP, to name peers as the processes have asked for them'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l ptr -d 'Look up the names of peers that are not known otherwise: this host\'s resolver is asked'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -l kernel-log -d 'Show diagnostics of the kernel side on standard error'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -s V -l version -d 'Print version'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "schema" -d 'Print the JSON Schema of the events'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "doctor" -d 'Check what works on this machine, and make each cause that plain sockets can make, to see it come back'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "report" -d 'Tell of an incident on one page for a browser, which needs no network'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "explain" -d 'Tell the story of one finding'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "query" -d 'Look at recorded events: themselves, or how many of which there are'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "export" -d 'Write recorded events into a file for other engines'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "diff" -d 'Compare two times or two files: what is new, gone, more or less, as before and after a deployment'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "top" -d 'Watch who closes badly now, or at any time before: rates by process, peer and cause, on the whole screen'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "snapshot" -d 'Show the sockets that hold unread data now, the one that waits longest first: the RSTs to come'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "replay" -d 'Send recorded events once more, at their own pace or another, to standard output or into sinks'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "config" -d 'Check, show or explain a configuration file'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "man" -d 'Print a man page'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "completions" -d 'Print completions for a shell'
complete -c conn-observer -n "__fish_conn_observer_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand schema" -s h -l help -d 'Print help'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand doctor" -l hooks -d 'The hook plan that must work: auto, fentry, kprobe or tracepoint' -r -f -a "auto\t''
fentry\t''
kprobe\t''
tracepoint\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand doctor" -l btf -d 'Judge the BTF file of another kernel instead of this machine' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand doctor" -l format -d 'Format of the report' -r -f -a "text\t'For people'
json\t'One JSON object'"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand doctor" -l cost -d 'Measure what the hooks take of a connection\'s time here, too'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l store -d 'The store that `--record` writes' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l since -d 'From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l until -d 'Before this time' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l type -d 'Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l cause -d 'Findings of these causes, separated by commas' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l severity -d 'Findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l comm -d 'Processes or threads of this name' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l pid -d 'This process' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l uid -d 'Processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l port -d 'Connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l min-unread -d 'Findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -l where -d 'Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -s o -l output -d 'Write the page to this file; `-` for standard output' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l store -d 'The store that `--record` writes' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l since -d 'From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l until -d 'Before this time' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l type -d 'Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l cause -d 'Findings of these causes, separated by commas' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l severity -d 'Findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l comm -d 'Processes or threads of this name' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l pid -d 'This process' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l uid -d 'Processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l port -d 'Connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l min-unread -d 'Findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l where -d 'Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -l format -d 'Format of the story' -r -f -a "json\t'One JSON object a line'
text\t'One sentence a line'"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l store -d 'The store that `--record` writes' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l since -d 'From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l until -d 'Before this time' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l type -d 'Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l cause -d 'Findings of these causes, separated by commas' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l severity -d 'Findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l comm -d 'Processes or threads of this name' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l pid -d 'This process' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l uid -d 'Processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l port -d 'Connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l min-unread -d 'Findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l where -d 'Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l group-by -d 'Count the events by these fields, separated by commas: process, pid, thread, executable, runtime, user, unit, container, pod, host, type, cause, severity, reason, state, role, peer, address, port, namespace, stack, advice, minute, hour, day' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l sort -d 'What comes first: events (most of them, the default with --group-by), unread (most bytes), first, last, or a field. Events themselves come as they happened; last turns that around' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l limit -d 'So many rows at most' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l format -d 'How rows are written: table, json (one object a line; events as they were printed live) or csv' -r -f -a "table\t'A table'
json\t'One JSON object a line'
csv\t'Comma-separated values'"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -l sql -d 'Ask in SQL: one statement that reads. The tables are those of the store, told in docs/store.md' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand query" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l store -d 'The store that `--record` writes' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l since -d 'From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l until -d 'Before this time' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l type -d 'Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l cause -d 'Findings of these causes, separated by commas' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l severity -d 'Findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l comm -d 'Processes or threads of this name' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l pid -d 'This process' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l uid -d 'Processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l port -d 'Connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l min-unread -d 'Findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l where -d 'Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -l format -d 'What to write: parquet (typed columns, and the whole event as JSON), ndjson (the events as they were printed live) or csv (the columns)' -r -f -a "parquet\t'Apache Parquet'
ndjson\t'JSON lines'
csv\t'Comma-separated values'"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -s o -l output -d 'Where to; `-` for standard output. A file that is there is replaced once the new one is whole' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l store -d 'The store in which two times are compared' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l before -d 'The time before, as "2026-11-20 10:00..2026-11-20 12:00", -2h..-1h or ..12:00 (from the first event on); UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l after -d 'The time after; without its end, as -1h.., until now' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l since -d 'From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l until -d 'Before this time' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l type -d 'Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l cause -d 'Findings of these causes, separated by commas' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l severity -d 'Findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l comm -d 'Processes or threads of this name' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l pid -d 'This process' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l uid -d 'Processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l port -d 'Connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l min-unread -d 'Findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l where -d 'Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l group-by -d 'Compare by these fields, those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l threshold -d 'Tell a rate that is so many times as high or as low as before, and that chance does not explain' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l min-events -d 'Tell groups with so many events at one of both times at least' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l format -d 'How it is written: table, or json for one object' -r -f -a "table\t'A table'
json\t'One JSON object'"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -l fail-on-new -d 'Exit with 1 when a group is new whose findings are suspect or harmful'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l store -d 'The store that `--record` writes' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l since -d 'From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l until -d 'Before this time' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l type -d 'Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l cause -d 'Findings of these causes, separated by commas' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l severity -d 'Findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l comm -d 'Processes or threads of this name' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l pid -d 'This process' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l uid -d 'Processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l port -d 'Connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l min-unread -d 'Findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l where -d 'Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -l at -d 'Begin at this time, with the time stopped: -10min, 03:12; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l pid -d 'Sockets that this process holds' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l comm -d 'Sockets that processes of this name hold' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l port -d 'Sockets with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l min-unread -d 'Sockets with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l format -d 'A table, or one JSON object a socket' -r -f -a "table\t'For people'
json\t'One JSON object a line'"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l watch -d 'Look again and again, after this time, until interrupted; 1s when it is not given' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -l count -d 'Stop after so many looks' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand snapshot" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l store -d 'The store that `--record` writes' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l since -d 'From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l until -d 'Before this time' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l type -d 'Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l cause -d 'Findings of these causes, separated by commas' -r -f -a "close_unread\t''
close_phantom\t''
linger_zero\t''
disconnect\t''
linger2_timeout\t''
listener_close\t''
admin_kill\t''
out_of_memory\t''
data_after_close\t''
data_after_timewait\t''
keepalive_timeout\t''
no_socket\t''
bad_segment\t''
mptcp\t''
unclassified\t''
clean\t''
reset_by_peer\t''
connection_refused\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l severity -d 'Findings of this severity or worse: benign, suspect or harmful' -r -f -a "benign\t''
suspect\t''
harmful\t''"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l comm -d 'Processes or threads of this name' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l pid -d 'This process' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l uid -d 'Processes of this user' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l port -d 'Connections with this port at either end' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l peer -d 'Connections to this remote address or network' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l netns -d 'This network namespace' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l min-unread -d 'Findings with at least so many unread bytes' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l where -d 'Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l speed -d 'How fast events come: original, 10x for ten times as fast, 0 for at once' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l format -d 'Format of the events on standard output' -r -f -a "json\t'One JSON object a line'
text\t'One sentence a line'"
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -l sink -d 'Send the events there, as an observer does; may be given several times. Nothing then goes to standard output' -r
complete -c conn-observer -n "__fish_conn_observer_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and not __fish_seen_subcommand_from check show default help" -s h -l help -d 'Print help'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and not __fish_seen_subcommand_from check show default help" -f -a "check" -d 'Say whether a configuration file can be used; exit status 2 and what is wrong where, if not'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and not __fish_seen_subcommand_from check show default help" -f -a "show" -d 'Print all that is in force with a configuration file, the defaults too, as a configuration file'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and not __fish_seen_subcommand_from check show default help" -f -a "default" -d 'Print a configuration file with every key, explained, at its default'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and not __fish_seen_subcommand_from check show default help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and __fish_seen_subcommand_from default" -s h -l help -d 'Print help'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Say whether a configuration file can be used; exit status 2 and what is wrong where, if not'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print all that is in force with a configuration file, the defaults too, as a configuration file'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "default" -d 'Print a configuration file with every key, explained, at its default'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand man" -l dir -d 'Write all pages into this folder instead, which must exist' -r -F
complete -c conn-observer -n "__fish_conn_observer_using_subcommand man" -s h -l help -d 'Print help'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "schema" -d 'Print the JSON Schema of the events'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "doctor" -d 'Check what works on this machine, and make each cause that plain sockets can make, to see it come back'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "report" -d 'Tell of an incident on one page for a browser, which needs no network'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "explain" -d 'Tell the story of one finding'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "query" -d 'Look at recorded events: themselves, or how many of which there are'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "export" -d 'Write recorded events into a file for other engines'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "diff" -d 'Compare two times or two files: what is new, gone, more or less, as before and after a deployment'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "top" -d 'Watch who closes badly now, or at any time before: rates by process, peer and cause, on the whole screen'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "snapshot" -d 'Show the sockets that hold unread data now, the one that waits longest first: the RSTs to come'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "replay" -d 'Send recorded events once more, at their own pace or another, to standard output or into sinks'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "config" -d 'Check, show or explain a configuration file'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "man" -d 'Print a man page'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "completions" -d 'Print completions for a shell'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and not __fish_seen_subcommand_from schema doctor report explain query export diff top snapshot replay config man completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Say whether a configuration file can be used; exit status 2 and what is wrong where, if not'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Print all that is in force with a configuration file, the defaults too, as a configuration file'
complete -c conn-observer -n "__fish_conn_observer_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "default" -d 'Print a configuration file with every key, explained, at its default'
