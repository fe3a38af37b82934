//! The user that the observer becomes (`--user`).

use std::fs;

use anyhow::{Context as _, Result, bail};
use rustix::{
    process::{Gid, Uid, getegid, geteuid, getgroups, getuid},
    thread::{set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::event::User;

const FILE: &str = "/etc/passwd";

/// A user with the group that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    uid: u32,
    gid: u32,
    name: Option<String>,
}

impl Account {
    /// From `NAME`, looked up in `/etc/passwd`, or `UID:GID`. Directory services are not asked: an answer could take
    /// seconds.
    ///
    /// # Errors
    /// When there is no such user, or it is root: nothing would be given up then.
    pub fn find(text: &str) -> Result<Self> {
        let account = match numbers(text) {
            Some((uid, gid)) => Self { uid, gid, name: None },
            None => {
                let users = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE} for --user"))?;
                let found = named(&users, text);
                found
                    .with_context(|| format!("no user {text} in {FILE}: make one (useradd --system), or use UID:GID"))?
            }
        };
        if account.uid == 0 {
            bail!("--user {text} is root: name a user without privileges, or leave --user away");
        }
        Ok(account)
    }

    /// Opens something with the rights of this user as far as files go: what is made belongs to it, and what it could
    /// not open again later fails now. Everything else may still be done.
    ///
    /// # Errors
    /// Those of what is done.
    pub fn opening<T>(account: Option<&Self>, open: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(account) = account else { return open() };
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        files_as(account.uid, account.gid);
        let opened = open();
        files_as(uid, gid);
        opened
    }

    /// As events show it.
    pub(super) fn shown(&self) -> User {
        User { id: self.uid, name: self.name.as_deref().map(Into::into) }
    }

    /// Becomes this user, in this thread; the permitted capabilities stay. What the user asked for by name is done or
    /// ends the run.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn assume(&self) -> Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups = getgroups().unwrap_or_default();
        if getuid() == uid && geteuid() == uid && getegid() == gid && groups.iter().all(|group| *group == gid) {
            return Ok(()); // as systemd has set it up
        }
        let change = || {
            set_keep_capabilities(true)?;
            set_thread_groups(&[])?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
            set_keep_capabilities(false)
        };
        change().with_context(|| {
            format!("cannot become user {} of --user: that takes CAP_SETUID and CAP_SETGID (run as root)", self.uid)
        })
    }
}

/// Changes the ids by which this thread is judged at files. Without CAP_SETUID nothing changes, and so does not the user
/// later, which is an error then.
fn files_as(uid: u32, gid: u32) {
    // SAFETY: system calls without pointers, which concern the calling thread only.
    unsafe {
        libc::setfsgid(gid);
        libc::setfsuid(uid);
    }
}

/// `UID:GID`
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (uid, gid) = text.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

/// A line `name:password:uid:gid:…`; the first one counts, as for getpwnam(3).
fn named(users: &str, name: &str) -> Option<Account> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Account { uid, gid, name: Some(name.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\nsvc:x:1000:1001::/:/bin/false\nsvc:x:5:5::/:\n";

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let svc = Account { uid: 1000, gid: 1001, name: Some("svc".to_owned()) };
        assert_eq!(named(USERS, "svc"), Some(svc));
        assert_eq!(named(USERS, "sv"), None);
        assert_eq!(named(USERS, "broken"), None);
        assert_eq!(named(USERS, ""), None);
    }

    #[test]
    fn numbers_need_no_entry() {
        assert_eq!(Account::find("65534:65533").unwrap(), Account { uid: 65534, gid: 65533, name: None });
        for bad in ["65534:", ":1", "65534:x", "no-such-user", "-1:1", "4294967296:1"] {
            assert!(Account::find(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn root_is_refused() {
        for root in ["root", "0:65534"] {
            let error = Account::find(root).unwrap_err().to_string();
            assert!(error.contains("without privileges"), "{error}");
        }
    }
}
