//! The finished modules: what they import and export, held against what each gateway has.

use std::path::{Path, PathBuf};

use wasmparser::Payload;

/// What wasm-nginx-module 0.6.4 declares of `env`: the SDK's 32, none of the four metric functions.
const APISIX: [&str; 32] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_log",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// What Envoy has beside those and the filter uses.
const ENVOY: [&str; 2] = ["proxy_define_metric", "proxy_increment_metric"];

fn bytes(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = target.join("dist").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}: run cargo run --release -p mtls-tests --bin dist", path.display())
    })
}

/// The module's imports, with the names of their modules, and its exports.
fn module(name: &str) -> (Vec<(String, String)>, Vec<String>) {
    let bytes = bytes(name);
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for payload in wasmparser::Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::ImportSection(section) => imports.extend(section.into_iter().map(|import| {
                let import = import.unwrap();
                (import.module.to_owned(), import.name.to_owned())
            })),
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}

#[test]
fn a_module_imports_only_what_its_gateway_has() {
    for (name, more) in [("mtls_guard.wasm", &ENVOY[..]), ("mtls_guard_apisix.wasm", &[])] {
        let (imports, _) = module(name);
        for (module, import) in &imports {
            let known = APISIX.contains(&import.as_str()) || more.contains(&import.as_str());
            assert!(module == "env" && known, "{name} imports {module}.{import}");
        }
        for needed in more {
            assert!(imports.iter().any(|(_, import)| import == needed), "{name} lacks {needed}");
        }
    }
}

#[test]
fn a_module_exports_the_abi_and_no_callback_that_does_nothing() {
    for name in ["mtls_guard.wasm", "mtls_guard_apisix.wasm"] {
        let (_, mut exports) = module(name);
        exports.sort_unstable();
        let mut expected = vec![
            "_initialize",
            "malloc",
            "memory",
            "proxy_abi_version_0_2_1",
            "proxy_on_configure",
            "proxy_on_context_create",
            "proxy_on_delete",
            "proxy_on_request_headers",
        ];
        // what was counted is told there; APISIX never calls it
        if name == "mtls_guard.wasm" {
            expected.push("proxy_on_tick");
        }
        assert_eq!(exports, expected, "{name}");
    }
}

#[test]
fn no_path_of_the_machine_that_built_it_is_in_a_module() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_string_lossy().into_owned();
    let home = std::env::var("HOME").unwrap_or_default();
    for name in ["mtls_guard.wasm", "mtls_guard_apisix.wasm"] {
        let text = String::from_utf8_lossy(&bytes(name)).into_owned();
        for path in [&workspace, &format!("{home}/"), "registry/src", "/toolchains/"] {
            assert!(path.len() < 3 || !text.contains(path), "{name} has {path} in it");
        }
    }
}

#[test]
fn no_message_of_a_panic_is_in_a_module() {
    for name in ["mtls_guard.wasm", "mtls_guard_apisix.wasm"] {
        let text = String::from_utf8_lossy(&bytes(name)).into_owned();
        for message in
            ["called `Option", "index out of bounds", "panicked", "assertion", "memory allocation of"]
        {
            assert!(!text.contains(message), "{name} has {message:?} in it");
        }
    }
}
