//! The proxy-wasm filter: decides for each request whether the client certificate that the gateway accepted may
//! make it. The configuration reference is [`mtls_identity::policy`].
//!
//! ```text
//! Host → presented → Certificate → Policy::recognise (cached) → Policy::decide → host action
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
