//! Names of users, from the host's `/etc/passwd`. Directory services are not asked: an answer could take seconds.

use std::{
    collections::HashMap,
    fs,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

const FILE: &str = "/etc/passwd";

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_secs(5);

/// The user database, read again when it has changed.
#[derive(Debug, Default)]
pub(super) struct Users {
    names: HashMap<u32, Arc<str>>,
    modified: Option<SystemTime>,
    looked: Option<Instant>,
}

impl Users {
    /// The name of a user; None when the database has none.
    pub(super) fn name(&mut self, uid: u32) -> Option<Arc<str>> {
        if self.looked.is_none_or(|looked| looked.elapsed() > PAUSE) {
            self.looked = Some(Instant::now());
            let modified = fs::metadata(FILE).and_then(|metadata| metadata.modified()).ok();
            if modified != self.modified {
                self.modified = modified;
                self.names = parse(&fs::read_to_string(FILE).unwrap_or_default());
            }
        }
        self.names.get(&uid).cloned()
    }
}

/// `name:password:uid:…`; the first name of an id counts, as for getpwuid(3).
fn parse(text: &str) -> HashMap<u32, Arc<str>> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
            names.entry(uid).or_insert_with(|| name.into());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_an_id_counts() {
        let names = parse("root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:\n\nbroken\nsvc:x:1000:1000::/:\n");
        assert_eq!(names.get(&0).map(|name| &**name), Some("root"));
        assert_eq!(names.get(&1000).map(|name| &**name), Some("svc"));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn this_host_knows_root() {
        assert_eq!(Users::default().name(0).as_deref(), Some("root"));
    }
}
