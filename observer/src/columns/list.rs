//! The columns.

use super::{Column, Kind, cgroup, container, finding, frames, hint, place, pod, process, systemd};
use crate::{
    event::{Body, Endpoint, Event, Network, Tcp},
    table::Cell,
};

const fn column(name: &'static str, kind: Kind, about: &'static str, value: fn(&Event) -> Cell) -> Column {
    Column { name, kind, about, value }
}

/// All of them.
pub const COLUMNS: &[Column] = &[
    column("time", Kind::Time, "when it happened", |event| Cell::Time(event.time.unix_ns())),
    column("host_name", Kind::Text, "host", |event| Cell::Text(event.host.name.to_string())),
    column("seq", Kind::Integer, "number of the line in its stream", |event| Cell::large(Some(event.seq))),
    column("type", Kind::Text, "type of the event", |event| Cell::Text(event.body.name().to_owned())),
    column("message", Kind::Text, "the event as a sentence", |event| Cell::Text(event.message().to_string())),
    column("cause", Kind::Text, "why", |event| Cell::text(finding(event).map(|finding| finding.cause.name()))),
    column("cause_source", Kind::Text, "who says so", |event| word(finding(event).map(|finding| finding.cause_source))),
    column("severity", Kind::Text, "how bad it is", severity),
    column("process_pid", Kind::Integer, "process id", |event| Cell::integer(process(event).map(|one| one.pid))),
    column("process_tid", Kind::Integer, "thread id", |event| Cell::integer(process(event).map(|one| one.tid))),
    column("process_comm", Kind::Text, "name of the process", |event| known(process(event).map(|one| &*one.comm))),
    column("process_thread_name", Kind::Text, "name of the thread", |event| {
        known(process(event).map(|one| &*one.thread.name))
    }),
    column("process_user_id", Kind::Integer, "real user id", |event| {
        Cell::integer(process(event).map(|one| one.user.id))
    }),
    column("process_user_name", Kind::Text, "its name", |event| {
        known(process(event).and_then(|one| one.user.name.as_deref()))
    }),
    column("process_start_time", Kind::Time, "when the process started", |event| {
        process(event).and_then(|one| one.start_time).map_or(Cell::Unknown, |time| Cell::Time(time.unix_ns()))
    }),
    column("process_executable_path", Kind::Text, "path of the program", |event| {
        known(process(event).and_then(|one| Some(&*one.executable.as_ref()?.path)))
    }),
    column("process_command_args", Kind::Text, "arguments, with a space between them", |event| {
        known(process(event).map(|one| one.command_args.join(" ")).as_deref())
    }),
    column("process_runtime_name", Kind::Text, "language runtime or server", |event| {
        known(process(event).and_then(|one| Some(&*one.runtime.as_ref()?.name)))
    }),
    column("process_attribution", Kind::Text, "how the process was found", |event| {
        word(process(event).map(|one| one.attribution))
    }),
    column("owner_pid", Kind::Integer, "another process that held the connection", |event| {
        Cell::integer(finding(event).and_then(|finding| Some(finding.owner.as_ref()?.pid)))
    }),
    column("owner_comm", Kind::Text, "its name", |event| {
        known(finding(event).and_then(|finding| Some(&*finding.owner.as_ref()?.comm)))
    }),
    column("counterpart_pid", Kind::Integer, "the peer's process, on the same host", |event| {
        Cell::integer(finding(event).and_then(|finding| Some(finding.counterpart.as_ref()?.pid)))
    }),
    column("counterpart_comm", Kind::Text, "its name", |event| {
        known(finding(event).and_then(|finding| Some(&*finding.counterpart.as_ref()?.comm)))
    }),
    column("cgroup_path", Kind::Text, "control group", |event| {
        known(cgroup(event).and_then(|cgroup| cgroup.path.as_deref()))
    }),
    column("container_id", Kind::Text, "container", |event| known(container(event).map(|one| &*one.id))),
    column("container_runtime", Kind::Text, "what runs it", |event| {
        known(container(event).and_then(|one| one.runtime.as_deref()))
    }),
    column("systemd_unit", Kind::Text, "unit of the system manager", |event| {
        known(systemd(event).and_then(|systemd| systemd.unit.as_deref()))
    }),
    column("systemd_user_unit", Kind::Text, "unit of a user's manager", |event| {
        known(systemd(event).and_then(|systemd| systemd.user_unit.as_deref()))
    }),
    column("k8s_pod_uid", Kind::Text, "Kubernetes pod", |event| known(pod(event).map(|pod| &*pod.pod_uid))),
    column("network_type", Kind::Text, "`ipv4` or `ipv6`", |event| match &event.body {
        Body::Churn(churn) => word(Some(churn.network.kind)),
        _ => word(network(event).map(|network| network.kind)),
    }),
    column("network_role", Kind::Text, "`client` or `server`", |event| match &event.body {
        Body::Churn(churn) => word(Some(churn.network.role)),
        _ => word(network(event).and_then(|network| network.role)),
    }),
    column("network_local_address", Kind::Text, "address of this end", |event| {
        Cell::text(network(event).map(|network| network.local.address.to_string()))
    }),
    column("network_local_port", Kind::Integer, "its port", |event| match &event.body {
        Body::Churn(churn) => Cell::integer(churn.network.local.as_ref().map(|local| local.port)),
        _ => Cell::integer(network(event).map(|network| network.local.port)),
    }),
    column("network_peer_address", Kind::Text, "address of the other end", |event| match &event.body {
        Body::Churn(churn) => Cell::Text(churn.network.peer.address.to_string()),
        _ => Cell::text(peer(event).map(|peer| peer.address.to_string())),
    }),
    column("network_peer_port", Kind::Integer, "its port", |event| match &event.body {
        Body::Churn(churn) => Cell::integer(churn.network.peer.port),
        _ => Cell::integer(peer(event).map(|peer| peer.port)),
    }),
    column("network_peer_name", Kind::Text, "its name", |event| match &event.body {
        Body::Churn(churn) => known(churn.network.peer.name.as_deref()),
        _ => known(peer(event).and_then(|peer| peer.name.as_deref())),
    }),
    column("network_namespace", Kind::Integer, "inode of the network namespace", |event| match &event.body {
        Body::Churn(churn) => Cell::integer(churn.network.namespace),
        _ => Cell::integer(network(event).and_then(|network| network.namespace)),
    }),
    column("network_host_namespace", Kind::Boolean, "whether that is the host's own", |event| match &event.body {
        Body::Churn(churn) => Cell::boolean(churn.network.host_namespace),
        _ => Cell::boolean(network(event).and_then(|network| network.host_namespace)),
    }),
    column("tcp_state", Kind::Text, "state before the act", |event| {
        known(tcp(event).and_then(|tcp| tcp.state.as_deref()))
    }),
    column("tcp_unread_bytes", Kind::Integer, "bytes that were never read", |event| {
        Cell::integer(tcp(event).and_then(|tcp| tcp.unread_bytes))
    }),
    column("tcp_unacked_bytes", Kind::Integer, "bytes that were not acknowledged", |event| {
        Cell::integer(tcp(event).and_then(|tcp| tcp.unacked_bytes))
    }),
    column("tcp_unsent_bytes", Kind::Integer, "of those, the ones that were never sent", |event| {
        Cell::integer(tcp(event).and_then(|tcp| tcp.unsent_bytes))
    }),
    column("tcp_segment_bytes", Kind::Integer, "payload of the segment that the RST answers", |event| {
        Cell::integer(tcp(event).and_then(|tcp| tcp.segment_bytes))
    }),
    column("tcp_received_bytes", Kind::Integer, "bytes received in all", |event| {
        Cell::large(tcp(event).and_then(|tcp| tcp.received_bytes))
    }),
    column("tcp_sent_bytes", Kind::Integer, "bytes sent in all", |event| {
        Cell::large(tcp(event).and_then(|tcp| tcp.sent_bytes))
    }),
    column("tcp_srtt_us", Kind::Integer, "smoothed round-trip time, µs", |event| {
        Cell::integer(tcp(event).and_then(|tcp| tcp.srtt_us))
    }),
    column("tcp_duration_ms", Kind::Real, "age of the connection, ms", |event| {
        Cell::real(tcp(event).and_then(|tcp| tcp.duration_ms))
    }),
    column("tcp_closed_ms_ago", Kind::Real, "time since the remembered close, ms", |event| {
        Cell::real(tcp(event).and_then(|tcp| tcp.closed_ms_ago))
    }),
    column("tcp_fin_received", Kind::Boolean, "the peer had sent its FIN", |event| {
        Cell::boolean(tcp(event).and_then(|tcp| tcp.fin_received))
    }),
    column("tcp_reset_sent", Kind::Boolean, "this host sent a RST with the act", |event| {
        Cell::boolean(tcp(event).map(|tcp| tcp.reset_sent))
    }),
    column("tcp_reset_id", Kind::Text, "the same at both ends of a RST", |event| {
        Cell::text(tcp(event).and_then(|tcp| tcp.reset_id).map(|id| id.to_string()))
    }),
    column("tcp_kernel_reason", Kind::Text, "the kernel's reason for the RST", |event| {
        known(tcp(event).and_then(|tcp| tcp.kernel_reason.as_deref()))
    }),
    column("listener_unaccepted", Kind::Integer, "connections that a closed listener had not accepted", |event| {
        Cell::integer(finding(event).and_then(|finding| Some(finding.listener.as_ref()?.unaccepted)))
    }),
    column("place", Kind::Text, "innermost function of the program", |event| known(place(event).as_deref())),
    column("stack", Kind::Text, "all of them, one a line", |event| {
        known(finding(event).and_then(|finding| frames(finding.stack.as_ref()?)).as_deref())
    }),
    column("hint_advice", Kind::Text, "what to do about it", |event| known(hint(event).map(|hint| &*hint.advice))),
];

fn network(event: &Event) -> Option<&Network> {
    finding(event)?.network.as_ref()
}

fn peer(event: &Event) -> Option<&Endpoint> {
    network(event).map(|network| &network.peer)
}

fn tcp(event: &Event) -> Option<&Tcp> {
    finding(event).map(|finding| &finding.tcp)
}

fn severity(event: &Event) -> Cell {
    match &event.body {
        Body::Churn(churn) => Cell::text(Some(churn.severity.name())),
        _ => Cell::text(finding(event).map(|finding| finding.severity.name())),
    }
}

/// Text; an empty one is none.
fn known(text: Option<&str>) -> Cell {
    Cell::text(text.filter(|text| !text.is_empty()))
}

/// A value of a closed set, as events spell it.
fn word<T: serde::Serialize>(value: Option<T>) -> Cell {
    let word = value.and_then(|value| serde_json::to_value(value).ok());
    Cell::text(word.as_ref().and_then(serde_json::Value::as_str))
}
