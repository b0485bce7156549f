//! What the filter asks of the gateway, and the one place that calls it.
//!
//! The host functions are declared here rather than taken from the SDK, whose wrappers panic on every status that
//! they do not know; a trap would take the worker out of service. Statuses are numbers here, and each but 0 and
//! "not found" is an error for the caller to weigh.

use rustls_pki_types::UnixTime;

/// The gateway as the filter sees it.
pub trait Host {
    /// Which family of gateways this is.
    fn family(&self) -> Family;
    /// A property; `None` if there is none.
    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, HostError>;
    /// The first value of a request header; `None` if there is none.
    fn header(&self, name: &str) -> Result<Option<Vec<u8>>, HostError>;
    /// All request headers.
    fn headers(&self) -> Result<HeaderMap, HostError>;
    /// Sets a request header, replacing all of that name.
    fn set_header(&self, name: &str, value: &str) -> Result<(), HostError>;
    /// Removes all request headers of a name.
    fn remove_header(&self, name: &[u8]) -> Result<(), HostError>;
    /// Answers the request instead of the upstream. The details are for the access log.
    fn respond(
        &self,
        status: u32,
        details: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Result<(), HostError>;
    /// Adds one to a counter, where the gateway has such; it may show a second later.
    fn count(&self, counter: &str);
    /// Writes a line to the gateway's log.
    fn log(&self, level: Level, message: &str);
    /// The time of the request.
    fn now(&self) -> Result<UnixTime, HostError>;
    /// Keeps a few bytes where all workers find them, if the gateway can.
    fn remember(&self, key: &str, value: &[u8]);
    /// What was kept under a key.
    fn recall(&self, key: &str) -> Option<Vec<u8>>;
}

/// Gateways that have habits in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Envoy and what is built on it.
    Envoy,
    /// APISIX and Kong: nginx routes, by its variables, and of a request's headers at most
    /// [`NGINX_HEADERS`] are handed over, silently.
    Nginx,
}

/// How many headers a gateway on nginx hands over at most; APISIX adds up to three pseudo-headers.
pub const NGINX_HEADERS: usize = 100;

/// Levels of the gateway's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// Not shown by default.
    Info = 2,
    /// Shown by default, in APISIX too.
    Warn = 3,
    /// Something is wrong with the set-up.
    Error = 4,
}

/// A host function did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    /// Which function.
    pub call: &'static str,
    /// The status it answered (proxy-wasm ABI 0.2.1), or `u32::MAX` for an answer that makes no sense.
    pub status: u32,
}

/// Headers as the host serializes them: a count, then the lengths of names and values, then those, each with a
/// final NUL. Read in place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderMap(Vec<u8>);

// === impl HeaderMap ===

impl HeaderMap {
    /// Takes the host's bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        HeaderMap(bytes)
    }

    /// Serializes headers as a host does.
    pub fn from_pairs(pairs: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Self {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = number(pairs.len()).to_vec();
        for (name, value) in pairs {
            bytes.extend(number(name.as_ref().len()));
            bytes.extend(number(value.as_ref().len()));
        }
        for (name, value) in pairs {
            bytes.extend(name.as_ref());
            bytes.push(0);
            bytes.extend(value.as_ref());
            bytes.push(0);
        }
        HeaderMap(bytes)
    }

    /// The headers in their order, as far as the bytes hold them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let number = |at: usize| {
            let bytes = self.0.get(at..at.checked_add(4)?)?;
            usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
        };
        let count = number(0).unwrap_or(0);
        let mut sizes = 4usize;
        let mut text = count.checked_mul(8).and_then(|sizes| sizes.checked_add(4)).unwrap_or(usize::MAX);
        let mut left = if text <= self.0.len() { count } else { 0 };
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (name_length, value_length) = (number(sizes)?, number(sizes.checked_add(4)?)?);
            sizes = sizes.checked_add(8)?;
            let name_end = text.checked_add(name_length)?;
            let value_start = name_end.checked_add(1)?;
            let value_end = value_start.checked_add(value_length)?;
            let pair = (self.0.get(text..name_end)?, self.0.get(value_start..value_end)?);
            text = value_end.checked_add(1)?;
            Some(pair)
        })
    }

    /// How many headers there are, by the host's word.
    pub fn count(&self) -> usize {
        let count = self.0.first_chunk::<4>().map_or(0, |count| u32::from_le_bytes(*count));
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// The first value of a header; names compare without case.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

// === impl HostError ===

impl std::fmt::Display for HostError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answered status {}", self.call, self.status)
    }
}

#[cfg(target_arch = "wasm32")]
pub use wasm::WasmHost;

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the gateway is called through foreign functions; nothing else here is unsafe")]
mod wasm {
    use std::ptr::{null, null_mut};

    use super::*;

    const OK: u32 = 0;
    const NOT_FOUND: u32 = 1;
    const REQUEST_HEADERS: u32 = 0;
    const PLUGIN_CONFIGURATION: u32 = 7;

    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_log(level: u32, data: *const u8, size: usize) -> u32;
        fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            most: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize)
        -> u32;
        fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
    }

    #[cfg(feature = "metrics")]
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
        fn proxy_increment_metric(id: u32, by: i64) -> u32;
        fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        fn proxy_get_shared_data(
            key: *const u8,
            key_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
            cas: *mut u32,
        ) -> u32;
        fn proxy_set_shared_data(
            key: *const u8,
            key_size: usize,
            data: *const u8,
            size: usize,
            cas: u32,
        ) -> u32;
    }

    /// The gateway that runs this module.
    #[derive(Debug, Default)]
    pub struct WasmHost {
        #[cfg(feature = "metrics")]
        counters: std::cell::RefCell<Vec<Counter>>,
        /// Whether the gateway calls now and then, so that counters may wait until it does.
        #[cfg(feature = "metrics")]
        ticks: std::cell::Cell<bool>,
    }

    #[cfg(feature = "metrics")]
    #[derive(Debug)]
    struct Counter {
        name: String,
        id: u32,
        /// What the gateway was not told yet.
        waiting: i64,
    }

    impl WasmHost {
        /// The plugin's configuration.
        pub fn configuration(&self) -> Result<Vec<u8>, HostError> {
            let bytes = receive("proxy_get_buffer_bytes", |data, size| {
                // SAFETY: the host writes a pointer and a length to two valid places.
                unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, data, size) }
            })?;
            Ok(bytes.unwrap_or_default())
        }

        /// Asks the gateway to call once a second; until it agrees, counters are told at once.
        #[cfg(feature = "metrics")]
        pub fn tick(&self) {
            // SAFETY: takes a number only.
            self.ticks.set(unsafe { proxy_set_tick_period_milliseconds(1000) } == OK);
        }

        /// Tells the gateway what was counted since the last time.
        #[cfg(feature = "metrics")]
        pub fn tell(&self) {
            let Ok(mut counters) = self.counters.try_borrow_mut() else { return };
            for counter in counters.iter_mut().filter(|counter| counter.waiting > 0) {
                // SAFETY: takes numbers only. A lost count is no reason to deny, so that its status says nothing to us.
                let _ = unsafe { proxy_increment_metric(counter.id, counter.waiting) };
                counter.waiting = 0;
            }
        }
    }

    /// The last request of a configuration that was replaced takes its counts along.
    #[cfg(feature = "metrics")]
    impl Drop for WasmHost {
        fn drop(&mut self) {
            self.tell();
        }
    }

    impl Host for WasmHost {
        fn family(&self) -> Family {
            if cfg!(feature = "metrics") { Family::Envoy } else { Family::Nginx }
        }

        fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, HostError> {
            let mut joined = [0u8; 128];
            let mut length = 0usize;
            // segments are joined by NUL; ours are short and known
            for (index, segment) in path.iter().enumerate() {
                if index > 0 {
                    length += 1;
                }
                let end = length + segment.len();
                let Some(place) = joined.get_mut(length..end) else {
                    return Err(HostError { call: "proxy_get_property", status: u32::MAX });
                };
                place.copy_from_slice(segment.as_bytes());
                length = end;
            }
            receive("proxy_get_property", |data, size| {
                // SAFETY: the path is valid for its length; the host writes to two valid places.
                unsafe { proxy_get_property(joined.as_ptr(), length, data, size) }
            })
        }

        fn header(&self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
            receive("proxy_get_header_map_value", |data, size| {
                // SAFETY: the name is valid for its length; the host writes to two valid places.
                unsafe { proxy_get_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), data, size) }
            })
        }

        fn headers(&self) -> Result<HeaderMap, HostError> {
            let bytes = receive("proxy_get_header_map_pairs", |data, size| {
                // SAFETY: the host writes to two valid places.
                unsafe { proxy_get_header_map_pairs(REQUEST_HEADERS, data, size) }
            })?;
            Ok(HeaderMap::new(bytes.unwrap_or_default()))
        }

        fn set_header(&self, name: &str, value: &str) -> Result<(), HostError> {
            // SAFETY: name and value are valid for their lengths.
            let status = unsafe {
                proxy_replace_header_map_value(
                    REQUEST_HEADERS,
                    name.as_ptr(),
                    name.len(),
                    value.as_ptr(),
                    value.len(),
                )
            };
            done("proxy_replace_header_map_value", status)
        }

        fn remove_header(&self, name: &[u8]) -> Result<(), HostError> {
            // SAFETY: the name is valid for its length.
            let status = unsafe { proxy_remove_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len()) };
            if status == NOT_FOUND { Ok(()) } else { done("proxy_remove_header_map_value", status) }
        }

        fn respond(
            &self,
            status: u32,
            details: &str,
            headers: &[(String, String)],
            body: &str,
        ) -> Result<(), HostError> {
            let headers = HeaderMap::from_pairs(headers);
            // SAFETY: every pointer is valid for the length beside it.
            let status = unsafe {
                proxy_send_local_response(
                    status,
                    details.as_ptr(),
                    details.len(),
                    body.as_ptr(),
                    body.len(),
                    headers.0.as_ptr(),
                    headers.0.len(),
                    -1,
                )
            };
            done("proxy_send_local_response", status)
        }

        #[cfg(feature = "metrics")]
        fn count(&self, counter: &str) {
            let Ok(mut counters) = self.counters.try_borrow_mut() else { return };
            match counters.iter_mut().find(|known| known.name == counter) {
                Some(known) => known.waiting = known.waiting.saturating_add(1),
                None => {
                    let name = format!("mtls_guard.{counter}");
                    let mut id = 0u32;
                    // SAFETY: the name is valid for its length; the host writes to a valid place.
                    if unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), &mut id) } != OK {
                        return;
                    }
                    counters.push(Counter { name: counter.to_owned(), id, waiting: 1 });
                }
            }
            drop(counters);
            if !self.ticks.get() {
                self.tell();
            }
        }

        #[cfg(not(feature = "metrics"))]
        fn count(&self, _counter: &str) {}

        fn log(&self, level: Level, message: &str) {
            // SAFETY: the message is valid for its length. There is nowhere to tell that a log line was lost.
            let _ = unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
        }

        #[cfg(feature = "metrics")]
        fn now(&self) -> Result<UnixTime, HostError> {
            current_time()
        }

        /// APISIX answers "unimplemented" for the time, and has it as a variable.
        #[cfg(not(feature = "metrics"))]
        fn now(&self) -> Result<UnixTime, HostError> {
            for path in [&["msec"][..], &["ngx", "msec"]] {
                if let Ok(Some(text)) = self.property(path) {
                    let seconds = text.split(|byte| *byte == b'.').next().unwrap_or_default();
                    if let Some(seconds) =
                        std::str::from_utf8(seconds).ok().and_then(|text| text.parse().ok())
                    {
                        return Ok(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)));
                    }
                }
            }
            current_time()
        }

        #[cfg(feature = "metrics")]
        fn remember(&self, key: &str, value: &[u8]) {
            // SAFETY: key and value are valid for their lengths. What is not remembered is asked for again.
            let _ = unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), 0) };
        }

        #[cfg(feature = "metrics")]
        fn recall(&self, key: &str) -> Option<Vec<u8>> {
            let mut cas = 0u32;
            receive("proxy_get_shared_data", |data, size| {
                // SAFETY: the key is valid for its length; the host writes to three valid places.
                unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas) }
            })
            .ok()
            .flatten()
        }

        #[cfg(not(feature = "metrics"))]
        fn remember(&self, _key: &str, _value: &[u8]) {}

        #[cfg(not(feature = "metrics"))]
        fn recall(&self, _key: &str) -> Option<Vec<u8>> {
            None
        }
    }

    fn current_time() -> Result<UnixTime, HostError> {
        let mut nanoseconds = 0u64;
        // SAFETY: the host writes to a valid place.
        done("proxy_get_current_time_nanoseconds", unsafe {
            proxy_get_current_time_nanoseconds(&mut nanoseconds)
        })?;
        Ok(UnixTime::since_unix_epoch(std::time::Duration::from_nanos(nanoseconds)))
    }

    fn done(call: &'static str, status: u32) -> Result<(), HostError> {
        if status == OK { Ok(()) } else { Err(HostError { call, status }) }
    }

    /// Takes over the bytes that a host function allocated in this module's memory.
    fn receive(
        call: &'static str,
        ask: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    ) -> Result<Option<Vec<u8>>, HostError> {
        let mut data: *mut u8 = null_mut();
        let mut size = 0usize;
        match ask(&mut data, &mut size) {
            OK if std::ptr::eq(data, null()) || size == 0 => Ok(Some(Vec::new())),
            // SAFETY: the host allocated this block through the exported allocator, a Vec of exactly this capacity,
            // and hands it over.
            OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
            NOT_FOUND => Ok(None),
            status => Err(HostError { call, status }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_maps_are_read_as_far_as_they_go() {
        let map = HeaderMap::from_pairs(&[(":path", "/a"), ("x", ""), ("X-Y", "\u{ff}")]);
        let pairs: Vec<_> = map.iter().collect();
        assert_eq!(pairs, [(&b":path"[..], &b"/a"[..]), (b"x", b""), (b"X-Y", "\u{ff}".as_bytes())]);
        assert_eq!(map.first("x-y"), Some("\u{ff}".as_bytes()));
        // the last byte is the NUL after the last value, which nobody reads
        for length in 0..map.0.len() - 1 {
            let cut = HeaderMap::new(map.0.get(..length).unwrap().to_vec());
            assert!(cut.iter().count() < 3, "{length}");
        }
        for bytes in [&[0xff; 3][..], &[0xff; 64], &[0xff, 0xff, 0xff, 0x1f, 0, 0, 0, 0]] {
            assert_eq!(HeaderMap::new(bytes.to_vec()).iter().count(), 0);
        }
    }
}
