//! A filter of the SDK that decides nothing: what the measurements of the real one are held against. It makes the host
//! calls that its configuration names: `path`, `digest`, `time`, `count`.

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the entry point has a name that the host looks for")]
mod entry {
    use proxy_wasm::hostcalls;
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::{Action, ContextType, MapType, MetricType};

    #[derive(Clone, Copy, Default)]
    struct Nothing {
        path: bool,
        digest: bool,
        time: bool,
        counter: Option<u32>,
    }

    impl Context for Nothing {}

    impl RootContext for Nothing {
        fn on_configure(&mut self, _size: usize) -> bool {
            let configuration = self.get_plugin_configuration().unwrap_or_default();
            for word in configuration.split(|byte| *byte == b' ') {
                match word {
                    b"path" => self.path = true,
                    b"digest" => self.digest = true,
                    b"time" => self.time = true,
                    b"count" => {
                        self.counter = hostcalls::define_metric(MetricType::Counter, "noop.calls").ok();
                    }
                    _ => {}
                }
            }
            true
        }

        fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(*self))
        }

        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }
    }

    impl HttpContext for Nothing {
        fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
            let mut worked = true;
            if self.path {
                worked &= hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, ":path").is_ok();
            }
            if self.digest {
                let digest = vec!["connection", "sha256_peer_certificate_digest"];
                worked &= hostcalls::get_property(digest).is_ok();
            }
            if self.time {
                worked &= hostcalls::get_current_time().is_ok();
            }
            if let Some(counter) = self.counter {
                worked &= hostcalls::increment_metric(counter, 1).is_ok();
            }
            if worked { Action::Continue } else { Action::Pause }
        }
    }

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(Nothing::default()));
    }}
}
