//! What of a module can be reached from its exports: functions, places of its table, and data.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use wasmparser::Operator;

use super::linked::{Linked, Symbol, index};

/// What stays of a module.
pub struct Reached {
    /// For each function the first that is the same.
    pub same: Vec<usize>,
    /// The functions that can be called, in their new order: imported ones first, then those called most often, whose
    /// numbers are the shortest.
    pub order: Vec<usize>,
    /// Whether a function's address is taken.
    pub addressed: Vec<bool>,
    /// Where the data is that can be used.
    pub data: Vec<Range<usize>>,
}

// === impl Reached ===

impl Reached {
    /// Walks from these exports.
    pub fn from(linked: &Linked<'_>, exports: &[&str]) -> Self {
        let same = same(linked);
        let first = |number: usize| same.get(number).copied().unwrap_or(number);
        let mut counts = vec![0usize; same.len()];
        let mut addressed = vec![false; same.len()];
        let mut used = vec![false; linked.symbols.len()];
        let mut data = Vec::new();
        let kept = linked.exports.iter().filter(|(name, _)| exports.contains(name));
        let mut functions: Vec<usize> = kept.filter_map(|(_, function)| *function).map(first).collect();
        let mut symbols: Vec<usize> = Vec::new();
        loop {
            if let Some(number) = functions.pop() {
                let Some(count) = counts.get_mut(number) else { continue };
                *count += 1;
                let Some(function) = linked.function(number).filter(|_| *count == 1) else { continue };
                functions.extend(
                    function.operators.iter().filter_map(|(operator, _)| callee(operator)).map(first),
                );
                symbols.extend(function.symbols());
            } else if let Some(symbol) = symbols.pop() {
                match linked.symbols.get(symbol) {
                    Some(Symbol::Function(number, _)) => {
                        let place = addressed.get_mut(*number).filter(|addressed| !**addressed);
                        if let Some(addressed) = place {
                            *addressed = true;
                            functions.push(first(*number));
                        }
                    }
                    Some(Symbol::Data(place)) => {
                        if let Some(used) = used.get_mut(symbol).filter(|used| !**used) {
                            *used = true;
                            data.push(place.clone());
                            let from = linked.in_data.partition_point(|(at, _)| *at < place.start);
                            let within =
                                linked.in_data.iter().skip(from).take_while(|(at, _)| *at < place.end);
                            symbols.extend(within.map(|(_, symbol)| *symbol));
                        }
                    }
                    _ => {}
                }
            } else {
                break;
            }
        }
        let mut order: Vec<usize> =
            (0..counts.len()).filter(|number| counts.get(*number) > Some(&0)).collect();
        order.sort_by_key(|number| {
            (*number >= linked.imports, Reverse(counts.get(*number).copied()), *number)
        });
        Reached { same, order, addressed, data }
    }
}

/// The function that an instruction calls.
pub fn callee(operator: &Operator<'_>) -> Option<usize> {
    match operator {
        Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
            Some(index(*function_index))
        }
        _ => None,
    }
}

/// For each function the first that is the same: of one type, with the same locals and instructions, where calls of
/// functions that are the same count as the same.
fn same(linked: &Linked<'_>) -> Vec<usize> {
    let mut same: Vec<usize> = (0..linked.imports + linked.functions.len()).collect();
    loop {
        let mut bodies = HashMap::new();
        let mut next = same.clone();
        for (number, function) in (linked.imports..).zip(&linked.functions) {
            let bytes = function.body.as_bytes();
            let start = function.body.range().start;
            let mut text = function.locals.to_vec();
            for (operator, place) in &function.operators {
                match callee(operator) {
                    Some(callee) => {
                        text.extend(b"call");
                        text.extend(same.get(callee).copied().unwrap_or(callee).to_le_bytes());
                    }
                    None if place.is_empty() => text.extend(b"trap"),
                    None => {
                        let place = place.start.saturating_sub(start)..place.end.saturating_sub(start);
                        text.extend(bytes.get(place).unwrap_or_default());
                    }
                }
            }
            let first = *bodies.entry((function.kind, text)).or_insert(number);
            if let Some(next) = next.get_mut(number) {
                *next = first;
            }
        }
        if next == same {
            return same;
        }
        same = next;
    }
}
