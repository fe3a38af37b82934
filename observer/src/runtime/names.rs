//! Runtimes and servers that are known by the name of their executable.

/// Names as they are.
const NAMES: [(&str, &str); 25] = [
    ("apache2", "apache"),
    ("httpd", "apache"),
    ("beam.smp", "erlang"),
    ("bun", "bun"),
    ("curl", "curl"),
    ("deno", "deno"),
    ("dotnet", "dotnet"),
    ("envoy", "envoy"),
    ("haproxy", "haproxy"),
    ("java", "jvm"),
    ("mariadbd", "mariadb"),
    ("memcached", "memcached"),
    ("mysqld", "mysql"),
    ("nginx", "nginx"),
    ("node", "node"),
    ("nodejs", "node"),
    ("openresty", "nginx"),
    ("php-cgi", "php"),
    ("postgres", "postgres"),
    ("redis-server", "redis"),
    ("squid", "squid"),
    ("uwsgi", "uwsgi"),
    ("uwsgi-core", "uwsgi"),
    ("varnishd", "varnish"),
    ("wget", "wget"),
];

/// Names that a version may follow.
const VERSIONED: [(&str, &str); 8] = [
    ("lua", "lua"),
    ("perl", "perl"),
    ("php", "php"),
    ("php-cgi", "php"),
    ("php-fpm", "php"),
    ("pypy", "pypy"),
    ("python", "cpython"),
    ("ruby", "ruby"),
];

/// The runtime that an executable's path names, and the version if the name has it.
pub(super) fn known(path: &str) -> Option<(&'static str, Option<String>)> {
    let name = path.rsplit('/').next()?;
    if let Some((_, runtime)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some((runtime, None));
    }
    // `python3.13t` is built without the global lock, `python3.6m` and `python3.12d` are builds of old and for debugging.
    let name = name.strip_suffix(['t', 'd', 'm']).filter(|rest| rest.ends_with(is_digit)).unwrap_or(name);
    let stem = name.trim_end_matches(|letter: char| is_digit(letter) || letter == '.');
    let version = &name[stem.len()..];
    // A dot that belongs to the name.
    let (_, runtime) = VERSIONED.iter().find(|(known, _)| *known == stem)?;
    (!version.starts_with('.')).then(|| (*runtime, (!version.is_empty()).then(|| version.to_owned())))
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_runtimes_and_versions() {
        for (path, expected) in [
            ("/usr/bin/python3.11", ("cpython", Some("3.11"))),
            ("/root/.pyenv/versions/3.6.15/bin/python3.6m", ("cpython", Some("3.6"))),
            ("/opt/python3.13t", ("cpython", Some("3.13"))),
            ("/opt/bin/python", ("cpython", None)),
            ("/usr/bin/pypy3.10", ("pypy", Some("3.10"))),
            ("/usr/bin/ruby3.1", ("ruby", Some("3.1"))),
            ("/usr/sbin/php-fpm8.2", ("php", Some("8.2"))),
            ("/usr/local/sbin/php-fpm", ("php", None)),
            ("/usr/bin/perl5.36.0", ("perl", Some("5.36.0"))),
            ("/usr/sbin/apache2", ("apache", None)),
            ("/usr/lib/erlang/erts-13.1/bin/beam.smp", ("erlang", None)),
            ("nginx", ("nginx", None)),
        ] {
            let found = known(path).unwrap_or_else(|| panic!("{path} is not known"));
            assert_eq!((found.0, found.1.as_deref()), expected, "{path}");
        }
        for path in
            ["", "/", "/usr/bin/pythonic", "/usr/bin/python.3", "/usr/bin/nodes", "/nginx/", "/usr/bin/lua.t", "t"]
        {
            assert_eq!(known(path), None, "{path}");
        }
    }
}
