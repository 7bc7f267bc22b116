//! Content lines without loss: the text layer under vCard and iCalendar (RFC 5545 3.1, RFC 6350 3.2 and 3.3, RFC 6868).
//!
//! [`File::parse`] takes *any* bytes and gives them back byte for byte ([`File::write`]); it only finds where the logical
//! lines begin and end: folded lines, quoted-printable soft breaks (vCard 2.1), base64 bodies that end with a blank line.
//! What a line says is read on demand ([`File::line`], [`ContentLine::parse`]); which lines stand in which component is told by
//! [`File::components`]. An [`Edit`] replaces, removes and inserts whole lines and leaves every other byte.
//!
//! Limits come first: a file over one of the [`Limits`] is refused before anything looks at it. All work is linear.

pub(crate) mod charset;
mod edit;
mod line;
pub(crate) mod ours;
pub(crate) mod text;

pub(crate) use edit::lay_out;
pub use edit::{Edit, fold, fold_softly};
pub use line::{ContentLine, Parameter};

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// How much is looked at, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Logical lines of the file.
    pub lines: usize,
    /// Bytes of one logical line, folds included (a photo is one line).
    pub line_bytes: usize,
    /// Parameters of one line.
    pub parameters: usize,
    /// Components within components.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, lines: 200_000, line_bytes: 16 << 20, parameters: 256, depth: 32 }
    }
}

/// The limit that a file is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitError {
    /// More bytes than allowed.
    Bytes(usize),
    /// More logical lines than allowed.
    Lines(usize),
    /// A longer logical line than allowed.
    LineBytes(usize),
    /// More parameters on a line than allowed.
    Parameters(usize),
    /// Components nested deeper than allowed.
    Depth(usize),
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitError::Bytes(limit) => write!(f, "more than {limit} bytes"),
            LimitError::Lines(limit) => write!(f, "more than {limit} lines"),
            LimitError::LineBytes(limit) => write!(f, "a line of more than {limit} bytes"),
            LimitError::Parameters(limit) => write!(f, "a line of more than {limit} parameters"),
            LimitError::Depth(limit) => write!(f, "components nested more than {limit} deep"),
        }
    }
}

impl std::error::Error for LimitError {}

/// The line ends of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// CR LF, what the RFCs ask for.
    #[default]
    CrLf,
    /// LF alone.
    Lf,
    /// CR alone.
    Cr,
}

impl LineEnd {
    /// The bytes.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            LineEnd::CrLf => b"\r\n",
            LineEnd::Lf => b"\n",
            LineEnd::Cr => b"\r",
        }
    }
}

/// One component: what stands between `BEGIN:NAME` and `END:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// The name in capitals.
    pub name: String,
    /// The line of `BEGIN`.
    pub begin: usize,
    /// The line of `END`; `None` when it never comes.
    pub end: Option<usize>,
    /// The component around it, as an index into [`File::components`].
    pub parent: Option<usize>,
}

/// A file cut into logical lines; the bytes are kept as they are.
#[derive(Clone, Debug, Default)]
pub struct File {
    bytes: Vec<u8>,
    lines: Vec<Range<usize>>,
    components: Vec<Component>,
    line_end: LineEnd,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

impl File {
    /// Finds the logical lines and the components of a file within the usual limits.
    ///
    /// # Errors
    /// [`LimitError`] when the file is over a limit; every other byte string is taken.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self, LimitError> {
        Self::parse_within(bytes, &Limits::default())
    }

    /// [`File::parse`] within limits of one's own.
    ///
    /// # Errors
    /// [`LimitError`] when the file is over a limit.
    pub fn parse_within(bytes: impl Into<Vec<u8>>, limits: &Limits) -> Result<Self, LimitError> {
        let bytes = bytes.into();
        if bytes.len() > limits.bytes {
            return Err(LimitError::Bytes(limits.bytes));
        }
        let lines = cut(&bytes, limits)?;
        let mut file = Self { bytes, lines, components: Vec::new(), line_end: LineEnd::CrLf };
        file.line_end = file.usual_line_end();
        file.components = file.find_components(limits.depth)?;
        Ok(file)
    }

    /// The file as it was.
    pub fn write(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The number of logical lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line at all.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The bytes of a logical line, folds and line end included; empty for a line that is not there.
    pub fn raw(&self, line: usize) -> &[u8] {
        self.lines.get(line).and_then(|range| self.bytes.get(range.clone())).unwrap_or_default()
    }

    /// Where a logical line stands in the file.
    pub fn range(&self, line: usize) -> Range<usize> {
        self.lines.get(line).cloned().unwrap_or(self.bytes.len()..self.bytes.len())
    }

    /// The line without folds, soft breaks, line end and byte order mark.
    pub fn unfolded(&self, line: usize) -> Cow<'_, [u8]> {
        let raw = self.raw(line);
        unfold(if line == 0 { raw.strip_prefix(BOM).unwrap_or(raw) } else { raw })
    }

    /// What the line says; bytes that are not UTF-8 are replaced. `None` for a line without a colon.
    pub fn line(&self, line: usize) -> Option<ContentLine> {
        ContentLine::parse(String::from_utf8_lossy(&self.unfolded(line)).into_owned())
    }

    /// All components in the order in which they begin.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The line ends that most lines have; CR LF where there is none.
    pub fn line_end(&self) -> LineEnd {
        self.line_end
    }

    /// Begins an edit.
    pub fn edit(&self) -> Edit<'_> {
        Edit::new(self)
    }

    fn usual_line_end(&self) -> LineEnd {
        let mut counts = [(0_usize, LineEnd::CrLf), (0, LineEnd::Lf), (0, LineEnd::Cr)];
        for range in &self.lines {
            let line = self.bytes.get(range.clone()).unwrap_or_default();
            let at = match line {
                [.., b'\r', b'\n'] => 0,
                [.., b'\n'] => 1,
                [.., b'\r'] => 2,
                _ => continue,
            };
            counts[at].0 += 1;
        }
        let mut best = counts[0];
        for count in &counts[1..] {
            if count.0 > best.0 {
                best = *count;
            }
        }
        best.1
    }

    fn find_components(&self, depth: usize) -> Result<Vec<Component>, LimitError> {
        let mut found: Vec<Component> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for line in 0..self.len() {
            let Some((is_begin, name)) = self.bracket(line) else { continue };
            if is_begin {
                if open.len() >= depth {
                    return Err(LimitError::Depth(depth));
                }
                found.push(Component { name, begin: line, end: None, parent: open.last().copied() });
                open.push(found.len() - 1);
            } else if let Some(at) = open.iter().rposition(|component| found[*component].name == name) {
                found[open[at]].end = Some(line);
                open.truncate(at);
            }
        }
        Ok(found)
    }

    /// Whether a line is `BEGIN:NAME` or `END:NAME`; which, and the name.
    fn bracket(&self, line: usize) -> Option<(bool, String)> {
        let raw = self.raw(line);
        let raw = if line == 0 { raw.strip_prefix(BOM).unwrap_or(raw) } else { raw };
        if raw.len() > 300 || !matches!(raw.first(), Some(b'b' | b'B' | b'e' | b'E')) {
            return None;
        }
        let text = unfold(raw);
        let colon = text.iter().position(|b| *b == b':')?;
        let (word, name) = (text.get(..colon)?, text.get(colon + 1..)?);
        let is_begin = word.trim_ascii().eq_ignore_ascii_case(b"BEGIN");
        let is_end = word.trim_ascii().eq_ignore_ascii_case(b"END");
        (is_begin || is_end).then(|| (is_begin, String::from_utf8_lossy(name).trim().to_ascii_uppercase()))
    }
}

// ---- finding the lines ------------------------------------------------------------------------------------------------

/// What the head of a line (before the colon) tells about how the line goes on.
#[derive(Clone, Copy, Default)]
struct Head {
    quoted_printable: bool,
    base64: bool,
}

fn cut(bytes: &[u8], limits: &Limits) -> Result<Vec<Range<usize>>, LimitError> {
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at = physical_end(bytes, at);
        if !is_blank(bytes.get(start..at).unwrap_or_default()) {
            let folded = folded_end(bytes, at);
            let head = read_head(bytes.get(start..folded).unwrap_or_default(), limits.parameters)?;
            at = match head {
                Head { quoted_printable: true, .. } => soft_end(bytes, start),
                Head { base64: true, .. } => base64_end(bytes, folded),
                _ => folded,
            };
        }
        if at - start > limits.line_bytes {
            return Err(LimitError::LineBytes(limits.line_bytes));
        }
        if lines.len() >= limits.lines {
            return Err(LimitError::Lines(limits.lines));
        }
        lines.push(start..at);
    }
    Ok(lines)
}

/// Past the line end that follows `from`.
fn physical_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    match rest.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        None => bytes.len(),
        Some(at) if rest.get(at..at + 2) == Some(b"\r\n") => from + at + 2,
        Some(at) => from + at + 1,
    }
}

/// Past all continuation lines that begin at `at`.
fn folded_end(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at = physical_end(bytes, at);
    }
    at
}

/// Past the last line of a quoted-printable value: soft breaks (a final `=`) and folds go on.
fn soft_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let end = physical_end(bytes, at);
        let is_soft = ends_softly(bytes.get(at..end).unwrap_or_default());
        let next = bytes.get(end..physical_end(bytes, end)).unwrap_or_default();
        let goes_on = if is_soft { !is_bracket(next) } else { matches!(next.first(), Some(b' ' | b'\t')) };
        if next.is_empty() || !goes_on {
            return end;
        }
        at = end;
    }
}

/// Past the body of a base64 value that goes on without folds; the blank line that ends it (vCard 2.1) belongs to it, once.
fn base64_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        let next = physical_end(bytes, at);
        let body = bytes.get(at..next).unwrap_or_default();
        if is_blank(body) {
            return next;
        }
        if !is_base64(body) {
            break;
        }
        at = next;
    }
    at
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b'\r' | b'\n'))
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn ends_softly(line: &[u8]) -> bool {
    line.last().is_some_and(|b| matches!(b, b'\r' | b'\n')) && trim_end(line).ends_with(b"=")
}

fn is_bracket(line: &[u8]) -> bool {
    let line = trim_end(line).trim_ascii();
    let starts = |word: &[u8]| line.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    starts(b"END:V") || starts(b"BEGIN:V")
}

fn is_base64(line: &[u8]) -> bool {
    let line = trim_end(line);
    !line.is_empty() && line.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// Reads the head of a logical line: up to its colon ([`find_colon`]).
fn read_head(line: &[u8], parameters: usize) -> Result<Head, LimitError> {
    let (colon, minds_quotes) = find_colon(line);
    let mut head = Head::default();
    // Most lines have no parameter at all.
    if colon.is_some_and(|colon| !line[..colon].contains(&b';')) {
        return Ok(head);
    }
    let mut quoted = false;
    let mut count = 0;
    let mut start = 0;
    for (i, byte) in line.iter().enumerate().take(colon.unwrap_or(line.len()) + 1) {
        if *byte == b'"' && minds_quotes {
            quoted = !quoted;
        } else if (*byte == b';' && !quoted) || Some(i) == colon {
            if count > 0 {
                note_parameter(line.get(start..i).unwrap_or_default(), &mut head);
            }
            count += 1;
            start = i + 1;
            if count > parameters + 1 {
                return Err(LimitError::Parameters(parameters));
            }
        }
    }
    Ok(if colon.is_some() { head } else { Head::default() })
}

/// The colon that ends the head of a line: the first outside of quotes, or, where a quote never ends, the first of all.
/// Tells too whether quotes were minded.
fn find_colon(line: &[u8]) -> (Option<usize>, bool) {
    let first = line.iter().position(|b| *b == b':');
    // Before the first colon there is mostly no quote.
    if first.is_none_or(|at| !line[..at].contains(&b'"')) {
        return (first, first.is_some());
    }
    let mut quoted = false;
    let minding = line.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b':' && !quoted
    });
    match minding {
        Some(at) => (Some(at), true),
        None => (first, false),
    }
}

fn note_parameter(parameter: &[u8], head: &mut Head) {
    // Folds inside a parameter are rare and short.
    if parameter.len() > 200 {
        return;
    }
    let text = join_folds(parameter);
    let value = match text.iter().position(|b| *b == b'=') {
        Some(at) if text[..at].trim_ascii().eq_ignore_ascii_case(b"ENCODING") => &text[at + 1..],
        Some(_) => return,
        None => &text[..],
    };
    let value = value.trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
    head.quoted_printable |= value.eq_ignore_ascii_case(b"QUOTED-PRINTABLE");
    head.base64 |= value.eq_ignore_ascii_case(b"BASE64") || value.eq_ignore_ascii_case(b"B");
}

/// Takes folds (line end and one blank), quoted-printable soft breaks and line ends out of a logical line.
fn unfold(raw: &[u8]) -> Cow<'_, [u8]> {
    let first = physical_end(raw, 0);
    if first == raw.len() {
        return Cow::Borrowed(trim_end(raw));
    }
    let folded = folded_end(raw, first);
    let head = read_head(raw.get(..folded).unwrap_or_default(), usize::MAX - 1).unwrap_or_default();
    if !head.quoted_printable {
        return join_folds(raw);
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut at = 0;
    let mut after_soft = true;
    while at < raw.len() {
        let end = physical_end(raw, at);
        let line = raw.get(at..end).unwrap_or_default();
        // A blank after a soft break is text; after any other line end it is the mark of a fold.
        let line = if after_soft { line } else { line.strip_prefix(b" ").or(line.strip_prefix(b"\t")).unwrap_or(line) };
        after_soft = ends_softly(line) && end < raw.len();
        let line = trim_end(line);
        text.extend_from_slice(if after_soft { line.strip_suffix(b"=").unwrap_or(line) } else { line });
        at = end;
    }
    Cow::Owned(text)
}

fn join_folds(raw: &[u8]) -> Cow<'_, [u8]> {
    if physical_end(raw, 0) == raw.len() {
        return Cow::Borrowed(trim_end(raw));
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let end = physical_end(raw, at);
        let line = trim_end(raw.get(at..end).unwrap_or_default());
        let is_fold = at > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        text.extend_from_slice(if is_fold { &line[1..] } else { line });
        at = end;
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let file = File::parse(bytes).unwrap();
        assert_eq!(file.write(), bytes);
        (0..file.len()).map(|i| String::from_utf8_lossy(&file.unfolded(i)).into_owned()).collect()
    }

    #[test]
    fn folds_and_mixed_line_ends_are_undone() {
        assert_eq!(lines(b"A:1\r\n 2\nB:x\ry\r\n\tz\nC"), ["A:12", "B:x", "yz", "C"]);
        assert_eq!(lines(b"\xef\xbb\xbfBEGIN:VCARD\n"), ["BEGIN:VCARD"]);
        assert_eq!(lines(b"N:M\xc3\r\n \xb6\r\n"), ["N:M\u{f6}"]);
    }

    #[test]
    fn soft_breaks_join_and_a_blank_after_one_is_text() {
        let text = b"NOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0A=\r\n b=\r\nc:d\r\nTEL:1\r\n";
        assert_eq!(lines(text), ["NOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0A bc:d", "TEL:1"]);
        assert_eq!(lines(b"NOTE;QUOTED-PRINTABLE:a=\nEND:VCARD\n"), ["NOTE;QUOTED-PRINTABLE:a=", "END:VCARD"]);
        assert_eq!(lines(b"NOTE:a=\nB:c\n"), ["NOTE:a=", "B:c"]);
    }

    #[test]
    fn a_base64_body_ends_with_its_blank_line() {
        let text = b"PHOTO;BASE64:\n QUJD\n REVG\n\nTEL:1\n\nX:2\n";
        assert_eq!(lines(text), ["PHOTO;BASE64:QUJDREVG", "TEL:1", "", "X:2"]);
        assert_eq!(lines(b"PHOTO;ENCODING=b:QUJD\nREVG\n\nTEL:1\n"), ["PHOTO;ENCODING=b:QUJDREVG", "TEL:1"]);
    }

    #[test]
    fn a_line_is_cut_into_group_name_parameters_and_value() {
        let line = ContentLine::parse("item1.Tel;type=HOME,\"a;b:c\";PREF;X=^n^^^':1;2:3").unwrap();
        assert_eq!((line.group(), line.name().as_str(), line.value()), (Some("item1"), "TEL", "1;2:3"));
        assert_eq!(line.parameter("TYPE"), ["HOME", "a;b:c"]);
        assert_eq!(line.parameter(""), ["PREF"]);
        assert_eq!(line.parameter("X"), ["\n^\""]);
        let broken = ContentLine::parse("A;X=\"never:ends").unwrap();
        assert_eq!((broken.name().as_str(), broken.value()), ("A", "ends"));
        assert!(ContentLine::parse("no colon").is_none());
        let values = ["a;b".to_owned(), "q\"\n^".to_owned()];
        assert_eq!(Parameter::parse(&Parameter::write("P", &values)).values, values);
    }

    #[test]
    fn components_know_their_ends() {
        let file =
            File::parse(*b"BEGIN:VCALENDAR\nbegin:vevent \nEND:VEVENT\nBEGIN:X\nEND:VCALENDAR\nEND:Y\n").unwrap();
        let told: Vec<_> = file.components().iter().map(|c| (c.name.as_str(), c.begin, c.end, c.parent)).collect();
        assert_eq!(told, [("VCALENDAR", 0, Some(4), None), ("VEVENT", 1, Some(2), Some(0)), ("X", 3, None, Some(0))]);
    }

    #[test]
    fn a_file_over_a_limit_is_refused() {
        let deep = "BEGIN:A\n".repeat(33);
        assert_eq!(File::parse(deep.as_bytes()).unwrap_err(), LimitError::Depth(32));
        assert!(File::parse("BEGIN:A\n".repeat(32).as_bytes()).is_ok());
        let many = format!("TEL{}:1", ";X=1".repeat(200_000));
        assert_eq!(File::parse(many.as_bytes()).unwrap_err(), LimitError::Parameters(256));
        let unbalanced = format!("TEL;\"{}:1", ";X=1".repeat(200_000));
        assert_eq!(File::parse(unbalanced.as_bytes()).unwrap_err(), LimitError::Parameters(256));
        assert_eq!(File::parse("\n".repeat(200_001)).unwrap_err(), LimitError::Lines(200_000));
        let small = Limits { bytes: 100, line_bytes: 10, ..Limits::default() };
        assert_eq!(File::parse_within("x".repeat(101), &small).unwrap_err(), LimitError::Bytes(100));
        assert_eq!(File::parse_within("x".repeat(11), &small).unwrap_err(), LimitError::LineBytes(10));
    }

    #[test]
    fn an_edit_touches_only_its_lines() {
        let text = b"\xef\xbb\xbfA:1\nB:2\n\n C:3\r\nD:4";
        let file = File::parse(*text).unwrap();
        let mut edit = file.edit();
        edit.replace(1, fold(b"B:9"));
        edit.remove(0);
        edit.insert_before(file.len(), fold("E:\u{e4}".repeat(30).as_bytes()));
        let out = edit.finish();
        let expected = format!("\u{feff}B:9\n\n C:3\r\nD:4\n{}\n", "E:\u{e4}".repeat(30));
        let unfolded: String = String::from_utf8(out).unwrap();
        assert_eq!(unfolded.replace("\n E", "E").replace("\n :", ":").replace("\n \u{e4}", "\u{e4}"), expected);
        assert_eq!(file.edit().finish(), text);
    }

    #[test]
    fn a_line_that_begins_with_a_blank_never_becomes_a_fold() {
        let file = File::parse(*b"A:1\n\n B:2\nC;ENCODING=b:QUJD\n\n\tD:4\n").unwrap();
        let unfolded = |bytes: Vec<u8>| lines(&bytes).into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>();
        let mut edit = file.edit();
        edit.insert_before(2, fold(b"X:0"));
        edit.replace(3, fold(b"C:3"));
        assert_eq!(unfolded(edit.finish()), ["A:1", "X:0", " B:2", "C:3", "\tD:4"]);
        let mut edit = file.edit();
        edit.remove(1);
        edit.remove(3);
        assert_eq!(unfolded(edit.finish()), ["A:1", " B:2", "\tD:4"]);
    }

    #[test]
    fn folding_keeps_characters_whole_and_lines_short() {
        let line = format!("NOTE:{}", "\u{1f600}a".repeat(100));
        let physical = fold(line.as_bytes());
        assert!(physical.iter().all(|p| p.len() <= 75 && std::str::from_utf8(p).is_ok()));
        let mut joined = physical.join(&b"\r\n"[..]);
        joined.extend_from_slice(b"\r\n");
        assert_eq!(lines(&joined), [line]);
        assert!(fold(&[0x80; 500]).iter().all(|p| p.len() <= 75));
    }

    #[test]
    fn soft_folding_is_undone_by_reading() {
        let value = "=C3=A4b".repeat(60);
        let physical = fold_softly(b"NOTE;ENCODING=QUOTED-PRINTABLE:", value.as_bytes());
        assert!(physical.iter().all(|p| p.len() <= 76));
        assert_eq!(lines(&physical.join(&b"\r\n"[..])), [format!("NOTE;ENCODING=QUOTED-PRINTABLE:{value}")]);
    }
}
