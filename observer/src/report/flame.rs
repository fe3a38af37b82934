//! Which code: call stacks merged by function from the outermost in, each as wide as its findings are many.

use std::{collections::HashMap, fmt::Write as _};

use anyhow::Result;

use super::{html::Safe, incident::Incident, words};
use crate::{
    message::{counted, thousands},
    render,
    store::{Field, Selection, StackCount, Store},
};

/// Stacks that are drawn, the ones with the most findings.
const STACKS: u32 = 500;

/// Places in the table.
const PLACES: u32 = 12;

/// Parts of the whole width: what is narrower than one of them is not drawn.
const PARTS: u64 = 1_000;

/// Pixels of a frame, with its gap.
const ROW: usize = 20;

/// A function with those that it calls.
struct Node {
    name: String,
    kind: &'static str,
    events: u64,
    callees: Vec<usize>,
}

/// Functions as they call each other; the first one stands for all.
struct Tree {
    nodes: Vec<Node>,
    known: HashMap<(usize, &'static str, String), usize>,
}

impl Tree {
    fn of(stacks: &[StackCount]) -> Self {
        let root = Node { name: "all".to_owned(), kind: "r", events: 0, callees: Vec::new() };
        let mut tree = Self { nodes: vec![root], known: HashMap::new() };
        for stack in stacks {
            let process = stack.process.clone().unwrap_or_else(|| "unknown process".to_owned());
            let user = stack.stack.user.iter().rev().map(|frame| (render::function(frame), "u"));
            let kernel = stack.stack.kernel.iter().rev().map(|frame| (render::function(frame), "k"));
            let mut here = 0;
            tree.nodes[0].events += stack.events;
            for (name, kind) in std::iter::once((process, "p")).chain(user).chain(kernel) {
                here = tree.callee(here, name, kind);
                tree.nodes[here].events += stack.events;
            }
        }
        tree
    }

    fn callee(&mut self, caller: usize, name: String, kind: &'static str) -> usize {
        let key = (caller, kind, name);
        if let Some(found) = self.known.get(&key) {
            return *found;
        }
        let new = self.nodes.len();
        self.nodes.push(Node { name: key.2.clone(), kind, events: 0, callees: Vec::new() });
        self.nodes[caller].callees.push(new);
        self.known.insert(key, new);
        new
    }

    /// Frames in drawing order: node, depth, findings to the left.
    fn frames(&self) -> Vec<(usize, usize, u64)> {
        let mut frames = Vec::new();
        // Not by recursion: a stack may be deep.
        let mut open = vec![(0, 0, 0)];
        while let Some((node, depth, left)) = open.pop() {
            frames.push((node, depth, left));
            let mut callees = self.nodes[node].callees.clone();
            callees.sort_by_key(|callee| std::cmp::Reverse(self.nodes[*callee].events));
            let mut left = left;
            for callee in callees {
                let events = self.nodes[callee].events;
                if events.saturating_mul(PARTS) >= self.nodes[0].events {
                    open.push((callee, depth + 1, left));
                }
                left += events;
            }
        }
        frames
    }

    fn draw(&self, text: &mut String) {
        let whole = self.nodes[0].events;
        let frames = self.frames();
        let depth = frames.iter().map(|(_, depth, _)| depth + 1).max().unwrap_or(1);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "<svg id=\"flame\" width=\"100%\" height=\"{}\" role=\"img\" aria-label=\"Flame graph of call stacks; the \
             table of places below has the main figures\">",
            depth * ROW
        );
        for (node, depth, left) in frames {
            let node = &self.nodes[node];
            let tint = node.name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 4;
            let title =
                format!("{} — {}, {}", node.name, counted(node.events, "finding"), words::share(node.events, whole));
            let _ = write!(
                text,
                "<svg class=\"f {}{tint}\" x=\"{}%\" width=\"{}%\" y=\"{}\" height=\"{}\"><title>{}</title>\
                 <rect width=\"100%\" height=\"100%\"/><text x=\"4\" y=\"14\">{}</text></svg>",
                node.kind,
                percent(left, whole),
                percent(node.events, whole),
                depth * ROW,
                ROW - 1,
                Safe(&title),
                Safe(&node.name)
            );
        }
        text.push_str("</svg>");
    }
}

/// Flame graph and table of places; nothing when no finding has a stack.
pub(super) fn section(store: &Store, selection: &Selection, incident: &Incident) -> Result<String> {
    let stacks = store.stacks(selection, STACKS)?;
    if stacks.is_empty() {
        return Ok(String::new());
    }
    let tree = Tree::of(&stacks);
    let drawn = tree.nodes[0].events;
    let mut text = String::from(
        "<section id=\"code\"><h2>Where in the code</h2><figure><figcaption>Flame graph: the process and its outermost \
         function on top, what they call below, the kernel last. The wider, the more findings.<span class=\"live\"> \
         Click a function to zoom.</span></figcaption><div class=\"live tools\"><button type=\"button\" id=\"unzoom\" \
         disabled>Show all</button><output id=\"frame\"></output></div>",
    );
    tree.draw(&mut text);
    text.push_str("</figure>");
    let rest = incident.total.saturating_sub(drawn);
    if rest > 0 {
        let rest = counted(rest, "finding");
        write!(text, "<p class=\"note\">Not in the graph: {rest} without a stack, or with one of the rarer ones.</p>")?;
    }
    places(store, selection, incident, &mut text)?;
    Ok(text + "</section>")
}

fn places(store: &Store, selection: &Selection, incident: &Incident, text: &mut String) -> Result<()> {
    let groups = store.largest(selection, &[Field::Stack, Field::Process, Field::Cause], PLACES)?;
    let known: Vec<_> = groups.iter().filter(|group| group.values[0].is_some()).collect();
    if known.is_empty() {
        return Ok(());
    }
    text.push_str(
        "<table class=\"cards\" id=\"place-table\"><caption>Innermost function of the program, the most findings \
         first</caption><thead><tr><th scope=\"col\">function</th><th scope=\"col\">process</th><th scope=\"col\">cause\
         </th><th scope=\"col\" class=\"n\">findings</th></tr></thead><tbody>",
    );
    for group in known {
        let value = |index: usize| group.values[index].as_deref().unwrap_or("unknown");
        write!(
            text,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td><i class=\"key c{}\"></i>{}</td>\
             <td class=\"n\">{}</td></tr>",
            Safe(value(0)),
            Safe(value(1)),
            incident.colour(value(2)),
            Safe(value(2)),
            thousands(group.events)
        )?;
    }
    text.push_str("</tbody></table>");
    Ok(())
}

/// A share of the width, to a ten-thousandth.
fn percent(part: u64, whole: u64) -> String {
    let parts = u128::from(part) * 1_000_000 / u128::from(whole.max(1));
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Frame, Stack};

    /// A stack, the outermost function first.
    fn stack(process: &str, functions: &[&str], events: u64) -> StackCount {
        let frame = |name: &&str| Frame { symbol: Some((*name).to_owned()), ..Frame::default() }.into();
        let user = functions.iter().rev().map(frame).collect();
        let kernel = [frame(&"__tcp_close")].into();
        StackCount { process: Some(process.to_owned()), stack: Stack { user, kernel }, events }
    }

    #[test]
    fn stacks_are_merged_from_the_outermost_function_in() {
        let stacks = [
            stack("api", &["main", "serve", "close"], 6),
            stack("api", &["main", "retry", "close"], 3),
            stack("web", &["main", "serve"], 1),
        ];
        let tree = Tree::of(&stacks);
        let told: Vec<(String, u64, usize, u64)> = tree
            .frames()
            .into_iter()
            .map(|(node, depth, left)| (tree.nodes[node].name.clone(), tree.nodes[node].events, depth, left))
            .collect();
        let has = |name: &str, events, depth, left| told.contains(&(name.to_owned(), events, depth, left));
        assert!(has("all", 10, 0, 0) && has("api", 9, 1, 0) && has("web", 1, 1, 9), "{told:?}");
        assert!(has("main", 9, 2, 0) && has("main", 1, 2, 9), "of one name, but of two processes: {told:?}");
        assert!(has("serve", 6, 3, 0) && has("retry", 3, 3, 6) && has("close", 3, 4, 6), "{told:?}");
        assert!(has("__tcp_close", 6, 5, 0), "the kernel comes last: {told:?}");
    }

    #[test]
    fn what_is_too_narrow_is_not_drawn() {
        let tree = Tree::of(&[stack("api", &["main"], 10_000), stack("rare", &["main"], 1)]);
        assert!(tree.frames().iter().all(|(node, ..)| tree.nodes[*node].name != "rare"));
        let mut text = String::new();
        tree.draw(&mut text);
        assert!(text.contains("x=\"0.0000%\" width=\"100.0000%\""), "{text}");
    }

    #[test]
    fn a_deep_stack_is_drawn_without_recursion() {
        let functions: Vec<String> = (0..20_000).map(|number| format!("f{number}")).collect();
        let functions: Vec<&str> = functions.iter().map(String::as_str).collect();
        assert_eq!(Tree::of(&[stack("deep", &functions, 1)]).frames().len(), 20_003);
    }
}
