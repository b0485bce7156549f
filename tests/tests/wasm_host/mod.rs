//! A gateway's wasm host, imitated around a finished module. It shares no code with the filter: what the filter
//! misreads, this shows.
//!
//! Two gateways: wasm-nginx-module as APISIX 3.18 runs it (0.7.0, its functions those of 0.6.4), and Envoy 1.40.
//! APISIX's habits, each of which a filter written for Envoy trips over:
//!
//! - a property has one path segment, the name of an nginx variable whatever its case; outside a request every
//!   question about the request answers BAD_ARGUMENT;
//! - no clock, shared data, queue or metric: the first answer UNIMPLEMENTED, the last cannot even be linked;
//! - `proxy_on_vm_start` is never called, the count of headers is always 0, the end of the stream always true;
//! - `:authority` is no header of a request, `host` is; header names come in lower case; a hundred headers are handed
//!   over, with the three pseudo-headers behind them, and nobody is told of the others;
//! - the variable `host` is what it routes by: an absolute-form target's, whatever the Host header says;
//! - an empty value leaves the pointer untouched;
//! - contexts' numbers are used again;
//! - a filter that pauses without having answered takes the worker down.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wasmtime::{
    Caller, Config, Engine, Extern, Instance, Linker, Memory, Module, OptLevel, Store, TypedFunc, Val,
};

/// proxy-wasm's statuses.
pub const OK: i32 = 0;
pub const NOT_FOUND: i32 = 1;
pub const BAD_ARGUMENT: i32 = 2;
pub const INVALID_MEMORY_ACCESS: i32 = 6;
pub const INTERNAL_FAILURE: i32 = 10;
pub const UNIMPLEMENTED: i32 = 12;

const REQUEST_HEADERS: i32 = 0;
const PLUGIN_CONFIGURATION: i32 = 7;

/// What wasm-nginx-module 0.6.4 declares of `env`, with the number of its parameters (all i32; a second number
/// is the parameter that is i64), and whether it does something.
const APISIX: [(&str, usize); 32] = [
    ("proxy_add_header_map_value", 5),
    ("proxy_call_foreign_function", 6),
    ("proxy_close_stream", 1),
    ("proxy_continue_stream", 1),
    ("proxy_dequeue_shared_queue", 3),
    ("proxy_done", 0),
    ("proxy_enqueue_shared_queue", 3),
    ("proxy_get_buffer_bytes", 5),
    ("proxy_get_current_time_nanoseconds", 1),
    ("proxy_get_header_map_pairs", 3),
    ("proxy_get_header_map_value", 5),
    ("proxy_get_property", 4),
    ("proxy_get_shared_data", 5),
    ("proxy_get_status", 3),
    ("proxy_grpc_call", 12),
    ("proxy_grpc_cancel", 1),
    ("proxy_grpc_close", 1),
    ("proxy_grpc_send", 4),
    ("proxy_grpc_stream", 9),
    ("proxy_http_call", 10),
    ("proxy_log", 3),
    ("proxy_register_shared_queue", 3),
    ("proxy_remove_header_map_value", 3),
    ("proxy_replace_header_map_value", 5),
    ("proxy_resolve_shared_queue", 5),
    ("proxy_send_local_response", 8),
    ("proxy_set_buffer_bytes", 5),
    ("proxy_set_effective_context", 1),
    ("proxy_set_header_map_pairs", 3),
    ("proxy_set_property", 4),
    ("proxy_set_shared_data", 5),
    ("proxy_set_tick_period_milliseconds", 1),
];

/// Which gateway's habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    Apisix,
    Envoy,
}

/// A request in the gateway's hands.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub host: String,
    pub path: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Properties: path segments joined by NUL.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Seconds since 1970.
    pub at: u64,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The local response, if one was sent; the request went upstream otherwise.
    pub response: Option<Response>,
    /// The request's headers as the upstream gets them.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub logged: Vec<String>,
    pub counted: Vec<String>,
    pub calls: Vec<&'static str>,
    /// It paused without having answered: Envoy would wait, APISIX's worker crash.
    pub stuck: bool,
    /// Wasm instructions, roughly; 0 unless they are counted.
    pub instructions: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: i32,
    pub details: String,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// A host function that does not do what it should.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It answers so and does nothing.
    Status(&'static str, i32),
    /// It hands over these bytes, whatever was asked.
    Bytes(&'static str, Vec<u8>),
}

/// One worker of a gateway with a module in it.
pub struct Worker {
    store: Store<Hosted>,
    instance: Instance,
    gateway: Gateway,
    free: VecDeque<i32>,
    next: i32,
    counting: bool,
}

/// What the host functions see.
struct Hosted {
    gateway: Gateway,
    configuration: Vec<u8>,
    request: Option<Request>,
    response: Option<Response>,
    logged: Vec<String>,
    counted: Vec<String>,
    calls: Vec<&'static str>,
    metrics: Vec<String>,
    /// It asked to be called now and then.
    ticks: bool,
    shared: BTreeMap<Vec<u8>, Vec<u8>>,
    fault: Option<Fault>,
}

/// The finished module of a gateway.
pub fn module(gateway: Gateway) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = target.join("dist").join(match gateway {
        Gateway::Apisix => "mtls_guard_apisix.wasm",
        Gateway::Envoy => "mtls_guard.wasm",
    });
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}: run cargo run --release -p mtls-tests --bin dist", path.display())
    })
}

/// A module as code of this machine: made once for all tests of the process, since making it takes longer than they do.
fn compiled(module: &[u8], counting: bool) -> Result<Module, wasmtime::Error> {
    static COMPILED: Mutex<BTreeMap<(Vec<u8>, bool), Module>> = Mutex::new(BTreeMap::new());
    let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (module.to_vec(), counting);
    if let Some(made) = known.get(&key) {
        return Ok(made.clone());
    }
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None).consume_fuel(counting);
    let made = Module::new(&Engine::new(&config)?, module)?;
    known.insert(key, made.clone());
    Ok(made)
}

// === impl Worker ===

impl Worker {
    /// Loads a gateway's module as the gateway does: every import has to be there.
    pub fn load(gateway: Gateway, counting: bool) -> Result<Self, wasmtime::Error> {
        Self::with_module(gateway, &module(gateway), counting)
    }

    pub fn with_module(gateway: Gateway, module: &[u8], counting: bool) -> Result<Self, wasmtime::Error> {
        Self::start(gateway, compiled(module, counting)?, counting)
    }

    fn start(gateway: Gateway, module: Module, counting: bool) -> Result<Self, wasmtime::Error> {
        let engine = module.engine().clone();
        let mut linker = Linker::new(&engine);
        link(&mut linker, gateway)?;
        let hosted = Hosted {
            gateway,
            configuration: Vec::new(),
            request: None,
            response: None,
            logged: Vec::new(),
            counted: Vec::new(),
            calls: Vec::new(),
            metrics: Vec::new(),
            ticks: false,
            shared: BTreeMap::new(),
            fault: None,
        };
        let mut store = Store::new(&engine, hosted);
        if counting {
            store.set_fuel(u64::MAX)?;
        }
        let instance = linker.instantiate(&mut store, &module)?;
        let mut worker = Worker { store, instance, gateway, free: VecDeque::new(), next: 1, counting };
        // both call whichever of the two there is; proxy_on_vm_start is Envoy's alone
        for start in ["_initialize", "_start"] {
            if worker.has(start) {
                worker.call::<(), ()>(start, ())?;
                break;
            }
        }
        if gateway == Gateway::Envoy && worker.has("proxy_on_vm_start") {
            worker.call::<(i32, i32), i32>("proxy_on_vm_start", (1, 0))?;
        }
        Ok(worker)
    }

    /// Makes a plugin context with a configuration; `None` if the filter refuses it. The lines it logged.
    pub fn configure(&mut self, text: &[u8]) -> (Option<i32>, Vec<String>) {
        let root = self.number();
        self.store.data_mut().configuration = text.to_vec();
        self.call::<(i32, i32), ()>("proxy_on_context_create", (root, 0)).unwrap();
        let size = i32::try_from(text.len()).unwrap();
        let taken: i32 = self.call("proxy_on_configure", (root, size)).unwrap();
        let logged = std::mem::take(&mut self.store.data_mut().logged);
        ((taken != 0).then_some(root), logged)
    }

    /// Hands a request to the plugin with this context; the error is a trap.
    pub fn ask(&mut self, root: i32, request: &Request) -> Result<Answer, wasmtime::Error> {
        let before = if self.counting { self.store.get_fuel()? } else { 0 };
        let context = self.number();
        let hosted = self.store.data_mut();
        hosted.request = Some(request.in_gateway(hosted.gateway));
        hosted.response = None;
        hosted.calls.clear();
        self.call::<(i32, i32), ()>("proxy_on_context_create", (context, root))?;
        let (count, end) = match self.gateway {
            Gateway::Apisix => (0, 1),
            Gateway::Envoy => (i32::try_from(request.headers.len() + 4).unwrap(), 1),
        };
        let action: i32 = self.call("proxy_on_request_headers", (context, count, end))?;
        for name in ["proxy_on_done", "proxy_on_log", "proxy_on_delete"] {
            if !self.has(name) || (name == "proxy_on_log" && self.gateway == Gateway::Apisix) {
                continue;
            }
            match name {
                "proxy_on_done" => drop(self.call::<i32, i32>(name, context)?),
                _ => self.call::<i32, ()>(name, context)?,
            }
        }
        if self.gateway == Gateway::Apisix {
            self.free.push_back(context);
        }
        let after = if self.counting { self.store.get_fuel()? } else { 0 };
        let hosted = self.store.data_mut();
        let request = hosted.request.take().unwrap();
        let calls = std::mem::take(&mut hosted.calls);
        if hosted.ticks {
            self.call::<i32, ()>("proxy_on_tick", root)?;
        }
        let hosted = self.store.data_mut();
        let response = hosted.response.take();
        Ok(Answer {
            stuck: action != 0 && response.is_none(),
            response,
            headers: request.headers,
            logged: std::mem::take(&mut hosted.logged),
            counted: std::mem::take(&mut hosted.counted),
            calls,
            instructions: before.saturating_sub(after),
        })
    }

    /// Ends a plugin context, as a reload does.
    pub fn end(&mut self, root: i32) {
        for name in ["proxy_on_done", "proxy_on_delete"] {
            if !self.has(name) {
                continue;
            }
            match name {
                "proxy_on_done" => drop(self.call::<i32, i32>(name, root).unwrap()),
                _ => self.call::<i32, ()>(name, root).unwrap(),
            }
        }
        self.free.push_back(root);
    }

    /// From now on a host function fails, or none.
    pub fn fault(&mut self, fault: Option<Fault>) {
        self.store.data_mut().fault = fault;
    }

    /// Bytes of the module's memory.
    pub fn memory(&mut self) -> usize {
        self.instance.get_memory(&mut self.store, "memory").unwrap().data_size(&self.store)
    }

    fn number(&mut self) -> i32 {
        self.free.pop_front().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn has(&mut self, name: &str) -> bool {
        self.instance.get_func(&mut self.store, name).is_some()
    }

    fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &str,
        parameters: P,
    ) -> Result<R, wasmtime::Error> {
        let function: TypedFunc<P, R> = self.instance.get_typed_func(&mut self.store, name)?;
        function.call(&mut self.store, parameters)
    }
}

// === impl Request ===

impl Request {
    /// The headers and properties as a gateway shows them.
    fn in_gateway(&self, gateway: Gateway) -> Self {
        let mut request = self.clone();
        let method = (b":method".to_vec(), self.method.clone().into_bytes());
        let path = (b":path".to_vec(), self.path.clone());
        let scheme = (b":scheme".to_vec(), b"https".to_vec());
        for (name, _) in &mut request.headers {
            name.make_ascii_lowercase();
        }
        match gateway {
            Gateway::Apisix => {
                // nginx has the host as a header, also in HTTP/2; the three it calls pseudo-headers come last
                request.headers.insert(0, (b"host".to_vec(), self.host.clone().into_bytes()));
                request.headers.extend([path, method, scheme]);
                let clock = format!("{}.132", self.at).into_bytes();
                request.properties.entry(b"msec".to_vec()).or_insert(clock);
                let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                request.properties.entry(b"host".to_vec()).or_insert(name.into_bytes());
                request.properties.insert(b"http_host".to_vec(), self.host.clone().into_bytes());
            }
            Gateway::Envoy => {
                let authority = (b":authority".to_vec(), self.host.clone().into_bytes());
                request.headers.splice(0..0, [authority, path, method, scheme]);
            }
        }
        request
    }

    /// The first value of a header.
    fn header(&self, gateway: Gateway, name: &[u8]) -> Option<Vec<u8>> {
        let mut found = self.handed_over(gateway).into_iter();
        found.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn handed_over(&self, gateway: Gateway) -> Vec<(Vec<u8>, Vec<u8>)> {
        let pseudo =
            |pseudo: bool| self.headers.iter().filter(move |(name, _)| name.starts_with(b":") == pseudo);
        match gateway {
            Gateway::Apisix => pseudo(false).take(100).chain(pseudo(true)).cloned().collect(),
            Gateway::Envoy => self.headers.clone(),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// `allow`, or the reason of the denial as its details state it.
    pub fn word(&self) -> String {
        match &self.response {
            None if self.stuck => "stuck".to_owned(),
            None => "allow".to_owned(),
            Some(response) => {
                let details = response.details.strip_prefix("mtls_guard_").unwrap_or(&response.details);
                details.replace('_', "-")
            }
        }
    }

    /// The values of a header, as the upstream sees them.
    pub fn upstream(&self, name: &str) -> Vec<String> {
        let same = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        same.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

// --- the host functions --------------------------------------------------------------------------

type Host<'a> = Caller<'a, Hosted>;

fn link(linker: &mut Linker<Hosted>, gateway: Gateway) -> Result<(), wasmtime::Error> {
    linker.func_wrap("env", "proxy_log", |mut host: Host<'_>, _level: i32, text: i32, size: i32| {
        host.data_mut().calls.push("proxy_log");
        let Some(line) = taken(&mut host, text, size) else { return INVALID_MEMORY_ACCESS };
        host.data_mut().logged.push(String::from_utf8_lossy(&line).into_owned());
        OK
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut host: Host<'_>, path: i32, size: i32, data: i32, length: i32| {
            let Some(path) = taken(&mut host, path, size) else { return INVALID_MEMORY_ACCESS };
            answer(&mut host, "proxy_get_property", data, length, |hosted| {
                let Some(request) = &hosted.request else { return Err(BAD_ARGUMENT) };
                let path = match hosted.gateway {
                    // a path of several segments is the name of no variable
                    Gateway::Apisix => path.to_ascii_lowercase(),
                    Gateway::Envoy => path.clone(),
                };
                request.properties.get(&path).cloned().ok_or(NOT_FOUND)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut host: Host<'_>, kind: i32, start: i32, most: i32, data: i32, length: i32| {
            answer(&mut host, "proxy_get_buffer_bytes", data, length, |hosted| {
                match (kind, hosted.gateway) {
                    (PLUGIN_CONFIGURATION, Gateway::Apisix) if hosted.configuration.is_empty() => {
                        Err(NOT_FOUND)
                    }
                    // the whole of it, wherever the part should begin
                    (PLUGIN_CONFIGURATION, Gateway::Apisix) => Ok(hosted.configuration.clone()),
                    (PLUGIN_CONFIGURATION, Gateway::Envoy) => {
                        // the lengths are unsigned there, and a sum that wraps is a bad argument
                        let (start, most) = (start.cast_unsigned(), most.cast_unsigned());
                        if start.checked_add(most).is_none() {
                            return Err(BAD_ARGUMENT);
                        }
                        let rest = hosted.configuration.get(usize::try_from(start).unwrap()..);
                        let rest = rest.unwrap_or_default();
                        Ok(rest.get(..usize::try_from(most).unwrap()).unwrap_or(rest).to_vec())
                    }
                    (_, Gateway::Apisix) => Err(UNIMPLEMENTED),
                    (_, Gateway::Envoy) => Err(NOT_FOUND),
                }
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut host: Host<'_>, map: i32, data: i32, length: i32| {
            answer(&mut host, "proxy_get_header_map_pairs", data, length, |hosted| {
                match (&hosted.request, map) {
                    (Some(request), REQUEST_HEADERS) => Ok(serialized(&request.handed_over(hosted.gateway))),
                    _ => Err(BAD_ARGUMENT),
                }
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut host: Host<'_>, map: i32, name: i32, size: i32, data: i32, length: i32| {
            let Some(name) = taken(&mut host, name, size) else { return INVALID_MEMORY_ACCESS };
            answer(&mut host, "proxy_get_header_map_value", data, length, |hosted| {
                match (&hosted.request, map) {
                    (Some(request), REQUEST_HEADERS) => {
                        request.header(hosted.gateway, &name).ok_or(NOT_FOUND)
                    }
                    _ => Err(BAD_ARGUMENT),
                }
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |mut host: Host<'_>, map: i32, name: i32, size: i32, value: i32, length: i32| {
            let call = "proxy_replace_header_map_value";
            let (Some(name), Some(value)) = (taken(&mut host, name, size), taken(&mut host, value, length))
            else {
                return INVALID_MEMORY_ACCESS;
            };
            change(&mut host, call, map, |headers| {
                headers.retain(|(found, _)| !found.eq_ignore_ascii_case(&name));
                headers.push((name, value));
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut host: Host<'_>, map: i32, name: i32, size: i32| {
            let Some(name) = taken(&mut host, name, size) else { return INVALID_MEMORY_ACCESS };
            change(&mut host, "proxy_remove_header_map_value", map, |headers| {
                headers.retain(|(found, _)| !found.eq_ignore_ascii_case(&name));
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut host: Host<'_>,
         status: i32,
         details: i32,
         details_size: i32,
         body: i32,
         body_size: i32,
         headers: i32,
         headers_size: i32,
         _grpc: i32| {
            let call = "proxy_send_local_response";
            host.data_mut().calls.push(call);
            if let Some(Fault::Status(broken, status)) = &host.data().fault
                && *broken == call
            {
                return *status;
            }
            let parts = [(details, details_size), (body, body_size), (headers, headers_size)];
            let [Some(details), Some(body), Some(headers)] =
                parts.map(|(place, size)| taken(&mut host, place, size))
            else {
                return INVALID_MEMORY_ACCESS;
            };
            let headers = if headers.is_empty() { Vec::new() } else { parsed(&headers) };
            let details = String::from_utf8(details).unwrap();
            host.data_mut().response = Some(Response { status, details, headers, body });
            OK
        },
    )?;
    if gateway == Gateway::Envoy {
        link_envoy(linker)?;
    }
    link_unimplemented(linker);
    Ok(())
}

/// What there is beside: declared, so that modules load, and answering that it is not there. (Envoy does more of
/// it; the filter uses none.)
fn link_unimplemented(linker: &mut Linker<Hosted>) {
    for (name, parameters) in APISIX {
        let kinds = std::iter::repeat_n(wasmtime::ValType::I32, parameters);
        let kind = wasmtime::FuncType::new(linker.engine(), kinds, [wasmtime::ValType::I32]);
        let unimplemented = linker.func_new("env", name, kind, move |mut host: Host<'_>, _, results| {
            host.data_mut().calls.push(name);
            let status = if name == "proxy_set_effective_context" { OK } else { UNIMPLEMENTED };
            if let Some(result) = results.first_mut() {
                *result = Val::I32(status);
            }
            Ok(())
        });
        // those that do something are there already
        drop(unimplemented);
    }
}

fn link_envoy(linker: &mut Linker<Hosted>) -> Result<(), wasmtime::Error> {
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", |mut host: Host<'_>, time: i32| {
        let call = "proxy_get_current_time_nanoseconds";
        host.data_mut().calls.push(call);
        if let Some(Fault::Status(broken, status)) = &host.data().fault
            && *broken == call
        {
            return *status;
        }
        let at = host.data().request.as_ref().map_or(0, |request| request.at);
        written(&mut host, time, &(at * 1_000_000_000).to_le_bytes())
    })?;
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut host: Host<'_>, _kind: i32, name: i32, size: i32, id: i32| {
            host.data_mut().calls.push("proxy_define_metric");
            let Some(name) = taken(&mut host, name, size) else { return INVALID_MEMORY_ACCESS };
            let metrics = &mut host.data_mut().metrics;
            metrics.push(String::from_utf8(name).unwrap());
            let number = u32::try_from(metrics.len()).unwrap();
            written(&mut host, id, &number.to_le_bytes())
        },
    )?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", |mut host: Host<'_>, period: i32| {
        host.data_mut().calls.push("proxy_set_tick_period_milliseconds");
        host.data_mut().ticks = period > 0;
        OK
    })?;
    linker.func_wrap("env", "proxy_increment_metric", |mut host: Host<'_>, id: i32, by: i64| {
        host.data_mut().calls.push("proxy_increment_metric");
        assert!(by > 0);
        let index = usize::try_from(id).unwrap() - 1;
        let hosted = host.data_mut();
        match hosted.metrics.get(index) {
            Some(name) => {
                hosted.counted.extend((0..by).map(|_| name.clone()));
                OK
            }
            None => NOT_FOUND,
        }
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut host: Host<'_>, key: i32, size: i32, data: i32, length: i32, cas: i32| {
            let Some(key) = taken(&mut host, key, size) else { return INVALID_MEMORY_ACCESS };
            let status = answer(&mut host, "proxy_get_shared_data", data, length, |hosted| {
                hosted.shared.get(&key).cloned().ok_or(NOT_FOUND)
            });
            if status == OK { written(&mut host, cas, &1u32.to_le_bytes()) } else { status }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut host: Host<'_>, key: i32, size: i32, value: i32, length: i32, _cas: i32| {
            host.data_mut().calls.push("proxy_set_shared_data");
            let (Some(key), Some(value)) = (taken(&mut host, key, size), taken(&mut host, value, length))
            else {
                return INVALID_MEMORY_ACCESS;
            };
            host.data_mut().shared.insert(key, value);
            OK
        },
    )?;
    Ok(())
}

/// Answers a question with bytes, unless it is to fail.
fn answer(
    host: &mut Host<'_>,
    call: &'static str,
    data: i32,
    length: i32,
    ask: impl FnOnce(&Hosted) -> Result<Vec<u8>, i32>,
) -> i32 {
    host.data_mut().calls.push(call);
    let asked = ask(host.data());
    let asked = match &host.data().fault {
        Some(Fault::Status(broken, status)) if *broken == call => Err(*status),
        Some(Fault::Bytes(broken, bytes)) if *broken == call => Ok(bytes.clone()),
        _ => asked,
    };
    match asked {
        Ok(bytes) => handed_over(host, &bytes, data, length),
        Err(status) => status,
    }
}

/// Changes the request's headers, unless it is to fail.
fn change(
    host: &mut Host<'_>,
    call: &'static str,
    map: i32,
    edit: impl FnOnce(&mut Vec<(Vec<u8>, Vec<u8>)>),
) -> i32 {
    let hosted = host.data_mut();
    hosted.calls.push(call);
    if let Some(Fault::Status(broken, status)) = &hosted.fault
        && *broken == call
    {
        return *status;
    }
    match (&mut hosted.request, map) {
        (Some(request), REQUEST_HEADERS) => {
            edit(&mut request.headers);
            OK
        }
        _ => BAD_ARGUMENT,
    }
}

/// Copies bytes into memory that the module allocates, and says where.
fn handed_over(host: &mut Host<'_>, bytes: &[u8], data: i32, length: i32) -> i32 {
    let size = i32::try_from(bytes.len()).unwrap();
    let status = written(host, length, &size.to_le_bytes());
    if status != OK {
        return status;
    }
    if bytes.is_empty() {
        return match host.data().gateway {
            Gateway::Apisix => OK,
            Gateway::Envoy => written(host, data, &[0; 4]),
        };
    }
    let allocate = ["proxy_on_memory_allocate", "malloc"]
        .iter()
        .find_map(|name| host.get_export(name).and_then(Extern::into_func))
        .unwrap();
    let allocate: TypedFunc<i32, i32> = allocate.typed(&*host).unwrap();
    let place = match allocate.call(&mut *host, size) {
        Ok(0) | Err(_) => return INTERNAL_FAILURE,
        Ok(place) => place,
    };
    match written(host, place, bytes) {
        OK => written(host, data, &place.to_le_bytes()),
        status => status,
    }
}

fn memory(host: &mut Host<'_>) -> Memory {
    host.get_export("memory").and_then(Extern::into_memory).unwrap()
}

/// The bytes at a place of the module's memory, if they lie in it.
fn taken(host: &mut Host<'_>, place: i32, size: i32) -> Option<Vec<u8>> {
    let (place, size) = (place.cast_unsigned(), size.cast_unsigned());
    let (place, size) = (usize::try_from(place).ok()?, usize::try_from(size).ok()?);
    let memory = memory(host);
    memory.data(&*host).get(place..place.checked_add(size)?).map(<[u8]>::to_vec)
}

fn written(host: &mut Host<'_>, place: i32, bytes: &[u8]) -> i32 {
    let memory = memory(host);
    let place = usize::try_from(place.cast_unsigned()).unwrap();
    match memory.write(&mut *host, place, bytes) {
        Ok(()) => OK,
        Err(_) => INVALID_MEMORY_ACCESS,
    }
}

/// Headers as proxy-wasm serializes them.
pub fn serialized(headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut bytes = Vec::from(number(headers.len()));
    bytes.extend(headers.iter().flat_map(|(name, value)| [number(name.len()), number(value.len())].concat()));
    bytes.extend(headers.iter().flat_map(|(name, value)| [name, &[0][..], value, &[0]].concat()));
    bytes
}

fn parsed(mut bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let number = |bytes: &mut &[u8]| {
        let (first, rest) = bytes.split_first_chunk::<4>().unwrap();
        *bytes = rest;
        usize::try_from(u32::from_le_bytes(*first)).unwrap()
    };
    let count = number(&mut bytes);
    let sizes: Vec<(usize, usize)> = (0..count).map(|_| (number(&mut bytes), number(&mut bytes))).collect();
    let mut text = |size: usize| {
        let (text, rest) = bytes.split_at(size);
        let ([0], rest) = rest.split_at(1) else { panic!("no NUL after a name or value") };
        bytes = rest;
        text.to_vec()
    };
    let headers = sizes.into_iter().map(|(name, value)| (text(name), text(value))).collect();
    assert!(bytes.is_empty(), "bytes after the last header");
    headers
}
