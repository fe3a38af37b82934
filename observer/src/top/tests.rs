//! Screens, as a terminal of a size shows them, and the way there.

use std::{fs, path::PathBuf};

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent},
};

use super::{
    draw,
    figures::{MINUTE, SECOND},
    fixture::{Act, START, recorded, store},
    input::{Mode, action},
    model::{Effect, Model, Position},
};
use crate::store::{Recorder, Selection, Store};

/// A view of a store at a moment.
struct Seen {
    store: Store,
    model: Model,
    now: i64,
    live: bool,
}

impl Seen {
    fn of(store: Store, position: Position) -> Self {
        let model = Model::new("/var/lib/conn-observer/events.db".to_owned(), Selection::default(), position);
        let mut seen = Self { store, model, now: START + 100 * MINUTE, live: false };
        seen.read();
        seen
    }

    fn read(&mut self) {
        self.model.read(&self.store, self.now, self.live).unwrap();
    }

    fn press(&mut self, code: KeyCode) {
        let Some(action) = action(&self.model.mode, KeyEvent::from(code)) else { panic!("{code:?} means nothing") };
        match self.model.apply(action, 5) {
            Effect::Read => self.read(),
            Effect::Describe => self.model.describe(&self.store).unwrap(),
            Effect::Draw | Effect::Quit => {}
        }
    }

    fn write(&mut self, text: &str) {
        text.chars().for_each(|one| self.press(KeyCode::Char(one)));
    }

    fn screen(&self, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw::draw(frame, &self.model)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| {
            let cells = (0..width).map(|x| buffer.cell((x, y)).unwrap().symbol()).collect::<String>();
            cells.trim_end().to_owned() + "\n"
        };
        (0..height).map(line).collect()
    }

    fn names(&self) -> Vec<String> {
        let name = |path: &[Option<String>]| path.last().unwrap().clone().unwrap_or_else(|| "?".to_owned());
        self.model.rows.iter().map(|row| name(&row.path)).collect()
    }
}

/// Compares with `screens/NAME.txt`; with CONN_OBSERVER_BLESS that is written instead, to be looked at.
#[track_caller]
fn golden(name: &str, screen: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/top/screens/{name}.txt"));
    if std::env::var_os("CONN_OBSERVER_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, screen).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == screen, "{} is\n{expected}\nand the screen\n{screen}", path.display());
}

#[test]
fn a_screen_of_the_usual_size() {
    let mut seen = Seen::of(store(), Position::At(START + 60 * SECOND));
    seen.press(KeyCode::Enter);
    golden("usual", &seen.screen(80, 24));
}

#[test]
fn a_wide_screen_with_everything_open() {
    let mut seen = Seen::of(store(), Position::Follow);
    seen.press(KeyCode::Char('a'));
    seen.press(KeyCode::Char('u'));
    golden("wide", &seen.screen(120, 30));
}

#[test]
fn a_small_screen() {
    golden("small", &Seen::of(store(), Position::At(START + 60 * SECOND)).screen(40, 12));
}

#[test]
fn an_empty_store() {
    let empty = || Recorder::in_memory().unwrap().into_store();
    golden("empty", &Seen::of(empty(), Position::Follow).screen(80, 24));
    let mut seen = Seen::of(empty(), Position::Follow);
    for code in [KeyCode::Down, KeyCode::Enter, KeyCode::Left, KeyCode::Home, KeyCode::PageUp, KeyCode::Char('a')] {
        seen.press(code);
    }
    assert_eq!(seen.screen(80, 24), Seen::of(empty(), Position::Follow).screen(80, 24));
}

#[test]
fn names_are_cut_and_cannot_move_the_cursor() {
    let evil = Act {
        second: 1,
        process: Some("a\x1b[2Jb\nc"),
        peer: "a-very-long-name-of-a-host-in-a-zone.of.some.provider.example.com",
        cause: "close_unread",
        severity: "harmful",
        unread: u64::from(u32::MAX),
    };
    let wide = Act { process: Some("日本語プロセス"), peer: "例え.example", ..evil };
    let mut seen = Seen::of(recorded([evil, wide]), Position::Follow);
    seen.press(KeyCode::Char('a'));
    let screen = seen.screen(80, 24);
    assert!(!screen.contains(|one: char| one.is_control() && one != '\n'), "{screen}");
    golden("names", &screen);
}

#[test]
fn the_keys_are_explained() {
    let mut seen = Seen::of(store(), Position::Follow);
    seen.press(KeyCode::Char('?'));
    golden("help", &seen.screen(80, 24));
    seen.press(KeyCode::Char('x'));
    assert_eq!(seen.model.mode, Mode::Table);
}

#[test]
fn time_is_gone_through_by_windows() {
    let mut seen = Seen::of(store(), Position::Follow);
    let at = |seen: &Seen| (seen.model.end - START) / SECOND;
    assert_eq!((at(&seen), seen.model.sum.total), (110, 73), "the end of what is recorded");
    seen.press(KeyCode::Left);
    assert_eq!((at(&seen), seen.model.sum.total), (50, 51 + 6 + 1));
    seen.press(KeyCode::Left);
    assert_eq!((at(&seen), seen.model.sum.total), (0, 2), "not before the first one");
    seen.press(KeyCode::Home);
    assert_eq!((at(&seen), seen.model.sum.total), (60, 60 + 6 + 1));
    seen.press(KeyCode::Right);
    assert_eq!((at(&seen), seen.model.position), (110, Position::Follow), "and not beyond the last one");
    seen.press(KeyCode::Char('-'));
    seen.press(KeyCode::Home);
    assert_eq!((at(&seen), seen.model.window()), (300, 5 * MINUTE));
}

#[test]
fn a_store_that_is_written_is_followed_until_the_time_is_stopped() {
    let mut seen = Seen::of(store(), Position::Follow);
    seen.live = true;
    seen.read();
    assert_eq!(seen.model.end, seen.now);
    seen.press(KeyCode::Char(' '));
    seen.now += MINUTE;
    seen.read();
    assert_eq!(seen.model.end, seen.now - MINUTE, "stopped");
    seen.press(KeyCode::Char(' '));
    assert_eq!(seen.model.end, seen.now, "and on");
}

#[test]
fn a_filter_is_written_refused_put_right_and_kept() {
    let mut seen = Seen::of(store(), Position::Follow);
    seen.write("/colour=red");
    seen.press(KeyCode::Enter);
    assert!(seen.screen(80, 24).contains("/colour=red█  unknown field colour; known"), "{}", seen.screen(80, 24));
    (0..10).for_each(|_| seen.press(KeyCode::Backspace));
    seen.press(KeyCode::Backspace);
    seen.write("severity=suspect 10.0.0.7");
    seen.press(KeyCode::Enter);
    assert_eq!((seen.names(), seen.model.sum.total), (vec!["nginx".to_owned()], 6));
    assert!(seen.screen(80, 24).contains("filter: severity=suspect 10.0.0.7"));
    seen.press(KeyCode::Char('/'));
    assert_eq!(seen.model.mode, Mode::Filter("severity=suspect 10.0.0.7".to_owned()));
    seen.press(KeyCode::Esc);
    assert_eq!(seen.model.sum.total, 6);
}

#[test]
fn the_selected_row_stays_selected_and_tells_of_itself() {
    let mut seen = Seen::of(store(), Position::Follow);
    seen.press(KeyCode::Char('t'));
    assert_eq!(seen.names(), ["api", "nginx", "?"]);
    let screen = seen.screen(100, 30);
    for said in ["main.check (/src/api.go:53)", "Read the body to its end", "libc.so.6+0x5a3", "22:13:59.000Z"] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    seen.press(KeyCode::Down);
    seen.press(KeyCode::Char('p'));
    assert_eq!(seen.model.rows[seen.model.selected()].path, [Some("nginx".to_owned())]);
    seen.press(KeyCode::Enter);
    seen.press(KeyCode::Down);
    assert_eq!(seen.names(), ["?", "api", "nginx", "10.0.0.7", "10.0.0.8"]);
    assert!(seen.screen(100, 30).contains("22:14:40.000Z  suspect, linger_zero"), "{}", seen.screen(100, 30));
    // The peer's row goes away: its process is selected instead.
    seen.write("/10.0.0.8");
    seen.press(KeyCode::Enter);
    assert_eq!(seen.model.rows[seen.model.selected()].path, [Some("nginx".to_owned())]);
}

#[test]
fn what_nobody_knows_can_be_looked_at() {
    let mut seen = Seen::of(store(), Position::Follow);
    seen.press(KeyCode::Char('p'));
    assert_eq!(seen.names()[0], "?");
    assert!(seen.screen(100, 30).contains("22:13:07.000Z  benign, no_socket"), "{}", seen.screen(100, 30));
}
