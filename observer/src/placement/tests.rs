//! The table of real paths (`paths.txt`), and whole files of `/proc`.

use super::*;

/// What is known, one fact a line, in alphabetical order.
fn facts(placement: &Placement) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(container) = &placement.container {
        facts.push(format!("container {} {}", container.runtime.as_deref().unwrap_or("?"), shortened(&container.id)));
    }
    if let Some(pod) = &placement.k8s {
        facts.push(format!("pod {} {}", pod.pod_uid, pod.qos_class));
    }
    if let Some(systemd) = &placement.systemd {
        facts.extend(systemd.slice.iter().map(|slice| format!("slice {slice}")));
        facts.extend(systemd.unit.iter().map(|unit| format!("unit {unit}")));
        facts.extend(systemd.user_id.iter().map(|id| format!("user {id}")));
        facts.extend(systemd.user_unit.iter().map(|unit| format!("user_unit {unit}")));
    }
    facts
}

/// An id of 64 digits, none missing, as the table writes it.
fn shortened(id: &str) -> String {
    if id.len() == 64 { format!("{}…", &id[..12]) } else { id.to_owned() }
}

#[test]
fn real_paths_tell_what_they_are_known_to_mean() {
    let mut rows = 0;
    for row in include_str!("paths.txt").split("\n\n") {
        let mut lines = row.lines().filter(|line| !line.starts_with('#'));
        let Some(path) = lines.next() else { continue };
        let placement = Placement::of_path(path);
        assert_eq!(facts(&placement), lines.collect::<Vec<_>>(), "{path}");
        assert_eq!(placement.path.as_deref(), Some(path));
        rows += 1;
    }
    assert!(rows >= 60, "only {rows} rows were read");
}

#[test]
fn a_file_of_v2_has_one_path() {
    let text = "0::/system.slice/nginx.service\n";
    let placement = Placement::of_file(text);
    assert_eq!(placement, Placement::of_path("/system.slice/nginx.service"));
    assert_eq!(facts(&placement), ["slice system.slice", "unit nginx.service"]);
}

#[test]
fn a_file_of_v1_is_read_by_systemds_own_hierarchy_first() {
    let text = "12:pids:/machine.slice/libpod-2521e906f0a0c758c3a7dc4fd68c197e32e96abb4b36807d0b0ede6d014a7c24.scope
2:perf_event:/
1:name=systemd:/machine.slice/libpod-2521e906f0a0c758c3a7dc4fd68c197e32e96abb4b36807d0b0ede6d014a7c24.scope/init.scope
";
    let placement = Placement::of_file(text);
    assert!(placement.path.as_ref().is_some_and(|path| path.ends_with("/init.scope")), "{placement:?}");
    assert_eq!(facts(&placement)[..2], ["container podman 2521e906f0a0…", "slice machine.slice"]);
}

#[test]
fn a_container_that_only_v1_knows_is_found_under_the_unit_that_systemd_shows() {
    // Debian 10 with docker's cgroupfs driver, hybrid.
    let text = "12:rdma:/
11:perf_event:/docker/a2ffe0e97ac22657a2a023ad628e9df837c38a03b1ebc904d3f6d644eb1a1a81
1:name=systemd:/docker/a2ffe0e97ac22657a2a023ad628e9df837c38a03b1ebc904d3f6d644eb1a1a81
0::/system.slice/containerd.service
";
    let placement = Placement::of_file(text);
    assert_eq!(facts(&placement), ["container docker a2ffe0e97ac2…", "slice system.slice", "unit containerd.service"]);
    assert_eq!(placement.path.as_deref(), Some("/system.slice/containerd.service"), "the group whose id we have");
}

#[test]
fn the_innermost_container_of_all_hierarchies_wins() {
    let (outer, inner) = ("8".repeat(64), "b".repeat(64));
    let text = format!("9:memory:/docker/{outer}/docker/{inner}\n1:name=systemd:/docker/{outer}\n");
    let container = Placement::of_file(&text).container.unwrap();
    assert_eq!((container.id.as_str(), container.runtime.as_deref()), (inner.as_str(), Some("docker")));
}

#[test]
fn a_root_is_told_only_when_there_is_nothing_else() {
    assert_eq!(Placement::of_file("4:memory:/process_api/1\n0::/\n").path.as_deref(), Some("/process_api/1"));
    assert_eq!(Placement::of_file("4:memory:/\n0::/\n").path.as_deref(), Some("/"));
    assert_eq!(Placement::of_file(""), Placement::default());
    assert_eq!(Placement::of_file("no such file"), Placement::default());
}

#[test]
fn a_path_may_hold_colons_and_be_gone() {
    let id = "3".repeat(64);
    let placement = Placement::of_file(&format!("0::/system.slice:docker:{id} (deleted)\n"));
    assert_eq!(placement.path, Some(format!("/system.slice:docker:{id}").into()));
    assert_eq!(placement.container.unwrap().id, id);
}

#[test]
fn what_only_resembles_a_convention_is_none() {
    let (short, long, upper) = ("a".repeat(63), "a".repeat(65), "A".repeat(64));
    let mut paths: Vec<String> = [short, long, upper]
        .iter()
        .flat_map(|id| [format!("/docker/{id}"), format!("/docker-{id}.scope"), format!("/x.slice:docker:{id}")])
        .collect();
    paths.extend(
        [
            "/kubepods/other/pod1/x",
            "/kubepods/pod/x",
            "/xkubepods-pod1.slice.d/x",
            "/pod1/x",
            "/buildkit/short",
            "/lxc.payload.",
            "/machine-\\x2.scope/payload",
            "/machine-\\xzz.scope/payload",
            "/machine-.scope/payload",
            "/ecs/x/x-1a",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        let placement = Placement::of_path(&path);
        assert_eq!((placement.container, placement.k8s), (None, None), "{path}");
    }
}

#[test]
fn any_text_is_read_to_its_end() {
    let table = include_str!("paths.txt");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % bound as u64).unwrap()
    };
    let mut told = 0;
    for line in table.lines().cycle().take(20_000) {
        let mut bytes = line.as_bytes().to_vec();
        for _ in 0..random(4) {
            let at = random(bytes.len() + 1);
            match random(3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, b"/-.:\\_@x\n0"[random(10)]),
                _ => bytes.splice(at..at, table.bytes().skip(random(9_000)).take(9)).for_each(drop),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let alone = Placement::of_path(&text);
        let file = Placement::of_file(&format!("0::{text}\n1:name=systemd:{text}"));
        told += usize::from(alone.container.is_some()) + usize::from(file.container.is_some());
        for container in alone.container.iter().chain(&file.container) {
            assert!(!container.id.is_empty() && !container.id.contains('/'), "{text}");
        }
    }
    assert!(told > 1_000, "most mutations leave a container to be found: {told}");
}
