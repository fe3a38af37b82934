//! What systemd is told of this service (sd_notify(3)): that it is ready, alive, about to read its configuration again or
//! to stop, and how it does. Nothing without NOTIFY_SOCKET. Must not hold up the loop: a manager that does not listen
//! misses something.

use std::{
    env,
    ffi::OsStr,
    os::unix::{ffi::OsStrExt as _, net::UnixDatagram},
    time::{Duration, Instant},
};

use rustix::net::{SendFlags, SocketAddrUnix, sendto};
use sd_notify::NotifyState;

use crate::diagnose::diagnose;

/// How long the manager may take for what it waits for itself. The rest it takes at once or misses.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connection to the service manager.
pub struct Notifier {
    /// None when nobody wants to know.
    manager: Option<(UnixDatagram, SocketAddrUnix)>,
    /// How often the watchdog is to hear of us.
    interval: Option<Duration>,
    /// When it next is; it begins to listen when we are ready.
    due: Option<Instant>,
    status: String,
}

impl Notifier {
    /// As the environment has it.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::to(env::var_os("NOTIFY_SOCKET").as_deref(), sd_notify::watchdog_enabled())
    }

    fn to(address: Option<&OsStr>, watchdog: Option<Duration>) -> Self {
        let manager = address.and_then(|address| {
            let opened = open(address);
            if opened.is_none() {
                diagnose(format_args!("cannot notify systemd: NOTIFY_SOCKET={} is no unix socket", address.display()));
            }
            opened
        });
        // Half of what the manager grants, as sd_watchdog_enabled(3) has it.
        let interval = watchdog.map(|limit| limit / 2).filter(|interval| !interval.is_zero() && manager.is_some());
        Self { manager, interval, due: None, status: String::new() }
    }

    /// The service works, also after [`Notifier::reloading`].
    pub fn ready(&mut self) {
        self.tell(&[NotifyState::Ready], SendFlags::empty());
        self.due = self.interval.map(|_| Instant::now());
    }

    /// The configuration is read again; [`Notifier::ready`] follows, whether it was taken or not.
    pub fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(&[NotifyState::Reloading, now], SendFlags::empty());
        }
    }

    /// The service ends.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping], SendFlags::empty());
    }

    /// One line of how it does. Told when it has changed.
    pub fn status(&mut self, text: String) {
        if self.status != text {
            self.tell(&[NotifyState::Status(&text)], SendFlags::DONTWAIT);
            self.status = text;
        }
    }

    /// When the watchdog wants to hear of us.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Tells the watchdog that the loop runs, when it is due.
    pub fn beat(&mut self) {
        let now = Instant::now();
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = self.interval.map(|interval| now + interval);
        self.tell(&[NotifyState::Watchdog], SendFlags::DONTWAIT);
    }

    fn tell(&self, states: &[NotifyState<'_>], flags: SendFlags) {
        let Some((socket, address)) = &self.manager else { return };
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        // Whoever waits for it tells that it did not come.
        let _ = sendto(socket, lines.as_bytes(), flags | SendFlags::NOSIGNAL, address);
    }
}

/// Not connected: the manager may have been executed anew.
fn open(address: &OsStr) -> Option<(UnixDatagram, SocketAddrUnix)> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name).ok()?,
        [b'/', ..] => SocketAddrUnix::new(address).ok()?,
        _ => return None,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    Some((socket, address))
}

#[cfg(test)]
mod tests {
    use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};

    use super::*;

    /// A manager at an abstract address, and its name.
    fn manager(name: &str) -> (UnixDatagram, String) {
        let name = format!("conn-observer-{name}-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        manager.set_nonblocking(true).unwrap();
        (manager, format!("@{name}"))
    }

    /// What the manager has been told.
    fn heard(manager: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 1024];
        std::iter::from_fn(|| manager.recv(&mut buffer).ok().map(|count| buffer[..count].to_vec()))
            .map(|message| String::from_utf8(message).unwrap())
            .collect()
    }

    #[test]
    fn the_manager_is_told_a_state_a_message() {
        let (manager, address) = manager("states");
        let mut notifier = Notifier::to(Some(OsStr::new(&address)), None);
        notifier.ready();
        notifier.status("12 findings".to_owned());
        notifier.status("12 findings".to_owned());
        notifier.status("13 findings".to_owned());
        notifier.beat();
        notifier.stopping();
        let told = ["READY=1\n", "STATUS=12 findings\n", "STATUS=13 findings\n", "STOPPING=1\n"];
        assert_eq!(heard(&manager), told, "a status once, and no watchdog that nobody set");
    }

    #[test]
    fn a_reload_tells_its_time() {
        let (manager, address) = manager("reload");
        let before = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Notifier::to(Some(OsStr::new(&address)), None).reloading();
        let told = heard(&manager).remove(0);
        let time: i64 = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end().parse().unwrap();
        assert!((before.tv_sec..=before.tv_sec + 10).contains(&(time / 1_000_000)), "{told}");
    }

    #[test]
    fn the_watchdog_hears_of_us_twice_in_its_time() {
        let (manager, address) = manager("watchdog");
        let limit = Duration::from_secs(3600);
        let mut notifier = Notifier::to(Some(OsStr::new(&address)), Some(limit));
        notifier.beat();
        notifier.ready();
        let begin = notifier.due().unwrap();
        notifier.beat();
        notifier.beat();
        assert_eq!(heard(&manager), ["READY=1\n", "WATCHDOG=1\n"], "not before we are ready");
        let next = notifier.due().unwrap() - begin;
        assert!(next >= limit / 2 && next < limit / 2 + Duration::from_secs(60), "{next:?}");
    }

    #[test]
    fn a_manager_that_does_not_listen_holds_nothing_up() {
        let (manager, address) = manager("deaf");
        let mut notifier = Notifier::to(Some(OsStr::new(&address)), Some(Duration::from_nanos(2)));
        notifier.ready();
        let begin = Instant::now();
        for number in 0..10_000 {
            notifier.status(number.to_string());
            notifier.beat();
        }
        assert!(begin.elapsed() < PATIENCE * 20);
        assert!(heard(&manager).len() < 10_000, "its queue has an end");
    }

    #[test]
    fn nobody_is_told_where_nobody_asks() {
        for address in [None, Some("relative/path"), Some("vsock:2:1")] {
            let mut notifier = Notifier::to(address.map(OsStr::new), Some(Duration::from_secs(1)));
            notifier.ready();
            assert!(notifier.manager.is_none() && notifier.due().is_none(), "{address:?}");
        }
    }
}
