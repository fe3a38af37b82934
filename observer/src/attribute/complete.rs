//! Completes events: who, where, which line, against whom, and what to do about it.

use std::{io, time::Duration};

use super::{people::People, places::Places, stacks::Stacks};
use crate::{
    churn, clock,
    decode::{Decoded, Recorded},
    delivery::Delivery,
    diagnose::diagnose,
    event::{Body, Churn, Event, Finding, Stopped},
    hint::Advisor,
    names::{Begin, Names, Peer, ProcessId},
    netns,
    options::Options,
    processes::{Processes, lives},
    sandbox::Confinement,
    sink::{Ledger, SinkCount},
    stream::Batch,
};

/// How long an event may wait for the name of its peer.
const NAME_PATIENCE: Duration = Duration::from_millis(5);

/// All that is known for completing events.
pub struct Completer {
    people: People,
    places: Places,
    stacks: Stacks,
    /// The host's own network namespace.
    host_netns: Option<u32>,
    names: Names,
    advisor: Advisor,
    sinks: Ledger,
}

impl Completer {
    /// One that knows nothing yet. The rules are for the thread that asks the resolver.
    ///
    /// # Errors
    /// When the threads that look up names and symbols cannot be started.
    pub fn new(options: &Options, sinks: Ledger, resolver: Option<Confinement>) -> io::Result<Self> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let begin: Begin = Box::new(|| match resolver.map_or(Ok(()), Confinement::enter) {
            Ok(()) => true,
            Err(error) => {
                diagnose(format_args!("no names are looked up: {error:#}"));
                false
            }
        });
        Ok(Self {
            people: People::new(Processes::new(options.processes as usize, options.redaction)),
            places: Places::default(),
            stacks: Stacks::new(options)?,
            host_netns: netns::of_host(),
            names: Names::new(&host, options.dns, options.ptr.then_some(begin))?,
            advisor: Advisor::default(),
            sinks,
        })
    }

    /// What takes its time, and must be known before the first event.
    pub fn prepare(&mut self) {
        self.people.processes.scan();
        self.places.prepare();
        self.stacks.prepare();
    }

    /// The events of a batch, complete.
    pub fn complete(&mut self, batch: Batch) -> Delivery {
        for bytes in &batch.lives {
            match lives(bytes) {
                Some(life) => {
                    self.places.meet(life.cgroup);
                    self.people.processes.live(life);
                }
                None => self.people.processes.lookups.malformed += 1,
            }
        }
        batch.dns.iter().for_each(|message| self.names.hear(message));
        let Batch { told, words, .. } = batch;
        Delivery::new(told.into_iter().map(|decoded| self.event(decoded, &words)).collect())
    }

    fn event(&mut self, decoded: Decoded, words: &[u64]) -> Event {
        let Decoded { mut event, time_ns, addresses } = decoded;
        if let Some(finding) = event.body.finding_mut() {
            self.finding(finding, time_ns, addresses.within(words));
        }
        match &mut event.body {
            Body::Churn(churn) => self.churn(churn),
            Body::Stopped(stopped) => self.balance(stopped),
            _ => {}
        }
        event
    }

    fn finding(&mut self, finding: &mut Finding, time_ns: u64, recorded: Recorded<'_>) {
        let image = finding.process.as_mut().and_then(|process| self.people.complete(process, time_ns));
        for process in [&mut finding.owner, &mut finding.counterpart].into_iter().flatten() {
            self.people.complete(process, time_ns);
        }
        self.place(finding);
        if let (Some(network), Some(host)) = (&mut finding.network, self.host_netns) {
            network.host_namespace = network.namespace.map(|inode| inode == host);
        }
        if let Some(peer) = Peer::of(finding, time_ns)
            && let Some((name, source)) = self.names.name_of(&peer, clock::boot_ns(), NAME_PATIENCE)
            && let Some(network) = &mut finding.network
        {
            network.peer.name = Some(name);
            network.peer.name_source = Some(source);
        }
        let process = finding.process.as_deref().map(|process| (process, image.as_deref()));
        finding.stack = self.stacks.of(recorded, process);
        finding.hint = self.advisor.hint(finding);
    }

    /// A process is told as it was at the end of the window.
    fn churn(&mut self, churn: &mut Churn) {
        self.people.complete(&mut churn.process, u64::MAX);
        let placement = self.places.of(&churn.process, churn.cgroup.as_ref().map_or(0, |cgroup| cgroup.id));
        if let Some(cgroup) = &mut churn.cgroup {
            cgroup.path.clone_from(&placement.path);
        }
        churn.container.clone_from(&placement.container);
        churn.systemd.clone_from(&placement.systemd);
        churn.k8s.clone_from(&placement.k8s);
        churn.network.host_namespace =
            self.host_netns.and_then(|host| churn.network.namespace.map(|inode| inode == host));
        let now = clock::boot_ns();
        if let Some((name, source)) = self.names.name_of(&peer_of(churn, now), now, NAME_PATIENCE) {
            churn.network.peer.name = Some(name);
            churn.network.peer.name_source = Some(source);
        }
        churn.hint = churn::advice(churn);
    }

    /// Control group, container, unit and pod of the process.
    fn place(&mut self, finding: &mut Finding) {
        let Some(process) = &finding.process else { return };
        let id = finding.cgroup.as_ref().map_or(0, |cgroup| cgroup.id);
        let placement = self.places.of(process, id);
        if let Some(cgroup) = &mut finding.cgroup {
            cgroup.path.clone_from(&placement.path);
        }
        finding.container.clone_from(&placement.container);
        finding.systemd.clone_from(&placement.systemd);
        finding.k8s.clone_from(&placement.k8s);
    }

    /// What only this stage knows of the run.
    fn balance(&self, stopped: &mut Stopped) {
        let lookups = self.people.processes.lookups;
        stopped.malformed += lookups.malformed;
        stopped.process_hits = lookups.hits;
        stopped.process_misses = lookups.misses;
        stopped.unknown_processes = lookups.unknown;
        stopped.symbols = self.stacks.counts();
        stopped.sinks = self.sinks.read().into_iter().map(SinkCount::balance).collect();
        stopped.naming = self.names.counts().with_kernel(&stopped.naming);
    }
}

/// The peer of many connections, the last of which began just now.
fn peer_of(churn: &Churn, now: u64) -> Peer {
    Peer {
        address: churn.network.peer.address,
        local: None,
        process: ProcessId::of(churn.process.pid, churn.process.start_ns),
        netns: churn.network.namespace,
        since_ns: now,
    }
}
