//! Which dialers of a gateway a request uses.

use crate::deployment::{PathPattern, Program, Request, RouteMatch};

/// The dialers that a request to one of the program's listeners uses: those of the winning route, none where the
/// program answers by itself.
pub fn onward(program: &Program, listener: usize, request: &Request) -> Vec<usize> {
    let answers = program.answers.iter().filter(|route| matches(route, listener, request));
    let mut best: Option<i64> = answers.map(|route| route.priority).max();
    let mut chosen = Vec::new();
    for (index, dialer) in program.dialers.iter().enumerate() {
        let matching = dialer.routes.iter().filter(|route| matches(route, listener, request));
        let Some(priority) = matching.map(|route| route.priority).max() else { continue };
        if best.is_none_or(|best| priority > best) {
            best = Some(priority);
            chosen.clear();
        }
        if best == Some(priority) {
            chosen.push(index);
        }
    }
    chosen
}

fn matches(route: &RouteMatch, listener: usize, request: &Request) -> bool {
    let here = route.listener.is_none_or(|index| index == listener);
    let host = request.host_name();
    let hosts = route.hosts.is_empty() || route.hosts.iter().any(|pattern| host_matches(pattern, host));
    let path = request.path.split(['?', '#']).next().unwrap_or("/");
    let paths = route.paths.is_empty() || route.paths.iter().any(|pattern| path_matches(pattern, path));
    let methods = route.methods.is_empty()
        || route.methods.iter().any(|method| method.eq_ignore_ascii_case(&request.method));
    here && hosts && paths && methods
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Some(expression) = pattern.strip_prefix('~') {
        let expression = regex_lite::RegexBuilder::new(expression).case_insensitive(true).build();
        return expression.is_ok_and(|expression| expression.is_match(&host));
    }
    let pattern = pattern.split(':').next().unwrap_or(pattern).to_ascii_lowercase();
    if pattern == "*" || pattern == host {
        return true;
    }
    if let Some(suffix) = pattern.strip_prefix('*') {
        return host.len() > suffix.len() && host.ends_with(suffix);
    }
    pattern.strip_suffix('*').is_some_and(|prefix| host.len() > prefix.len() && host.starts_with(prefix))
}

fn path_matches(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(exact) => exact == path,
        PathPattern::Prefix(prefix) => path.starts_with(prefix.as_str()),
        PathPattern::Regex(regex) => regex_lite::Regex::new(regex).is_ok_and(|regex| regex.is_match(path)),
        PathPattern::Radix(pattern) => radix_matches(pattern, path),
    }
}

/// lua-resty-radixtree: `*` at the end takes the rest, `:name` takes one segment.
fn radix_matches(pattern: &str, path: &str) -> bool {
    let (pattern, open) = match pattern.find('*') {
        Some(at) => (pattern.get(..at).unwrap_or_default(), true),
        None => (pattern, false),
    };
    if !pattern.contains(':') {
        return if open { path.starts_with(pattern) } else { path == pattern };
    }
    let mut segments = path.split('/');
    let mut parts = pattern.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match segments.next() {
            Some(segment) if part.starts_with(':') && !segment.is_empty() => {}
            Some(segment) if open && last => return segment.starts_with(part),
            Some(segment) if segment == part => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radix_patterns_take_the_rest_or_one_segment() {
        for (pattern, path, expected) in [
            ("/*", "/a/b", true),
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/a/*", "/a/b/c", true),
            ("/a/*", "/a", false),
            ("/user/:id", "/user/7", true),
            ("/user/:id", "/user/7/x", false),
            ("/user/:id/*", "/user/7/x", true),
        ] {
            assert_eq!(radix_matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn host_patterns_ignore_case_port_and_final_dot() {
        for (pattern, host, expected) in [
            ("*", "a.example", true),
            ("*.example", "a.example", true),
            ("*.example", "example", false),
            ("A.example", "a.example.", true),
            ("a.*", "a.example", true),
            ("~^a\\d:?", "A7.example", true),
            ("~^b", "a.example", false),
        ] {
            assert_eq!(host_matches(pattern, host), expected, "{pattern} {host}");
        }
    }
}
