//! "did you mean …?": the known word that is nearest to what was written.

/// Longer words are compared by their beginning.
const LONGEST: usize = 64;

/// The known word that a slip of the keyboard makes of `word`, if there is one.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word: Vec<char> = word.chars().take(LONGEST).collect();
    let near = (word.len() / 3).max(1);
    let ranked = known.into_iter().map(|candidate| {
        let letters: Vec<char> = candidate.chars().take(LONGEST).collect();
        (distance(&word, &letters), candidate)
    });
    ranked
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The end of a sentence about an unknown word: `; did you mean …?`, or nothing.
pub fn did_you_mean<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    nearest(word, known).map_or_else(String::new, |known| format!("; did you mean {known}?"))
}

/// Whether a slip of the keyboard makes one word of another: a letter more, less or other, or two in the wrong order.
pub(crate) fn is_one_slip_away(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one == other || one.len().min(other.len()) < 3 {
        return false;
    }
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (a, b) = (one.get(same..).unwrap_or_default(), other.get(same..).unwrap_or_default());
    let tail = |of: &'_ [u8], from: usize| of.get(from..).map(<[u8]>::to_vec);
    let swapped = matches!((a, b), ([a, b, ..], [c, d, ..]) if a == d && b == c);
    tail(a, 1) == tail(b, 1)
        || tail(a, 1).as_deref() == Some(b)
        || tail(b, 1).as_deref() == Some(a)
        || swapped && tail(a, 2) == tail(b, 2)
}

/// How many letters have to be added, removed or exchanged (Levenshtein).
pub(crate) fn distance<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, x) in a.iter().enumerate() {
        let mut left = above + 1;
        let mut next = vec![left];
        for (y, pair) in b.iter().zip(row.windows(2)) {
            let (diagonal, up) = match pair {
                [diagonal, up] => (*diagonal, *up),
                _ => (usize::MAX, usize::MAX),
            };
            left = diagonal.saturating_add(usize::from(x != y)).min(up.saturating_add(1)).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_and_a_far_one_is_not() {
        let known = ["unverified-server", "unknown-issuer", "name-mismatch"];
        assert_eq!(nearest("unverifed-server", known), Some("unverified-server"));
        assert_eq!(nearest("name_mismatch", known), Some("name-mismatch"));
        assert_eq!(nearest("weather", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(did_you_mean("unknown-isuer", known), "; did you mean unknown-issuer?");
    }

    #[test]
    fn distance_counts_edits() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, edits) in
            [("", "", 0), ("", "ab", 2), ("ab", "", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(&letters(a), &letters(b)), edits, "{a} {b}");
        }
    }
}
