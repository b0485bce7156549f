//! The proxy-wasm filter: decides for each request whether the client certificate that the gateway accepted may
//! make it. The configuration reference is [`mtls_identity::policy`].
//!
//! ```text
//! Host → presented → Certificate → Policy::recognise (cached) → Policy::decide → host action
//! ```
//!
//! ## In Envoy
//! ```yaml
//! http_filters:
//!   - name: mtls-guard
//!     typed_config:
//!       "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
//!       config:
//!         name: mtls-guard
//!         root_id: mtls-guard
//!         failure_policy: FAIL_RELOAD
//!         configuration:             # a StringValue: a Struct would arrive as binary
//!           "@type": type.googleapis.com/google.protobuf.StringValue
//!           value: |
//!             certificate: {from: envoy}
//!             identities: {web: {spiffe: spiffe://example.org/ns/shop/sa/web}}
//!             rules: [{path: /orders/**, allow: web}]
//!         vm_config:
//!           runtime: envoy.wasm.runtime.v8
//!           code: {local: {filename: /etc/envoy/mtls_guard.wasm}}
//! ```
//!
//! ## In APISIX
//! ```yaml
//! # config.yaml
//! wasm:
//!   plugins:
//!     - {name: mtls_guard, priority: 7999, file: /usr/local/apisix/mtls_guard_apisix.wasm}
//! # a route
//! plugins:
//!   mtls_guard:
//!     conf: |
//!       certificate: {from: apisix}
//!       identities: {web: {spiffe: spiffe://example.org/ns/shop/sa/web}}
//!       rules: [{path: /orders/**, allow: web}]
//! ```
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod config;
pub mod filter;
pub mod host;
pub mod presented;

#[cfg(target_arch = "wasm32")]
mod wiring {
    use std::rc::Rc;

    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::{Action, ContextType};

    use crate::config::Config;
    use crate::filter::{Guard, Verdict, refuse};
    use crate::host::{Host, Level, WasmHost};

    #[derive(Default)]
    struct Root {
        host: Rc<WasmHost>,
        guard: Option<Rc<Guard>>,
    }

    struct Stream {
        host: Rc<WasmHost>,
        guard: Option<Rc<Guard>>,
    }

    impl Context for Root {}

    impl RootContext for Root {
        fn on_configure(&mut self, _size: usize) -> bool {
            let config = self.host.configuration().map_err(|error| error.to_string());
            match config.and_then(|bytes| Config::parse(&bytes)) {
                Ok(config) => {
                    self.guard = Some(Rc::new(Guard::new(config)));
                    true
                }
                Err(error) => {
                    self.guard = None;
                    self.host
                        .log(Level::Error, &format!("mtls-guard: the configuration is refused: {error}"));
                    false
                }
            }
        }

        fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Stream { host: Rc::clone(&self.host), guard: self.guard.clone() }))
        }

        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }
    }

    impl Context for Stream {}

    impl HttpContext for Stream {
        fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
            let verdict = match &self.guard {
                Some(guard) => guard.on_request(&*self.host),
                None => refuse(&*self.host),
            };
            match verdict {
                Verdict::Continue => Action::Continue,
                Verdict::Answered => Action::Pause,
            }
        }
    }

    #[allow(unsafe_code, reason = "the entry point has a name that the host looks for")]
    mod entry {
        use super::Root;

        proxy_wasm::main! {{
            proxy_wasm::set_root_context(|_| Box::new(Root::default()));
        }}
    }
}
