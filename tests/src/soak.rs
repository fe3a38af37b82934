//! How much of what only time can show: a little in every run, a lot by hand.

/// The first, or with `CONN_OBSERVER_SOAK=1` the second.
pub fn pick<T>(usual: T, long: T) -> T {
    if std::env::var_os("CONN_OBSERVER_SOAK").is_some_and(|value| value == "1") { long } else { usual }
}
