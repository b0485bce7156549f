//! Which location of a server takes a path (ngx_http_core_find_location).

use super::{Location, Matcher, Server};

/// A pattern that cannot be evaluated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond;

impl Server {
    /// Index of the location that takes a path; 0, the server itself, where none does.
    ///
    /// # Errors
    /// A regular expression that stands in the way cannot be evaluated.
    pub fn location_for(&self, path: &str) -> Result<usize, Beyond> {
        Ok(self.find(0, path)?.map_or(0, |(index, _)| index))
    }

    /// The location within another one, and whether nothing outside may take its place.
    fn find(&self, parent: usize, path: &str) -> Result<Option<(usize, bool)>, Beyond> {
        let children = || {
            let all = self.locations.iter().enumerate();
            all.filter(move |(_, location)| location.parent == Some(parent))
        };
        let exact = |(_, location): &(usize, &Location)| matches!(&location.matcher, Matcher::Exact(own) if own == path);
        if let Some((index, _)) = children().find(exact) {
            return Ok(Some((index, true)));
        }
        let prefixes = children().filter_map(|(index, location)| match &location.matcher {
            Matcher::Prefix(own) if path.starts_with(own.as_str()) => Some((own.len(), index, false)),
            Matcher::Preferred(own) if path.starts_with(own.as_str()) => Some((own.len(), index, true)),
            _ => None,
        });
        let longest = prefixes.max_by_key(|(length, ..)| *length);
        let mut found = None;
        if let Some((_, index, preferred)) = longest {
            found = match self.find(index, path)? {
                Some((nested, true)) => return Ok(Some((nested, true))),
                Some((nested, false)) => Some((nested, false)),
                None => Some((index, false)),
            };
            if preferred {
                return Ok(found);
            }
        }
        for (index, location) in children() {
            let Matcher::Regex { pattern, insensitive } = &location.matcher else { continue };
            let mut builder = regex_lite::RegexBuilder::new(pattern);
            let regex = builder.case_insensitive(*insensitive).build().map_err(|_| Beyond)?;
            if regex.is_match(path) {
                let nested = self.find(index, path)?.map(|(nested, _)| nested);
                return Ok(Some((nested.unwrap_or(index), true)));
            }
        }
        Ok(found)
    }
}
