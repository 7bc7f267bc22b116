//! A message read from the store without its large files: what is long and in base64 stays there, and is only noted. So a message of
//! forty megabytes takes some kilobytes of memory while it is made. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::read::DecoderReader;
use std::io::{self, BufRead, BufReader, Read};

/// So many letters of base64 in a row stay in the store.
pub const LONG: usize = 256 * 1024;
/// So many where a text may be among them.
pub const LONGER: usize = 8 * 1024 * 1024;
/// What a message says beside them is no more than this, in bytes: it is in memory, several times.
pub const MOST: usize = 16 * 1024 * 1024;
/// A longer line is none of base64.
const LONGEST_LINE: u64 = 4096;

/// A message without its long runs of base64.
#[derive(Default)]
pub struct Lean {
    /// What is left of its bytes.
    pub bytes: Vec<u8>,
    /// What is left out, in its order.
    pub runs: Vec<Run>,
}

/// Lines of base64 that are left out.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where in [`Lean::bytes`] they would stand.
    pub at: usize,
    /// Where in the message they begin, in bytes.
    from: u64,
    /// How many bytes of the message they are.
    letters: u64,
    /// How many bytes they say.
    pub length: usize,
    /// Of what they say.
    hash: blake3::Hash,
}

impl PartialEq for Run {
    /// Whether they say the same, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        (self.length, self.hash) == (other.length, other.hash)
    }
}

impl Run {
    /// The same lines, where names of other lengths were put in before them: each moves what stands behind it, as far as is said.
    pub fn behind(&self, moved: &[(usize, isize)]) -> Run {
        let by: isize = moved.iter().filter(|(behind, _)| *behind <= self.at).map(|(_, by)| by).sum();
        Run { at: self.at.saturating_add_signed(by), ..self.clone() }
    }

    /// The bytes that it says, to be read from those of its message.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn reader(&self, mut message: impl Read) -> io::Result<impl Read> {
        io::copy(&mut message.by_ref().take(self.from), &mut io::sink())?;
        Ok(DecoderReader::new(Unbroken(message.take(self.letters)), &STANDARD))
    }
}

/// Leaves out the ends of lines.
struct Unbroken<R>(R);

impl<R: Read> Read for Unbroken<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(buffer)?;
            let mut kept = 0;
            for at in 0..count {
                if !matches!(buffer[at], b'\r' | b'\n') {
                    buffer[kept] = buffer[at];
                    kept += 1;
                }
            }
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}

/// Lines of base64 that are being read.
struct Lines {
    from: u64,
    letters: u64,
    /// Themselves, as long as they are not too many.
    held: Vec<u8>,
    length: usize,
    hasher: blake3::Hasher,
    /// Nothing follows the line with padding.
    is_over: bool,
}

impl Lean {
    /// Reads a message to its end, without runs that are longer than `long`; `None` where the rest is more than [`MOST`].
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(message: impl Read, long: usize) -> io::Result<Option<Lean>> {
        let mut message = BufReader::with_capacity(128 * 1024, message);
        let (mut lean, mut lines, mut at) = (Lean::default(), None, 0_u64);
        let (mut line, mut said) = (Vec::new(), [0; LONGEST_LINE as usize]);
        let mut is_begin = true;
        loop {
            line.clear();
            if message.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                lean.close(&mut lines, long);
                return Ok(Some(lean).filter(|lean| lean.bytes.len() <= MOST));
            }
            if lean.bytes.len() > MOST {
                return Ok(None);
            }
            let says = is_begin.then(|| says(&line, &mut said)).flatten();
            is_begin = line.ends_with(b"\n");
            match says.filter(|_| is_begin) {
                Some(count) => {
                    if lines.as_ref().is_some_and(|lines: &Lines| lines.is_over) {
                        lean.close(&mut lines, long);
                    }
                    lines.get_or_insert_with(|| Lines::at(at)).add(&line, &said[..count], long);
                }
                None => {
                    lean.close(&mut lines, long);
                    lean.bytes.extend_from_slice(&line);
                }
            }
            at += line.len() as u64;
        }
    }

    fn close(&mut self, lines: &mut Option<Lines>, long: usize) {
        let Some(lines) = lines.take() else { return };
        if lines.letters <= long as u64 {
            return self.bytes.extend_from_slice(&lines.held);
        }
        let Lines { from, letters, length, hasher, .. } = lines;
        self.runs.push(Run { at: self.bytes.len(), from, letters, length, hash: hasher.finalize() });
    }
}

impl Lines {
    fn at(from: u64) -> Lines {
        let (held, hasher) = (Vec::new(), blake3::Hasher::new());
        Lines { from, letters: 0, held, length: 0, hasher, is_over: false }
    }

    fn add(&mut self, line: &[u8], says: &[u8], long: usize) {
        self.letters += line.len() as u64;
        self.length += says.len();
        self.hasher.update(says);
        self.is_over = line.contains(&b'=');
        match self.letters <= long as u64 {
            true => self.held.extend_from_slice(line),
            false => self.held = Vec::new(),
        }
    }
}

/// How many bytes a line of base64 says; `None` where it is none, or says no whole bytes by itself.
fn says(line: &[u8], said: &mut [u8]) -> Option<usize> {
    let letters = line.strip_suffix(b"\n")?;
    let letters = letters.strip_suffix(b"\r").unwrap_or(letters);
    if letters.is_empty() {
        return None;
    }
    STANDARD.decode_slice(letters, said).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    fn lines(bytes: &[u8]) -> Vec<u8> {
        bytes.chunks(57).flat_map(|line| format!("{}\r\n", STANDARD.encode(line)).into_bytes()).collect()
    }

    #[test]
    fn long_base64_is_left_where_it_is_and_read_from_there() {
        let (small, large) = (noise(1_000), noise(1_000_001));
        let parts: [&[u8]; 5] = [b"A: b\r\n\r\n", &lines(&small), b"--m\r\nB: c\r\n\r\n", &lines(&large), b"--m--\r\n"];
        let whole = parts.concat();
        let lean = Lean::read(whole.as_slice(), LONG).unwrap().unwrap();
        assert!(lean.bytes == [parts[0], parts[1], parts[2], parts[4]].concat());
        let [run] = &lean.runs[..] else { panic!("{:?}", lean.runs) };
        assert_eq!((run.at, run.length), (parts[..3].concat().len(), large.len()));
        let mut back = Vec::new();
        run.reader(whole.as_slice()).unwrap().read_to_end(&mut back).unwrap();
        assert!(back == large);
        let elsewhere = Lean::read([b"\r\n", &lines(&large)[..]].concat().as_slice(), LONG).unwrap().unwrap();
        assert_eq!(elsewhere.runs, lean.runs, "the same bytes are the same, wherever they stand");
    }

    #[test]
    fn what_is_more_than_fits_into_memory_is_read_no_further() {
        let head = b"A: b\r\n\r\n";
        let text = |bytes: usize| head.chain(io::repeat(b'x').take(bytes as u64));
        assert_eq!(Lean::read(text(MOST - head.len()), LONG).unwrap().map(|lean| lean.bytes.len()), Some(MOST));
        assert!(Lean::read(text(MOST - head.len() + 1), LONG).unwrap().is_none());
        assert!(Lean::read(head.chain(io::repeat(0)), LONG).unwrap().is_none(), "without an end");
        let files = lines(&noise(3 * LONGER));
        let lean = Lean::read(files.as_slice(), LONGER).unwrap().unwrap();
        assert_eq!((lean.bytes.len(), lean.runs.len()), (0, 1), "files are not in memory");
    }

    #[test]
    fn what_is_no_plain_base64_stays_as_it_is() {
        let large = noise(600_000);
        let odd: Vec<u8> =
            STANDARD.encode(&large).as_bytes().chunks(75).flat_map(|line| [line, b"\n"].concat()).collect();
        let long = STANDARD.encode(&large).into_bytes();
        for whole in [odd, long, large, b"abcd".to_vec(), Vec::new()] {
            let lean = Lean::read(whole.as_slice(), LONG).unwrap().unwrap();
            assert!(lean.runs.is_empty() && lean.bytes == whole);
        }
    }
}
