//! A filter of the SDK that does nothing: what the measurements of the real one are held against.

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the entry point has a name that the host looks for")]
mod entry {
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::{Action, ContextType};

    struct Nothing;

    impl Context for Nothing {}

    impl RootContext for Nothing {
        fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Nothing))
        }

        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }
    }

    impl HttpContext for Nothing {
        fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
            Action::Continue
        }
    }

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(Nothing));
    }}
}
