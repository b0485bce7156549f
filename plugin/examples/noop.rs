//! A filter of the SDK that decides nothing: what the measurements of the real one are held against. Configured with
//! `calls`, it makes the host calls that the real one makes about a known certificate.

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the entry point has a name that the host looks for")]
mod entry {
    use proxy_wasm::hostcalls;
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::{Action, ContextType, MapType, MetricType};

    #[derive(Clone, Copy, Default)]
    struct Nothing {
        counter: Option<u32>,
    }

    impl Context for Nothing {}

    impl RootContext for Nothing {
        fn on_configure(&mut self, _size: usize) -> bool {
            if self.get_plugin_configuration().is_some_and(|text| text == b"calls") {
                self.counter = hostcalls::define_metric(MetricType::Counter, "noop.calls").ok();
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
            if let Some(counter) = self.counter {
                let path = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, ":path");
                let digest = hostcalls::get_property(vec!["connection", "sha256_peer_certificate_digest"]);
                let known = path.is_ok() && digest.is_ok() && hostcalls::get_current_time().is_ok();
                let _ = hostcalls::increment_metric(counter, i64::from(known));
            }
            Action::Continue
        }
    }

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(Nothing::default()));
    }}
}
