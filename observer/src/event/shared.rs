//! The JSON of what many events share: made once, then copied. In a flood it is most of every line. What is copied is compact,
//! also where the rest is not.

use std::{cell::RefCell, sync::Arc, thread::LocalKey};

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};

use super::{Frames, Process};
use crate::recent::Recent;

/// Bytes that each thread that renders keeps of processes, and as many of stacks. What they are of takes about as much.
const MOST: usize = 1 << 20;

/// Bytes of an entry besides its text.
const ENTRY: usize = 128;

/// Texts, by the place in memory of what they are of. That is kept, too, so that no other can take its place, and nobody
/// changes it.
type Texts<T> = RefCell<Recent<usize, (Arc<T>, Box<RawValue>)>>;

thread_local! {
    static PROCESSES: Texts<Process> = RefCell::new(Recent::new(MOST));
    static STACKS: Texts<[Arc<super::Frame>]> = RefCell::new(Recent::new(MOST));
}

/// Serialises a process.
pub(super) fn process<S: Serializer>(process: &Option<Arc<Process>>, serializer: S) -> Result<S::Ok, S::Error> {
    match process {
        Some(process) => shared(process, &PROCESSES, serializer),
        None => serializer.serialize_none(),
    }
}

/// Serialises a stack.
pub(super) fn frames<S: Serializer>(frames: &Frames, serializer: S) -> Result<S::Ok, S::Error> {
    shared(frames, &STACKS, serializer)
}

fn shared<T: Serialize + ?Sized, S: Serializer>(
    value: &Arc<T>,
    texts: &'static LocalKey<Texts<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if Arc::strong_count(value) == 1 {
        // No other event has it.
        return value.serialize(serializer);
    }
    texts.with_borrow_mut(|texts| {
        let place = Arc::as_ptr(value).addr();
        if let Some((_, text)) = texts.get(&place) {
            return text.serialize(serializer);
        }
        let text = to_raw_value(&**value).map_err(S::Error::custom)?;
        let written = text.serialize(serializer);
        let weight = ENTRY + text.get().len();
        texts.insert_weighing(place, (Arc::clone(value), text), weight);
        written
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attribution, Frame, Stack};

    #[derive(Serialize)]
    struct Told {
        #[serde(serialize_with = "process", skip_serializing_if = "Option::is_none")]
        process: Option<Arc<Process>>,
    }

    fn kept() -> usize {
        PROCESSES.with_borrow(Recent::weight) + STACKS.with_borrow(Recent::weight)
    }

    #[test]
    fn what_is_shared_is_told_as_what_is_not() {
        let mut lone = Process::of(42, 43, Attribution::Owner);
        lone.comm = "say \"hi\"\n".to_owned();
        let told = |process: Arc<Process>| serde_json::to_string(&Told { process: Some(process) }).unwrap();
        let expected = format!("{{\"process\":{}}}", serde_json::to_string(&lone).unwrap());
        assert_eq!(told(lone.clone().into()), expected);
        assert_eq!(kept(), 0, "nobody else has it");
        let mut shared = Arc::new(lone);
        for _ in 0..2 {
            assert_eq!(told(Arc::clone(&shared)), expected);
            assert!((ENTRY..2 * ENTRY + expected.len()).contains(&kept()));
        }
        Arc::make_mut(&mut shared).tid = 44;
        assert_eq!(told(Arc::clone(&shared)), expected.replace("43", "44"), "another one by now");
        assert_eq!(serde_json::to_value(Told { process: Some(shared) }).unwrap()["process"]["comm"], "say \"hi\"\n");
    }

    #[test]
    fn stacks_are_kept_as_well_and_not_without_end() {
        let stack = |number: u32| {
            let frame = Frame { symbol: Some(format!("{number:01000}")), ..Frame::default() };
            Stack { user: [Arc::new(frame)].into(), kernel: Frames::default() }
        };
        for number in 0..3 * MOST as u32 / 1_000 {
            let stack = stack(number);
            let expected = format!(r#"{{"user":[{{"symbol":"{number:01000}"}}]}}"#);
            for stack in [stack.clone(), stack] {
                assert_eq!(serde_json::to_string(&stack).unwrap(), expected);
            }
            assert!(kept() <= MOST);
        }
        assert!(kept() >= MOST / 2);
    }
}
