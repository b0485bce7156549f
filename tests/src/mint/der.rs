//! DER, written by hand so that it can be written wrongly on purpose.

/// Tag, length, contents.
pub fn tlv(tag: u8, contents: impl AsRef<[u8]>) -> Vec<u8> {
    let contents = contents.as_ref();
    let mut out = vec![tag];
    match contents.len() {
        short @ 0..=127 => out.push(short as u8),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend_from_slice(contents);
    out
}

/// SEQUENCE of the parts.
pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, parts.concat())
}

/// OBJECT IDENTIFIER from its dotted form.
pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().expect("a number between dots")).collect();
    let mut out = Vec::new();
    for arc in [arcs[0] * 40 + arcs[1]].iter().chain(&arcs[2..]) {
        let mut groups = vec![(arc & 0x7f) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            groups.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        out.extend(groups.iter().rev());
    }
    tlv(0x06, out)
}

/// INTEGER that is not negative, from big-endian bytes.
pub fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let mut contents: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if contents.first().is_none_or(|first| first & 0x80 != 0) {
        contents.insert(0, 0);
    }
    tlv(0x02, contents)
}

/// BIT STRING of whole bytes.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    let mut contents = vec![0];
    contents.extend_from_slice(bytes);
    tlv(0x03, contents)
}

/// BIT STRING of named bits, numbered from the left, without trailing zeroes (X.690, 11.2.2).
pub fn named_bits(numbers: &[u8]) -> Vec<u8> {
    let Some(last) = numbers.iter().max() else { return tlv(0x03, [0]) };
    let mut contents = vec![0u8; 1 + usize::from(last / 8) + 1];
    contents[0] = 7 - last % 8;
    for number in numbers {
        contents[1 + usize::from(number / 8)] |= 0x80 >> (number % 8);
    }
    tlv(0x03, contents)
}

/// BOOLEAN.
pub fn boolean(value: bool) -> Vec<u8> {
    tlv(0x01, [if value { 0xff } else { 0 }])
}

/// UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280, 4.1.2.5), of a day's beginning.
pub fn midnight(day: (u16, u8, u8)) -> Vec<u8> {
    moment(seconds(day))
}

/// The same of any second since 1970.
pub fn moment(at: i64) -> Vec<u8> {
    let text: String =
        mtls_lint::time::format(at).chars().filter(|letter| !"-:T".contains(*letter)).collect();
    if text.as_str() < "2050" { tlv(0x17, text.get(2..).unwrap_or_default()) } else { tlv(0x18, text) }
}

/// When a day begins, in seconds since 1970.
pub fn seconds((year, month, day): (u16, u8, u8)) -> i64 {
    mtls_lint::time::parse(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z"))
        .expect("a day of the calendar")
}
