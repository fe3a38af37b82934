#!/bin/sh
# In a machine with systemd and the package: what the service does there, a line each, on the console.
exec > /dev/ttyS0 2>&1

say() { echo "service: $*"; }
pid() { systemctl show --property=MainPID --value conn-observer; }
store=/var/lib/conn-observer/events.db

# A sentence, and a command that must come true.
until_true() {
    sentence=$1
    shift
    for _ in $(seq 120); do
        if "$@"; then
            say "ok: $sentence"
            return
        fi
        sleep 1
    done
    say "FAILED: $sentence"
    systemctl status --no-pager --full conn-observer
    journalctl --no-pager --unit conn-observer
}

active() { systemctl is-active --quiet conn-observer; }
status() { systemctl show --property=StatusText --value conn-observer | grep -q 'tracepoint\|fentry\|kprobe\|finding'; }
own_user() { [ "$(stat -c %U "/proc/$(pid)")" = conn-observer ]; }
# CAP_BPF is bit 39, CAP_PERFMON 38, CAP_SETPCAP 8.
gave_up() { [ $((0x$(sed -n 's/^CapEff:\t//p' "/proc/$(pid)/status") & 0xc000000100)) = 0 ]; }
confined() { grep -q '^NoNewPrivs:.1' "/proc/$(pid)/status" && grep -q '^Seccomp:.2' "/proc/$(pid)/status"; }
recorded() { conn-observer query --store $store --cause close_unread --format json | grep -q close_unread; }
other() { active && [ "$(pid)" != "$old" ] && [ "$(pid)" != 0 ]; }
same() { active && [ "$(pid)" = "$old" ]; }
gone() { [ "$(systemctl show --property=ActiveState,Result --value conn-observer | tr '\n' ' ')" = "inactive success " ] ||
    [ "$(systemctl show --property=ActiveState,Result --value conn-observer | tr '\n' ' ')" = "success inactive " ]; }

until_true 'it says that it is ready' active
until_true 'it tells its status' status
until_true 'it runs as its own user' own_user
until_true 'it has given up what loading programs takes' gave_up
until_true 'it is confined' confined
perl -MIO::Socket::INET -e '
    my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die;
    my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $l->sockport) or die;
    my $s = $l->accept or die;
    $c->syswrite("nobody reads this");
    my $bits = "";
    vec($bits, fileno($s), 1) = 1;
    select($bits, undef, undef, 60) == 1 or die;
    close $s;' || say "FAILED: no connection could be made"
until_true 'a close with unread data is in its store' recorded
old=$(pid)
systemctl reload conn-observer || say 'FAILED: it cannot be reloaded'
until_true 'it goes on after a reload' same
kill -KILL "$old"
until_true 'it is started again after it was killed' other
old=$(pid)
kill -STOP "$old"
until_true 'the watchdog starts it again when it hangs' other
until_true 'it still has what it had recorded' recorded
systemctl stop conn-observer
until_true 'it stops in order' gone
say end
sync
echo b > /proc/sysrq-trigger
