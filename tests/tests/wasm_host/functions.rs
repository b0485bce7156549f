//! The functions that a gateway offers to a module, each with its gateway's habits.

use wasmtime::{Caller, Extern, Linker, Memory, TypedFunc, Val};

use super::{
    BAD_ARGUMENT, Fault, Gateway, Hosted, INTERNAL_FAILURE, INVALID_MEMORY_ACCESS, NOT_FOUND, OK,
    PLUGIN_CONFIGURATION, Response, UNIMPLEMENTED,
};

const REQUEST_HEADERS: i32 = 0;

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

type Host<'a> = Caller<'a, Hosted>;

pub(super) fn link(linker: &mut Linker<Hosted>, gateway: Gateway) -> Result<(), wasmtime::Error> {
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
