//! Arguments of processes, and what of them may be told: they may hold secrets.

use std::{fs::File, io::Read as _};

/// Most bytes of arguments that are kept of a process; Java class paths go far beyond.
const ROOM: u64 = 4_096;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// A part of an option's name that makes its value a secret.
const SECRETS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "bearer",
    "authorization",
    "cookie",
];

/// Names that are secret only as a whole, or as the last word of one: `pass` also begins `passive`.
const SHORT_SECRETS: [&str; 5] = ["pass", "pwd", "pw", "auth", "key"];

/// Words that end as a secret does (`storepass`) and are none.
const HARMLESS: [&str; 2] = ["bypass", "compass"];

/// Options whose names say nothing, by program: their values are secrets, behind the letter or in the next word. The
/// third column has the flags that may stand before them in the same word.
const SHORT_OPTIONS: [(&str, &str, &str); 7] = [
    ("curl", "uUb", "#012346aBfgGiIjJklLMnNOpqRsSvZ"),
    ("ldapsearch", "w", ""),
    ("mongodump", "p", ""),
    ("mongorestore", "p", ""),
    ("mongosh", "p", ""),
    ("redis-cli", "a", ""),
    ("sshpass", "p", ""),
];

/// The same in full.
const LONG_OPTIONS: [(&str, &str); 2] = [("curl", "--user"), ("curl", "--proxy-user")];

/// Programs, whatever follows their names, that take a password right behind `-p`, and ask for it where none follows.
const ASKING: [&str; 2] = ["mysql", "mariadb"];

/// Arguments of a process, the program's name first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) list: Vec<String>,
    pub(super) truncated: bool,
}

impl Arguments {
    /// From NUL-separated bytes.
    pub(super) fn parse(bytes: &[u8], truncated: bool) -> Self {
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        if bytes.is_empty() {
            return Self { list: Vec::new(), truncated };
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { list: bytes.split(|byte| *byte == 0).map(text).collect(), truncated }
    }

    /// Those that a process shows; empty when it has none, or is gone.
    pub(super) fn of_process(pid: u32) -> Self {
        let mut bytes = Vec::new();
        let read =
            File::open(format!("/proc/{pid}/cmdline")).and_then(|file| file.take(ROOM + 1).read_to_end(&mut bytes));
        let truncated = read.is_ok_and(|count| count as u64 > ROOM);
        bytes.truncate(ROOM as usize);
        Self::parse(&bytes, truncated)
    }
}

/// What is told of arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// All but what looks like a secret.
    #[default]
    Secrets,
    /// The program's name only.
    All,
    /// Everything.
    None,
}

impl Redaction {
    /// The arguments as they may be told. How many there are stays visible.
    #[must_use]
    pub fn apply(self, arguments: &[String]) -> Vec<String> {
        match self {
            Self::None => arguments.to_vec(),
            Self::All => {
                let hide = |(index, one): (usize, &String)| if index == 0 { one.clone() } else { MASK.to_owned() };
                arguments.iter().enumerate().map(hide).collect()
            }
            Self::Secrets => mask(arguments),
        }
    }
}

/// Masks values of options that are named like secrets, passwords in addresses, and what follows `Authorization:`.
fn mask(arguments: &[String]) -> Vec<String> {
    let mut masked = Vec::with_capacity(arguments.len());
    let mut expects_secret = false;
    // `sudo`, `timeout`, `sh -c` and the like run the program that counts.
    let mut programs: Vec<&str> = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let name = argument.rsplit('/').next().unwrap_or_default();
        if takes_secrets(name) && !programs.contains(&name) {
            programs.push(name);
        }
        if index == 0 {
            masked.push(argument.clone());
            continue;
        }
        if std::mem::take(&mut expects_secret) && !is_option(argument) {
            masked.push(MASK.to_owned());
            continue;
        }
        if let Some(front) = programs.iter().find_map(|program| front_of_secret(program, argument)) {
            expects_secret = front == argument;
            masked.push(if expects_secret { argument.clone() } else { format!("{front}{MASK}") });
            continue;
        }
        let named = is_option(argument) && !argument.contains('=') && is_secret(argument);
        expects_secret = named || programs.iter().any(|program| LONG_OPTIONS.contains(&(program, argument)));
        masked.push(hidden(argument));
    }
    masked
}

/// Whether options of this program are known to take secrets.
fn takes_secrets(name: &str) -> bool {
    SHORT_OPTIONS.iter().any(|(program, ..)| *program == name) || asks(name)
}

fn asks(name: &str) -> bool {
    ASKING.iter().any(|start| name.starts_with(start))
}

/// What stands before the secret in a word with a short option of this program; all of it when the next word has it.
fn front_of_secret<'a>(program: &str, argument: &'a str) -> Option<&'a str> {
    let word = argument.strip_prefix('-').filter(|word| !word.starts_with('-'))?;
    if asks(program) {
        return (word.len() > 1 && word.starts_with('p')).then(|| &argument[..2]);
    }
    let (_, letters, flags) = SHORT_OPTIONS.iter().find(|(known, ..)| *known == program)?;
    let place = word.find(|letter| !flags.contains(letter))?;
    let letter = word[place..].chars().next().filter(|letter| letters.contains(*letter))?;
    Some(&argument[..1 + place + letter.len_utf8()])
}

fn is_option(argument: &str) -> bool {
    argument.starts_with('-')
}

/// Whether a name, its dashes and the like aside, is one of a secret.
fn is_secret(name: &str) -> bool {
    let letters: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|one| one.to_ascii_lowercase()).collect();
    let is_other = |one: char| !one.is_ascii_alphanumeric();
    let last = name.trim_end_matches(is_other).rsplit(is_other).next().unwrap_or(name).to_ascii_lowercase();
    SECRETS.iter().any(|secret| letters.contains(secret))
        || SHORT_SECRETS.contains(&last.as_str())
        || (last.ends_with("pass") && !HARMLESS.contains(&last.as_str()))
}

/// One argument without the secrets in it.
fn hidden(argument: &str) -> String {
    let spaced = argument.contains(char::is_whitespace);
    // `--token=…`, `TOKEN=…`, `user.password=…`, and within a value, as `--env=TOKEN=…`, `user=…&password=…`.
    let mut start = 0;
    while let Some((name, value)) = argument[start..].split_once(['=', ':'])
        && !value.is_empty()
        && !name.contains(['/', ' ', '?'])
    {
        start += name.len() + 1;
        if is_secret(name) {
            return format!("{}{MASK}", &argument[..start]);
        }
        if spaced {
            break;
        }
    }
    if spaced { line(argument) } else { parameters(&userinfo(argument)) }
}

/// An argument that is a command line itself, as for `sh -c`.
fn line(argument: &str) -> String {
    let words: Vec<String> = argument.split_whitespace().map(str::to_owned).collect();
    let mut masked = mask(&words);
    if let Some(first) = masked.first_mut() {
        *first = hidden(&words[0]);
    }
    // A header's value may be several words, and so may be what is quoted.
    let header = |word: &String| word.strip_suffix(':').is_some_and(is_secret);
    let quoted = |(word, masked): (&String, &String)| word != masked && is_open(word);
    let place = words.iter().zip(&masked).position(|(word, masked)| header(word) || quoted((word, masked)));
    if let Some(place) = place {
        masked.truncate(place + 1);
        if header(&words[place]) {
            masked.push(MASK.to_owned());
        }
    }
    masked.join(" ")
}

/// Whether a quotation begins in a word and does not end there.
fn is_open(word: &str) -> bool {
    ['"', '\''].iter().any(|quote| word.matches(*quote).count() % 2 == 1)
}

/// `scheme://user:password@host` without the password, also where several addresses stand in a row.
fn userinfo(argument: &str) -> String {
    let mut told = String::with_capacity(argument.len());
    let mut rest = argument;
    while let Some((scheme, behind)) = rest.split_once("://") {
        told.extend([scheme, "://"]);
        let authority = behind.split(['/', '?', '#']).next().unwrap_or(behind);
        rest = match authority.rsplit_once('@').and_then(|(user, _)| Some((user, user.split_once(':')?.0))) {
            Some((user, name)) => {
                told.extend([name, ":", MASK]);
                &behind[user.len()..]
            }
            None => behind,
        };
    }
    told + rest
}

/// `…?token=…&key=…` without the values of secrets.
fn parameters(argument: &str) -> String {
    let Some((before, query)) = argument.split_once('?') else { return argument.to_owned() };
    let hide = |part: &str| match part.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        _ => part.to_owned(),
    };
    format!("{before}?{}", query.split('&').map(hide).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(redaction: Redaction, line: &str) -> String {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        redaction.apply(&arguments).join(" ")
    }

    #[test]
    fn values_of_secret_options_are_masked() {
        for (line, expected) in [
            ("psql --password=hunter2 -h db", "psql --password=*** -h db"),
            ("mysql --password hunter2 db", "mysql --password *** db"),
            ("app --api-key abc --api_key=abc", "app --api-key *** --api_key=***"),
            ("app --db-pass abc --passive --pass -v", "app --db-pass *** --passive --pass -v"),
            (
                "env AWS_SECRET_ACCESS_KEY=abc GITHUB_TOKEN=abc HOME=/root",
                "env AWS_SECRET_ACCESS_KEY=*** GITHUB_TOKEN=*** HOME=/root",
            ),
            (
                "java -Djavax.net.ssl.keyStorePassword=abc -jar a.jar",
                "java -Djavax.net.ssl.keyStorePassword=*** -jar a.jar",
            ),
            ("/usr/bin/curl -u me:abc http://host/", "/usr/bin/curl -u *** http://host/"),
            ("sort -u names", "sort -u names"),
            ("mysql -p -uroot -pabc db", "mysql -p -uroot -p*** db"),
            ("sshpass -p abc ssh host", "sshpass -p *** ssh host"),
            ("pg postgres://me:abc@db:5432/x?sslmode=require", "pg postgres://me:***@db:5432/x?sslmode=require"),
            ("app --urls=amqp://me:abc@one,amqp://me:abc@two/", "app --urls=amqp://me:***@one,amqp://me:***@two/"),
            ("get http://host/x?user=me&access_token=abc&page=2", "get http://host/x?user=me&access_token=***&page=2"),
            ("get http://me@host/p:a@th", "get http://me@host/p:a@th"),
            ("tail -f /var/log/secret.log", "tail -f /var/log/secret.log"),
            ("ssh -i key -o PasswordAuthentication=no host", "ssh -i key -o PasswordAuthentication=*** host"),
            ("keytool -storepass abc -keypass abc --bypass x", "keytool -storepass *** -keypass *** --bypass x"),
            ("redis-server --requirepass abc", "redis-server --requirepass ***"),
            ("openssl rsa -passin pass:abc -in key.pem", "openssl rsa -passin pass:*** -in key.pem"),
        ] {
            assert_eq!(told(Redaction::Secrets, line), expected);
        }
    }

    #[test]
    fn secrets_within_values_are_masked() {
        for (line, expected) in [
            (
                "docker run --env=DB_PASSWORD=abc -e TOKEN=abc img:1",
                "docker run --env=DB_PASSWORD=*** -e TOKEN=*** img:1",
            ),
            (
                "kubectl create secret generic a --from-literal=password=abc",
                "kubectl create secret generic a --from-literal=password=***",
            ),
            ("helm --set a=1,db.password=abc", "helm --set a=1,db.password=***"),
            ("app Server=db;User=sa;Pwd=abc", "app Server=db;User=sa;Pwd=***"),
            ("curl -d user=me&password=abc&x=1 http://host", "curl -d user=me&password=*** http://host"),
            (
                r#"curl -d {"user":"me","password":"abc"} http://host"#,
                r#"curl -d {"user":"me","password":*** http://host"#,
            ),
            ("app --url=postgres://me:abc@db/x", "app --url=postgres://me:***@db/x"),
            ("app --listen=0.0.0.0:80 --map=a:b:c", "app --listen=0.0.0.0:80 --map=a:b:c"),
        ] {
            assert_eq!(told(Redaction::Secrets, line), expected);
        }
        let deep = "a=".repeat(2_000) + "b";
        assert_eq!(told(Redaction::Secrets, &format!("app {deep}")), format!("app {deep}"));
    }

    #[test]
    fn short_options_of_known_programs_are_masked_however_they_are_run() {
        for (line, expected) in [
            ("curl -sSLu me:abc http://host", "curl -sSLu *** http://host"),
            ("curl -ume:abc -fsSume:abc http://host", "curl -u*** -fsSu*** http://host"),
            ("curl -b session=abc -o u http://host", "curl -b *** -o u http://host"),
            ("curl -ou http://host", "curl -ou http://host"),
            (
                "sudo -u me timeout 5 /usr/bin/curl -u me:abc http://host",
                "sudo -u me timeout 5 /usr/bin/curl -u *** http://host",
            ),
            ("docker exec db mysqldump -pabc db", "docker exec db mysqldump -p*** db"),
            ("nice sshpass -pabc ssh host", "nice sshpass -p*** ssh host"),
            ("curl http://host/mysql -u me:abc", "curl http://host/mysql -u ***"),
            ("watch redis-cli -a abc info", "watch redis-cli -a *** info"),
            ("mongosh -u me -p abc", "mongosh -u me -p ***"),
            ("ldapsearch -x -D cn=me -w abc", "ldapsearch -x -D cn=me -w ***"),
            ("sort -u -p names", "sort -u -p names"),
            ("curl -é -uü:ä", "curl -é -u***"),
        ] {
            assert_eq!(told(Redaction::Secrets, line), expected);
        }
    }

    #[test]
    fn a_header_is_masked() {
        let arguments = ["curl", "-H", "Authorization: Bearer abc", "Cookie:a=b"].map(str::to_owned);
        assert_eq!(Redaction::Secrets.apply(&arguments), ["curl", "-H", "Authorization:***", "Cookie:***"]);
    }

    #[test]
    fn a_command_line_in_an_argument_is_masked() {
        for (line, expected) in [
            ("exec mysql --password abc -h db", "exec mysql --password *** -h db"),
            ("TOKEN=abc run --all", "TOKEN=***"),
            ("curl -H Authorization: Bearer abc http://host", "curl -H Authorization: ***"),
            ("echo a  b", "echo a b"),
            ("exec curl -fsSu me:abc http://host", "exec curl -fsSu *** http://host"),
            ("DB='a' run --password 'one two' -v", "DB='a' run --password ***"),
            ("export \"PASSWORD=one two\"; run", "export \"PASSWORD=***"),
        ] {
            let arguments = ["sh", "-c", line].map(str::to_owned);
            assert_eq!(Redaction::Secrets.apply(&arguments), ["sh", "-c", expected]);
        }
    }

    #[test]
    fn all_but_the_name_can_be_masked_and_nothing() {
        assert_eq!(told(Redaction::All, "mysql -pabc db"), "mysql *** ***");
        assert_eq!(told(Redaction::None, "mysql --password=abc"), "mysql --password=abc");
        assert!(Redaction::All.apply(&[]).is_empty());
    }

    #[test]
    fn arguments_are_separated_by_nuls() {
        let parse = |bytes: &[u8]| Arguments::parse(bytes, false).list;
        assert_eq!(parse(b"sh\0-c\0echo a b\0"), ["sh", "-c", "echo a b"]);
        assert_eq!(parse(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(parse(b"cut"), ["cut"]);
        assert!(parse(b"").is_empty());
        assert_eq!(parse(b"\xff\0"), ["\u{fffd}"]);
    }

    #[test]
    fn this_process_shows_its_arguments() {
        let shown = Arguments::of_process(std::process::id());
        assert_eq!(shown.list.first().cloned(), std::env::args().next());
        assert!(!shown.truncated);
    }
}
