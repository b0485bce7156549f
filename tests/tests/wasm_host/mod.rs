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

mod functions;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store, TypedFunc};

pub use functions::serialized;

/// proxy-wasm's statuses.
pub const OK: i32 = 0;
pub const NOT_FOUND: i32 = 1;
pub const BAD_ARGUMENT: i32 = 2;
pub const INVALID_MEMORY_ACCESS: i32 = 6;
pub const INTERNAL_FAILURE: i32 = 10;
pub const UNIMPLEMENTED: i32 = 12;

const PLUGIN_CONFIGURATION: i32 = 7;

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
        functions::link(&mut linker, gateway)?;
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
