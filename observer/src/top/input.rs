//! Keys into actions, by the mode that the screen is in.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::tree::Sort;

/// What is on the screen, and takes the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// The table.
    #[default]
    Table,
    /// The filter line is written; this is what stands there.
    Filter(String),
    /// The list of keys.
    Help,
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    /// Stop the time where it is, or follow it again.
    Pause,
    /// So many rows down, or up.
    Move(isize),
    /// A page of rows down, or up.
    Page(isize),
    /// Show what is below the row, or do not.
    Toggle,
    ToggleAll,
    Sort(Sort),
    /// So many windows later, or earlier.
    Step(i64),
    /// To the first events.
    First,
    /// To the last ones, and on with them.
    Last,
    /// A shorter window, or a longer one.
    Zoom(isize),
    /// Write the filter line, from the one that is in force on.
    EditFilter,
    /// To another mode.
    Enter(Mode),
    /// The line becomes the filter.
    Filter(String),
}

/// Windows of a large step.
const STRIDE: i64 = 10;

/// What a key means.
pub(super) fn action(mode: &Mode, key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Action::Quit);
    }
    match mode {
        Mode::Table => table(key),
        Mode::Filter(text) => filter(text, key.code),
        Mode::Help => Some(if key.code == KeyCode::Char('q') { Action::Quit } else { Action::Enter(Mode::Table) }),
    }
}

fn table(key: KeyEvent) -> Option<Action> {
    let stride = if key.modifiers.contains(KeyModifiers::SHIFT) { STRIDE } else { 1 };
    Some(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Action::Quit,
        KeyCode::Char(' ') => Action::Pause,
        KeyCode::Up | KeyCode::Char('k') => Action::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Move(1),
        KeyCode::PageUp => Action::Page(-1),
        KeyCode::PageDown => Action::Page(1),
        KeyCode::Enter => Action::Toggle,
        KeyCode::Char('a') => Action::ToggleAll,
        KeyCode::Left => Action::Step(-stride),
        KeyCode::Right => Action::Step(stride),
        // Where a terminal does not tell shift from none.
        KeyCode::Char('<') => Action::Step(-STRIDE),
        KeyCode::Char('>') => Action::Step(STRIDE),
        KeyCode::Home => Action::First,
        KeyCode::End => Action::Last,
        KeyCode::Char('+') => Action::Zoom(1),
        KeyCode::Char('-') => Action::Zoom(-1),
        KeyCode::Char('n') => Action::Sort(Sort::Now),
        KeyCode::Char('m') => Action::Sort(Sort::Minute),
        KeyCode::Char('t') => Action::Sort(Sort::Total),
        KeyCode::Char('u') => Action::Sort(Sort::Unread),
        KeyCode::Char('s') => Action::Sort(Sort::Worst),
        KeyCode::Char('p') => Action::Sort(Sort::Name),
        KeyCode::Char('/') => Action::EditFilter,
        KeyCode::Char('?') => Action::Enter(Mode::Help),
        _ => return None,
    })
}

fn filter(text: &str, code: KeyCode) -> Option<Action> {
    let mut text = text.to_owned();
    match code {
        KeyCode::Enter => return Some(Action::Filter(text)),
        KeyCode::Esc => return Some(Action::Enter(Mode::Table)),
        KeyCode::Backspace => drop(text.pop()),
        KeyCode::Char(one) => text.push(one),
        _ => return None,
    }
    Some(Action::Enter(Mode::Filter(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(mode: &Mode, code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        action(mode, KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_of_the_table() {
        let press = |code| press(&Mode::Table, code, KeyModifiers::NONE);
        for (code, expected) in [
            (KeyCode::Char('q'), Action::Quit),
            (KeyCode::Char(' '), Action::Pause),
            (KeyCode::Left, Action::Step(-1)),
            (KeyCode::Char('>'), Action::Step(10)),
            (KeyCode::Home, Action::First),
            (KeyCode::End, Action::Last),
            (KeyCode::Char('u'), Action::Sort(Sort::Unread)),
            (KeyCode::Char('?'), Action::Enter(Mode::Help)),
        ] {
            assert_eq!(press(code), Some(expected));
        }
        assert_eq!(press(KeyCode::Char('z')), None);
    }

    #[test]
    fn shift_makes_steps_larger() {
        assert_eq!(press(&Mode::Table, KeyCode::Left, KeyModifiers::SHIFT), Some(Action::Step(-10)));
        assert_eq!(press(&Mode::Table, KeyCode::Right, KeyModifiers::SHIFT), Some(Action::Step(10)));
    }

    #[test]
    fn interrupting_ends_it_in_every_mode() {
        for mode in [Mode::Table, Mode::Filter("a".to_owned()), Mode::Help] {
            assert_eq!(press(&mode, KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        }
        let release = KeyEvent { kind: KeyEventKind::Release, ..KeyEvent::from(KeyCode::Char('q')) };
        assert_eq!(action(&Mode::Table, release), None);
    }

    #[test]
    fn a_filter_is_written_letter_by_letter() {
        let mut mode = Mode::Filter(String::new());
        for code in ["q?x".chars().map(KeyCode::Char).collect(), vec![KeyCode::Backspace]].concat() {
            let Some(Action::Enter(next)) = press(&mode, code, KeyModifiers::SHIFT) else { panic!("{code:?}") };
            mode = next;
        }
        assert_eq!(mode, Mode::Filter("q?".to_owned()));
        assert_eq!(press(&mode, KeyCode::Enter, KeyModifiers::NONE), Some(Action::Filter("q?".to_owned())));
        assert_eq!(press(&mode, KeyCode::Esc, KeyModifiers::NONE), Some(Action::Enter(Mode::Table)));
        assert_eq!(press(&mode, KeyCode::F(1), KeyModifiers::NONE), None);
    }
}
