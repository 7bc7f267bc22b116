//! Changes to whole lines, and how new lines are folded (RFC 5545 3.1, RFC 6350 3.2, RFC 2045 6.7).

use super::{BOM, File, LineEnd, is_bracket};
use std::collections::BTreeMap;

/// Changes to a file, by the line numbers that it has now.
#[derive(Clone, Debug)]
pub struct Edit<'a> {
    file: &'a File,
    /// `None`: removed.
    replaced: BTreeMap<usize, Option<Vec<u8>>>,
    /// What comes before a line.
    inserted: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl<'a> Edit<'a> {
    pub(super) fn new(file: &'a File) -> Self {
        Self { file, replaced: BTreeMap::new(), inserted: BTreeMap::new() }
    }

    /// Puts a line (unfolded or folded with LF between, without final line end) in the place of one that is there.
    pub fn replace(&mut self, line: usize, physical: Vec<Vec<u8>>) {
        let bytes = self.lay_out(&physical);
        self.replaced.insert(line, Some(bytes));
    }

    /// Takes a line away.
    pub fn remove(&mut self, line: usize) {
        self.replaced.insert(line, None);
    }

    /// Puts a new line before one that is there (or at the end), after those already put there.
    pub fn insert_before(&mut self, line: usize, physical: Vec<Vec<u8>>) {
        let bytes = self.lay_out(&physical);
        self.inserted.entry(line).or_default().push(bytes);
    }

    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.inserted.is_empty()
    }

    /// The edited file: every line that was not named is there byte for byte.
    pub fn finish(self) -> Vec<u8> {
        let file = self.file;
        let line_end = file.line_end.bytes();
        let mut out: Vec<u8> = Vec::with_capacity(file.bytes.len() + 256);
        let put = |out: &mut Vec<u8>, bytes: &[u8]| {
            // Something new follows a line without end.
            if !bytes.is_empty() && out.last().is_some_and(|b| !matches!(b, b'\r' | b'\n')) && out.as_slice() != BOM {
                out.extend_from_slice(line_end);
            }
            out.extend_from_slice(bytes);
        };
        let mut follows_new = false;
        for line in 0..=file.len() {
            for new in self.inserted.get(&line).into_iter().flatten() {
                put(&mut out, new);
                follows_new = true;
            }
            let raw = file.raw(line);
            match self.replaced.get(&line) {
                None => {
                    // A line that begins with a blank stood behind an empty one; behind another it would be its fold.
                    if follows_new && matches!(raw.first(), Some(b' ' | b'\t')) {
                        put(&mut out, line_end);
                    }
                    put(&mut out, raw);
                    follows_new = false;
                }
                Some(new) => {
                    follows_new = true;
                    if line == 0 && raw.starts_with(BOM) {
                        out.extend_from_slice(BOM);
                    }
                    let is_open = !matches!(raw.last(), Some(b'\r' | b'\n'));
                    let new = new.as_deref().unwrap_or_default();
                    put(&mut out, if is_open { new.strip_suffix(line_end).unwrap_or(new) } else { new });
                }
            }
        }
        out
    }

    fn lay_out(&self, physical: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        physical.iter().for_each(|line| lay_out(&mut bytes, line, self.file.line_end));
        bytes
    }
}

/// Adds one physical line and its end.
pub(crate) fn lay_out(bytes: &mut Vec<u8>, line: &[u8], line_end: LineEnd) {
    // Invariant of the format: no line end within a physical line, whatever was handed in.
    if line.contains(&b'\r') || line.contains(&b'\n') {
        bytes.extend(line.iter().filter(|b| !matches!(b, b'\r' | b'\n')));
    } else {
        bytes.extend_from_slice(line);
    }
    bytes.extend_from_slice(line_end.bytes());
}

/// Folds a line at 75 octets (RFC 5545 3.1, RFC 6350 3.2), never inside a UTF-8 character: the physical lines, each after the
/// first with a blank in front.
pub fn fold(line: &[u8]) -> Vec<Vec<u8>> {
    const WIDTH: usize = 75;
    let mut physical = Vec::with_capacity(line.len() / (WIDTH - 1) + 1);
    let mut rest = line;
    loop {
        let is_first = physical.is_empty();
        let width = if is_first { WIDTH } else { WIDTH - 1 };
        let mut end = rest.len().min(width);
        if end < rest.len() {
            let mut border = end;
            while border > end.saturating_sub(4) && border > 0 && rest[border] & 0xC0 == 0x80 {
                border -= 1;
            }
            end = if border > 0 && rest[border] & 0xC0 != 0x80 { border } else { end };
        }
        let (now, later) = rest.split_at(end);
        let mut one = Vec::with_capacity(now.len() + 1);
        if !is_first {
            one.push(b' ');
        }
        one.extend_from_slice(now);
        physical.push(one);
        rest = later;
        if rest.is_empty() {
            return physical;
        }
    }
}

/// Breaks a quoted-printable line (vCard 2.1) softly so that no physical line has more than 76 octets of value; a coded
/// octet (`=C3`) stays in one piece. `head` is what stands before the value, the colon included; nothing of it is broken.
///
/// What would be mistaken at the beginning of a line (a blank for a fold, the end of a component) is coded there.
pub fn fold_softly(head: &[u8], value: &[u8]) -> Vec<Vec<u8>> {
    const WIDTH: usize = 75;
    let mut physical = Vec::new();
    let mut one = head.to_vec();
    let mut rest = value;
    let mut is_whole = true;
    while !rest.is_empty() {
        let piece = if rest[0] == b'=' && rest.len() >= 3 { 3 } else { 1 };
        if one.len() + piece > WIDTH && !(is_whole && head.len() < WIDTH && one.len() == head.len()) {
            one.push(b'=');
            physical.push(std::mem::take(&mut one));
            is_whole = false;
        }
        let is_first = one.is_empty() && !is_whole;
        if is_first && (matches!(rest[0], b' ' | b'\t') || is_bracket(rest.get(..12).unwrap_or(rest))) {
            one.extend_from_slice(format!("={:02X}", rest[0]).as_bytes());
        } else {
            one.extend_from_slice(&rest[..piece]);
        }
        rest = &rest[piece..];
    }
    physical.push(one);
    physical
}
