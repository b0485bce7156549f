//! Sorting, with one machine code for every type: the standard library's is made anew for each, 4 KB at a time, and the
//! filter and the page are loaded over networks.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts a list; equal ones stay in their order.
pub fn sort<T: Ord>(list: &mut [T]) {
    sort_by(list, &T::cmp);
}

/// Sorts a list by a key; those with the same key stay in their order.
pub fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(list, &|one, other| key(one).cmp(&key(other)));
}

/// Sorts a list by a comparison; equal ones stay in their order.
pub fn sort_by<T>(list: &mut [T], compare: &dyn Fn(&T, &T) -> Ordering) {
    let mut order = {
        let list = &*list;
        places(list.len(), &|one, other| match (list.get(one), list.get(other)) {
            (Some(one), Some(other)) => compare(one, other),
            _ => Ordering::Equal,
        })
    };
    // each place takes what belongs there, around one circle after another
    for start in 0..order.len() {
        let mut place = start;
        while let Some(from) = order.get_mut(place) {
            let from = std::mem::replace(from, place);
            if from == start || from == place {
                break;
            }
            list.swap(place, from);
            place = from;
        }
    }
}

/// Where what belongs at each place stands.
fn places(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_unstable_by(|one, other| compare(*one, *other).then(one.cmp(other)));
    order
}

/// Numbers of names, in the order in which each is met first: what belongs to a name stands at its number in a list, and
/// no map is made anew for each type of it.
#[derive(Debug, Clone, Default)]
pub struct Numbers(BTreeMap<String, usize>);

impl Numbers {
    /// The number of a name: the one that it has, or the next one.
    pub fn of(&mut self, name: String) -> usize {
        let next = self.0.len();
        *self.0.entry(name).or_insert(next)
    }

    /// The number that a name has.
    pub fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// Puts what belongs to a name into its list, the lists in the order of their names' numbers.
    pub fn push<T>(&mut self, lists: &mut Vec<Vec<T>>, name: String, item: T) {
        let number = self.of(name);
        match lists.get_mut(number) {
            Some(list) => list.push(item),
            None => lists.push(vec![item]),
        }
    }
}

/// A list without an order as a set: sorted, and to be searched by halves.
pub fn list<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    sort(&mut items);
    items.dedup();
    items
}

/// A set of these, put in one by one: collected, they would be sorted before, by a sort of their own.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// A map of these, put in one by one; of equal keys the last one counts.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_as_the_standard_library_does() {
        let mut state: u32 = 1;
        for length in (0..40).chain([1000]) {
            let list: Vec<(u32, usize)> = (0..length)
                .map(|place| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 28, place)
                })
                .collect();
            let (mut ours, mut theirs) = (list.clone(), list);
            sort_by_key(&mut ours, |(key, _)| std::cmp::Reverse(*key));
            theirs.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            assert_eq!(ours, theirs);
            sort(&mut ours);
            theirs.sort();
            assert_eq!(ours, theirs);
        }
    }
}
